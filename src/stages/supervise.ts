/**
 * Sampling that uses the gold passages, for supervised baselines, upper bounds and warm-ups. No stage here retrieves.
 */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import { Candidates, Draw, Question } from "../domain/tables.ts"
import { gumbelTopK, scaledScores } from "./sample.ts"
import * as Stage from "./Stage.ts"

const blank = (rows: number, m: number, c: number) => ({
  drawn: new Int32Array(rows * m),
  extremes: new Int32Array(rows * 2),
  context: new Int32Array(rows * c)
})

/** At most `most` of the gold passages, drawn by key if there are more; -1 if there is none. */
const some = (gold: Int32Array, most: number, key: Key.Key): ReadonlyArray<number> => {
  if (gold.length === 0) return [-1]
  return gold.length <= most ? [...gold] : [...Key.permutation(key, gold.length).subarray(0, most)].map((i) => gold[i]!)
}

/** The first `c` gold passages as the only candidates: perfect retrieval. */
export const findGold = (c: number) =>
  Stage.make("retrieve", {
    needs: Question,
    adds: Candidates(c),
    run: (rows) =>
      Effect.sync(() => {
        const docs = new Int32Array(rows.rows * c).fill(-1)
        Frame.column(rows, "gold").forEach((gold, r) => docs.set(gold.subarray(0, c), r * c))
        return { docs, docScore: new Float32Array(rows.rows * c) }
      })
  })

/**
 * At most `m - 1` gold passages, filled up to `m` with others drawn by score; the reader's prompt has the `c` best
 * candidates.
 */
export const drawWithGold = (n: number, m: number, c: number, seed: number) =>
  Stage.make("sample", {
    needs: { ...Question, ...Candidates(n) },
    adds: Draw(m, c),
    run: (rows) =>
      Effect.sync(() => {
        const added = blank(rows.rows, m, c)
        const [step, qid, gold] = [Frame.column(rows, "step"), Frame.column(rows, "qid"), Frame.column(rows, "gold")]
        const [docs, scores] = [Frame.column(rows, "docs"), Frame.column(rows, "docScore")]
        for (let r = 0; r < rows.rows; r++) {
          const own = docs.subarray(r * n, (r + 1) * n)
          const key = Key.fold(Key.make(seed), "gold", step[r]!, qid[r]!)
          const places = gumbelTopK(scaledScores(scores.subarray(r * n, (r + 1) * n)), n, key)
          const first = some(gold[r]!, Math.max(1, m - 1), Key.fold(key, "some"))
          const others = places.filter((place) => !gold[r]!.includes(own[place]!)).slice(0, m - first.length)
          /** Needed if nearly all candidates are gold. */
          const spare = [...gold[r]!].filter((doc) => !first.includes(doc)).slice(0, m - first.length - others.length)
          added.drawn.set([...first, ...others.map((place) => own[place]!), ...spare], r * m)
          added.extremes.set([own[n - 1]!, own[0]!], r * 2)
          added.context.set(own.subarray(0, c).toReversed(), r * c)
        }
        return added
      })
  })

/** The first gold passage of each row, with those of the other rows in the batch of `b` as negatives. */
export const drawInBatch = (b: number) =>
  Stage.make("sample", {
    needs: Question,
    adds: Draw(b, 1),
    run: (rows) =>
      Effect.sync(() => {
        const gold = Frame.column(rows, "gold").map((own) => own[0] ?? -1)
        const added = blank(rows.rows, b, 1)
        for (let r = 0; r < rows.rows; r++) {
          for (let i = 0; i < b; i++) added.drawn[r * b + i] = gold[(r + i) % rows.rows]!
          added.context[r] = gold[r]!
          added.extremes.fill(gold[r]!, 2 * r, 2 * r + 2)
        }
        return added
      })
  })

/**
 * `first` plus other rows of the corpus of `passages`, `count` distinct ones in all (-1 if the corpus is too small).
 */
const withOthers = (
  first: ReadonlyArray<number>,
  count: number,
  passages: number,
  key: Key.Key
): ReadonlyArray<number> => {
  const found = new Set(first)
  for (let i = 1; found.size < Math.min(count, passages); i++) found.add(Key.integer(key, i, passages))
  return [...found, ...Array<number>(count - found.size).fill(-1)]
}

/** The gold passages among random others of the corpus, `c` in an order drawn by key, as input to the reader. */
export const drawOracle = (c: number, passages: number, seed: number) =>
  Stage.make("sample", {
    needs: Question,
    adds: Draw(1, c),
    run: (rows) =>
      Effect.sync(() => {
        const [step, qid, gold] = [Frame.column(rows, "step"), Frame.column(rows, "qid"), Frame.column(rows, "gold")]
        const added = blank(rows.rows, 1, c)
        for (let r = 0; r < rows.rows; r++) {
          const key = Key.fold(Key.make(seed), "oracle", step[r]!, qid[r]!)
          const first = some(gold[r]!, c, Key.fold(key, "some"))
          const context = withOthers(first, c, passages, key)
          added.drawn[r] = first[0]!
          added.extremes.fill(first[0]!, 2 * r, 2 * r + 2)
          added.context.set([...Key.permutation(Key.fold(key, "order"), c)].map((i) => context[i]!), r * c)
        }
        return added
      })
  })
