/** Crossover: of two candidates with a common ancestor, each component from the one that changed it. */
import * as Key from "../Key.ts"
import { mean, parents } from "./pareto.ts"

/** Texts by component. */
export type Texts = Readonly<Record<string, string>>

/** A candidate with the candidates it was made from. */
export interface Candidate {
  readonly texts: Texts
  readonly parents: ReadonlyArray<number>
  /** Scores on the validation examples. */
  readonly scores: ReadonlyArray<number>
}

/** A child of two candidates. */
export interface Crossed {
  readonly texts: Texts
  readonly pair: readonly [number, number]
  readonly ancestor: number
}

/** Tries to find a pair. */
const TRIES = 10

/** The ancestors of a candidate, without itself. */
export const ancestorsOf = (pool: ReadonlyArray<Candidate>, own: number): ReadonlySet<number> => {
  const found = new Set<number>()
  const visit = (p: number): void => {
    for (const parent of pool[p]!.parents) if (!found.has(parent)) visit((found.add(parent), parent))
  }
  visit(own)
  return found
}

/** Draws with weights; uniformly if all are 0. */
const drawn = (key: Key.Key, from: ReadonlyArray<number>, weights: ReadonlyArray<number>): number => {
  const total = weights.reduce((sum, own) => sum + own, 0)
  if (total <= 0) return from[Key.integer(key, 0, from.length)]!
  let left = Key.uniform(key, 0) * total
  return from.find((_, i) => (left -= weights[i]!) < 0) ?? from.at(-1)!
}

/** Whether some component is the ancestor's in exactly one of two candidates. */
const differ = (a: Texts, x: Texts, y: Texts): boolean =>
  Object.keys(a).some((name) => (x[name] === a[name]) !== (y[name] === a[name]))

const combined = (key: Key.Key, pool: ReadonlyArray<Candidate>, { ancestor, pair: [i, j] }: Omit<Crossed, "texts">) => {
  const [a, x, y] = [pool[ancestor]!, pool[i]!, pool[j]!]
  const lead = mean(x.scores) - mean(y.scores)
  const better = (name: string) => lead > 0 || (lead === 0 && Key.uniform(Key.fold(key, name), 0) < 0.5) ? x : y
  const choice = (name: string): Candidate => {
    if (x.texts[name] === a.texts[name]) return y
    return y.texts[name] === a.texts[name] ? x : better(name)
  }
  return Object.fromEntries(Object.keys(a.texts).map((name) => [name, choice(name).texts[name]!]))
}

/** What was tried before: pairs with their ancestor, and with what came of them. */
export type Tried = Set<string>

/** One try: a pair that is drawn, if it has an ancestor to go back to and gives what was not tried yet. */
const attempt = (
  key: Key.Key,
  pool: ReadonlyArray<Candidate>,
  from: ReadonlyArray<number>,
  tried: Tried
): Crossed | undefined => {
  const [p, q] = Key.permutation(Key.fold(key, "pair"), from.length)
  const [i, j] = [from[p!]!, from[q!]!].toSorted((a, b) => a - b) as [number, number]
  const [ofI, ofJ] = [ancestorsOf(pool, i), ancestorsOf(pool, j)]
  if (ofI.has(j) || ofJ.has(i)) return undefined
  const most = Math.min(mean(pool[i]!.scores), mean(pool[j]!.scores))
  const common = [...ofI].filter((a) =>
    ofJ.has(a) && mean(pool[a]!.scores) <= most && !tried.has(`${i} ${j} ${a}`)
    && differ(pool[a]!.texts, pool[i]!.texts, pool[j]!.texts)
  ).toSorted((a, b) => a - b)
  if (common.length === 0) return undefined
  const ancestor = drawn(Key.fold(key, "ancestor"), common, common.map((a) => mean(pool[a]!.scores)))
  tried.add(`${i} ${j} ${ancestor}`)
  const found = { pair: [i, j] as const, ancestor }
  const texts = combined(Key.fold(key, "texts"), pool, found)
  const made = `${i} ${j} ${JSON.stringify(texts)}`
  if (tried.has(made)) return undefined
  tried.add(made)
  return { ...found, texts }
}

/** A child of two undominated candidates that was not tried yet; `undefined` if ten tries find none. */
export const crossed = (key: Key.Key, pool: ReadonlyArray<Candidate>, tried: Tried): Crossed | undefined => {
  const from = [...new Set(parents(pool.map(({ scores }) => scores)))]
  if (from.length < 2) return undefined
  for (let t = 0; t < TRIES; t++) {
    const found = attempt(Key.fold(key, t), pool, from, tried)
    if (found !== undefined) return found
  }
  return undefined
}

/** Validation examples on which a child is compared with its parents. */
export const COMPARED = 5

/**
 * The examples to compare a child on: up to 2 where the first parent is better, 2 where the second is, the rest where they
 * are equal, filled at random. `undefined` if there are fewer than 5.
 */
export const compared = (
  key: Key.Key,
  x: ReadonlyArray<number>,
  y: ReadonlyArray<number>
): ReadonlyArray<number> | undefined => {
  if (x.length < COMPARED) return undefined
  const order = [...Key.permutation(key, x.length)]
  const [first, second, equal] = [
    order.filter((v) => x[v]! > y[v]!),
    order.filter((v) => x[v]! < y[v]!),
    order.filter((v) => x[v] === y[v])
  ]
  const chosen = [...first.slice(0, 2), ...second.slice(0, 2)]
  chosen.push(...equal.slice(0, COMPARED - chosen.length))
  chosen.push(...order.filter((v) => !chosen.includes(v)).slice(0, COMPARED - chosen.length))
  return chosen
}
