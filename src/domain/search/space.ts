/** What a search varies: numbers on their own and groups that sum to 1, on a coarse grid and between its points. */

/** Numbers of at least 0 that sum to 1: on the coarse grid, multiples of 1 / `steps`. */
export interface Simplex {
  readonly kind: "simplex"
  readonly size: number
  readonly steps: number
}
/** One number between `from` and `to`: on the coarse grid, one of `values`, which rise. */
export interface Scale {
  readonly kind: "number"
  readonly values: ReadonlyArray<number>
  readonly from: number
  readonly to: number
}
/** A variable of a search. */
export type Variable = Simplex | Scale

/** The numbers of a variable. */
export type Value = ReadonlyArray<number>
/** The value of every variable. */
export type Point = ReadonlyArray<Value>

/** Numbers as they are tried: with twelve digits, so that equal fractions are equal numbers. */
export const settled = (x: number): number => Number(x.toPrecision(12))

/** The ways to write `sum` as `parts` whole numbers, the first falling. */
const compositions = (parts: number, sum: number): ReadonlyArray<ReadonlyArray<number>> =>
  parts === 1
    ? [[sum]]
    : Array.from({ length: sum + 1 }, (_, i) => sum - i).flatMap((first) =>
      compositions(parts - 1, sum - first).map((rest) => [first].concat(rest))
    )

/** The points of a variable's coarse grid. */
export const coarse = (variable: Variable): ReadonlyArray<Value> =>
  variable.kind === "number"
    ? variable.values.map((value) => [value])
    : compositions(variable.size, variable.steps).map((counts) =>
      counts.map((count) => settled(count / variable.steps))
    )

/** Number of points of a variable's coarse grid. */
export const countOf = (variable: Variable): number => {
  if (variable.kind === "number") return variable.values.length
  const { size, steps } = variable
  return Math.round(Array.from({ length: steps }, (_, i) => (size + i) / (i + 1)).reduce((a, b) => a * b, 1))
}

/** The least distance between two values of a coarse grid: of one value alone, the whole range. */
const spacing = ({ from, to, values }: Scale): number =>
  Math.min(to - from, ...values.slice(1).map((value, i) => value - values[i]!))

/** Of a simplex in multiples of 1 / `parts`: one part taken from a number and given to another, in every way. */
const moved = (value: Value, parts: number): ReadonlyArray<Value> => {
  const counts = value.map((x) => Math.round(x * parts))
  return counts.flatMap((own, from) =>
    own < 1 ?
      [] :
      counts.flatMap((_, to) =>
        to === from ? [] : [counts.map((x, i) => settled((i === from ? x - 1 : i === to ? x + 1 : x) / parts))]
      )
  )
}

/** The neighbours of a point of the grid, at the coarse grid's distance halved `halvings` times. */
export const near = (variable: Variable, value: Value, halvings: number): ReadonlyArray<Value> => {
  if (variable.kind === "simplex") return moved(value, variable.steps * 2 ** halvings)
  const { from, to } = variable
  const step = spacing(variable) / 2 ** halvings
  return [value[0]! - step, value[0]! + step]
    .filter((x) => x >= from - 1e-9 && x <= to + 1e-9)
    .map((x) => [settled(Math.min(to, Math.max(from, x)))])
}

/** Greatest number of neighbours of a value. */
export const mostNear = (variable: Variable): number =>
  variable.kind === "number" ? 2 : variable.size * (variable.size - 1)

const PARTS = 10_000

/** Numbers of at least 0 as multiples of 1 / 10,000 that sum to 1; all are equal where their sum is 0. */
export const normalised = (raw: ReadonlyArray<number>): Value => {
  const sum = raw.reduce((a, b) => a + b, 0)
  const shares = raw.map((x) => PARTS * (sum > 0 ? x / sum : 1 / raw.length))
  const floors = shares.map(Math.floor)
  const rest = PARTS - floors.reduce((a, b) => a + b, 0)
  const order = [...shares.keys()].toSorted((i, j) => shares[j]! - floors[j]! - (shares[i]! - floors[i]!) || i - j)
  const raised = new Set(order.slice(0, rest))
  return floors.map((count, i) => settled((count + (raised.has(i) ? 1 : 0)) / PARTS))
}
