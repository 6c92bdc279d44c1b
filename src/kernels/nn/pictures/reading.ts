/**
 * How a decoder sees pictures: hidden states of a tower over their patches, and a connector that brings them to the
 * decoder's width (LLaVA, Liu et al. 2023; Idefics3, Laurençon et al. 2024).
 */
import { reshape } from "../../op/broadcast.ts"
import { transpose } from "../../op/contract.ts"
import { concat, slice } from "../../op/gather.ts"
import type { Tensor } from "../../Tensor.ts"
import { type Activation, activations, layerNorm, linear } from "../layers.ts"
import { type Module, module, optional, type Params } from "../Module.ts"
import { spelled } from "../spelled.ts"
import { area } from "./positions.ts"
import { hasClassToken, probing, towerStates, type VisionConfig } from "./vision.ts"

/** What is taken of a tower. */
export interface FeaturesConfig {
  readonly vision: VisionConfig
  /** Hidden states, each by the number of layers before it, side by side. */
  readonly layers: ReadonlyArray<number>
  /** Whether the class token's states are taken too. */
  readonly whole: boolean
  /** Whether the states, which are then those after the last layer, pass through the tower's last norm. */
  readonly normed: boolean
  /** Side of the squares of patches that become one row (pixel shuffle, Shi et al. 2016); 1 for patches as they are. */
  readonly shuffle: number
  /** Whether the checkpoint has SigLIP's pooling head, which is not used. */
  readonly head: boolean
}

/** The connector of a family: an MLP of two layers, or one product. */
export interface ConnectorConfig {
  readonly kind: "mlp" | "linear"
  /** Size of a row of features, and of the decoder. */
  readonly from: number
  readonly to: number
  readonly hidden_act: Activation
  readonly bias: boolean
  readonly initializer_range: number
}

/** Numbers of a row of features. */
export const featureSize = ({ layers, shuffle, vision }: Omit<FeaturesConfig, "head">): number =>
  vision.hidden_size * layers.length * shuffle ** 2

/** Rows of features of a picture. */
export const featureRows = ({ shuffle, vision, whole }: Omit<FeaturesConfig, "head">): number =>
  patchesOf({ vision }) / shuffle ** 2 + (whole && hasClassToken(vision.model_type) ? 1 : 0)

/** Patches of a picture, or of a part of one. */
export const patchesOf = ({ vision }: Pick<FeaturesConfig, "vision">): number =>
  area(vision.patches ?? vision.positions)

/** Numbers of a patch. */
export const patchSize = ({ vision }: Pick<FeaturesConfig, "vision">): number =>
  vision.num_channels * vision.patch_size ** 2

/** Squares of s × s patches as rows: [b, high · wide, d] -> [b, high · wide / s², s² · d], squares and their patches row by row. */
export const shuffled = (x: Tensor, [high, wide]: readonly [number, number], s: number): Tensor => {
  const [b, , d] = x.type.shape as readonly [number, number, number]
  if (s === 1) return x
  const squares = reshape(x, [b * high / s, s, wide / s, s * d])
  return reshape(transpose(squares, [0, 2, 1, 3]), [b, high * wide / s ** 2, s ** 2 * d])
}

/** A tower that a decoder reads from: patches [b, n, channels·side·side] -> [b, rows, size]. */
export interface Features extends Module<Params, [Tensor], Tensor> {
  /** Parameters that the checkpoint has, used or not. */
  readonly all: Params
}

/** What is taken of a tower; its parameters are those that are used, under the tower's names after `prefix`. */
export const features = (c: FeaturesConfig, prefix: string): Features => {
  const { vision } = c
  const used = towerStates({ ...vision, num_hidden_layers: Math.max(...c.layers) })
  const last = layerNorm(vision.hidden_size, vision.layer_norm_eps)
  const norm = optional(c.normed, last)
  const inner = module({ ...used.params, post_layernorm: norm.params } as Params, (p, patches: Tensor) => {
    const states = used.apply(p as never, patches)
    const from = hasClassToken(vision.model_type) && !c.whole ? 1 : 0
    const own = c.layers.map((i) => {
      const state = norm.apply(p["post_layernorm"] as never, states[i]!)
      return slice(state, 1, from, state.type.shape[1]!)
    })
    return shuffled(concat(own, 2), vision.patches ?? vision.positions, c.shuffle)
  })
  const everything = {
    ...towerStates(vision).params,
    post_layernorm: last.params,
    ...(c.head ? { head: probing(vision).params } : {})
  }
  const named = (path: string) => `${prefix}vision_model.${path}`
  return { ...spelled(inner, named), all: spelled(module(everything as Params, () => 0), named).params }
}

/** Rows of features [f, from] -> rows in place of embeddings [f, to]; parameters after `prefix`. */
export const connector = (c: ConnectorConfig, prefix: string): Module<Params, [Tensor], Tensor> => {
  const { bias, from, hidden_act, initializer_range: std, to } = c
  if (c.kind === "linear") {
    const proj = linear(from, to, std, bias)
    const one = module(
      { modality_projection: { proj: proj.params } },
      (p, x: Tensor) => proj.apply(p.modality_projection.proj, x)
    )
    return spelled(one as unknown as Module<Params, [Tensor], Tensor>, (path) => `${prefix}${path}`)
  }
  const [first, second] = [linear(from, to, std, bias), linear(to, to, std, bias)]
  const two = module(
    { linear_1: first.params, linear_2: second.params },
    (p, x: Tensor) => second.apply(p.linear_2, activations[hidden_act](first.apply(p.linear_1, x)))
  )
  return spelled(two as unknown as Module<Params, [Tensor], Tensor>, (path) => `${prefix}${path}`)
}
