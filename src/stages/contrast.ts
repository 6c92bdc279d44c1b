/** Contrast: each query's positive passage among the positives and hard negatives of the batch. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import { Contrast, Question } from "../domain/tables.ts"
import { softmin } from "./score.ts"
import * as Stage from "./Stage.ts"

/** Which passages a query's positive is compared with. */
export interface ContrastOptions {
  /** Queries per step. */
  readonly b: number
  /** Hard negatives of a query, at most; drawn by key if it has more. */
  readonly negatives: number
  /** What other queries of the batch lend: nothing, their positives (STM), or their hard negatives too (MNRL). */
  readonly inBatch: "none" | "positives" | "all"
  /** Whether a query's other known positives are left out of its candidates. */
  readonly masksKnown: boolean
  /** Whether a teacher is the target, by its scores as they are or as shares under a temperature. */
  readonly teacher?: { readonly as: "scores" } | { readonly as: "shares"; readonly temperature: number } | undefined
  readonly seed: number
}

/** Candidates of a query. */
export const candidatesOf = ({ b, inBatch, negatives }: Pick<ContrastOptions, "b" | "inBatch" | "negatives">): number =>
  inBatch === "none" ? 1 + negatives : inBatch === "positives" ? b + negatives : b + b * negatives

/** The columns of a row's own passages among its candidates: of its positive, and of the first of its hard negatives. */
const ownAt = (
  { b, inBatch, negatives }: ContrastOptions,
  row: number
): readonly [positive: number, negatives: number] =>
  inBatch === "none" ? [0, 1] : inBatch === "positives" ? [row, b] : [row, b + row * negatives]

/** A row's own passages, as places in its lists. */
interface Own {
  readonly positive: number
  readonly negatives: ReadonlyArray<number>
}

/** One of the positives, and at most `most` of the negatives in their order, drawn by key if there are more. */
const ownOf = (gold: Int32Array, others: Int32Array, most: number, key: Key.Key): Own => {
  const [places, positive] = [
    Key.permutation(Key.fold(key, "negatives"), others.length),
    Key.integer(key, 0, gold.length)
  ]
  return { positive, negatives: [...places.subarray(0, most)].toSorted((x, y) => x - y) }
}

/** The teacher's scores of a query's own passages, the positive first, or its distribution: at most 1 + negatives. */
const taught = (
  scores: Float32Array,
  gold: number,
  { negatives, positive }: Own,
  teacher: NonNullable<ContrastOptions["teacher"]>
) => {
  const own = Float32Array.from([positive, ...negatives.map((place) => gold + place)], (place) => scores[place]!)
  return teacher.as === "scores" ? own : softmin(own.map((score) => -score), own.length, teacher.temperature)
}

/**
 * A query's candidates: of the batch's positives its own is in the column of its row (the first, if there are no others);
 * then its own hard negatives, or those of all rows. -1 is none.
 */
export const drawContrast = (o: ContrastOptions) =>
  Stage.make("sample", {
    needs: Question,
    adds: Contrast(candidatesOf(o), o.b),
    run: (rows) =>
      Effect.sync(() => {
        const n = candidatesOf(o)
        const [step, qid] = [Frame.column(rows, "step"), Frame.column(rows, "qid")]
        const [gold, others] = [Frame.column(rows, "gold"), Frame.column(rows, "negatives")]
        const teacher = Frame.column(rows, "teacher")
        const own = gold.map((docs, r) =>
          ownOf(docs, others[r]!, o.negatives, Key.fold(Key.make(o.seed), "contrast", step[r]!, qid[r]!))
        )
        const positives = own.map(({ positive }, r) => gold[r]![positive]!)
        const negativesOf = (r: number) =>
          Array.from({ length: o.negatives }, (_, i) => others[r]![own[r]!.negatives[i] ?? -1] ?? -1)
        const knows = (r: number, doc: number) => o.masksKnown && gold[r]!.includes(doc)
        const borrowed = (r: number) => positives.map((doc, i) => i !== r && knows(r, doc) ? -1 : doc)
        const candidates = (r: number): ReadonlyArray<number> => {
          if (o.inBatch === "none") return [positives[r]!, ...negativesOf(r)]
          if (o.inBatch === "positives") return [...borrowed(r), ...negativesOf(r)]
          const all = positives.flatMap((_, i) => negativesOf(i))
          return [...borrowed(r), ...all.map((doc) => knows(r, doc) ? -1 : doc)]
        }
        const added = {
          candidates: new Int32Array(rows.rows * n).fill(-1),
          target: new Float32Array(rows.rows * n),
          askers: new Int32Array(rows.rows * o.b),
          own: new Int32Array(rows.rows * n)
        }
        for (let r = 0; r < rows.rows; r++) {
          added.candidates.set(candidates(r), r * n)
          const target = o.teacher === undefined ? [1] : taught(teacher[r]!, gold[r]!.length, own[r]!, o.teacher)
          added.target.set(target, r * n + (o.inBatch === "none" ? 0 : r))
          const [place, from] = ownAt(o, r)
          added.own.fill(1, r * n + place, r * n + place + 1).fill(1, r * n + from, r * n + from + o.negatives)
          for (let i = 0; i < rows.rows; i++) added.askers[r * o.b + i] = i === r || !knows(i, positives[r]!) ? 1 : 0
        }
        return added
      })
  })
