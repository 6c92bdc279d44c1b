/** A language model's programs as graphs; all take the weights as inputs. */
import type { Decoder, DecoderInput } from "../../kernels/nn/decoder.ts"
import { entering } from "../../kernels/nn/Module.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { sumAll } from "../../kernels/op/broadcast.ts"
import { mul } from "../../kernels/op/elementwise.ts"
import { crossEntropy } from "../../kernels/op/normalise.ts"
import { type Learning, names, type Steps, steps } from "../../kernels/Step.ts"
import { input, type Tensor, type TensorType } from "../../kernels/Tensor.ts"
import type { Family } from "../engine/Session.ts"

/** Shape of a batch: `supervised` tokens are predicted; if rows × length, then at every position. */
export interface PackShape {
  readonly rows: number
  readonly length: number
  readonly supervised: number
}

const int32 = (...shape: ReadonlyArray<number>): TensorType => ({ dtype: "int32", shape })

type Tensors = Readonly<Record<string, Tensor>>

const batchTypes = ({ length, rows, supervised }: PackShape): Readonly<Record<string, TensorType>> => ({
  ids: int32(rows, length),
  positions: int32(rows, length),
  branches: int32(rows, length),
  ...(supervised === rows * length ? {} : { rows: int32(supervised) }),
  targets: int32(supervised)
})

const decoderInput = (batch: Tensors): DecoderInput => ({
  ids: batch["ids"]!,
  positions: batch["positions"]!,
  branches: batch["branches"]!,
  rows: batch["rows"],
  targets: batch["targets"],
  key: batch["key"]
})

const title = (model: string, what: string, { length, rows, supervised }: PackShape) =>
  `${model}.${what} ${rows}x${length}/${supervised}`

/** The graph of `nllOf` a decoder on a batch of these types. */
const judging = (
  decoder: Decoder,
  name: string,
  types: Readonly<Record<string, TensorType>>,
  nllOf: (apply: (read: DecoderInput) => Tensor, batch: DecoderInput) => Tensor
): Graph => {
  const { bound, inputs } = entering(decoder.params, names.param)
  const batch = Object.fromEntries(Object.entries(types).map(([name, t]) => [name, input(name, t.shape, t.dtype)]))
  const nll = nllOf((read) => decoder.apply(bound, read), decoderInput(batch))
  return { name, inputs: { ...inputs, ...batch }, outputs: { nll } }
}

/** Negative log-likelihood of each supervised token, in nats: `nll` [supervised]; `model` is the model's name. */
export const score = (decoder: Decoder, shape: PackShape, model = "decoder"): Graph =>
  judging(decoder, title(model, "score", shape), batchTypes(shape), (apply, batch) => apply(batch))

/** Most supervised tokens whose logits `scoring` holds at once: a program of open sizes cannot divide them. */
export const LOGITS = 1024

/**
 * `score` as one program of all shapes with at most `LOGITS` supervised tokens. `quarter` is that of the length: attention
 * is computed in as many blocks. It is fed `rows` whatever their number.
 */
export const scoring = (decoder: Decoder, model = "decoder"): Family<"rows" | "quarter" | "supervised"> => ({
  sizes: ["rows", "quarter", "supervised"],
  at: ({ quarter, rows, supervised }) => {
    const shape = { rows, length: 4 * quarter, supervised }
    const types = { ...batchTypes(shape), rows: int32(supervised) }
    return judging(
      decoder,
      title(model, "score", shape),
      types,
      (apply, { targets, ...read }) => crossEntropy(apply(read), targets!)
    )
  }
})

/** Options of a training step. */
export interface StepOptions extends Learning {
  /** The model's name; "decoder" by default. */
  readonly model?: string
  readonly shape: PackShape
  /** Shifted sparse attention (S2-Attn); `length` must then be a multiple of 8. */
  readonly shifted: boolean
}

/** A training step minimising Σ weight · nll; reports `nll` [supervised]. */
export const lesson = (decoder: Decoder, { model = "decoder", shape, shifted, ...learning }: StepOptions): Steps =>
  steps({
    ...learning,
    name: title(model, "learn", shape),
    params: decoder.params,
    batch: {
      ...batchTypes(shape),
      weights: { dtype: "float32", shape: [shape.supervised] },
      key: int32()
    },
    loss: (params, batch) => {
      const nll = decoder.apply(params, { ...decoderInput(batch), shifted })
      return { loss: sumAll(mul(batch["weights"]!, nll)), report: { nll } }
    }
  })

/** One update as a single graph. */
export const learn = (decoder: Decoder, options: StepOptions): Graph => lesson(decoder, options).whole()
