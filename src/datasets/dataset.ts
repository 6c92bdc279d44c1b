/** Loads questions and passages from files, and builds the corpus. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Fields, Notes } from "../domain/records/fields.ts"
import { Contradictory, copFrom } from "../domain/records/forms.ts"
import { imageFields } from "../domain/records/pictures.ts"
import {
  type Passage,
  passageFields,
  questionFields,
  type QuestionRecord,
  type Split,
  toPassage,
  toQuestion
} from "../domain/records/Records.ts"
import { toNamed } from "../domain/records/triples.ts"
import type { Corpus } from "../runtime/ports/Corpus.ts"
import { Growing } from "./corpus/corpus.ts"
import { corpusFiles, questionFile, type RecordFile } from "./datasetFiles.ts"
import { load, type Loaded, type LoadOptions, type Read, type Reading, type Store } from "./loading.ts"
import { resolved } from "./pictures/references.ts"
import { readQrels } from "./qrels.ts"
import { placeId, type Raw, recordsOf } from "./recordFile.ts"
import { isTable, tableRows } from "./tables.ts"

export { fromRecords } from "./corpus/corpus.ts"
export type { Loaded, LoadOptions } from "./loading.ts"

/** How a question file is read. */
export interface QuestionOptions extends LoadOptions {
  /** The fields to read as `group` and `type`. */
  readonly group?: string
  readonly type?: string
  /** The field to read as `gold`. */
  readonly gold?: string
  /** The split whose relevance judgements to read from a BEIR folder; none if omitted. */
  readonly split?: Split
  /** Whether the questions' pictures are read; if not, their field is told as unused. */
  readonly pictures?: boolean
}

/** Tracks whether `cop` counts from 0 or 1, from the records seen so far. */
const counting = () => {
  let from: 0 | 1 | undefined
  const see = ({ cop }: Fields) => {
    const shown = copFrom(cop)
    if (shown === undefined || shown === from) return
    if (from !== undefined) throw new Contradictory("cop", "has 0 or -1 in some records of the file, and 4 in others")
    from = shown
  }
  return { see, from: () => from }
}

const placed = ["answer", "golden_answers", "answer_idx", "answer_index", "answerIndex"]

/** Tracks answer indices, which are read as counting from 0, to warn if none of them is 0. */
const placing = () => {
  let [places, zeros] = [0, 0]
  const see = (fields: Fields) => {
    const options = fields["options"] ?? fields["choices"]
    if (!Array.isArray(options) || !options.every((option) => typeof option === "string")) return
    const found = placed.flatMap((name) => fields[name]).filter((value) => Number.isInteger(value))
    places += found.length
    zeros += found.filter((place) => place === 0).length
  }
  const told = () =>
    places > 0 && zeros === 0 && `places of right options count from 0, and none of ${places} is 0: do the file's?`
  return { see, told }
}

/** Records as a list, in slot order. */
export const listed = <A extends { readonly id: string }>() => {
  const records: Array<A | undefined> = []
  const numbers = new Map<string, number>()
  const store: Store<A, never, never> = {
    find: (id) => numbers.get(id) ?? -1,
    add: (record, slot) => {
      numbers.set(record.id, numbers.size)
      records[slot] = record
    },
    size: () => numbers.size,
    settle: Effect.void
  }
  return { ...store, records: () => records.filter((record) => record !== undefined) }
}

