/** Record files of any format: JSON lines, a JSON array, an object that holds records, parquet. */
import * as Effect from "effect/Effect"
import * as JsonArray from "effect/encoding/JsonArray"
import type * as FileSystem from "effect/FileSystem"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { brief } from "../domain/brief.ts"
import { heldBy, isContainer } from "../domain/records/containers.ts"
import { FileError } from "../runtime/files/disk.ts"
import { type Repeated, repeatedIn, Survey } from "../runtime/files/json/text.ts"
import { bytesOf, decoded } from "../runtime/files/textFile.ts"
import { rowsOf } from "./parquet.ts"

/** Maximum length of a record, in characters. */
export const LONGEST = 64 << 20
/** Maximum length, in characters, of a JSON object that holds all records and is read as a whole. */
export const LARGEST = 256 << 20

/** A record as JSON text or as a value, with its position in the file. */
export interface Raw {
  readonly path: string
  readonly unit: "line" | "record" | "row"
  readonly at: number | string
  readonly json?: string
  readonly value?: unknown
  /** For a value: a key that its text repeats. */
  readonly repeated?: Repeated | undefined
}

/** The id of a record that has none. */
export const placeId = ({ at, unit }: Raw): string => typeof at === "string" ? at : `${unit}-${at}`

/** Where a record is in its file: "line 3", "row 3". */
export const placeOf = ({ at, unit }: Raw): string => `${unit} ${at}`

type Text<R> = Stream.Stream<string, FileError, R>

const mega = (characters: number): string => `${characters >> 20} MiB`

/** Non-blank lines, counted from 1. */
export const lines = (path: string) => <R>(text: Text<R>): Stream.Stream<Raw, FileError, R> =>
  Stream.suspend(() => {
    let [rest, line] = ["", 1]
    const raw = (json: string): Raw => ({ path, unit: "line", at: line++, json })
    const kept = ({ json }: Raw): boolean => json!.trim() !== ""
    return text.pipe(
      Stream.mapEffect((piece) => {
        const found = piece.split("\n")
        found[0] = rest + found[0]!
        rest = found.pop()!
        if (Math.max(rest.length, found[0]?.length ?? 0) > LONGEST) {
          return Effect.fail(new FileError({ path, place: `line ${line}`, reason: `is longer than ${mega(LONGEST)}` }))
        }
        return Effect.succeed(found.map(raw).filter(kept))
      }),
      Stream.concat(Stream.suspend(() => Stream.make([raw(rest)].filter(kept)))),
      Stream.flattenIterable
    )
  })

/** Numbers values from 1. */
const counted = (from: Pick<Raw, "path" | "unit">) =>
  Stream.mapAccum(() => 1, (at: number, value: unknown): readonly [number, ReadonlyArray<Raw>] => [
    at + 1,
    [{ ...from, at, value }]
  ])

/** Elements of an array. */
const elements = (path: string) => <R>(text: Text<R>): Stream.Stream<Raw, FileError, R> =>
  Stream.suspend(() => {
    /** Keyed by elements not emitted yet: a piece of text is surveyed before its elements are decoded. */
    const repeated = new Map<number, Repeated>()
    const survey = new Survey((found) => repeated.has(found.element) || repeated.set(found.element, found))
    return text.pipe(
      Stream.tap((piece) => Effect.sync(() => survey.feed(piece))),
      Stream.pipeThroughChannel(JsonArray.decodeString({ maxElementSize: LONGEST })),
      Stream.mapError((error) =>
        error._tag === "FileError"
          ? error
          : new FileError({ path, place: `character ${error.offset}`, reason: `not a JSON array: ${error.message}` })
      ),
      counted({ path, unit: "record" }),
      Stream.map((raw) => repeated.size === 0 ? raw : { ...raw, repeated: repeated.get(raw.at as number) })
    )
  })

/** Parses a JSON text that holds records. @throws FileError if it repeats a key. */
const parsed = (path: string, text: string): unknown => {
  const value: unknown = JSON.parse(text)
  const twice = repeatedIn(text, value)
  if (twice === undefined) return value
  const line = text.slice(0, twice.at).split("\n").length
  throw new FileError({ path, place: `line ${line}, ${brief(twice.key)}`, reason: "is given twice" })
}

