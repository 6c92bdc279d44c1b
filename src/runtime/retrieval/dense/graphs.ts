/** The retriever's programs as graphs; all take the weights as inputs. */
import { grad } from "../../../kernels/grad.ts"
import { maxSim, maxSimOwn } from "../../../kernels/loss/maxSim.ts"
import {
  divergence,
  type Hardness,
  hardness,
  listwise,
  type Margin,
  marginMse,
  mean,
  minMaxScale,
  pairwise,
  reverseDivergence,
  withinMargin
} from "../../../kernels/loss/rank.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import type { Encoder } from "../../../kernels/nn/colbert.ts"
import { type Bound, entering } from "../../../kernels/nn/Module.ts"
import type { Graph } from "../../../kernels/onnx/encode.ts"
import { reshape, sumAll } from "../../../kernels/op/broadcast.ts"
import { transpose } from "../../../kernels/op/contract.ts"
import { add, mul, scale, sub } from "../../../kernels/op/elementwise.ts"
import { gather, slice } from "../../../kernels/op/gather.ts"
import { and } from "../../../kernels/op/select.ts"
import { type Learning, names, type Steps, steps } from "../../../kernels/Step.ts"
import { constant, input, scalar, type Tensor, type TensorType } from "../../../kernels/Tensor.ts"

type EncoderParams = Bound<Encoder["params"]>
type Tensors = Readonly<Record<string, Tensor>>

const ids = (rows: number, length: number): TensorType => ({ dtype: "int32", shape: [rows, length] })
const flags = (rows: number, length: number): TensorType => ({ dtype: "bool", shape: [rows, length] })

/** The tokens that are pooled, where the encoder pools. */
const kept = (name: string, pools: boolean, rows: number, length: number): Readonly<Record<string, TensorType>> =>
  pools ? { [name]: flags(rows, length) } : {}

const inputsOf = (types: Readonly<Record<string, TensorType>>): Tensors =>
  Object.fromEntries(Object.entries(types).map(([name, t]) => [name, input(name, t.shape, t.dtype)]))

const textTypes = (rows: number, length: number, pools: boolean) => ({
  ids: ids(rows, length),
  mask: flags(rows, length),
  ...kept("keep", pools, rows, length)
})

const KEY: TensorType = { dtype: "int32", shape: [] }

/**
 * Vectors of texts: [rows, length] -> [rows, length, dim], or [rows, 1, dim] where the encoder pools. `drops`: with
 * dropout, under the input `key`.
 */
export const encode = (encoder: Encoder, rows: number, length: number, pools = false, drops = false): Graph => {
  const { bound, inputs } = entering(encoder.params, names.param)
  const batch = inputsOf({ ...textTypes(rows, length, pools), ...(drops ? { key: KEY } : {}) })
  const [own, mask, keep, key] = [batch["ids"]!, batch["mask"]!, batch["keep"], batch["key"]]
  const vectors = encoder.apply(bound, { ids: own, mask, keep, key })
  return { name: `retriever.encode ${rows}x${length}`, inputs: { ...inputs, ...batch }, outputs: { vectors } }
}

/** Shape of a batch of questions and the distinct passages they share. */
export interface BatchShape {
  readonly questions: number
  readonly queryLength: number
  readonly passages: number
  readonly passageLength: number
}

const batchTypes = (
  { passageLength, passages, queryLength, questions }: BatchShape,
  pools: boolean
): Readonly<Record<string, TensorType>> => ({
  ...kept("queryKeep", pools, questions, queryLength),
  queryIds: ids(questions, queryLength),
  queryMask: flags(questions, queryLength),
  docIds: ids(passages, passageLength),
  docMask: flags(passages, passageLength),
  docKeep: flags(passages, passageLength)
})

/** A different dropout key for passages: with the same key, they would share the questions' dropout mask. */
export const otherKey = (key: number): number => -1 - key
const other = (key: Tensor): Tensor => sub(constant(Nd.scalar(-1), "int32"), key)

/** Vectors of queries and passages, and the MaxSim mask of the latter unless they have one vector each. */
const encodeBoth = (encoder: Encoder, params: EncoderParams, batch: Tensors, key?: Tensor) => {
  const [queryKeep, docKeep] = [batch["queryKeep"], batch["docKeep"]!]
  return {
    queries: encoder.apply(params, { ids: batch["queryIds"]!, mask: batch["queryMask"]!, keep: queryKeep, key }),
    docs: encoder.apply(params, {
      ids: batch["docIds"]!,
      mask: batch["docMask"]!,
      keep: queryKeep && docKeep,
      key: key && other(key)
    }),
    counted: queryKeep ? undefined : docKeep
  }
}

