/** Loads rows of anchors, positives and negatives as texts: questions, and the passages that the texts become. */
import * as Effect from "effect/Effect"
import type { Notes } from "../domain/records/fields.ts"
import { isPairField, toPair, withIds } from "../domain/records/pairs.ts"
import type { Passage, QuestionRecord } from "../domain/records/Records.ts"
import { toTextRow } from "../domain/records/triples.ts"
import { sha256 } from "../runtime/files/disk.ts"
import { listed } from "./dataset.ts"
import { questionFile } from "./datasetFiles.ts"
import { load, type Loaded, type LoadOptions } from "./loading.ts"
import { placeId, type Raw, recordsOf } from "./recordFile.ts"
import { isTable, tableRows } from "./tables.ts"

/** A question that has nothing but its text. */
export const asking = (id: string, question: string, group = id): Omit<QuestionRecord, "gold"> => ({
  id,
  question,
  options: [],
  answer: "",
  answerIndex: -1,
  group,
  type: ""
})

/** Questions and the passages that their rows brought. */
export interface LoadedPairs extends Loaded<QuestionRecord> {
  readonly passages: ReadonlyArray<Passage>
}

/** The rows of a file. Texts of the `known` passages have their ids; others are named by their hash. */
export const pairs = Effect.fnUntraced(
  function*(path: string, known: ReadonlyArray<Passage>, options: LoadOptions = {}) {
    const table = isTable(path)
    const file = table ? { path, dataset: undefined } : yield* questionFile(path, undefined)
    const also = new Set(Object.keys(options.where ?? {}))
    const ids = new Map(known.map(({ id, text }) => [text, id]))
    const passages: Array<Passage> = []
    const idOf = (text: string): string => {
      const before = ids.get(text)
      if (before !== undefined) return before
      const id = `text-${sha256(text).slice(0, 16)}`
      ids.set(text, id)
      passages.push({ id, text })
      return id
    }
    const read = (line: unknown, raw: Raw, notes: Notes): QuestionRecord => {
      const pair = table ? toTextRow(line as ReadonlyArray<string>, notes) : toPair(line, also, notes)
      return { ...asking(pair.id ?? placeId(raw), pair.anchor), ...withIds(pair, idOf, notes) }
    }
    const wanted = (name: string) => isPairField(name) || also.has(name)
    const kept = listed<QuestionRecord>()
    const reading = { what: "rows", wanted, read }
    const raws = table ? tableRows(path) : recordsOf(file.path, file.dataset, () => true)
    const { skipped, told } = yield* load(raws, file.path, reading, options, kept)
    return { records: kept.records(), passages, skipped, told } as LoadedPairs
  }
)
