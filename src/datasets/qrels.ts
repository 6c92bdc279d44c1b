/** Relevance judgements in BEIR's format: query-id, corpus-id and score, between tabs or as records. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { FileError } from "../runtime/files/disk.ts"
import { bytesOf, decoded } from "../runtime/files/textFile.ts"
import { placeOf, type Raw, recordsOf } from "./recordFile.ts"

/** Scores by query id and passage id. */
export type Grades = ReadonlyMap<string, ReadonlyMap<string, number>>

/** Relevance judgements, and warnings about their file, one sentence each. */
export interface Qrels {
  /** Ids of passages with a score above 0, by query id; empty if all scores are 0. */
  readonly gold: ReadonlyMap<string, ReadonlyArray<string>>
  readonly told: ReadonlyArray<string>
}

const columns = ["query-id", "corpus-id", "score"] as const

const cellsOf = (line: string): ReadonlyArray<string> =>
  line.replace(/\r$/, "").split("\t").map((cell) => cell.replace(/^"(.*)"$/, "$1"))

const isScore = (cell: string | undefined): boolean => cell !== undefined && /^-?\d+(?:\.0+)?$/.test(cell)

/** Column positions from the header, or the usual ones if the first line is not a header. */
const placesOf = (first: ReadonlyArray<string>): ReadonlyArray<number> | undefined => {
  const places = columns.map((name) => first.indexOf(name))
  if (places.every((place) => place >= 0)) return places
  return first.length === 3 && isScore(first[2]) ? [0, 1, 2] : undefined
}

/** Judgements under construction. */
class Judging {
  readonly scores = new Map<string, Map<string, number>>()
  /** Adds one; returns why it cannot be. */
  add([query, passage, score]: ReadonlyArray<string | undefined>): string | undefined {
    if (!query || !passage || !isScore(score)) return `expected ${columns.join(", ")}`
    const own = this.scores.get(query) ?? new Map<string, number>()
    this.scores.set(query, own)
    const before = own.get(passage)
    if (before !== undefined && before !== Number(score)) {
      return `${query} and ${passage} have two scores, ${before} and ${Number(score)}`
    }
    own.set(passage, Number(score))
    return undefined
  }
}

/** Adds the lines of a table; fails at the first malformed one. */
const ofTable = Effect.fnUntraced(function*(path: string, judging: Judging) {
  let [places, line] = [undefined as ReadonlyArray<number> | undefined, 0]
  const fail = (reason: string) => Effect.fail(new FileError({ path, place: `line ${line}`, reason }))
  const judge = (cells: ReadonlyArray<string>) => {
    const reason = judging.add(places!.map((place) => cells[place]?.trim()))
    if (reason === undefined) return Effect.void
    return fail(reason.startsWith("expected") ? `${reason}, between tabs` : reason)
  }
  yield* bytesOf(path).pipe(
    decoded(path),
    Stream.splitLines,
    Stream.runForEach((text) => {
      line++
      const cells = cellsOf(text)
      if (text.trim() === "") return Effect.void
      if (places) return judge(cells)
      places = placesOf(cells)
      if (!places) return fail(`expected a header of ${columns.join(", ")}, between tabs`)
      return isScore(cells[places[2]!]) ? judge(cells) : Effect.void
    })
  )
})

const cell = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) : undefined

/** Adds the records of a file. */
const ofRecords = (path: string, judging: Judging) =>
  Stream.runForEach(recordsOf(path, undefined, (name) => columns.some((own) => own === name)), (raw: Raw) => {
    const fail = (reason: string) => Effect.fail(new FileError({ path, place: placeOf(raw), reason }))
    let value: unknown
    try {
      value = raw.json === undefined ? raw.value : JSON.parse(raw.json)
    } catch {
      return fail("not JSON")
    }
    const record = Object(value) as Readonly<Record<string, unknown>>
    const reason = judging.add(columns.map((name) => cell(record[name])))
    return reason === undefined ? Effect.void : fail(reason)
  })

/** All scores of some files: tables (`.tsv`), or records in any format; fails at the first malformed one. */
export const readGrades = Effect.fnUntraced(function*(paths: ReadonlyArray<string>) {
  const judging = new Judging()
  for (const path of paths) yield* path.endsWith(".tsv") ? ofTable(path, judging) : ofRecords(path, judging)
  return judging.scores as Grades
})

/** Reads a table; fails at the first malformed line. */
export const readQrels = Effect.fnUntraced(function*(path: string) {
  const grades = yield* readGrades([path])
  const relevant = (own: ReadonlyMap<string, number>) =>
    [...own].flatMap(([passage, score]) => score > 0 ? [passage] : [])
  const gold = new Map([...grades].map(([query, own]) => [query, relevant(own)]))
  const graded = [...grades.values()].reduce(
    (sum, own) => sum + [...own.values()].filter((score) => score > 1).length,
    0
  )
  const told = graded > 0 ? [`${graded} judgements have a grade above 1, and count as 1 does`] : []
  return { gold, told } as Qrels
})
