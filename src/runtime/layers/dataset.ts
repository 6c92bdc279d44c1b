/** Records of files as questions and passages: each bad one is told by file, place, field and reason. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { type Notes, RecordError } from "../../domain/fields.ts"
import { copFrom, Unsettled } from "../../domain/forms.ts"
import {
  type Passage,
  passageFields,
  questionFields,
  type QuestionRecord,
  type Split,
  toPassage,
  toQuestion
} from "../../domain/Records.ts"
import type { Passages } from "../ports/Passages.ts"
import { corpusFiles, questionFile } from "./datasetFiles.ts"
import { FileError } from "./files.ts"
import { readQrels } from "./qrels.ts"
import { placeOf, type Raw, recordsOf } from "./recordFile.ts"

export interface Loaded<A> {
  readonly records: ReadonlyArray<A>
  /** Malformed records that were left out: the first hundred. */
  readonly skipped: ReadonlyArray<FileError>
  /** What is to be told of the file, a sentence each. */
  readonly told: ReadonlyArray<string>
}

export interface LoadedPassages extends Loaded<Passage> {
  /** Ids of the passages that have no text, and are none of the records. */
  readonly empty: ReadonlySet<string>
}

type Wanted = string | number

export interface LoadOptions {
  /** Take the records whose fields have these values. */
  readonly where?: Readonly<Record<string, Wanted>> | undefined
  /** Count malformed records instead of failing at the first. */
  readonly skipBad?: boolean
}

export interface QuestionOptions extends LoadOptions {
  /** The field that stands for `group`. */
  readonly group?: string
  /** The field that stands for `gold`. */
  readonly gold?: string
  /** Whose relevance judgements a BEIR folder gives; none where left out. */
  readonly split?: Split
}

const errorOf = (raw: Raw, error: unknown): FileError => {
  const { message } = error as Error
  const field = error instanceof RecordError && error.field !== "" ? `, field "${error.field}"` : ""
  const reason = error instanceof SyntaxError ? `not JSON: ${message.replaceAll(/\s+/g, " ")}` : message
  return new FileError({ path: raw.path, place: `${placeOf(raw)}${field}`, reason })
}

const taken = (line: unknown, where: ReadonlyArray<readonly [string, Wanted]>): boolean =>
  where.every(([field, value]) =>
    typeof line === "object" && line !== null && Object.hasOwn(line, field)
    && (line as Readonly<Record<string, unknown>>)[field] === value
  )

/** Counts by name, the first of each kind; names beyond `most` are counted together. */
class Tally {
  readonly counts = new Map<string, number>()
  static readonly most = 30
  add(name: string): void {
    const own = this.counts.has(name) || this.counts.size < Tally.most ? name : "others"
    this.counts.set(own, (this.counts.get(own) ?? 0) + 1)
  }
}

/** Notes that become sentences about a file. */
const notebook = (what: string) => {
  const [unused, remarks] = [new Tally(), new Tally()]
  const notes: Notes = { unused: (field) => unused.add(field), remark: (remark) => remarks.add(remark) }
  const told = (unit: string): ReadonlyArray<string> => {
    const fields = [...unused.counts].map(([name, n], i) => `${name} (${n}${i === 0 ? ` ${unit}s` : ""})`)
    return [
      ...(fields.length > 0 ? [`fields not used: ${fields.join(", ")}`] : []),
      ...[...remarks.counts].map(([remark, n]) => `${n} ${what} ${remark}`)
    ]
  }
  return { notes, told }
}

interface Reading<A> {
  readonly what: string
  readonly wanted: (column: string) => boolean
  /** Every record of the file, before any is chosen. */
  readonly see?: (line: unknown) => void
  /** A record; nothing where it is to be left out. Throws what is wrong with it. */
  readonly read: (line: unknown, raw: Raw, notes: Notes) => A | undefined
}

/** The most malformed records that are kept to be told. */
const SHOWN = 100

