/** A retriever's lessons as arrays and programs: micro-batches that are encoded and judged in one. */
import * as Effect from "effect/Effect"
import { textOf } from "../../../domain/Content.ts"
import type { Training } from "../../../domain/settings/training.ts"
import type { Hardness, Margin } from "../../../kernels/loss/rank.ts"
import type { GradScaler } from "../../../kernels/optim/gradScaler.ts"
import type { Range } from "../../engine/halving.ts"
import { learningOf } from "../../models/training.ts"
import type { RetrieverLesson } from "../../ports/Retriever.ts"
import type { Batch, Least } from "./batch.ts"
import * as Graphs from "./graphs.ts"
import type * as Model from "./model.ts"

/** How scores become a loss. */
export interface Loss {
  /** Temperature of the scores in the listwise loss. */
  readonly temperature: number
  /** Factor of the loss. */
  readonly weight: number
  /** What contrast asks for beyond a target: passages that are no candidates, false negatives, distillation. */
  readonly contrast?: Contrast
}

/** Options of contrastive training. */
export interface Contrast {
  /** Texts that are encoded at a time, where gradients are cached; 0 for all. */
  readonly miniBatch: number
  readonly margin: Margin | undefined
  /** Which negatives count for more, the harder they are. */
  readonly hardness?: Hardness | undefined
  /** Whether the target is a teacher's distribution, to be met as a whole. */
  readonly divergence: boolean
  /** Whether scores are first brought to [0, 1] for each query. */
  readonly normalise: boolean
}

/** The key of a step's program. */
export type StepKey = [
  step: "step",
  questions: number,
  /** Questions of the whole update. */
  of: number,
  queryLength: number,
  passages: number,
  passageLength: number,
  n: number,
  objective: RetrieverLesson["objective"]["_tag"],
  m: number,
  both: number
]

/** The objective of a program, by its kind and sizes. */
export const shapeOf = (
  { contrast }: Loss,
  tag: RetrieverLesson["objective"]["_tag"],
  m: number,
  both: boolean
): Graphs.ObjectiveShape =>
  tag === "Pairwise"
    ? { _tag: tag, m }
    : tag === "Margins" || tag === "Reverse"
    ? { _tag: tag }
    : { _tag: tag, masked: contrast !== undefined, both }

/** The objective of a lesson's program, as far as it shapes it. */
const objectiveOf = (loss: Loss, { objective }: Pick<RetrieverLesson, "objective">): Graphs.ObjectiveShape =>
  shapeOf(
    loss,
    objective._tag,
    objective._tag === "Pairwise" ? objective.m : 0,
    objective._tag === "Listwise" && objective.askers !== undefined
  )

/** The loss of `questions` of an update's `of`, on n passages each. */
export const scoringOf = (loss: Loss, objective: Graphs.ObjectiveShape, n: number, share: number): Graphs.Scoring => ({
  n,
  objective,
  temperature: loss.temperature,
  weight: loss.weight * share,
  divergence: loss.contrast?.divergence ?? false,
  normalise: loss.contrast?.normalise ?? false,
  margin: loss.contrast?.margin,
  hardness: objective._tag === "Listwise" ? loss.contrast?.hardness : undefined
})

/** The graphs of a step, by key. */
export const lessonOf = (
  model: Model.RetrieverModel,
  { loss, training }: { readonly loss: Loss; readonly training: Training },
  scaler?: GradScaler
) => {
  const learning = learningOf(training, model.weights, scaler)
  return ([, questions, of, queryLength, passages, passageLength, n, tag, m, both]: StepKey) => {
    return Graphs.lesson(model.encoder, {
      ...learning,
      ...scoringOf(loss, shapeOf(loss, tag, m, both === 1), n, questions / of),
      pools: model.pools,
      shape: { questions, queryLength, passages, passageLength }
    })
  }
}

