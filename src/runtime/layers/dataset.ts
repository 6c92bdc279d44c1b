/** Lines of JSON into records: each bad line is told by file, line, field and reason. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { gunzipSync } from "node:zlib"
import { type Passage, PassageLine, QuestionLine, RecordError, toPassage, toQuestion } from "../../domain/Records.ts"
import type { Passages } from "../ports/Passages.ts"
import { FileError, readBytes, sha256 } from "./files.ts"

export interface Loaded<A> {
  readonly records: ReadonlyArray<A>
  readonly skipped: ReadonlyArray<FileError>
}

const issue = (error: unknown): readonly [string, string] => {
  if (error instanceof RecordError) return [`field "${error.field}"`, error.message]
  if (error instanceof SyntaxError) return ["", `not JSON: ${error.message}`]
  const text = String((error as Error).message ?? error).replace(/\s+/g, " ")
  const field = /at \["([^"]*)"/.exec(text)?.[1]
  return [field ? `field "${field}"` : "", text]
}

export interface LoadOptions {
  /** Take the lines whose fields have these values. */
  readonly where?: Readonly<Record<string, string | number>>
  /** Count malformed lines instead of failing at the first. */
  readonly skipBad?: boolean
  /** The field that stands for `group`. */
  readonly group?: string
}

const taken = (line: unknown, where: LoadOptions["where"] = {}): boolean =>
  Object.entries(where).every(([field, value]) => (line as Readonly<Record<string, unknown>> | null)?.[field] === value)

/** The line with its group under the customary name. */
const grouped = (line: unknown, group: string | undefined): unknown =>
  group && typeof line === "object" && line !== null && group in line
    ? { ...line, group: (line as Readonly<Record<string, unknown>>)[group] }
    : line

/** Decodes every non-empty line that is to be taken; fails at the first bad one, or counts them. */
const parse = <L, A extends { readonly id: string }>(
  path: string,
  text: string,
  schema: Schema.Codec<L, any>,
  convert: (line: L) => A,
  { group, skipBad, where }: LoadOptions
): Effect.Effect<Loaded<A>, FileError> => {
  const decode = Schema.decodeUnknownSync(schema)
  const [records, skipped, seen] = [new Array<A>(), new Array<FileError>(), new Set<string>()]
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    try {
      const parsed: unknown = JSON.parse(line)
      if (!taken(parsed, where)) continue
      const record = convert(decode(grouped(parsed, group)))
      if (seen.has(record.id)) throw new RecordError("id", `"${record.id}" is given twice`)
      seen.add(record.id)
      records.push(record)
    } catch (error) {
      const [field, reason] = issue(error)
      const bad = new FileError({ path, place: `line ${i + 1}${field ? `, ${field}` : ""}`, reason })
      if (!skipBad) return Effect.fail(bad)
      skipped.push(bad)
    }
  }
  if (records.length > 0) return Effect.succeed({ records, skipped })
  const reason = where && Object.keys(where).length > 0 ? `no record has ${JSON.stringify(where)}` : "no records"
  return Effect.fail(new FileError({ path, place: "", reason }))
}

/** A text file, or a gzipped one where the name ends in `.gz`. */
const readLines = (path: string): Effect.Effect<string, FileError, FileSystem.FileSystem> =>
  Effect.flatMap(readBytes(path), (bytes) =>
    Effect.try({
      try: () => new TextDecoder().decode(path.endsWith(".gz") ? gunzipSync(bytes) : bytes),
      catch: (cause) => new FileError({ path, place: "", reason: String(cause) })
    }))

export const questions = (path: string, options: LoadOptions = {}) =>
  Effect.flatMap(readLines(path), (text) => parse(path, text, QuestionLine, toQuestion, options))

export const passages = (path: string, options: LoadOptions = {}) =>
  Effect.flatMap(
    readLines(path),
    (text) => parse<typeof PassageLine.Type, Passage>(path, text, PassageLine, toPassage, options)
  )

export const fromRecords = (records: ReadonlyArray<Passage>): Passages["Service"] => {
  const rows = new Map(records.map((p, row) => [p.id, row]))
  return {
    ids: records.map((p) => p.id),
    texts: records.map((p) => p.text),
    row: (id) => rows.get(id) ?? -1,
    hash: sha256(...records.flatMap((p) => [p.id, "\0", p.text, "\0"]))
  }
}
