/** Programs of heads as graphs; all take the weights as inputs. */
import { listwise, mean } from "../../../kernels/loss/rank.ts"
import { entering, type Params } from "../../../kernels/nn/Module.ts"
import { type Head, mixed, ownProducts } from "../../../kernels/nn/pictures/heads.ts"
import type { Graph } from "../../../kernels/onnx/encode.ts"
import { scale } from "../../../kernels/op/elementwise.ts"
import { type Learning, names, type Steps, steps } from "../../../kernels/Step.ts"
import { input, type Tensor, type TensorType } from "../../../kernels/Tensor.ts"

/** A head within the parameters of all heads, under its name. */
export interface Placed {
  readonly name: string
  readonly head: Head
  /** Parameters of all heads, by the heads' names. */
  readonly params: Params
  /** Numbers of a vector. */
  readonly size: number
  /** λ: the weight of the head beside F. */
  readonly weight: number
}

const real = (...shape: ReadonlyArray<number>): TensorType => ({ dtype: "float32", shape })

/** λ H(q) + (1 - λ) F(q) of the bound parameters of all heads: [b, size]. */
const vectorsOf = ({ head, name, weight }: Placed, params: object, batch: Readonly<Record<string, Tensor>>): Tensor => {
  const own = (params as Readonly<Record<string, never>>)[name]!
  return mixed(head.apply(own, batch["own"]!), batch["base"]!, weight)
}

const queryTypes = ({ head, size }: Placed, b: number) => ({ own: real(b, ...head.own), base: real(b, size) })

/** Vectors of queries: inputs `own`, what the head reads of each picture, and `base`, F's vectors. */
export const encode = (placed: Placed, b: number): Graph => {
  const { bound, inputs } = entering(placed.params, names.param)
  const types = queryTypes(placed, b)
  const batch = { own: input("own", types.own.shape), base: input("base", types.base.shape) }
  return {
    name: `retriever.head ${b}`,
    inputs: { ...inputs, ...batch },
    outputs: { vectors: vectorsOf(placed, bound, batch) }
  }
}

/** Options of a training step. */
export interface StepOptions extends Learning {
  readonly questions: number
  /** Passages of each. */
  readonly n: number
  readonly temperature: number
  readonly weight: number
}

/**
 * A training step towards a target distribution over each query's passages; reports `losses` [questions]. Inputs beside those of
 * `encode`: `docs` [questions, n, size], the passages' vectors; `wanted` and `allowed` [questions, n].
 */
export const lesson = (placed: Placed, { n, questions, temperature, weight, ...learning }: StepOptions): Steps =>
  steps({
    ...learning,
    name: `retriever.learn ${questions}x${n}`,
    params: placed.params,
    batch: {
      ...queryTypes(placed, questions),
      docs: real(questions, n, placed.size),
      wanted: real(questions, n),
      allowed: { dtype: "bool", shape: [questions, n] }
    } as Readonly<Record<string, TensorType>>,
    loss: (params, batch) => {
      const scores = ownProducts(vectorsOf(placed, params, batch), batch["docs"]!)
      const losses = listwise(scores, batch["wanted"]!, temperature, { allowed: batch["allowed"]! })
      return { loss: scale(mean(losses), weight), report: { losses } }
    }
  })
