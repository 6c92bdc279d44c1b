/** Orders of a question's options, and what answers are without the order's part in them. */
import * as Key from "../Key.ts"
import { probabilitiesOf } from "../statistics/calibration.ts"

/** n!, or Infinity where that is beyond what can be counted. */
const factorial = (n: number): number =>
  n > 20 ? Infinity : Array.from({ length: n }, (_, i) => i + 1).reduce((a, b) => a * b, 1)

/** All orders of 0..n-1, the given one first. */
const allOrders = (n: number): ReadonlyArray<ReadonlyArray<number>> => {
  if (n === 0) return [[]]
  return allOrders(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, i) => [...rest.slice(0, n - 1 - i), n - 1, ...rest.slice(n - 1 - i)])
  )
}

/** `count` different orders of `options` options, drawn under a key, the given one first; all there are if there are no more. */
export const ordersOf = (key: Key.Key, options: number, count: number): ReadonlyArray<ReadonlyArray<number>> => {
  if (factorial(options) <= count) return allOrders(options)
  const orders = new Map<string, ReadonlyArray<number>>()
  const keep = (order: ReadonlyArray<number>) => void orders.set(order.join(), order)
  keep(Array.from({ length: options }, (_, i) => i))
  for (let i = 0; orders.size < count; i++) keep([...Key.permutation(Key.fold(key, i), options)])
  return [...orders.values()]
}

/** A question read in several orders: in each, the places of the options and their negative log-likelihoods as they stood. */
export interface Read {
  readonly order: ReadonlyArray<number>
  readonly nll: ReadonlyArray<number>
}

/** What the orders say together, by option as given. */
export interface Ordered {
  /** The mean over orders of each option's probability (Zheng et al. 2024: averaged over permutations). */
  readonly probabilities: ReadonlyArray<number>
  /** The option chosen in each order. */
  readonly answers: ReadonlyArray<number>
}

/** Averages over orders. */
export const averaged = (reads: ReadonlyArray<Read>): Ordered => {
  const sums = new Float64Array(reads[0]?.order.length ?? 0)
  const answers = reads.map(({ nll, order }) => {
    probabilitiesOf(nll).forEach((p, place) => sums[order[place]!]! += p / reads.length)
    return order[nll.indexOf(Math.min(...nll))]!
  })
  return { probabilities: [...sums], answers }
}
