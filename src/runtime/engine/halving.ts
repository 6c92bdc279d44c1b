/** Work on rows in batches that fit into memory: a batch that does not is halved, and later ones start smaller. */
import * as Effect from "effect/Effect"
import { isOutOfMemory } from "./outOfMemory.ts"
import type { Data } from "./Session.ts"

/** Rows from..to-1. */
export type Range = readonly [from: number, to: number]

/** Size of a range's work, in the unit of its `Halving`. */
export type Weigh = (range: Range) => number

/** Batches of one kind of work, and the largest size of them that memory is known to allow. */
export interface Halving {
  /** The largest size to try; Infinity until memory has run out once. */
  readonly most: () => number
  /**
   * Work on `rows` rows, in one batch if memory allows, else in parts: the results of all parts, in order. A row that
   * does not fit alone fails with `OutOfMemory`. Each row is counted in one result only.
   */
  readonly each: <A, E, R>(
    rows: number,
    weigh: Weigh,
    work: (range: Range) => Effect.Effect<A, E, R>
  ) => Effect.Effect<ReadonlyArray<A>, E, R>
  /**
   * Work on all ranges together, of which none may be done without the others: if memory runs out, everything is done
   * again in smaller ranges. The size of a range is its number of rows.
   */
  readonly together: <A, E, R>(
    ranges: ReadonlyArray<Range>,
    work: (ranges: ReadonlyArray<Range>) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
}

const rowsOf: Weigh = ([from, to]) => to - from

const halves = ([from, to]: Range): readonly [Range, Range] => {
  const middle = from + Math.ceil((to - from) / 2)
  return [[from, middle], [middle, to]]
}

/** The range, halved until its parts have at most the size `most`, or one row. */
const divided = (range: Range, weigh: Weigh, most: number): ReadonlyArray<Range> =>
  rowsOf(range) <= 1 || weigh(range) <= most
    ? [range]
    : halves(range).flatMap((half) => divided(half, weigh, most))

/** `name` and `unit` are for the warning that tells each new limit, `told` what else it should say. */
export const make = (name: string, unit: string, told = ""): Halving => {
  let most = Infinity
  /** Lowers the limit to the larger half of what did not fit, unless it is that low already. */
  const lower = (range: Range, weigh: Weigh) =>
    Effect.suspend(() => {
      const size = Math.max(...halves(range).map(weigh))
      if (size >= most) return Effect.void
      most = size
      return Effect.logWarning(
        `${name}: memory does not hold ${weigh(range)} ${unit} at a time; going on with at most ${size}${told}`
      )
    })
  const each = <A, E, R>(rows: number, weigh: Weigh, work: (range: Range) => Effect.Effect<A, E, R>) => {
    const all = (ranges: ReadonlyArray<Range>): Effect.Effect<ReadonlyArray<A>, E, R> =>
      Effect.map(Effect.forEach(ranges, part), (done) => done.flatMap((results) => results))
    const part = (range: Range): Effect.Effect<ReadonlyArray<A>, E, R> =>
      Effect.suspend(() => {
        const parts = divided(range, weigh, most)
        if (parts.length > 1) return all(parts)
        return Effect.catchIf(
          Effect.map(work(range), (result) => [result]),
          (error) => isOutOfMemory(error) && rowsOf(range) > 1,
          () => Effect.andThen(lower(range, weigh), all(halves(range)))
        )
      })
    return rows === 0 ? Effect.succeed([]) : part([0, rows])
  }
  const together: Halving["together"] = (ranges, work) =>
    Effect.suspend(() => {
      const parts = ranges.flatMap((range) => divided(range, rowsOf, most))
      const largest = parts.reduce((a, b) => rowsOf(b) > rowsOf(a) ? b : a)
      return Effect.catchIf(
        work(parts),
        (error) => isOutOfMemory(error) && rowsOf(largest) > 1,
        () => Effect.andThen(lower(largest, rowsOf), together(ranges, work))
      )
    })
  return { most: () => most, each, together }
}

/** Runs `whole` until it runs out of memory once; then, and from then on, `instead`. Logs `told` at the change. */
export const fallingBack = (told: string) => {
  let fits = true
  const give = Effect.suspend(() => {
    fits = false
    return Effect.logWarning(told)
  })
  return <A, E, R, E2, R2>(whole: Effect.Effect<A, E, R>, instead: Effect.Effect<A, E2, R2>) =>
    Effect.suspend((): Effect.Effect<A, E | E2, R | R2> =>
      fits ? Effect.catchIf(whole, isOutOfMemory, () => Effect.andThen(give, instead)) : instead
    )
}

/** Elements from..to-1; all of them are the array itself, not a view. */
export const slice = <A extends Data>(array: A, from: number, to: number): A =>
  from === 0 && to === array.length ? array : array.subarray(from, to) as A

/** Arrays one after another; a single one is not copied. */
export const joined = (parts: ReadonlyArray<Float32Array>): Float32Array => {
  if (parts.length === 1) return parts[0]!
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