/**
 * Scores of each question with its own passages: [questions, n]. Computes all pairs if at least half of them are
 * needed, else only those needed.
 */
const ownScores = ({ counted, docs, queries }: Vectors, places: Tensor): Tensor => {
  const [b, n] = places.type.shape as readonly [number, number]
  const passages = docs.type.shape[0]!
  if (2 * n < passages) return maxSimOwn(queries, docs, places, counted)
  const rows = constant(Nd.make([b, 1], ([row]) => row! * passages), "int32")
  return gather(reshape(maxSim(queries, docs, counted), [b * passages]), add(places, rows))
}

/** Scores of the batch's passages for each question: [questions, passages]. */
export const score = (encoder: Encoder, shape: BatchShape, pools = false): Graph => {
  const { bound, inputs } = entering(encoder.params, names.param)
  const batch = inputsOf(batchTypes(shape, pools))
  const { counted, docs, queries } = encodeBoth(encoder, bound, batch)
  const scores = maxSim(queries, docs, counted)
  const name = `retriever.score ${shape.questions}x${shape.passages}x${shape.passageLength}`
  return { name, inputs: { ...inputs, ...batch }, outputs: { scores } }
}

/** Vectors of questions and passages, and the MaxSim mask of the latter unless they have one vector each. */
interface Vectors {
  readonly queries: Tensor
  readonly docs: Tensor
  readonly counted: Tensor | undefined
}

/** Pairwise over the first m passages, listwise over all n, or by margins of the first over the others. */
export type ObjectiveShape =
  | { readonly _tag: "Pairwise"; readonly m: number }
  | {
    readonly _tag: "Listwise"
    /** Whether some passages are no candidates: input `allowed`, bool [questions, n]. */
    readonly masked?: boolean
    /** Whether questions are ranked for passages, too: inputs `positive`, int32 [questions], and `askers`. */
    readonly both?: boolean
  }
  /** The target is log-probabilities, and the divergence is the scores' from it. */
  | { readonly _tag: "Reverse" }
  /** The target is a teacher's scores; input `allowed` says which passages there are. */
  | { readonly _tag: "Margins" }

/** How scores become a loss. */
export interface Scoring {
  readonly n: number
  readonly objective: ObjectiveShape
  readonly temperature: number
  readonly weight: number
  /** Whether the listwise loss is the whole divergence, scaled by the square of the temperature. */
  readonly divergence?: boolean
  /** Whether scores are first brought to [0, 1] in each row. */
  readonly normalise?: boolean
  readonly margin?: Margin | undefined
  /** Which negatives count for more, the harder they are; of the listwise loss: input `own`, bool [questions, n]. */
  readonly hardness?: Hardness | undefined
}

/** The inputs of a loss beside the vectors. */
const lossTypes = (b: number, { hardness, n, objective }: Scoring): Readonly<Record<string, TensorType>> => {
  const wanted = objective._tag === "Pairwise" ? [b, objective.m, objective.m] : [b, n]
  const own = { places: ids(b, n), wanted: { dtype: "float32", shape: wanted } as const }
  if (objective._tag === "Pairwise" || objective._tag === "Reverse") return own
  if (objective._tag === "Margins") return { ...own, allowed: flags(b, n) }
  return {
    ...own,
    ...(hardness ? { own: flags(b, n) } : {}),
    ...(objective.masked ? { allowed: flags(b, n) } : {}),
    ...(objective.both ? { positive: { dtype: "int32", shape: [b] } as const, askers: flags(b, b) } : {})
  }
}

const identity = (b: number): Tensor => constant(Nd.make([b, b], ([row, column]) => row === column ? 1 : 0))

/** Questions ranked for the positive of each: [questions]. */
const reversed = ({ counted, docs, queries }: Vectors, batch: Tensors, temperature: number): Tensor => {
  const scores = gather(transpose(maxSim(queries, docs, counted), [1, 0]), batch["positive"]!)
  return listwise(scores, identity(scores.type.shape[0]!), temperature, { allowed: batch["askers"]! })
}

/** The listwise loss of each question: [questions]. */
const listed = (vectors: Vectors, batch: Tensors, o: Scoring, both: boolean): Tensor => {
  const raw = ownScores(vectors, batch["places"]!)
  const scores = o.normalise ? scale(add(minMaxScale(raw), scalar(1)), 0.5) : raw
  const [target, given] = [batch["wanted"]!, batch["allowed"]]
  const near = o.margin && withinMargin(scores, target, o.margin)
  const allowed = near && given ? and(near, given) : near ?? given
  const penalty = o.hardness && hardness(scores, target, batch["own"]!, o.hardness)
  const losses = (o.divergence ? divergence : listwise)(scores, target, o.temperature, { allowed, penalty })
  return both ? scale(add(losses, reversed(vectors, batch, o.temperature)), 0.5) : losses
}

