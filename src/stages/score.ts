/** Score: turns the reader's likelihoods into the retriever's objective, as plain arithmetic on columns. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import {
  Attention,
  Candidates,
  ClassScores,
  Draw,
  Leaving,
  LogTarget,
  Preference,
  Question,
  Reading,
  Target
} from "../domain/tables.ts"
import { disagree, targetOf, type TargetOptions } from "../domain/verdicts/target.ts"
import { type Utility, utilityOf, verdictOf } from "../domain/verdicts/utility.ts"
import * as Stage from "./Stage.ts"

/** When one passage ranks above another. */
export interface RankOptions {
  /** Ties in likelihood: skipped, or the later-drawn passage counts as better. */
  readonly ties: "skip" | "later"
  /** Divide the sum over pairs by their number, or by one more as the released code does. */
  readonly mean: "pairs" | "pairs_plus_one"
  /** Likelihoods count as equal if they differ by at most this, in nats per token; 0 if omitted. */
  readonly margin?: number
}

/** 1/pairs where i should outrank j, for all m² ordered pairs; `nll` is in the order drawn. */
export const preferences = (nll: Float32Array, { margin = 0, mean, ties }: RankOptions): Float32Array => {
  const m = nll.length
  const weight = 1 / (m * (m - 1) / 2 + (mean === "pairs_plus_one" ? 1 : 0))
  const wanted = new Float32Array(m * m)
  for (let a = 0; a < m; a++) {
    for (let b = a + 1; b < m; b++) {
      const gain = nll[b]! - nll[a]!
      if (gain > margin) wanted[a * m + b] = weight
      else if (gain < -margin || ties === "later") wanted[b * m + a] = weight
    }
  }
  return wanted
}

/** LLM-Rank (JMLR): of two drawn passages, the one that makes the answer likelier should score higher. */
export const llmRank = (m: number, options: RankOptions) =>
  Stage.make("score", {
    needs: Reading(m),
    adds: Preference(m),
    run: (rows) =>
      Effect.sync(() => {
        const nll = Frame.column(rows, "nll")
        const preference = new Float32Array(rows.rows * m * m)
        for (let r = 0; r < rows.rows; r++) {
          preference.set(preferences(nll.subarray(r * m, (r + 1) * m), options), r * m * m)
        }
        return { preference }
      })
  })

/** softmax(-nll/τ) of each row of m. */
export const softmin = (nll: Float32Array, m: number, temperature: number): Float32Array => {
  const target = new Float32Array(nll.length)
  for (let r = 0; r < nll.length; r += m) {
    const row = nll.subarray(r, r + m)
    const low = Math.min(...row)
    const weights = row.map((x) => Math.exp((low - x) / temperature))
    const total = weights.reduce((a, b) => a + b, 0)
    target.set(weights.map((w) => w / total), r)
  }
  return target
}

/** Perplexity distillation (Atlas, PDist): the likelihoods give the target distribution of the scores. */
export const pdist = (m: number, temperature: number) =>
  Stage.make("score", {
    needs: Reading(m),
    adds: Target(m),
    run: (rows) => Effect.sync(() => ({ target: softmin(Frame.column(rows, "nll"), m, temperature) }))
  })

/** The scores of the drawn passages, [rows, m]; -Infinity where none was drawn. */
const drawnScores = (
  rows: Frame.Frame<Pick<ReturnType<typeof Draw>, "drawn"> & ReturnType<typeof Candidates>>,
  m: number,
  n: number
): Float32Array => {
  const [docs, docScore] = [Frame.column(rows, "docs"), Frame.column(rows, "docScore")]
  return Float32Array.from(Frame.column(rows, "drawn"), (doc, i) => {
    const from = Math.floor(i / m) * n
    return doc < 0 ? -Infinity : docScore[from + docs.subarray(from, from + n).indexOf(doc)]!
  })
}

/**
 * The passage given the answer: softmax(s/τ - nll/τ') over the drawn passages, s their current scores. With τ' = 1 the
 * gradient of the loss is that of EMDR2, -log Σ softmax(s/τ)·exp(-nll) (Singh et al. 2021), of likelihoods per token; else the
 * target is PDist's with the retriever's own distribution as prior, so that likelihoods that are equal teach nothing.
 */
export const posterior = (m: number, n: number, temperature: number, temperatureScore: number) =>
  Stage.make("score", {
    needs: { ...Reading(m), drawn: Draw(m, 1).drawn, ...Candidates(n) },
    adds: Target(m),
    run: (rows) =>
      Effect.sync(() => {
        const scores = drawnScores(rows, m, n)
        const energy = Frame.column(rows, "nll").map((own, i) => own / temperature - scores[i]! / temperatureScore)
        return { target: softmin(energy, m, 1) }
      })
  })

