/** Encoders of pictures: a transformer over patches (ViT, Dosovitskiy et al. 2021), as CLIP, SigLIP and DINOv2 have it. */
import * as Nd from "../../NdArray.ts"
import { attend } from "../../op/attend.ts"
import { expand, reshape } from "../../op/broadcast.ts"
import { affine, matmul } from "../../op/contract.ts"
import { add, tanh } from "../../op/elementwise.ts"
import { concat, slice } from "../../op/gather.ts"
import { iota } from "../../op/iota.ts"
import { l2Normalise } from "../../op/normalise.ts"
import { constant, type Tensor } from "../../Tensor.ts"
import { mergeHeads, type Mix, splitHeads } from "../attention.ts"
import { embedding, layerNorm, linear } from "../layers.ts"
import { type Module, module, normal, optional, type Params, zeros } from "../Module.ts"
import { spelled } from "../spelled.ts"
import { area, type Grid, interpolated } from "./positions.ts"
import { mlp, states, type TowerConfig } from "./tower.ts"

/** Families of towers, by their `model_type`; `timm_vit` is timm's ViT with a projection, as open_clip has it. */
export type VisionFamily = "clip_vision_model" | "siglip_vision_model" | "vit" | "dinov2" | "timm_vit"

/** Sizes of an encoder of pictures. */
export interface VisionConfig extends TowerConfig {
  readonly model_type: VisionFamily
  /** Side of a patch in pixels. */
  readonly patch_size: number
  readonly num_channels: number
  /** The grid that positions were learned on. */
  readonly positions: Grid
  /** The grid of the pictures to encode; by default that of the positions. */
  readonly patches?: Grid
  /** Size of the projection into the space shared with texts; 0 for none. */
  readonly projection_dim: number
  /** Whether the class token passes through ViT's pooler, tanh(W x + b). */
  readonly pooler?: boolean
}

/** How the families differ. */
interface Traits {
  readonly classToken: boolean
  readonly patchBias: boolean
  /** Whether there is a norm before the first layer. */
  readonly preNorm: boolean
  /** Whether a probe attends to the patches in place of a class token (SigLIP, Zhai et al. 2023). */
  readonly probe: boolean
  /** Shapes as ViT's release has them, with an axis for the batch. */
  readonly batched: boolean
}
const plain: Traits = { classToken: true, patchBias: true, preNorm: false, probe: false, batched: true }
const traits: Readonly<Record<VisionFamily, Traits>> = {
  clip_vision_model: { classToken: true, patchBias: false, preNorm: true, probe: false, batched: false },
  siglip_vision_model: { classToken: false, patchBias: true, preNorm: false, probe: true, batched: false },
  vit: plain,
  dinov2: plain,
  timm_vit: plain
}

/** Numbers of a picture's vector. */
export const visionSize = ({ hidden_size, projection_dim }: VisionConfig): number =>
  projection_dim === 0 ? hidden_size : projection_dim

/** Attention to everything. */
export const whole: Mix = (q, k, v) => attend(q, k, v, constant(Nd.make([1, 1, 1, 1], () => 0)))

/** The convolution over patches as a product: [b, n, channels·side·side] -> [b, n, hidden]; weight as convolutions have it. */
const patchEmbedding = (c: VisionConfig) => {
  const { hidden_size: d, initializer_range: std, num_channels, patch_size: side } = c
  const weight = normal([d, num_channels, side, side], std)
  return module({ weight, ...(traits[c.model_type].patchBias ? { bias: zeros(d) } : {}) }, (p, x: Tensor) => {
    const [b, n, width] = x.type.shape as readonly [number, number, number]
    const [rows, matrix] = [reshape(x, [b * n, width]), reshape(p.weight, [d, width])]
    const out = "bias" in p ? affine(rows, matrix, p.bias as Tensor) : matmul(rows, matrix, false, true)
    return reshape(out, [b, n, d])
  })
}

/** Positions as a parameter [1, n, hidden], or as a table [n, hidden] of which every row is looked up; of the patches' grid. */
const positionEmbedding = (c: VisionConfig) => {
  const { classToken, batched } = traits[c.model_type]
  const [d, extra] = [c.hidden_size, classToken ? 1 : 0]
  const count = area(c.positions) + extra
  const table = embedding(count, d, c.initializer_range)
  const params = batched ? { weight: normal([1, count, d], c.initializer_range) } : table.params
  return module(params, (p) => {
    const own = batched ? reshape(p.weight, [count, d]) : table.apply(p, iota([count]))
    const grid = interpolated(slice(own, 0, extra, count), c.positions, c.patches ?? c.positions)
    return classToken ? concat([slice(own, 0, 0, 1), grid], 0) : grid
  })
}