/** The loss of each question: [questions]. */
const lossesOf = (vectors: Vectors, batch: Tensors, o: Scoring): Tensor => {
  const { objective } = o
  const [places, wanted] = [batch["places"]!, batch["wanted"]!]
  switch (objective._tag) {
    case "Pairwise":
      return pairwise(slice(minMaxScale(ownScores(vectors, places)), 1, 0, objective.m), wanted)
    case "Reverse":
      return reverseDivergence(ownScores(vectors, places), wanted, o.temperature)
    case "Margins":
      return marginMse(ownScores(vectors, places), wanted, batch["allowed"]!)
    case "Listwise":
      return listed(vectors, batch, o, objective.both ?? false)
  }
}

/** The loss of each question, [questions], and their weighted mean. */
const lossOf = (vectors: Vectors, batch: Tensors, o: Scoring) => {
  const losses = lossesOf(vectors, batch, o)
  return { losses, loss: scale(mean(losses), o.weight) }
}

/** Options of a training step. */
export interface StepOptions extends Learning, Scoring {
  /** Whether a text has one vector. */
  readonly pools?: boolean
  readonly shape: BatchShape
}

/** A training step; reports `losses` [questions]. Inputs besides the texts: those of the loss, and `key`. */
export const lesson = (encoder: Encoder, options: StepOptions): Steps => {
  const { pools = false, shape } = options
  return steps({
    ...options,
    name: `retriever.learn ${shape.questions}x${shape.passages}x${shape.passageLength}`,
    params: encoder.params,
    batch: { ...batchTypes(shape, pools), ...lossTypes(shape.questions, options), key: KEY },
    loss: (params, batch) => {
      const { loss, losses } = lossOf(encodeBoth(encoder, params, batch, batch["key"]!), batch, options)
      return { loss, report: { losses } }
    }
  })
}

/** Options of a loss on vectors. */
export interface ContrastOptions extends Scoring {
  readonly shape: BatchShape
  readonly pools: boolean
  readonly dim: number
}

/**
 * The loss of a batch on its vectors, and its gradients at them: the middle of GradCache (Gao et al. 2021, §3). Outputs
 * `losses` [questions], `dQueries` and `dDocs`, of the shapes of the inputs `queries` and `docs`.
 */
export const contrast = ({ dim, pools, shape, ...options }: ContrastOptions): Graph => {
  const { passageLength, passages, queryLength, questions } = shape
  const vectors = inputsOf({
    queries: { dtype: "float32", shape: [questions, pools ? 1 : queryLength, dim] },
    docs: { dtype: "float32", shape: [passages, pools ? 1 : passageLength, dim] }
  })
  const batch = inputsOf({
    ...lossTypes(questions, options),
    ...(pools ? {} : { docKeep: flags(passages, passageLength) })
  })
  const [queries, docs] = [vectors["queries"]!, vectors["docs"]!]
  const { loss, losses } = lossOf({ queries, docs, counted: batch["docKeep"] }, batch, options)
  const [dQueries, dDocs] = grad(loss, [queries, docs]) as [Tensor, Tensor]
  const name = `retriever.contrast ${questions}x${passages}x${passageLength}`
  return { name, inputs: { ...vectors, ...batch }, outputs: { losses, dQueries, dDocs } }
}

/** Options of a step through vectors whose gradients are known. */
export interface ReplayOptions extends Learning {
  readonly rows: number
  readonly length: number
  readonly pools: boolean
  readonly dim: number
}

/**
 * A training step through the vectors of some texts, given the loss's gradients at them, input `cotangent`: the last part
 * of GradCache. Its loss, Σ ⟨vectors, cotangent⟩, has these gradients, and no meaning of its own.
 */
export const replay = (encoder: Encoder, { dim, length, pools, rows, ...learning }: ReplayOptions): Steps =>
  steps({
    ...learning,
    name: `retriever.replay ${rows}x${length}`,
    params: encoder.params,
    batch: {
      ...textTypes(rows, length, pools),
      cotangent: { dtype: "float32", shape: [rows, pools ? 1 : length, dim] },
      key: KEY
    } as Readonly<Record<string, TensorType>>,
    loss: (params, batch) => {
      const [own, mask, keep, key] = [batch["ids"]!, batch["mask"]!, batch["keep"], batch["key"]!]
      const vectors = encoder.apply(params, { ids: own, mask, keep, key })
      return { loss: sumAll(mul(vectors, batch["cotangent"]!)), report: {} }
    }
  })

/** One update as a single graph. */
export const learn = (encoder: Encoder, options: StepOptions): Graph => lesson(encoder, options).whole()
