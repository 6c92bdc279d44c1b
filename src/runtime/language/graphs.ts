/** A language model's programs as graphs; all take the weights as inputs. */
import { type PreferenceLoss, preferenceLosses, type PreferenceOptions } from "../../kernels/loss/preference.ts"
import { watching } from "../../kernels/nn/attentionMass.ts"
import { biases, type Decoder, type DecoderConfig, type DecoderInput } from "../../kernels/nn/decoder.ts"
import { type Bound, entering } from "../../kernels/nn/Module.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { reshape, sumAll } from "../../kernels/op/broadcast.ts"
import { matmul } from "../../kernels/op/contract.ts"
import { add, mul, neg, scale, sub } from "../../kernels/op/elementwise.ts"
import { slice } from "../../kernels/op/gather.ts"
import { crossEntropy } from "../../kernels/op/normalise.ts"
import { type Learning, names, type Steps, steps } from "../../kernels/Step.ts"
import { input, type Tensor, type TensorType } from "../../kernels/Tensor.ts"
import type { Family } from "../engine/Session.ts"

/** Rows of features that stand in places of tokens, and the size of one. */
export interface FeatureShape {
  readonly rows: number
  readonly width: number
}

/** Shape of a batch: `supervised` tokens are predicted; if rows × length, then at every position. */
export interface PackShape {
  readonly rows: number
  readonly length: number
  readonly supervised: number
  /** Of a model that reads pictures. */
  readonly features?: FeatureShape | undefined
}

const float32 = (...shape: ReadonlyArray<number>): TensorType => ({ dtype: "float32", shape })
const int32 = (...shape: ReadonlyArray<number>): TensorType => ({ dtype: "int32", shape })

type Tensors = Readonly<Record<string, Tensor>>

/** Types of features and of their places. */
const featureTypes = (shape: FeatureShape | undefined, rows: number, length: number) =>
  shape ? { features: float32(shape.rows, shape.width), places: int32(rows, length) } : {}

const inputsOf = <K extends string>(types: Readonly<Record<K, TensorType>>) =>
  Object.fromEntries(
    Object.entries<TensorType>(types).map(([name, { dtype, shape }]) => [name, input(name, shape, dtype)])
  ) as Readonly<Record<K, Tensor>>

const batchTypes = ({ features, length, rows, supervised }: PackShape): Readonly<Record<string, TensorType>> => ({
  ...featureTypes(features, rows, length),
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
  features: batch["features"],
  places: batch["places"],
  key: batch["key"]
})

const title = (model: string, what: string, { features, length, rows, supervised }: PackShape) =>
  `${model}.${what} ${rows}x${length}/${supervised}${features ? ` with ${features.rows}` : ""}`

/** The graph of what is judged of a decoder's predictions on a batch of these types. */
const judging = (
  decoder: Decoder,
  name: string,
  types: Readonly<Record<string, TensorType>>,
  judge: (apply: (read: DecoderInput) => Tensor, batch: DecoderInput) => Tensors
): Graph => {
  const { bound, inputs } = entering(decoder.params, names.param)
  const batch = inputsOf(types)
  const outputs = judge((read) => decoder.apply(bound, read), decoderInput(batch))
  return { name, inputs: { ...inputs, ...batch }, outputs }
}

/** The columns of `figures`, each [supervised]. */
const columnsOf = (told: Tensor): Readonly<Record<"nll" | "correct" | "entropy" | "logits", Tensor>> => {
  const column = (at: number) => reshape(slice(told, 1, at, at + 1), [told.type.shape[0]!])
  return { nll: column(0), correct: column(1), entropy: column(2), logits: column(3) }
}

/** Negative log-likelihood of each supervised token, in nats: `nll` [supervised]; `model` is the model's name. */
export const score = (decoder: Decoder, shape: PackShape, model = "decoder"): Graph =>
  judging(decoder, title(model, "score", shape), batchTypes(shape), (apply, batch) => ({ nll: apply(batch) }))

/** The figures of each supervised token: `nll`, `correct`, `entropy` and `logits`, each [supervised]. */
export const describe = (decoder: Decoder, shape: PackShape, model = "decoder"): Graph =>
  judging(
    decoder,
    title(model, "describe", shape),
    batchTypes(shape),
    (apply, batch) => columnsOf(apply({ ...batch, told: true }))
  )

/** Most supervised tokens whose logits `scoring` holds at once: a program of open sizes cannot divide them. */
export const LOGITS = 1024

/**
 * `score` as one program of all shapes with at most `LOGITS` supervised tokens. `quarter` is that of the length: attention
 * is computed in as many blocks. It is fed `rows` whatever their number. `width` is that of a row of features, which a model
 * that reads pictures is always fed.
 */