/** A load in progress: records come in one by one, and are there when all have come. */
class Loading<A extends { readonly id: string }> {
  readonly skipped: Array<FileError> = []
  private readonly records: Array<A | undefined> = []
  private readonly unsettled: Array<readonly [slot: number, line: unknown, raw: Raw]> = []
  /** Where each record stands, by slot; and from which slot on a file's are. */
  private readonly places: Array<Raw["at"]> = []
  private readonly files: Array<readonly [from: number, path: string]> = []
  private readonly slots = new Map<string, number>()
  private readonly book: ReturnType<typeof notebook>
  private readonly where: ReadonlyArray<readonly [string, Wanted]>
  private unit = "line"
  private left = 0
  private readonly reading: Reading<A>
  private readonly options: LoadOptions
  constructor(reading: Reading<A>, options: LoadOptions) {
    this.reading = reading
    this.options = options
    this.book = notebook(reading.what)
    this.where = Object.entries(options.where ?? {})
  }

  private keep(slot: number, line: unknown, raw: Raw): void {
    const record = this.reading.read(line, raw, this.book.notes)
    if (record === undefined) return
    const first = this.slots.get(record.id)
    if (first !== undefined) {
      const path = this.files.findLast(([from]) => from <= first)![1]
      const place = placeOf({ ...raw, at: this.places[first]! })
      const where = path === raw.path ? place : `${path}, ${place}`
      throw new RecordError("id", `"${record.id}" is given twice, first in ${where}`)
    }
    this.slots.set(record.id, slot)
    this.records[slot] = record
  }

  private take(raw: Raw): void {
    const line: unknown = raw.json === undefined ? raw.value : JSON.parse(raw.json)
    this.reading.see?.(line)
    if (!taken(line, this.where)) return
    const slot = this.records.push(undefined) - 1
    this.places.push(raw.at)
    if (this.files.at(-1)?.[1] !== raw.path) this.files.push([slot, raw.path])
    try {
      this.keep(slot, line, raw)
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error
      this.unsettled.push([slot, line, raw])
    }
  }

  /** Does with a record what is to be done; the error where it is malformed, and that ends the load. */
  private attempt(raw: Raw, run: () => void): FileError | undefined {
    try {
      run()
      return undefined
    } catch (error) {
      const bad = errorOf(raw, error)
      if (this.options.skipBad !== true) return bad
      this.left++
      if (this.skipped.length < SHOWN) this.skipped.push(bad)
      return undefined
    }
  }

  add(raw: Raw): FileError | undefined {
    this.unit = raw.unit
    return this.attempt(raw, () => this.take(raw))
  }

  /** Reads what had to wait for the rest of the file. */
  settle(): FileError | undefined {
    for (const [slot, line, raw] of this.unsettled) {
      const error = this.attempt(raw, () => this.keep(slot, line, raw))
      if (error) return error
    }
    return undefined
  }

  done(): Loaded<A> {
    const [bad] = this.skipped
    const left = bad ? [`${this.left} malformed ${this.unit}s left out (first: ${bad.place}: ${bad.reason})`] : []
    const records = this.records.filter((record) => record !== undefined)
    return { records, skipped: this.skipped, told: [...left, ...this.book.told(this.unit)] }
  }
}

const load = Effect.fnUntraced(function*<A extends { readonly id: string }>(
  raws: Stream.Stream<Raw, FileError, FileSystem.FileSystem>,
  path: string,
  reading: Reading<A>,
  options: LoadOptions
) {
  const loading = new Loading(reading, options)
  const fail = (error: FileError | undefined) => error ? Effect.fail(error) : Effect.void
  yield* Stream.runForEachArray(raws, (some) =>
    Effect.suspend(() => {
      for (const raw of some) {
        const error = loading.add(raw)
        if (error) return Effect.fail(error)
      }
      return Effect.void
    }))
  yield* Effect.suspend(() => fail(loading.settle()))
  const loaded = loading.done()
  if (loaded.records.length > 0) return loaded
  const { where = {} } = options
  const reason = Object.keys(where).length > 0 ? `no record has ${JSON.stringify(where)}` : "no records"
  return yield* new FileError({ path, place: "", reason })
})