const embeddings = (c: VisionConfig) => {
  const { batched, classToken } = traits[c.model_type]
  const [patch, positions] = [patchEmbedding(c), positionEmbedding(c)]
  const token = normal(batched ? [1, 1, c.hidden_size] : [c.hidden_size], c.initializer_range)
  const params = {
    ...(classToken ? { class_embedding: token } : {}),
    patch_embedding: patch.params,
    position_embedding: positions.params
  }
  return module(params, (p, patches: Tensor) => {
    const x = patch.apply(p.patch_embedding, patches)
    const [b, , d] = x.type.shape as readonly [number, number, number]
    const first = "class_embedding" in p
      ? [expand(reshape(p.class_embedding as Tensor, [1, 1, d]), [b, 1, d])]
      : []
    const placed = positions.apply(p.position_embedding)
    return add(concat([...first, x], 1), reshape(placed, [1, ...placed.type.shape]))
  })
}

/** Whether a family's first token is not a patch's. */
export const hasClassToken = (family: VisionFamily): boolean => traits[family].classToken

/** A probe attends to all patches, and passes through an MLP: [b, n, hidden] -> [b, hidden]. */
export const probing = (c: VisionConfig) => {
  const { hidden_size: d, initializer_range: std, num_attention_heads: heads } = c
  const [out, norm, widen] = [linear(d, d, std, true), layerNorm(d, c.layer_norm_eps), mlp(c)]
  const attention = { in_proj_weight: normal([3 * d, d], std), in_proj_bias: zeros(3 * d), out_proj: out.params }
  const params = { probe: normal([1, 1, d], std), attention, layernorm: norm.params, mlp: widen.params }
  return module(params, (p, x: Tensor) => {
    const [b, n] = x.type.shape as readonly [number, number, number]
    const { in_proj_bias: bias, in_proj_weight: weight, out_proj } = p.attention
    const project = (rows: Tensor, part: number, length: number) => {
      const own = (t: Tensor) => slice(t, 0, part * d, (part + 1) * d)
      return splitHeads(reshape(affine(rows, own(weight), own(bias)), [b, length, d]), heads)
    }
    const [probes, keys] = [reshape(expand(p.probe, [b, 1, d]), [b, d]), reshape(x, [b * n, d])]
    const seen = mergeHeads(whole(project(probes, 0, 1), project(keys, 1, n), project(keys, 2, n), 0))
    const attended = out.apply(out_proj, reshape(seen, [b, d]))
    return add(attended, widen.apply(p.mlp, norm.apply(p.layernorm, attended)))
  })
}

/** The first token through tanh(W x + b), if the pooler is asked for: [b, hidden]. */
const pooling = (c: VisionConfig) => {
  const dense = linear(c.hidden_size, c.hidden_size, c.initializer_range, true)
  return optional(
    c.pooler === true,
    module({ dense: dense.params }, (p, x: Tensor) => tanh(dense.apply(p.dense, x)))
  )
}

/** Tokens of a picture: its patches and, in families that have one, the class token. */
export const visionTokens = (c: VisionConfig): number =>
  area(c.patches ?? c.positions) + (hasClassToken(c.model_type) ? 1 : 0)

/**
 * Hidden states before the last norm, those before the first layer and after each of the first `to`, by default all: patches
 * [b, n, channels·side·side] -> [b, n or, with a class token, n + 1, hidden].
 */
export const towerStates = (c: VisionConfig, to = c.num_hidden_layers) => {
  const { preNorm } = traits[c.model_type]
  const [embed, blocks] = [embeddings(c), states(c, 0, to)]
  const norm = optional(preNorm, layerNorm(c.hidden_size, c.layer_norm_eps))
  const params = { embeddings: embed.params, pre_layrnorm: norm.params, encoder: blocks.params }
  return module(
    params,
    (p, patches: Tensor) =>
      blocks.apply(p.encoder, norm.apply(p.pre_layrnorm, embed.apply(p.embeddings, patches)), whole)
  )
}

/** A picture's vector before projection, from the states after the last layer: [b, n, hidden] -> [b, hidden]. */
const pooled = (c: VisionConfig) => {
  const { probe } = traits[c.model_type]
  const last = layerNorm(c.hidden_size, c.layer_norm_eps)
  const [head, pooler] = [probing(c), pooling(c)]
  const params = {
    post_layernorm: last.params,
    ...(probe ? { head: head.params } : {}),
    ...(c.pooler ? { pooler: pooler.params } : {})
  }
  return module(params as Params, (p, x: Tensor) => {
    const [b, , d] = x.type.shape as readonly [number, number, number]
    if (probe) return head.apply(p["head"] as never, last.apply(p["post_layernorm"] as never, x))
    const first = reshape(slice(x, 1, 0, 1), [b, d])
    return pooler.apply((p["pooler"] ?? {}) as never, last.apply(p["post_layernorm"] as never, first))
  })
}

