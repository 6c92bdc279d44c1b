/** Preferences of the training file as tokens, and their likelihoods before training. */
import * as Effect from "effect/Effect"
import * as Examples from "../../datasets/examples.ts"
import { type Preference, toPreference } from "../../domain/examples/preferences.ts"
import type { TokenRecord } from "../../domain/examples/tokens.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { pairOf, type PairTokens } from "../../runtime/language/examples/examples.ts"
import { LanguageModel } from "../../runtime/ports/LanguageModel.ts"
import type { TokenRows } from "../System.ts"
import { fittedBy } from "./fitting.ts"
import type { MediphiConfig } from "./settings.ts"
import { inRow, sources } from "./sources.ts"

type Pair = PairTokens & { readonly id: string }

const equal = ({ chosen, rejected }: PairTokens): boolean => chosen.join() === rejected.join()
const longest = ({ chosen, rejected }: PairTokens): number => Math.max(chosen.length, rejected.length)

/** The pair with both ends cut; `undefined` if an answer is gone, or if what is left of them is the same. */
const cutTo = (most: number) => (pair: Pair): Pair | undefined => {
  const own = { ...pair, chosen: pair.chosen.slice(0, most), rejected: pair.rejected.slice(0, most) }
  return pair.prompt >= most || equal(own) ? undefined : own
}

/** Both texts in a row, with their answers learned. The first token of all is not: nothing stands before it. */
const recordOf = ({ chosen, id, prompt, rejected }: Pair): TokenRecord => ({
  id,
  ids: [...chosen, ...rejected],
  starts: [0, chosen.length],
  learned: [chosen, rejected].flatMap((ids) => ids.map((_, at) => at > 0 && at >= prompt ? 1 : 0))
})

const checked = (c: MediphiConfig, pairs: ReadonlyArray<Pair>) => {
  const same = pairs.filter(equal)
  const mute = pairs.filter(({ chosen, prompt, rejected }) => Math.min(chosen.length, rejected.length) <= prompt)
  const problems = [
    same.length > 0
    && `${same.length} pairs have chosen and rejected answers of the same tokens (first: ${
      same[0]!.id
    }): there is nothing to prefer`,
    mute.length > 0 && `${mute.length} pairs have an answer without a token of its own (first: ${mute[0]!.id})`
  ].filter((problem) => problem !== false)
  return problems.length === 0 ? Effect.void : Effect.fail(new ConfigError({ source: c.train_file, problems }))
}

/** Everything of a text is its completion's: only sft has turns to learn. */
const learned = (c: MediphiConfig) => ({
  ...c,
  train_on_inputs: false,
  split_turns: false,
  last_turn_only: false,
  document_tasks: "none" as const
})

/** The training file as it is. */
const given = (c: MediphiConfig) =>
  Examples.rows<Preference>(c.train_file, toPreference, { where: c.train_where, skipBad: c.skip_bad_lines })

const wordsOf = (pair: Preference): ReadonlyArray<string> =>
  pair._tag === "Texts"
    ? [pair.prompt, pair.chosen, pair.rejected]
    : [...pair.prompt, ...pair.chosen, ...pair.rejected].map(({ content }) => content)

/** The words of the pairs. */
export const pairWords = Effect.fnUntraced(function*(c: MediphiConfig) {
  return (yield* given(c)).records.flatMap(wordsOf)
})

/** The pairs of the training file; `reference` is added by a frozen pass. */
export const pairRows = Effect.fnUntraced(function*(c: MediphiConfig) {
  const loaded = yield* given(c)
  const o = yield* sources(c, learned(c))
  const pairs = yield* Effect.forEach(
    loaded.records,
    (own) => inRow(own.id, Effect.map(pairOf(o, own), (tokens): Pair => ({ id: own.id, ...tokens })))
  )
  yield* checked(c, pairs)
  const { kept, told } = yield* fittedBy(c, pairs, "pairs", longest, cutTo(c.max_length))
  const records = kept.map(recordOf)
  return {
    records,
    texts: pairs.map(({ chosen }) => chosen),
    told: [...loaded.told, ...told],
    counts: {
      pairs: records.length,
      tokens: records.reduce((sum, { ids }) => sum + ids.length, 0),
      rows: records.length
    }
  } satisfies TokenRows as TokenRows
})

/** A side of a pair as a text of its own. */
export const sideOf = ({ ids, learned: marks, starts }: TokenRecord, which: 0 | 1) => {
  const [from, to] = which === 0 ? [0, starts[1]] : [starts[1], undefined]
  return { ids: ids.slice(from, to), learned: marks.slice(from, to), starts: [0] }
}

/** Log-likelihoods of the answers of pairs under the model as it is. */
export const references = Effect.fnUntraced(function*(pairs: ReadonlyArray<TokenRecord>) {
  const { logLikelihood } = yield* LanguageModel
  const found = yield* logLikelihood(pairs.flatMap((own) => [sideOf(own, 0), sideOf(own, 1)]))
  return pairs.map((_, i) => [found[2 * i]!, found[2 * i + 1]!] as const)
})