export const scoring = (
  decoder: Decoder,
  model = "decoder",
  width = 0
): Family<"rows" | "quarter" | "supervised" | "features"> => ({
  sizes: ["rows", "quarter", "supervised", ...(width > 0 ? ["features" as const] : [])],
  at: ({ features, quarter, rows, supervised }) => {
    const shape = {
      rows,
      length: 4 * quarter,
      supervised,
      features: width > 0 ? { rows: features, width } : undefined
    }
    const types = { ...batchTypes(shape), rows: int32(supervised) }
    return judging(
      decoder,
      title(model, "score", shape),
      types,
      (apply, { targets, ...read }) => ({ nll: crossEntropy(apply(read), targets!) })
    )
  }
})

/** Shape of a batch whose attention is counted. */
export interface AttentionShape extends Pick<PackShape, "rows" | "length"> {
  /** Tokens of a row whose attention counts. */
  readonly watched: number
  /** Parts that are attended to. */
  readonly parts: number
}

/**
 * How much each part of a prompt is attended to, `mass` [rows, parts], see `watching`: inputs `at` and `weights` [rows, watched]
 * are the tokens whose attention counts, and how much; `parts` [rows, length] the part of each token, -1 for none.
 */
export const attention = (
  decoder: Decoder,
  config: DecoderConfig,
  { length, parts, rows, watched }: AttentionShape,
  model = "decoder"
): Graph => {
  const { bound, inputs } = entering(decoder.params, names.param)
  const types = {
    ids: int32(rows, length),
    positions: int32(rows, length),
    branches: int32(rows, length),
    parts: int32(rows, length),
    at: int32(rows, watched),
    weights: float32(rows, watched)
  }
  const batch = inputsOf(types)
  const { at, branches, ids, positions, weights } = batch
  const { mass, mix } = watching(
    biases(config)(branches, positions),
    { rows: at, weights, parts: batch.parts, count: parts }
  )
  decoder.apply(bound, { ids, positions, mix })
  return {
    name: `${model}.attention ${rows}x${length}/${watched} of ${parts}`,
    inputs: { ...inputs, ...batch },
    outputs: { mass: mass() }
  }
}

/** Options of a training step. */
export interface StepOptions extends Learning {
  /** The model's name; "decoder" by default. */
  readonly model?: string
  readonly shape: PackShape
  /** Shifted sparse attention (S2-Attn); `length` must then be a multiple of 8. */
  readonly shifted: boolean
  /** Reports `correct`, `entropy` and `logits` [supervised] too, see `figures`; not by default. */
  readonly told?: boolean
}

/** Negative log-likelihoods, and what is reported of them. */
const predicted = (
  decoder: Decoder,
  params: Bound<Decoder["params"]>,
  batch: Tensors,
  { shifted, told = false }: StepOptions
): { readonly nll: Tensor; readonly report: Tensors } => {
  const found = decoder.apply(params, { ...decoderInput(batch), shifted, told })
  if (!told) return { nll: found, report: {} }
  const { nll, ...report } = columnsOf(found)
  return { nll, report }
}

/** A training step minimising Σ weight · nll; reports `nll` [supervised]. */
export const lesson = (decoder: Decoder, options: StepOptions): Steps => {
  const { model = "decoder", shape, ...learning } = options
  return steps({
    ...learning,
    name: title(model, "learn", shape),
    params: decoder.params,
    batch: {
      ...batchTypes(shape),
      weights: { dtype: "float32", shape: [shape.supervised] },
      key: int32()
    },
    loss: (params, batch) => {
      const { nll, report } = predicted(decoder, params, batch, options)
      return { loss: sumAll(mul(batch["weights"]!, nll)), report: { nll, ...report } }
    }
  })
}

/** How pairs are weighed: TRL's losses by name, each with a weight; `sft` is the chosen answer's likelihood. */
export interface PreferenceTerms extends PreferenceOptions {
  readonly losses: ReadonlyArray<readonly [name: PreferenceLoss | "sft", weight: number]>
}

/** Options of a training step on preferences. */
export interface PreferenceStepOptions extends StepOptions {
  readonly pairs: number
  readonly terms: PreferenceTerms
}

/**
 * A training step on pairs: `ofChosen` and `ofRejected` [pairs, supervised] have 1 where a predicted token is of the
 * pair's answer; `reference` and `counts` [pairs, 2] are log-likelihoods and tokens; `shares` [2] are the weight of a pair
 * in the mean and of a chosen token in `sft`. Reports `chosen`, `rejected` and `each`, the loss of each pair times `pairs`
 * over their number in the update. There is no dropout: the policy is compared with a reference that had none.
 */
export const preference = (decoder: Decoder, options: PreferenceStepOptions): Steps => {
  const { model = "decoder", pairs, shape, terms, ...learning } = options
  return steps({
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
      const { nll, report } = predicted(decoder, params, batch, options)
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
      return { loss: sumAll(each), report: { chosen, rejected, each, ...report } }
    }
  })
}

/** One update as a single graph. */
export const learn = (decoder: Decoder, options: StepOptions): Graph => lesson(decoder, options).whole()
