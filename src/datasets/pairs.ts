/** Loads rows of anchors, positives and negatives: questions, and the passages that the texts become. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Notes } from "../domain/records/fields.ts"
import { isPair, isPairField, toPair, withIds } from "../domain/records/pairs.ts"
import type { Passage, QuestionRecord } from "../domain/records/Records.ts"
import { sha256 } from "../runtime/files/disk.ts"
import { listed } from "./dataset.ts"
import { questionFile } from "./datasetFiles.ts"
import { load, type Loaded, type LoadOptions } from "./loading.ts"
import { type Raw, recordsOf } from "./recordFile.ts"

const all = () => true

/** Whether a file's first record has its positives as texts; a BEIR folder has none. */
export const isPairs = Effect.fnUntraced(function*(path: string) {
  const file = yield* questionFile(path, undefined)
  if (file.qrels !== undefined) return false
  const first = yield* Stream.runCollect(Stream.take(recordsOf(file.path, file.dataset, all), 1))
  return first.some(({ json, value }) => isPair(json === undefined ? value : JSON.parse(json)))
})

/** Questions and the passages that their rows brought. */
export interface LoadedPairs extends Loaded<QuestionRecord> {
  readonly passages: ReadonlyArray<Passage>
}

/** The rows of a file. Texts of the `known` passages have their ids; others are named by their hash. */
export const pairs = Effect.fnUntraced(
  function*(path: string, known: ReadonlyArray<Passage>, options: LoadOptions = {}) {
    const file = yield* questionFile(path, undefined)
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
    const read = (line: unknown, { at, unit }: Raw, notes: Notes): QuestionRecord => {
      const pair = toPair(line, also, notes)
      const id = pair.id ?? (typeof at === "string" ? at : `${unit}-${at}`)
      return {
        id,
        question: pair.anchor,
        options: [],
        answer: "",
        answerIndex: -1,
        group: id,
        type: "",
        ...withIds(pair, idOf, notes)
      }
    }
    const wanted = (name: string) => isPairField(name) || also.has(name)
    const kept = listed<QuestionRecord>()
    const reading = { what: "rows", wanted, read }
    const { skipped, told } = yield* load(recordsOf(file.path, file.dataset, all), file.path, reading, options, kept)
    return { records: kept.records(), passages, skipped, told } as LoadedPairs
  }
)