/** The questions of a file, in file order; of a BEIR folder, those named by the split's judgements. */
export const questions = Effect.fnUntraced(function*(path: string, options: QuestionOptions = {}) {
  const file = yield* questionFile(path, options.split)
  const qrels = file.qrels === undefined ? undefined : yield* readQrels(file.qrels)
  const also = new Set(Object.keys(options.where ?? {}))
  const { gold = "gold", group = "group", pictures = false, type = "type" } = options
  const [{ from, see }, places] = [counting(), placing()]
  let [judged, unjudged] = [0, 0]
  const read = (line: unknown, raw: Raw, notes: Notes): QuestionRecord | undefined => {
    const given = toQuestion(line, { also, from: from(), gold, group, type, id: placeId(raw), notes, pictures })
    const record = given.image === undefined ? given : { ...given, image: resolved(given.image, raw.path) }
    if (!qrels) return record
    const own = qrels.gold.get(record.id)
    if (own === undefined) unjudged++
    else judged++
    return own && { ...record, gold: own }
  }
  const named = new Set([gold, group, type])
  const wanted = (name: string) =>
    questionFields.has(name) || also.has(name) || named.has(name) || (pictures && imageFields.has(name))
  const reading: Reading<QuestionRecord> = {
    what: "questions",
    wanted,
    read,
    see: (line) => {
      if (typeof line !== "object" || line === null) return
      places.see(line as Fields)
      see(line as Fields)
    }
  }
  const kept = listed<QuestionRecord>()
  const loaded = yield* load(recordsOf(file.path, file.dataset, wanted), file.path, reading, options, kept)
  const lost = qrels ? qrels.gold.size - judged : 0
  const told = [
    places.told(),
    unjudged > 0 && `${unjudged} queries are not in ${file.qrels}, and are left out`,
    lost > 0 && `${lost} queries of ${file.qrels} are not there`
  ].filter((sentence) => sentence !== false)
  return {
    records: kept.records(),
    skipped: loaded.skipped,
    told: [...loaded.told, ...told, ...(qrels?.told ?? [])]
  } as Loaded<QuestionRecord>
})

/** How a corpus is read, and how much of it is kept in memory. */
export interface CorpusOptions extends LoadOptions {
  /** Bytes of text kept in memory, with the rest in the temporary folder; all of it, if omitted. */
  readonly memory?: number
  /** Between title and text; ". ", if omitted. */
  readonly title?: string
  /** Passages to leave out. */
  readonly without?: (passage: Passage) => boolean
  /** Whether the passages' pictures are read; if not, their field is told as unused. */
  readonly pictures?: boolean
}

/** A corpus that can be read by row. */
export interface LoadedCorpus extends Read {
  readonly corpus: Corpus["Service"]
  /** Ids of passages with neither text nor picture, which are not part of the corpus. */
  readonly empty: ReadonlySet<string>
}

/** The passages of a file, of several, or of a folder's files; readable until the scope ends. */
export const corpus = Effect.fnUntraced(function*(from: string | ReadonlyArray<string>, options: CorpusOptions = {}) {
  const files = typeof from === "string" ? yield* corpusFiles(from) : from.map((path): RecordFile => ({ path }))
  const path = [from].flat().join(", ")
  const also = new Set(Object.keys(options.where ?? {}))
  const empty = new Set<string>()
  const { pictures = false, title } = options
  const ofPictures = (name: string) => pictures && (imageFields.has(name) || name === "group")
  const wanted = (name: string) => passageFields.has(name) || also.has(name) || ofPictures(name)
  const read = (line: unknown, { at, path: own }: Raw, notes: Notes): Passage | undefined => {
    const record = isTable(own) ? toNamed(line as ReadonlyArray<string>, Number(at), notes) : line
    if (record === undefined) return undefined
    const passage = toPassage(record, { also, notes, pictures, ...(title === undefined ? {} : { title }) })
    if (passage.text !== "" || passage.image !== undefined) return options.without?.(passage) ? undefined : passage
    empty.add(passage.id)
    return undefined
  }
  const raws = Stream.fromIterable(files).pipe(
    Stream.flatMap((file) => isTable(file.path) ? tableRows(file.path) : recordsOf(file.path, file.dataset, wanted))
  )
  const growing = new Growing(options.memory ?? Infinity)
  const { skipped, told } = yield* load(raws, path, { what: "passages", wanted, read }, options, growing)
  const [first] = empty
  const left = first === undefined ? [] : [`${empty.size} passages have no text, and are left out (first: ${first})`]
  const several = files.length > 1 ? [`read from ${files.length} files`] : []
  return { corpus: growing.done(), empty, skipped, told: [...several, ...told, ...left] } as LoadedCorpus
})

/** The passages of a corpus. */
export interface LoadedPassages extends Loaded<Passage> {
  readonly empty: ReadonlySet<string>
}

/** The same passages as records. */
export const passages = Effect.fnUntraced(function*(path: string, options: CorpusOptions = {}) {
  const { corpus: { all }, ...loaded } = yield* corpus(path, options)
  return { ...loaded, records: yield* Stream.runCollect(all) } satisfies LoadedPassages as LoadedPassages
}, Effect.scoped)
