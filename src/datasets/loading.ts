/** Loads a file's records one by one: selects them, handles malformed ones, and collects warnings about the file. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { brief } from "../domain/brief.ts"
import { type Notes, RecordError } from "../domain/records/fields.ts"
import { Contradictory, Unsettled } from "../domain/records/forms.ts"
import { FileError } from "../runtime/files/disk.ts"
import { repeatedIn } from "../runtime/files/json/text.ts"
import { withRoom } from "./corpus/room.ts"
import { placeOf, type Raw } from "./recordFile.ts"

/** Information about a file besides its records. */
export interface Read {
  /** The first hundred malformed records that were left out. */
  readonly skipped: ReadonlyArray<FileError>
  /** Warnings about the file, one sentence each. */
  readonly told: ReadonlyArray<string>
}

/** The records read from a file. */
export interface Loaded<A> extends Read {
  readonly records: ReadonlyArray<A>
}

type Wanted = string | number

/** Which records of a file to take, and how to treat malformed ones. */
export interface LoadOptions {
  /** Take only records whose fields equal these values. */
  readonly where?: Readonly<Record<string, Wanted>> | undefined
  /** Count malformed records instead of failing at the first one. */
  readonly skipBad?: boolean
}

/** What is wrong with a record, as an error of its file. */
export const errorOf = (raw: Raw, error: unknown): FileError => {
  const { message } = error as Error
  const field = error instanceof RecordError && error.field !== "" ? `, field "${error.field}"` : ""
  const reason = error instanceof SyntaxError ? `not JSON: ${message.replaceAll(/\s+/g, " ")}` : message
  return new FileError({ path: raw.path, place: `${placeOf(raw)}${field}`, reason })
}

/** A record's value. Repeated keys are refused: programs disagree on which value counts. */
export const valueOf = ({ json, repeated, value }: Raw): unknown => {
  const own: unknown = json === undefined ? value : JSON.parse(json)
  const twice = json === undefined ? repeated : repeatedIn(json, own)
  if (twice !== undefined) throw new RecordError(brief(twice.key).slice(1, -1), "is given twice")
  return own
}

const taken = (line: unknown, where: ReadonlyArray<readonly [string, Wanted]>): boolean =>
  where.every(([field, value]) =>
    typeof line === "object" && line !== null && Object.hasOwn(line, field)
    && (line as Readonly<Record<string, unknown>>)[field] === value
  )

/** Counts by name, keeping the first of each; names beyond `most` are counted together. */
class Tally {
  readonly counts = new Map<string, number>()
  static readonly most = 30
  add(name: string): void {
    const own = this.counts.has(name) || this.counts.size < Tally.most ? name : "others"
    this.counts.set(own, (this.counts.get(own) ?? 0) + 1)
  }
}

/** Collects notes and turns them into sentences about a file. */
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

/** How a file's records are decoded. */
export interface Reading<A> {
  readonly what: string
  readonly wanted: (column: string) => boolean
  /** Sees every record of the file, before selection. */
  readonly see?: (line: unknown) => void
  /** Decodes a record; `undefined` leaves it out. Throws if the record is invalid. */
  readonly read: (line: unknown, raw: Raw, notes: Notes) => A | undefined
}

/** Destination of the loaded records, which are numbered in the order they are added. */
export interface Store<A, E, R> {
  /** Number of the record with an id; -1 if there is none. */
  readonly find: (id: string) => number
  /**
   * Adds a record of a file, whose id is new. Records deferred to the end of the file are added last, with their
   * original slot.
   */
  readonly add: (record: A, slot: number, path: string) => void
  readonly size: () => number
  /** Runs between chunks of records, and at the end. */
  readonly settle: Effect.Effect<void, E, R>
}

/** Maximum number of malformed records kept for reporting. */
const SHOWN = 100

/** The position in its file of each record, by number. */
class Places {
  private at = new Float64Array(1 << 8)
  /** Positions that are not numbers. */
  private readonly named = new Map<number, string>()
  /** The number of the first record of each file. */
  private readonly files: Array<readonly [from: number, path: string]> = []
  add(number: number, { at, path }: Raw): void {
    this.at = withRoom(this.at, number + 1)
    if (typeof at === "number") this.at[number] = at
    else this.named.set(number, at)
    if (this.files.at(-1)?.[1] !== path) this.files.push([number, path])
  }
  /** The position as reported to a reader of `raw`; the path is omitted if it is the same file. */
  told(number: number, raw: Raw): string {
    const path = this.files.findLast(([from]) => from <= number)![1]
    const place = placeOf({ ...raw, at: this.named.get(number) ?? this.at[number]! })
    return path === raw.path ? place : `${path}, ${place}`
  }
}