/** Leave one out (Atlas, LOOP): the less likely the answer is without a passage, the more it should score. */
export const loop = (m: number, temperature: number) =>
  Stage.make("score", {
    needs: Leaving(m),
    adds: Target(m),
    run: (rows) =>
      Effect.sync(() => ({ target: softmin(Frame.column(rows, "nllWithout").map((nll) => -nll), m, temperature) }))
  })

/** Attention distillation (Atlas, ADist; Izacard & Grave 2021): the more the answer attends to a passage, the more it should score. */
export const adist = (m: number, temperature: number) =>
  Stage.make("score", {
    needs: Attention(m),
    adds: Target(m),
    run: (rows) =>
      Effect.sync(() => ({ target: softmin(Frame.column(rows, "attention").map((mass) => -mass), m, temperature) }))
  })

/** log softmax(exp(-nll)/β) of each row of m, in float64. */
export const logLikelihoods = (nll: Float32Array, m: number, temperature: number): Float32Array => {
  const logs = new Float32Array(nll.length)
  for (let r = 0; r < nll.length; r += m) {
    const logits = Array.from(nll.subarray(r, r + m), (own) => Math.exp(-own) / temperature)
    const high = Math.max(...logits)
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - high), 0))
    logs.set(logits.map((logit) => logit - high - total), r)
  }
  return logs
}

/**
 * REPLUG LSR (Shi et al. 2023, eq. 3-5): log softmax(p/β), p the likelihood of the answer per token (the geometric mean of its
 * tokens' likelihoods), which the retriever's distribution is to diverge from the least.
 */
export const replug = (m: number, temperature: number) =>
  Stage.make("score", {
    needs: Reading(m),
    adds: LogTarget(m),
    run: (rows) => Effect.sync(() => ({ logTarget: logLikelihoods(Frame.column(rows, "nll"), m, temperature) }))
  })

/** Supervised target: uniform over the gold passages drawn; rows without any do not contribute. */
export const goldTarget = (m: number) =>
  Stage.make("score", {
    needs: { gold: Question.gold, drawn: Draw(m, 1).drawn },
    adds: Target(m),
    run: (rows) =>
      Effect.sync(() => {
        const [gold, drawn] = [Frame.column(rows, "gold"), Frame.column(rows, "drawn")]
        const hits = drawn.map((doc, i) => gold[Math.floor(i / m)]!.includes(doc) ? 1 : 0)
        return {
          target: Float32Array.from(hits, (hit, i) => {
            const row = i - i % m
            return hit / Math.max(1, hits.subarray(row, row + m).reduce((a, b) => a + b, 0))
          })
        }
      })
  })

/** How verdicts become a target. */
export interface VerdictTargetOptions extends TargetOptions {
  /** How class scores become a utility; that of a question without options is its answer's score. */
  readonly utility: Utility
  /** Learn only from questions whose passages lead to different options. */
  readonly disagreeing: boolean
}

/** The target of a question's m passages; all 0, which teaches nothing, where one of them was not read. */
const verdictTargetOf = (
  single: ReadonlyArray<Float32Array>,
  scores: Float32Array,
  right: number,
  o: VerdictTargetOptions
): Float32Array => {
  const target = new Float32Array(single.length)
  const places = [...single.keys()].filter((i) => scores[i]! > -Infinity)
  const known = places.map((i) => single[i]!)
  if (known.length === 0 || known.some((own) => verdictOf(own) < 0) || (o.disagreeing && !disagree(known))) {
    return target
  }
  const utilities = known.map((own) => right < 0 ? own[0]! : utilityOf(own, right, o.utility))
  const found = targetOf(utilities, places.map((i) => scores[i]!), o)
  places.forEach((i, at) => target[i] = found[at]!)
  return target
}

/**
 * The reader's verdict on each passage re-weighs the retriever's own ranking (JOMED, Mazor & Hope): of the drawn passages,
 * with utilities g of their class scores and current scores s, softmax(g/τ_g + s/τ_s) or what `prior` and `direction` ask for.
 */
export const verdictTarget = (m: number, n: number, k: number, o: VerdictTargetOptions) =>
  Stage.make("score", {
    needs: {
      ...ClassScores(m, k),
      answerIndex: Question.answerIndex,
      drawn: Draw(m, 1).drawn,
      ...Candidates(n)
    },
    adds: Target(m),
    run: (rows) =>
      Effect.sync(() => {
        const [scores, right] = [Frame.column(rows, "scores"), Frame.column(rows, "answerIndex")]
        const own = drawnScores(rows, m, n)
        const target = new Float32Array(rows.rows * m)
        for (let r = 0; r < rows.rows; r++) {
          const single = Array.from({ length: m }, (_, i) => scores.subarray((r * m + i) * k, (r * m + i + 1) * k))
          target.set(verdictTargetOf(single, own.subarray(r * m, (r + 1) * m), right[r]!, o), r * m)
        }
        return { target }
      })
  })
