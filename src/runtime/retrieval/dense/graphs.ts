/** The retriever's programs as graphs; all take the weights as inputs. */
import { maxSim, maxSimOwn } from "../../../kernels/loss/maxSim.ts"
import { listwise, mean, minMaxScale, pairwise } from "../../../kernels/loss/rank.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import type { Encoder } from "../../../kernels/nn/colbert.ts"
import { type Bound, entering } from "../../../kernels/nn/Module.ts"
import type { Graph } from "../../../kernels/onnx/encode.ts"
import { reshape } from "../../../kernels/op/broadcast.ts"
import { add, scale, sub } from "../../../kernels/op/elementwise.ts"
import { gather, slice } from "../../../kernels/op/gather.ts"
import { type Learning, names, type Steps, steps } from "../../../kernels/Step.ts"
import { constant, input, type Tensor, type TensorType } from "../../../kernels/Tensor.ts"

type EncoderParams = Bound<Encoder["params"]>
type Tensors = Readonly<Record<string, Tensor>>

const ids = (rows: number, length: number): TensorType => ({ dtype: "int32", shape: [rows, length] })
const flags = (rows: number, length: number): TensorType => ({ dtype: "bool", shape: [rows, length] })

/** The tokens that are pooled, where the encoder pools. */
const kept = (name: string, pools: boolean, rows: number, length: number): Readonly<Record<string, TensorType>> =>
  pools ? { [name]: flags(rows, length) } : {}

const inputsOf = (types: Readonly<Record<string, TensorType>>): Tensors =>
  Object.fromEntries(Object.entries(types).map(([name, t]) => [name, input(name, t.shape, t.dtype)]))

/** Vectors of texts: [rows, length] -> [rows, length, dim], or [rows, 1, dim] where the encoder pools. */
export const encode = (encoder: Encoder, rows: number, length: number, pools = false): Graph => {
  const { bound, inputs } = entering(encoder.params, names.param)
  const batch = inputsOf({ ids: ids(rows, length), mask: flags(rows, length), ...kept("keep", pools, rows, length) })
  const vectors = encoder.apply(bound, { ids: batch["ids"]!, mask: batch["mask"]!, keep: batch["keep"] })
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
const ownScores = (encoder: Encoder, params: EncoderParams, batch: Tensors, key: Tensor): Tensor => {
  const { counted, docs, queries } = encodeBoth(encoder, params, batch, key)
  const places = batch["places"]!
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

/** Options of a training step. */
export interface StepOptions extends Learning {
  /** Whether a text has one vector. */
  readonly pools?: boolean
  readonly shape: BatchShape
  /** Passages per question, out of the batch's passages. */
  readonly n: number
  /** Pairwise over the first m, or listwise over all n. */
  readonly objective: { readonly _tag: "Pairwise"; readonly m: number } | { readonly _tag: "Listwise" }
  readonly temperature: number
  readonly weight: number
}

/**
 * A training step; reports `losses` [questions]. Inputs besides the batch: `places` [questions, n], `wanted`, `key`.
 */
export const lesson = (
  encoder: Encoder,
  { n, objective, pools = false, shape, temperature, weight, ...learning }: StepOptions
): Steps => {
  const b = shape.questions
  const wanted = objective._tag === "Pairwise" ? [b, objective.m, objective.m] : [b, n]
  return steps({
    ...learning,
    name: `retriever.learn ${b}x${shape.passages}x${shape.passageLength}`,
    params: encoder.params,
    batch: {
      ...batchTypes(shape, pools),
      places: ids(b, n),
      wanted: { dtype: "float32", shape: wanted },
      key: { dtype: "int32", shape: [] }
    },
    loss: (params, batch) => {
      const scores = ownScores(encoder, params, batch, batch["key"]!)
      const losses = objective._tag === "Pairwise"
        ? pairwise(slice(minMaxScale(scores), 1, 0, objective.m), batch["wanted"]!)
        : listwise(scores, batch["wanted"]!, temperature)
      return { loss: scale(mean(losses), weight), report: { losses } }
    }
  })
}

/** One update as a single graph. */
export const learn = (encoder: Encoder, options: StepOptions): Graph => lesson(encoder, options).whole()