/** What `cop` counts from, as the records that have been seen tell. */
const counting = () => {
  let from: 0 | 1 | undefined
  const see = (line: unknown) => {
    const shown = copFrom((line as { readonly cop?: unknown } | null)?.cop)
    if (shown === undefined || shown === from) return
    if (from !== undefined) throw new RecordError("cop", "has 0 or -1 in some records of the file, and 4 in others")
    from = shown
  }
  return { see, from: () => from }
}

/** The questions of a file, in its order; those of a BEIR folder that the split's judgements name. */
export const questions = Effect.fnUntraced(function*(path: string, options: QuestionOptions = {}) {
  const file = yield* questionFile(path, options.split)
  const qrels = file.qrels === undefined ? undefined : yield* readQrels(file.qrels)
  const also = new Set(Object.keys(options.where ?? {}))
  const { gold = "gold", group = "group" } = options
  const { from, see } = counting()
  let [judged, unjudged] = [0, 0]
  const read = (line: unknown, { at, unit }: Raw, notes: Notes): QuestionRecord | undefined => {
    const id = typeof at === "string" ? at : `${unit}-${at}`
    const record = toQuestion(line, { also, from: from(), gold, group, id, notes })
    if (!qrels) return record
    const own = qrels.gold.get(record.id)
    if (own === undefined) unjudged++
    else judged++
    return own && { ...record, gold: own }
  }
  const wanted = (name: string) => questionFields.has(name) || also.has(name) || name === gold || name === group
  const reading: Reading<QuestionRecord> = { what: "questions", wanted, see, read }
  const loaded = yield* load(recordsOf(file.path, file.dataset, wanted), file.path, reading, options)
  const lost = qrels ? qrels.gold.size - judged : 0
  const told = [
    unjudged > 0 && `${unjudged} queries are not in ${file.qrels}, and are left out`,
    lost > 0 && `${lost} queries of ${file.qrels} are not there`
  ].filter((sentence) => sentence !== false)
  return { ...loaded, told: [...loaded.told, ...told, ...(qrels?.told ?? [])] } as Loaded<QuestionRecord>
})

/** The passages of a file, or of the files of a folder. */
export const passages = Effect.fnUntraced(function*(path: string, options: LoadOptions = {}) {
  const files = yield* corpusFiles(path)
  const also = new Set(Object.keys(options.where ?? {}))
  const empty = new Set<string>()
  const wanted = (name: string) => passageFields.has(name) || also.has(name)
  const read = (line: unknown, _: Raw, notes: Notes): Passage | undefined => {
    const passage = toPassage(line, { also, notes })
    if (passage.text !== "") return passage
    empty.add(passage.id)
    return undefined
  }
  const raws = Stream.fromIterable(files).pipe(Stream.flatMap((file) => recordsOf(file.path, file.dataset, wanted)))
  const loaded = yield* load(raws, path, { what: "passages", wanted, read }, options)
  const [first] = empty
  const left = first === undefined ? [] : [`${empty.size} passages have no text, and are left out (first: ${first})`]
  const several = files.length > 1 ? [`read from ${files.length} files`] : []
  return { ...loaded, empty, told: [...several, ...loaded.told, ...left] } as LoadedPassages
})

/** Characters that are hashed at once. */
const BLOCK = 1 << 16

const hashOf = (records: ReadonlyArray<Passage>): string => {
  const hash = createHash("sha256")
  let block = ""
  for (const { id, text } of records) {
    block += `${id}\0${text}\0`
    if (block.length < BLOCK) continue
    hash.update(block)
    block = ""
  }
  return hash.update(block).digest("hex")
}

export const fromRecords = (records: ReadonlyArray<Passage>): Passages["Service"] => {
  const rows = new Map(records.map((p, row) => [p.id, row]))
  return {
    ids: records.map((p) => p.id),
    texts: records.map((p) => p.text),
    row: (id) => rows.get(id) ?? -1,
    hash: hashOf(records)
  }
}