/** Names of ViT and DINOv2 for CLIP's; the first that fits. */
const renames: ReadonlyArray<readonly [ours: RegExp, theirs: string]> = [
  [/^embeddings\.class_embedding$/, "embeddings.cls_token"],
  [/^embeddings\.position_embedding\.weight$/, "embeddings.position_embeddings"],
  [/^embeddings\.patch_embedding\./, "embeddings.patch_embeddings.projection."],
  [/^post_layernorm\./, "layernorm."],
  [/self_attn\.q_proj\./, "attention.attention.query."],
  [/self_attn\.k_proj\./, "attention.attention.key."],
  [/self_attn\.v_proj\./, "attention.attention.value."],
  [/self_attn\.out_proj\./, "attention.output.dense."]
]
const own: Readonly<Record<"vit" | "dinov2" | "timm_vit", ReadonlyArray<readonly [RegExp, string]>>> = {
  vit: [
    ...renames,
    [/mlp\.fc1\./, "intermediate.dense."],
    [/mlp\.fc2\./, "output.dense."],
    [/layer_norm1\./, "layernorm_before."],
    [/layer_norm2\./, "layernorm_after."]
  ],
  dinov2: [...renames, [/layer_norm1\./, "norm1."], [/layer_norm2\./, "norm2."]],
  timm_vit: [
    [/^embeddings\.class_embedding$/, "cls_token"],
    [/^embeddings\.position_embedding\.weight$/, "pos_embed"],
    [/^embeddings\.patch_embedding\./, "patch_embed.proj."],
    [/^post_layernorm\./, "norm."],
    [/self_attn\.out_proj\./, "attn.proj."],
    [/self_attn\./, "attn."],
    [/layer_norm1\./, "norm1."],
    [/layer_norm2\./, "norm2."]
  ]
}

/**
 * The name that a family's checkpoints have for a parameter of an encoder. timm has queries, keys and values in one tensor, which is
 * taken apart where a folder is read.
 */
const nameIn = (family: VisionFamily) => (path: string): string => {
  if (path.startsWith("visual_projection.")) {
    return family === "timm_vit" ? path.replace("visual_projection", "visual.head.proj") : path
  }
  if (family === "clip_vision_model" || family === "siglip_vision_model") return `vision_model.${path}`
  const [from, to] = own[family].find(([ours]) => ours.test(path)) ?? ["", ""]
  const named = path.replace(from, to)
  return family === "timm_vit"
    ? `visual.trunk.${named.replace(/^encoder\.layers\./, "blocks.")}`
    : named.replace(/^encoder\.layers\./, "encoder.layer.")
}

/** An encoder of pictures: patches [b, n, channels·side·side], in the order of channel, row, column -> unit vectors [b, size]. */
export type ImageEncoder = Module<Params, [Tensor], Tensor>

/** Hidden states before the last `n` layers, which `imageEnd` takes: patches -> [b, tokens, hidden]. */
export const imageStart = (c: VisionConfig, n: number): ImageEncoder => {
  const body = towerStates(c, c.num_hidden_layers - n)
  return spelled(
    module(body.params as Params, (p, x: Tensor) => body.apply(p as never, x).at(-1)!),
    nameIn(c.model_type)
  )
}

/** Unit vectors of what an inner module gives, projected where the config has it. */
const projected = (c: VisionConfig, inner: ImageEncoder): ImageEncoder => {
  const projection = linear(c.hidden_size, c.projection_dim, c.initializer_range)
  const projects = c.projection_dim > 0
  const params = { ...inner.params, ...(projects ? { visual_projection: projection.params } : {}) }
  const whole = module(params as Params, (p, patches: Tensor) => {
    const x = inner.apply(p, patches)
    return l2Normalise(projects ? projection.apply(p["visual_projection"] as never, x) : x)
  })
  return spelled(whole, nameIn(c.model_type))
}

/** Unit vectors of pictures, with the parameter names of the family's checkpoints. */
export const imageEncoder = (c: VisionConfig): ImageEncoder => {
  const [body, top] = [towerStates(c), pooled(c)]
  const params = { ...body.params, ...top.params } as Params
  return projected(c, module(params, (p, x: Tensor) => top.apply(p, body.apply(p as never, x).at(-1)!)))
}

/** The same from the hidden states of `imageStart`, through the last `n` layers. */
export const imageEnd = (c: VisionConfig, n: number): ImageEncoder => {
  const [blocks, top] = [states(c, c.num_hidden_layers - n), pooled(c)]
  const params = { encoder: blocks.params, ...top.params } as Params
  return projected(
    c,
    module(params, (p, x: Tensor) => top.apply(p, blocks.apply(p["encoder"] as never, x, whole).at(-1)!))
  )
}