/** A column of the first target of each query: [queries]. */
const firstOf = (target: Float32Array, queries: number): ReadonlyArray<number> => {
  const n = target.length / queries
  return Array.from(
    { length: queries },
    (_, q) => q * n + Math.max(0, target.subarray(q * n, (q + 1) * n).findIndex((t) => t > 0))
  )
}

/** The block of a square matrix of both rows and columns from..to-1. */
const blockOf = (matrix: Uint8Array, size: number, [from, to]: Range): Uint8Array => {
  const own = new Uint8Array((to - from) ** 2)
  for (let r = from; r < to; r++) own.set(matrix.subarray(r * size + from, r * size + to), (r - from) * (to - from))
  return own
}

/** The inputs of the loss of queries from..to-1, of which some passages may be no candidates. */
const lossInputs = (
  { contrast }: Loss,
  { objective, queries }: RetrieverLesson,
  range: Range,
  docs: Int32Array,
  { places }: Batch,
  shape: Graphs.ObjectiveShape
) => {
  const of = queries.length
  const own = <A extends Float32Array | Uint8Array>(array: A) =>
    array.subarray(range[0] * array.length / of, range[1] * array.length / of) as A
  const allowed = () => Uint8Array.from(docs, (doc) => doc < 0 ? 0 : 1)
  if (objective._tag === "Pairwise") return { places, wanted: own(objective.weights) }
  if (objective._tag === "Reverse") return { places, wanted: own(objective.logTarget) }
  if (objective._tag === "Margins") return { places, wanted: own(objective.scores), allowed: allowed() }
  const wanted = own(objective.target)
  return {
    places,
    wanted,
    ...(shape._tag === "Listwise" && shape.masked ? { allowed: allowed() } : {}),
    ...(contrast?.hardness && objective.own ? { own: own(objective.own) } : {}),
    ...(objective.askers
      ? {
        positive: Int32Array.from(firstOf(wanted, range[1] - range[0]), (at) => places[at]!),
        askers: blockOf(objective.askers, of, range)
      }
      : {})
  }
}

/** A lesson's queries from..to-1 as arrays: their texts, and the inputs of the loss. */
export const arraysOf = Effect.fnUntraced(function*(
  model: Model.RetrieverModel,
  loss: Loss,
  lesson: RetrieverLesson,
  range: Range,
  least?: Least
) {
  const [from, to] = range
  const of = lesson.queries.length
  const docs = lesson.docs.subarray(from * lesson.docs.length / of, to * lesson.docs.length / of)
  const known = docs.find((doc) => doc >= 0) ?? -1
  const full = loss.contrast ? docs.map((doc) => doc < 0 ? known : doc) : docs
  const batch = yield* model.batch(lesson.queries.slice(from, to).map(textOf), full, least)
  const shape = objectiveOf(loss, lesson)
  return {
    batch,
    docs,
    inputs: lossInputs(loss, lesson, range, docs, batch, shape),
    n: docs.length / (to - from),
    objective: shape
  }
})

/** The step key and arrays of a lesson's queries from..to-1. */
export const prepare = Effect.fnUntraced(function*(
  model: Model.RetrieverModel,
  loss: Loss,
  lesson: RetrieverLesson,
  range: Range,
  key: number,
  least?: Least
) {
  const { batch, inputs, n, objective } = yield* arraysOf(model, loss, lesson, range, least)
  const { data, shape } = batch
  const m = objective._tag === "Pairwise" ? objective.m : 0
  const both = objective._tag === "Listwise" && objective.both ? 1 : 0
  const { passageLength, passages, queryLength, questions } = shape
  const { length: of } = lesson.queries
  const bucket: StepKey = [
    "step",
    questions,
    of,
    queryLength,
    passages,
    passageLength,
    n,
    objective._tag,
    m,
    both
  ]
  return { key: bucket, shape, batch: { ...data, ...inputs, key: Int32Array.of(key) } }
})
