import { fold, integer, type Key, permutation, uniform } from "../src/domain/Key.ts"

export { fold, integer, type Key, uniform }

/** The items in an order that belongs to `purpose`. */
export const shuffled = <A>(key: Key, purpose: string, items: ReadonlyArray<A>): ReadonlyArray<A> =>
  Array.from(permutation(fold(key, purpose), items.length), (i) => items[i]!)

/** One of the items, uniformly. */
export const pick = <A>(key: Key, purpose: string, items: ReadonlyArray<A>): A =>
  items[integer(fold(key, purpose), 0, items.length)]!
