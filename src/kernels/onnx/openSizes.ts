/**
 * Open sizes. The sizes of a graph are numbers; a graph for any size is built with stand-ins: primes that divide none
 * of its other sizes, so that the open sizes a number depends on are its prime factors.
 */
import type { Shape } from "../Tensor.ts"

/** Sizes by name. */
export type Sizes = Readonly<Record<string, number>>

/** A number as a factor and the open sizes it is multiplied by. */
export interface Product {
  readonly factor: number
  readonly of: ReadonlyArray<string>
}

/** Splits a size into the open dimensions it is a product of and the remaining factor. */
export const factorise = (value: number, open: Sizes): Product => {
  const of: Array<string> = []
  let factor = value
  for (const [name, size] of Object.entries(open)) {
    while (factor !== 0 && factor % size === 0) {
      of.push(name)
      factor /= size
    }
  }
  return { factor, of }
}

/** Whether a size depends on an open dimension. */
export const isOpen = (value: number, open: Sizes): boolean => factorise(value, open).of.length > 0

/** A dimension as ONNX names it: a number, or "batch" or "2*batch*length". */
export const dimension = (value: number, open: Sizes): number | string => {
  const { factor, of } = factorise(value, open)
  return of.length === 0 ? value : [...(factor === 1 ? [] : [factor]), ...of].join("*")
}

const isPrime = (n: number): boolean => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
  return true
}

/** Larger than most sizes, and small enough that products of four are exact. */
const SMALLEST = 5003

/** A stand-in for each name, none of which divides a dimension of the given shapes. */
export const standIns = <N extends string>(names: ReadonlyArray<N>, shapes: Iterable<Shape>): Record<N, number> => {
  const dims = new Set([...shapes].flat())
  const found: Array<number> = []
  for (let n = SMALLEST; found.length < names.length; n++) {
    if (isPrime(n) && ![...dims].some((d) => d % n === 0)) found.push(n)
  }
  return Object.fromEntries(names.map((name, i) => [name, found[i]!])) as Record<N, number>
}
