/** Relevance judgements in BEIR's format: tab-separated query-id, corpus-id and score. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { FileError } from "../runtime/files/disk.ts"
import { bytesOf, decoded } from "../runtime/files/textFile.ts"

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

/** Reads a table; fails at the first malformed line. */
export const readQrels = Effect.fnUntraced(function*(path: string) {
  const scores = new Map<string, Map<string, number>>()
  let [places, line, graded] = [undefined as ReadonlyArray<number> | undefined, 0, 0]
  const fail = (reason: string) => Effect.fail(new FileError({ path, place: `line ${line}`, reason }))
  const judge = (cells: ReadonlyArray<string>) => {
    const [query, passage, score] = places!.map((place) => cells[place]?.trim() ?? "")
    if (!query || !passage || !isScore(score)) return fail(`expected ${columns.join(", ")}, between tabs`)
    const own = scores.get(query) ?? new Map<string, number>()
    scores.set(query, own)
    const before = own.get(passage)
    if (before !== undefined && before !== Number(score)) {
      return fail(`${query} and ${passage} have two scores, ${before} and ${Number(score)}`)
    }
    if (before === undefined && Number(score) > 1) graded++
    own.set(passage, Number(score))
    return Effect.void
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
  const relevant = (own: ReadonlyMap<string, number>) =>
    [...own].flatMap(([passage, score]) => score > 0 ? [passage] : [])
  const gold = new Map([...scores].map(([query, own]) => [query, relevant(own)]))
  const told = graded > 0 ? [`${graded} judgements have a grade above 1, and count as 1 does`] : []
  return { gold, told } as Qrels
})
