/** Sample: draws candidates for the reader to score, with weights from their scores, as in JMLR. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import { Candidates, Draw, Question } from "../domain/tables.ts"
import * as Stage from "./Stage.ts"

/** How passages are drawn. */
export interface SampleOptions {
  /** Candidates per question. */
  readonly n: number
  /** Passages drawn without replacement, which the reader scores one by one. */
  readonly m: number
  /** Passages in the reader's training prompt. */
  readonly c: number
  /** Draw by weight, or all alike, or take the best. */
  readonly sampling: "weighted" | "uniform" | "top"
  /** Take the prompt's passages from the drawn candidates, or from all. */
  readonly context: "sampled" | "top"
  readonly temperature: number
  readonly seed: number
}

/** The minimum and maximum of any number of scores. */
const extent = (scores: Float32Array): readonly [low: number, high: number] => {
  let [low, high] = [Infinity, -Infinity]
  for (const score of scores) {
    low = Math.min(low, score)
    high = Math.max(high, score)
  }
  return [low, high]
}

/** JMLR's scaled scores 2u - 1, where u is the min-max scaled score; 0 if all scores are equal. */
export const scaledScores = (scores: Float32Array): Float64Array => {
  const [low, high] = extent(scores)
  return Float64Array.from(scores, (s) => high > low ? 2 * (s - low) / (high - low) - 1 : 0)
}

/**
 * Gumbel top-k: `m` indices drawn without replacement from softmax(logits), in the order drawn: those with the m
 * largest values of logit + Gumbel noise (Kool et al. 2019).
 */
export const gumbelTopK = (logits: Float64Array, m: number, key: Key.Key): ReadonlyArray<number> => {
  const noisy = logits.map((logit, i) => logit + Key.gumbel(key, i))
  const order = [...logits.keys()].toSorted((a, b) => noisy[b]! - noisy[a]! || a - b)
  return order.slice(0, m)
}

/** Indices of the candidates of lowest and highest score. */
const extremesOf = (scores: Float32Array): readonly [number, number] => {
  const [low, high] = extent(scores)
  return [scores.indexOf(low), scores.indexOf(high)]
}

/** The prompt's passages, worst first: the `c` best of the pool. */
const contextOf = (scores: Float32Array, pool: ReadonlyArray<number>, c: number): ReadonlyArray<number> =>
  pool.toSorted((a, b) => scores[b]! - scores[a]! || a - b).slice(0, c).toReversed()

/** Draws passages from each question's candidates, under a key of seed, step and question. */
export const sample = (options: SampleOptions) => {
  const { c, context, m, n, sampling, seed, temperature } = options
  const draw = (scores: Float32Array, key: Key.Key) => {
    if (sampling === "top") return [...Array(m).keys()]
    const logits = sampling === "uniform" ? new Float64Array(n) : scaledScores(scores).map((s) => s / temperature)
    return gumbelTopK(logits, m, key)
  }
  return Stage.make("sample", {
    needs: { ...Question, ...Candidates(n) },
    adds: Draw(m, c),
    run: (rows) =>
      Effect.sync(() => {
        const [step, qid] = [Frame.column(rows, "step"), Frame.column(rows, "qid")]
        const [docs, docScore] = [Frame.column(rows, "docs"), Frame.column(rows, "docScore")]
        const added = {
          drawn: new Int32Array(rows.rows * m),
          extremes: new Int32Array(rows.rows * 2),
          context: new Int32Array(rows.rows * c)
        }
        for (let r = 0; r < rows.rows; r++) {
          const scores = docScore.subarray(r * n, (r + 1) * n)
          const places = draw(scores, Key.fold(Key.make(seed), "sample", step[r]!, qid[r]!))
          const pool = context === "sampled" ? places : [...scores.keys()]
          const doc = (place: number) => docs[r * n + place]!
          added.drawn.set(places.map(doc), r * m)
          added.extremes.set(extremesOf(scores).map(doc), r * 2)
          added.context.set(contextOf(scores, pool, c).map(doc), r * c)
        }
        return added
      })
  })
}
