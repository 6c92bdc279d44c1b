/** A pool of generic prompts, one for each query (GP-n: STM, section 3.3). */
import * as Key from "../Key.ts"

/** The manners in which a pool's prompts are written, in turn. */
export const styles = [
  "a direct instruction",
  "an instruction to rank",
  "an instruction to score relevance",
  "an instruction to match query and document",
  "a description of what somebody seeks to know",
  "an instruction that minds the context of the query",
  "an instruction as in a specialist's field, without naming one",
  "a plain request to find something"
] as const

/** The prompt of a query: drawn by the query's own text, so that neither order nor other queries change it. */
export const promptOf = (pool: ReadonlyArray<string>, query: string, seed: number): string =>
  pool[Key.integer(Key.fold(Key.make(seed), "pool", query), 0, pool.length)]!