/** A load in progress; complete once all records have been added and `settle` has run. */
class Loading<A extends { readonly id: string }> {
  readonly skipped: Array<FileError> = []
  private readonly unsettled: Array<readonly [slot: number, line: unknown, raw: Raw]> = []
  private readonly places = new Places()
  private readonly book: ReturnType<typeof notebook>
  private readonly where: ReadonlyArray<readonly [string, Wanted]>
  private unit = "line"
  private slots = 0
  private left = 0
  private readonly reading: Reading<A>
  private readonly store: Store<A, unknown, unknown>
  private readonly options: LoadOptions
  constructor(reading: Reading<A>, store: Store<A, unknown, unknown>, options: LoadOptions) {
    this.reading = reading
    this.store = store
    this.options = options
    this.book = notebook(reading.what)
    this.where = Object.entries(options.where ?? {})
  }

  private keep(slot: number, line: unknown, raw: Raw): void {
    const record = this.reading.read(line, raw, this.book.notes)
    if (record === undefined) return
    const first = this.store.find(record.id)
    if (first >= 0) {
      throw new RecordError("id", `"${record.id}" is given twice, first in ${this.places.told(first, raw)}`)
    }
    this.places.add(this.store.size(), raw)
    this.store.add(record, slot, raw.path)
  }

  private take(raw: Raw): void {
    const line = valueOf(raw)
    this.reading.see?.(line)
    if (!taken(line, this.where)) return
    const slot = this.slots++
    try {
      this.keep(slot, line, raw)
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error
      this.unsettled.push([slot, line, raw])
    }
  }

  /** Runs an action on a record; returns the error if it is malformed and must end the load. */
  private attempt(raw: Raw, run: () => void): FileError | undefined {
    try {
      run()
      return undefined
    } catch (error) {
      const bad = errorOf(raw, error)
      if (this.options.skipBad !== true || error instanceof Contradictory) return bad
      this.left++
      if (this.skipped.length < SHOWN) this.skipped.push(bad)
      return undefined
    }
  }

  add(raw: Raw): FileError | undefined {
    this.unit = raw.unit
    return this.attempt(raw, () => this.take(raw))
  }

  /** Decodes the records that were deferred to the end of the file. */
  settle(): FileError | undefined {
    for (const [slot, line, raw] of this.unsettled) {
      const error = this.attempt(raw, () => this.keep(slot, line, raw))
      if (error) return error
    }
    return undefined
  }

  done(): Read {
    const [bad] = this.skipped
    const left = bad ? [`${this.left} malformed ${this.unit}s left out (first: ${bad.place}: ${bad.reason})`] : []
    return { skipped: this.skipped, told: [...left, ...this.book.told(this.unit)] }
  }
}

/** Reads all records; fails if there are none, or at the first malformed one unless these are to be skipped. */
export const load = Effect.fnUntraced(function*<A extends { readonly id: string }, E, R>(
  raws: Stream.Stream<Raw, FileError, FileSystem.FileSystem>,
  path: string,
  reading: Reading<A>,
  options: LoadOptions,
  store: Store<A, E, R>
) {
  const loading = new Loading(reading, store, options)
  const settled = (error: FileError | undefined): Effect.Effect<void, E | FileError, R> =>
    error ? Effect.fail(error) : store.settle
  yield* Stream.runForEachArray(raws, (some) =>
    Effect.suspend(() => {
      for (const raw of some) {
        const error = loading.add(raw)
        if (error) return settled(error)
      }
      return settled(undefined)
    }))
  yield* Effect.suspend(() => settled(loading.settle()))
  if (store.size() > 0) return loading.done()
  const { where = {} } = options
  const reason = Object.keys(where).length > 0 ? `no record has ${JSON.stringify(where)}` : "no records"
  return yield* new FileError({ path, place: "", reason })
})
