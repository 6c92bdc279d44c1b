/** A language model's programs as graphs; all take the weights as inputs. */
import { type PreferenceLoss, preferenceLosses, type PreferenceOptions } from "../../kernels/loss/preference.ts"
import type { Decoder, DecoderInput } from "../../kernels/nn/decoder.ts"
import { entering } from "../../kernels/nn/Module.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { reshape, sumAll } from "../../kernels/op/broadcast.ts"
import { matmul } from "../../kernels/op/contract.ts"
import { add, mul, neg, scale, sub } from "../../kernels/op/elementwise.ts"
import { slice } from "../../kernels/op/gather.ts"
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

/** How pairs are weighed: TRL's losses by name, each with a weight; `sft` is the chosen answer's likelihood. */
export interface PreferenceTerms extends PreferenceOptions {
  readonly losses: ReadonlyArray<readonly [name: PreferenceLoss | "sft", weight: number]>
}

/** Options of a training step on preferences. */
export interface PreferenceStepOptions extends StepOptions {
  readonly pairs: number
  readonly terms: PreferenceTerms
}

const float32 = (...shape: ReadonlyArray<number>): TensorType => ({ dtype: "float32", shape })

/**
 * A training step on pairs: `ofChosen` and `ofRejected` [pairs, supervised] have 1 where a predicted token is of the
 * pair's answer; `reference` and `counts` [pairs, 2] are log-likelihoods and tokens; `shares` [2] are the weight of a pair
 * in the mean and of a chosen token in `sft`. Reports `chosen`, `rejected` and `each`, the loss of each pair times `pairs`
 * over their number in the update. There is no dropout: the policy is compared with a reference that had none.
 */
export const preference = (
  decoder: Decoder,
  { model = "decoder", pairs, shape, shifted, terms, ...learning }: PreferenceStepOptions
): Steps =>
  steps({
    ...learning,
    name: `${title(model, "prefer", shape)}`,
    params: decoder.params,
    batch: {
      ...batchTypes(shape),
      ofChosen: float32(pairs, shape.supervised),
      ofRejected: float32(pairs, shape.supervised),
      reference: float32(pairs, 2),
      counts: float32(pairs, 2),
      shares: float32(2)
    },
    loss: (params, batch) => {
      const nll = decoder.apply(params, { ...decoderInput(batch), shifted })
      const summed = (of: Tensor) => neg(reshape(matmul(of, reshape(nll, [shape.supervised, 1])), [pairs]))
      const column = (of: Tensor, at: number) => reshape(slice(of, 1, at, at + 1), [pairs])
      const share = (at: number) => reshape(slice(batch["shares"]!, 0, at, at + 1), [])
      const [chosen, rejected] = [summed(batch["ofChosen"]!), summed(batch["ofRejected"]!)]
      const own = {
        chosen: sub(chosen, column(batch["reference"]!, 0)),
        rejected: sub(rejected, column(batch["reference"]!, 1)),
        chosenTokens: column(batch["counts"]!, 0),
        rejectedTokens: column(batch["counts"]!, 1)
      }
      const each = terms.losses.map(([name, weight]) =>
        scale(
          name === "sft" ? mul(share(1), neg(chosen)) : mul(share(0), preferenceLosses[name](own, terms)),
          weight
        )
      ).reduce((a, b) => add(a, b))
      return { loss: sumAll(each), report: { chosen, rejected, each } }
    }
  })

/** One update as a single graph. */
export const learn = (decoder: Decoder, options: StepOptions): Graph => lesson(decoder, options).whole()
