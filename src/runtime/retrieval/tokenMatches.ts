/** Late interaction, token by token: which token of a passage each token of a query matches best. */
import * as Effect from "effect/Effect"
import { cached } from "../engine/Programs.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Tokenizer from "../tokenizers/tokenizer.ts"
import * as Graphs from "./dense/graphs.ts"
import type { TokenRows } from "./dense/texts.ts"
import * as RetrieverFolder from "./folder.ts"

/** A passage's tokens, and for each token of the query the one that it matches best. */
export interface TokenMatch {
  readonly tokens: ReadonlyArray<string>
  /** Place of the passage's token, by token of the query; masked tokens match nothing. */
  readonly best: ReadonlyArray<number>
  /** The similarity of both: their sum is the passage's score. */
  readonly similarity: ReadonlyArray<number>
}

/** A query's tokens, and what they match in each passage. */
export interface QueryMatches {
  readonly tokens: ReadonlyArray<string>
  readonly passages: ReadonlyArray<TokenMatch>
}

/** The best match of each of the query's vectors, [q, dim], among the passage's that count, [l, dim] with `keep` [l]. */
const bestOf = (query: Float32Array, passage: Float32Array, keep: Uint8Array, dim: number) =>
  Array.from({ length: query.length / dim }, (_, j) => {
    let [best, most] = [-1, -Infinity]
    for (let i = 0; i < keep.length; i++) {
      if (keep[i] === 0) continue
      let dot = 0
      for (let k = 0; k < dim; k++) dot += query[j * dim + k]! * passage[i * dim + k]!
      if (dot > most) [best, most] = [i, dot]
    }
    return { best, similarity: most }
  })

/** Passages that are encoded at a time, so that one program serves all. */
const EACH = 4

/**
 * Matches queries with passages under the weights of a retriever's folder, until the scope ends; `undefined` if it has one
 * vector per text, which match as a whole.
 */
export const tokenMatcher = Effect.fn("tokenMatcher")(
  function*(name: string, settings: RetrieverFolder.FolderSettings) {
    const { dim, lengths, load, pools, text } = yield* RetrieverFolder.open(name, settings)
    if (pools) return undefined
    const { folder } = yield* ModelFolder.resolve(name)
    const { token } = yield* Tokenizer.load(folder)
    const { module: encoder, weights } = yield* load({
      seed: 0,
      lora: undefined,
      learns: () => false,
      slots: [],
      task: "FEATURE_EXTRACTION"
    })
    const encode = yield* cached(
      ([rows, length]: [number, number]) => Graphs.encode(encoder, rows, length),
      { fixed: weights.frozen }
    )
    const vectors = ({ ids, length, mask, rows }: TokenRows) =>
      Effect.map(encode([rows, length], { ...weights.values(), ids, mask }), ({ vectors }) => vectors as Float32Array)
    const named = (ids: Iterable<number>) => Array.from(ids, (id) => token(id) ?? `#${id}`)

    const matched = Effect.fnUntraced(function*(query: Float32Array, passages: ReadonlyArray<string>) {
      const tokens = passages.map((passage) => text.passage(passage))
      const filled = Array.from({ length: EACH }, (_, i) => tokens[i] ?? tokens[0]!)
      const rows = text.passages(filled, lengths.passage)
      const found = yield* vectors(rows)
      return tokens.map((own, i): TokenMatch => {
        const [from, size] = [i * rows.length, rows.length]
        const part = found.subarray(from * dim, (from + size) * dim)
        const matches = bestOf(query, part, rows.keep.subarray(from, from + own.length), dim)
        return {
          tokens: named(own),
          best: matches.map(({ best }) => best),
          similarity: matches.map(({ similarity }) => similarity)
        }
      })
    })

    return Effect.fnUntraced(function*(query: string, passages: ReadonlyArray<string>) {
      const rows = text.queries([query])
      const own = yield* vectors(rows)
      const parts = Array.from(
        { length: Math.ceil(passages.length / EACH) },
        (_, i) => passages.slice(i * EACH, (i + 1) * EACH)
      )
      const found = yield* Effect.forEach(parts, (part) => matched(own, part))
      return { tokens: named(rows.ids), passages: found.flat() } satisfies QueryMatches as QueryMatches
    })
  }
)