/** The records in a single object, read as a whole. */
const held = (path: string, dataset: string | undefined) => <R>(text: Text<R>): Stream.Stream<Raw, FileError, R> => {
  const fail = (reason: string) => Effect.fail(new FileError({ path, place: "", reason }))
  return Stream.unwrap(
    text.pipe(
      Stream.runFoldEffect(() => "", (whole, piece) =>
        whole.length + piece.length <= LARGEST
          ? Effect.succeed(whole + piece)
          : fail(`an object of more than ${mega(LARGEST)}; write its records as JSON lines`)),
      Effect.flatMap((whole) =>
        Effect.try({
          try: () => heldBy(parsed(path, whole), dataset),
          catch: (cause) => {
            if (cause instanceof FileError) return cause
            const { message } = cause as Error
            const reason = cause instanceof SyntaxError ? `not JSON: ${message.replaceAll(/\s+/g, " ")}` : message
            return new FileError({ path, place: "", reason })
          }
        })
      ),
      Effect.map((records) =>
        Stream.fromIterable(records.map(({ key, value }): Raw => ({ path, unit: "record", at: key, value })))
      )
    )
  )
}

const unnamed = (path: string, dataset: string): FileError =>
  new FileError({ path, place: "", reason: `has no datasets by name, and "${dataset}" is asked for` })

/** The beginning of a text that is needed to detect its format: its first line. */
interface Head {
  readonly text: string
  readonly first: string
  readonly line: boolean
}

const known = ({ first, line, text }: Head): boolean => first !== "" && (first !== "{" || line || text.length > LONGEST)

const extend = ({ first, line, text }: Head, piece: string): Head => {
  const shown = first === "" ? piece.trimStart() : piece
  return { text: text + piece, first: first === "" ? shown.slice(0, 1) : first, line: line || shown.includes("\n") }
}

/** Whether an object spans several lines, or holds records instead of being one. */
const holds = (path: string, { text }: Head): boolean => {
  if (/\.(?:jsonl|ndjson)(?:\.gz)?$/.test(path)) return false
  if (text.length > LONGEST) return true
  try {
    return isContainer(JSON.parse(text.trimStart().split("\n", 1)[0]!))
  } catch {
    return true
  }
}

/** The records of a text in any format: lines, an array, or an object that holds them. */
export const textRecords = (path: string, dataset: string | undefined) => <R>(text: Text<R>) =>
  Stream.unwrap(Effect.gen(function*() {
    const gather = Sink.reduceWhile((): Head => ({ text: "", first: "", line: false }), (head) => !known(head), extend)
    const [head, rest] = yield* Stream.peel(text, gather)
    const whole = Stream.concat(Stream.make(head.text), rest)
    if (head.first === "{" && holds(path, head)) return held(path, dataset)(whole)
    if (dataset !== undefined) return yield* unnamed(path, dataset)
    return head.first === "[" ? elements(path)(whole) : lines(path)(whole)
  }))

const tables: ReadonlyArray<readonly [ending: RegExp, what: string]> = [
  [/\.[ct]sv(?:\.gz)?$/, "a table of separated values"],
  [/\.(?:zip|tar|tgz|tar\.gz|zst|bz2|xz)$/, "an archive"]
]

/**
 * The records of a file, in file order. `dataset` selects one of several datasets in a JSON object; `wanted` selects
 * the columns of a parquet file whose values are needed.
 */
export const recordsOf = (
  path: string,
  dataset: string | undefined,
  wanted: (column: string) => boolean
): Stream.Stream<Raw, FileError, FileSystem.FileSystem> => {
  const other = tables.find(([ending]) => ending.test(path))
  if (other) {
    const reason = `is ${other[1]}; records are read from JSON lines, a JSON array or object, or parquet`
    return Stream.fail(new FileError({ path, place: "", reason }))
  }
  if (!path.endsWith(".parquet")) return bytesOf(path).pipe(decoded(path), textRecords(path, dataset))
  if (dataset !== undefined) return Stream.fail(unnamed(path, dataset))
  return counted({ path, unit: "row" })(rowsOf(path, wanted))
}
