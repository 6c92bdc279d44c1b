/** Vocabularies of merged models: whether they agree, and how the rows of their tables are brought into one order. */
import { brief } from "../../../domain/brief.ts"
import { type Dtype, rounded } from "./group.ts"

type Json = Readonly<Record<string, unknown>>
/** Ids by token. */
export type Tokens = ReadonlyMap<string, number>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const listOf = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** A token with its options ("special", "normalized", ...). */
export interface Token {
  readonly content: string
  readonly special?: unknown
}
/** A token that was added to a vocabulary, as `tokenizer.json` describes it. */
export interface Added extends Token {
  readonly id: number
}

/** The added tokens of a tokenizer: those of `tokenizer.json`, then others of the config's `added_tokens_decoder`. */
export const addedOf = (tokenizer: Json, config: Json): ReadonlyArray<Added> => {
  const own = listOf(tokenizer["added_tokens"]) as ReadonlyArray<Added>
  const known = new Set(own.map(({ content }) => content))
  const decoder = isObject(config["added_tokens_decoder"]) ? config["added_tokens_decoder"] : {}
  const more = Object.entries(decoder).flatMap(([id, token]) =>
    isObject(token) && typeof token["content"] === "string" && !known.has(token["content"])
      ? [{ ...token, id: Number(id), content: token["content"] } satisfies Added]
      : []
  )
  return [...own, ...more]
}

/** The ids of all tokens of a tokenizer. */
export const tokensOf = (tokenizer: Json, config: Json): Tokens => {
  const model = isObject(tokenizer["model"]) ? tokenizer["model"] : {}
  const pieces = listOf(model["vocab"]).map((piece, i) => [String(listOf(piece)[0]), i] as const)
  const words = isObject(model["vocab"]) ? Object.entries(model["vocab"]) as ReadonlyArray<[string, number]> : pieces
  return new Map([...words, ...addedOf(tokenizer, config).map(({ content, id }) => [content, id] as const)])
}

/** Tokens that two vocabularies have under different ids, in words; none if they agree. */
export const disagreement = (own: Tokens, base: Tokens): string | undefined => {
  const differing = [...new Set([...base.keys(), ...own.keys()])].filter((token) => own.get(token) !== base.get(token))
  if (differing.length === 0) return undefined
  const id = (tokens: Tokens, token: string) => tokens.has(token) ? `id ${tokens.get(token)}` : "absent"
  const examples = differing.slice(0, 3).map((token) =>
    `${brief(token, 40)} (${id(own, token)}, there ${id(base, token)})`
  )
  return `${differing.length === 1 ? "1 token differs" : `${differing.length} tokens differ`}: ${examples.join(", ")}${
    differing.length > 3 ? ", ..." : ""
  }`
}

/** Parts of two tokenizers of the same tokens that differ, so that they may cut the same text differently. */
export const differingParts = (own: Json, base: Json): ReadonlyArray<string> =>
  ["normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "model"].filter((key) =>
    JSON.stringify(own[key] ?? null) !== JSON.stringify(base[key] ?? null)
  )

/** For each id of a vocabulary, the id of the same token in a model's own; -1 where it has none. */
export const permutation = (target: Tokens, own: Tokens, rows: number): Int32Array => {
  const places = new Int32Array(rows).fill(-1)
  for (const [token, id] of target) places[id] = own.get(token) ?? -1
  return places
}

/** How the tables of a merge are aligned. */
export interface Alignment {
  /** Of each model, the rows of its tables by the ids of the output. */
  readonly permutations: ReadonlyArray<Int32Array>
  /** Place of the base among the models, if it is one of them. */
  readonly base: number | undefined
}

/** The models whose rows a token unknown to others is given: the only one that has it, the base, or all that have it. */
const givers = (has: ReadonlyArray<boolean>, base: number | undefined): ReadonlyArray<number> => {
  const all = has.flatMap((one, k) => one ? [k] : [])
  return all.length > 1 && base !== undefined && has[base] ? [base] : all
}

/**
 * Tables of `width` columns with their rows in the order of the output. A model that lacks a token gets the row of the
 * only model that has it, else the base's, else the mean of those that have it: it does not pull the merge away. A
 * token that no model has gets zeros.
 */
export const aligned = (
  tables: ReadonlyArray<Float32Array>,
  { base, permutations }: Alignment,
  width: number,
  dtype: Dtype
): ReadonlyArray<Float32Array> => {
  const [rows, round] = [permutations[0]!.length, rounded(dtype)]
  const result = tables.map(() => new Float32Array(rows * width))
  const row = (k: number, id: number) => {
    const from = permutations[k]![id]! * width
    return tables[k]!.subarray(from, from + width)
  }
  for (let id = 0; id < rows; id++) {
    const has = permutations.map((places) => places[id]! >= 0)
    const from = has.every((one) => one) ? [] : givers(has, base).map((k) => row(k, id))
    const common = new Float32Array(width)
    for (const values of from) values.forEach((x, i) => common[i] = from.length === 1 ? x : round(common[i]! + x))
    if (from.length > 1) common.forEach((x, i) => common[i] = round(x / from.length))
    result.forEach((table, k) => table.set(has[k] ? row(k, id) : common, id * width))
  }
  return result
}
