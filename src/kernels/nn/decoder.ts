/** Decoders of the Llama family (Touvron et al. 2023), described by one config, with checkpoint parameter names. */
import * as Nd from "../NdArray.ts"
import { attendCausal } from "../op/attend.ts"
import { reshape, sum } from "../op/broadcast.ts"
import { matmul } from "../op/contract.ts"
import { add, float, mul, neg, scale } from "../op/elementwise.ts"
import { concat, gather, slice, take } from "../op/gather.ts"
import { crossEntropy, logSoftmax, softmax } from "../op/normalise.ts"
import { rotary } from "../op/position.ts"
import { dropout } from "../op/random.ts"
import { saved } from "../op/scheduling.ts"
import { less, not, reduceMax, where } from "../op/select.ts"
import { stopGradient } from "../op/stop.ts"
import { constant, scalar, type Tensor } from "../Tensor.ts"
import { branchBias, type LayerType, mergeHeads, type Mix, splitHeads } from "./attention.ts"
import { type Activation, activations, embedding, linear, type LinearParams, parts, rmsNorm } from "./layers.ts"
import { listParams, type Module, module, ones, optional, type Param, repeat, zeros } from "./Module.ts"
import { ropeAngles, type RopeParameters } from "./rope.ts"
import { shiftedSparse } from "./shifted.ts"

/** Sizes and options of a decoder, spelled as in `config.json`; options default to Llama's. */
export interface DecoderConfig {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly num_key_value_heads: number
  /** Head size; by default `hidden_size / num_attention_heads`. */
  readonly head_dim?: number
  readonly max_position_embeddings: number
  readonly rms_norm_eps: number
  readonly rope_parameters: RopeParameters
  readonly tie_word_embeddings: boolean
  readonly hidden_dropout_prob: number
  /** Standard deviation of the initial weights. */
  readonly initializer_range: number
  readonly hidden_act?: Activation
  /** Biases of the query, key and value projections; of the output projection; of the feed-forward layer. */
  readonly qkv_bias?: boolean
  readonly output_bias?: boolean
  readonly mlp_bias?: boolean
  /** Queries and keys are normalised per head (Qwen3). */
  readonly qk_norm?: boolean
  /** Fused `qkv_proj` and `gate_up_proj` (Phi-3). */
  readonly fused?: boolean
  /** Norms scale by 1 + weight, embeddings by √hidden_size (Gemma). */
  readonly gemma?: boolean
  /** Outputs of attention and of the feed-forward layer are normalised too (Gemma 3). */
  readonly post_norms?: boolean
  /** Attention scores are divided by its square root; by default the head size. */
  readonly query_pre_attn_scalar?: number
  /** Window in tokens, and the type of each layer; without `layer_types` every layer has the window. */
  readonly sliding_window?: number
  readonly layer_types?: ReadonlyArray<LayerType>
  /** RoPE of the layers with a window, if it differs. */
  readonly local_rope_parameters?: RopeParameters
}

/** Input of a decoder: b rows of n tokens. */
export interface DecoderInput {
  /** int32 [b, n] */
  readonly ids: Tensor
  /** int32 [b, n]: position of each token in its own sequence. */
  readonly positions: Tensor
  /** float32 [f, hidden]: rows that stand in place of embeddings, such as those of a picture. */
  readonly features?: Tensor | undefined
  /** int32 [b, n], with `features`: which row stands in a token's place; -1 for its own embedding. */
  readonly places?: Tensor | undefined
  /** int32 [b, n]: branch id of each token (defines the attention mask, see `branchBias`); needed without `mix`. */
  readonly branches?: Tensor | undefined
  /** int32 [r]: indices into the flattened [b·n] tokens whose next token is predicted; by default all. */
  readonly rows?: Tensor | undefined
  /** int32 [r]: target ids; the output is their negative log-likelihoods [r] instead of logits. */
  readonly targets?: Tensor | undefined
  /** With `targets`: the output is `figures` of them, [r, 4]. */
  readonly told?: boolean | undefined
  /** int32 scalar: the dropout key; no dropout without it. */
  readonly key?: Tensor | undefined
  /** The attention function; by default masked by `branches` and the windows of the config. */
  readonly mix?: Mix | undefined
  /** Shifted sparse attention (S2-Attn) instead of full attention, for training. */
  readonly shifted?: boolean | undefined
}

/** What the layers of one forward pass share. */
interface Pass {
  /** Rotary angles per token in a layer: [b, n, pairs], one per rotary dimension pair. */
  readonly angles: (layer: number) => Tensor
  readonly mix: Mix
  readonly key: Tensor | undefined
}

/** Selects the rows kept after the last attention: all of [..., width], or some as [r, width]. */
type Choice = (x: Tensor) => Tensor

const all: Choice = (x) => x
const some = (rows: Tensor): Choice => (x) => gather(reshape(x, [-1, x.type.shape.at(-1)!]), rows)

/** Size of a head's queries, keys and values. */
export const headSize = (c: DecoderConfig): number => c.head_dim ?? c.hidden_size / c.num_attention_heads

/** Window of a layer in tokens; `undefined` for full attention. */
export const windowOf = (c: DecoderConfig, index: number): number | undefined =>
  c.layer_types?.[index] === "full_attention" ? undefined : c.sliding_window

const ropeOf = (c: DecoderConfig, index: number): RopeParameters =>
  windowOf(c, index) ? c.local_rope_parameters ?? c.rope_parameters : c.rope_parameters

const norm = (c: DecoderConfig, size: number): Module<{ weight: Param }, [Tensor], Tensor> => {
  const plain = rmsNorm(size, c.rms_norm_eps)
  return c.gemma
    ? module({ weight: zeros(size) }, (p, x) => plain.apply({ weight: add(p.weight, scalar(1)) }, x))
    : module({ weight: ones(size) }, plain.apply)
}

/** Several linear maps of one input: separate modules, or one fused module whose output is split. */
const project = (
  c: DecoderConfig,
  maps: Readonly<Record<string, number>>,
  fused: string,
  bias: boolean
): Module<Readonly<Record<string, LinearParams>>, [Tensor], ReadonlyArray<Tensor>> => {
  const map = (to: number) => linear(c.hidden_size, to, c.initializer_range, bias)
  const sizes = Object.values(maps)
  if (c.fused) {
    const whole = map(sizes.reduce((a, b) => a + b))
    return module({ [fused]: whole.params }, (p, x: Tensor) => parts(whole.apply(p[fused]!, x), sizes))
  }
  const each = Object.entries(maps).map(([name, to]) => [name, map(to)] as const)
  return module(
    Object.fromEntries(each.map(([name, one]) => [name, one.params])),
    (p, x: Tensor) => each.map(([name, one]) => one.apply(p[name]!, x))
  )
}

/** Applies RoPE to the rotary part of each head; the rest is unchanged. */
const turn = (rope: RopeParameters, x: Tensor, angles: Tensor): Tensor => {
  const [size, turning] = [x.type.shape[3]!, 2 * angles.type.shape[2]!]
  const turned = rotary(turning === size ? x : slice(x, 3, 0, turning), angles)
  const scaled = "attention_factor" in rope ? scale(turned, rope.attention_factor) : turned
  return turning === size ? scaled : concat([scaled, slice(x, 3, turning, size)], 3)
}

const selfAttention = (c: DecoderConfig, index: number) => {
  const size = headSize(c)
  const [heads, groups, width] = [c.num_attention_heads, c.num_key_value_heads, c.num_attention_heads * size]
  const maps = { q_proj: width, k_proj: groups * size, v_proj: groups * size }
  const inward = project(c, maps, "qkv_proj", c.qkv_bias ?? false)
  const outward = linear(width, c.hidden_size, c.initializer_range, c.output_bias)
  const level = optional(c.qk_norm ?? false, norm(c, size))
  const params = { ...inward.params, o_proj: outward.params, q_norm: level.params, k_norm: level.params }
  const factor = Math.sqrt(size / (c.query_pre_attn_scalar ?? size))
  return module(params, (p, x: Tensor, { angles, mix }: Pass, only: Choice) => {
    const [q, k, v] = inward.apply(p, x) as [Tensor, Tensor, Tensor]
    const turned = (t: Tensor) => turn(ropeOf(c, index), t, angles(index))
    const queries = turned(level.apply(p.q_norm, splitHeads(q, heads)))
    const keys = turned(level.apply(p.k_norm, splitHeads(k, groups)))
    const asked = factor === 1 ? queries : scale(queries, factor)
    return outward.apply(p.o_proj, only(mergeHeads(mix(asked, keys, splitHeads(v, groups), index))))
  })
}

/** SwiGLU and its variants: down(act(gate x) ∘ up x). */
const feedForward = (c: DecoderConfig) => {
  const act = activations[c.hidden_act ?? "silu"]
  const maps = { gate_proj: c.intermediate_size, up_proj: c.intermediate_size }
  const widen = project(c, maps, "gate_up_proj", c.mlp_bias ?? false)
  const narrow = linear(c.intermediate_size, c.hidden_size, c.initializer_range, c.mlp_bias)
  return module({ ...widen.params, down_proj: narrow.params }, (p, x: Tensor) => {
    const [gate, up] = widen.apply(p, x) as [Tensor, Tensor]
    return narrow.apply(p.down_proj, mul(act(gate), up))
  })
}

const layer = (c: DecoderConfig, index: number) => {
  const attention = selfAttention(c, index)
  const mlp = feedForward(c)
  const level = norm(c, c.hidden_size)
  const after = optional(c.post_norms ?? false, level)
  const params = {
    input_layernorm: level.params,
    self_attn: attention.params,
    /** Norm before the feed-forward layer; with `post_norms`, of the attention output. */
    post_attention_layernorm: level.params,
    mlp: mlp.params,
    pre_feedforward_layernorm: after.params,
    post_feedforward_layernorm: after.params
  }
  return module(params, (p, x: Tensor, pass: Pass, only: Choice) => {
    const drop = (t: Tensor, half: number) => dropout(t, pass.key, c.hidden_dropout_prob, 2 * index + half)
    const mixed = attention.apply(p.self_attn, level.apply(p.input_layernorm, x), pass, only)
    const y = add(only(x), drop(after.apply(p.post_attention_layernorm, mixed), 0))
    const before = c.post_norms ? p.pre_feedforward_layernorm : p.post_attention_layernorm
    const widened = mlp.apply(p.mlp, level.apply(before, y))
    return add(y, drop(after.apply(p.post_feedforward_layernorm, widened), 1))
  })
}

/** The bias of each layer's attention, masked by `branches` and by the layer's window: [b, 1, n, n]. */
export const biases = (c: DecoderConfig) => (branches: Tensor, positions: Tensor): (layer: number) => Tensor => {
  const whole = branchBias(branches)
  const window = c.sliding_window && branchBias(branches, { positions, size: c.sliding_window })
  return (index) => window && windowOf(c, index) ? window : whole
}

const byBranches = (c: DecoderConfig) => (branches: Tensor, positions: Tensor): Mix => {
  const bias = biases(c)(branches, positions)
  return (q, k, v, index) => attendCausal(q, k, v, bias(index))
}

const mixOf = (c: DecoderConfig, { branches, mix, positions, shifted }: DecoderInput): Mix => {
  if (mix) return mix
  return shifted ? shiftedSparse(branches!, positions, byBranches(c)) : byBranches(c)(branches!, positions)
}

/** Embeddings [b, n, hidden] with the rows of `features` in the places that name one. */
const placed = (words: Tensor, { features, places }: DecoderInput): Tensor => {
  if (!features || !places) return words
  const first = constant(Nd.scalar(0), "int32")
  const isWord = less(places, first)
  const rows = gather(features, where(isWord, first, places))
  return where(reshape(isWord, [...places.type.shape, 1]), words, rows)
}

/** The first hidden states: Gemma scales embeddings and features alike, Gemma 3 embeddings alone. */
const firstStates = (c: DecoderConfig, words: Tensor, input: DecoderInput): Tensor => {
  const scaled = (x: Tensor) => c.gemma ? scale(x, Math.sqrt(c.hidden_size)) : x
  return c.post_norms ? placed(scaled(words), input) : scaled(placed(words, input))
}

/** Final hidden states, [b, n, hidden] or [r, hidden]; the last layer uses the other tokens only as keys and values. */
export const decoderBody = (c: DecoderConfig) => {
  const embed = embedding(c.vocab_size, c.hidden_size, c.initializer_range)
  const layers = repeat(c.num_hidden_layers, (i) => layer(c, i))
  const level = norm(c, c.hidden_size)
  const params = { embed_tokens: embed.params, layers: listParams(layers), norm: level.params }
  return module(params, (p, input: DecoderInput) => {
    const anglesOf = (rope: RopeParameters) => ropeAngles(rope, headSize(c), c.max_position_embeddings, input.positions)
    const whole = anglesOf(c.rope_parameters)
    const local = c.local_rope_parameters ? anglesOf(c.local_rope_parameters) : whole
    const pass = { angles: (i: number) => windowOf(c, i) ? local : whole, mix: mixOf(c, input), key: input.key }
    const first = firstStates(c, embed.apply(p.embed_tokens, input.ids), input)
    const choice = (i: number) => input.rows && i === layers.length - 1 ? some(input.rows) : all
    const last = layers.reduce((x, block, i) => block.apply(p.layers[String(i)]!, saved(x), pass, choice(i)), first)
    return level.apply(p.norm, last)
  })
}

/** Rows per logits chunk when likelihoods are computed. */
const CHUNK = 1024

/**
 * The figures of predicted tokens, as columns: the negative log-likelihood in nats; 1 where no token is likelier, else 0; the
 * entropy of the prediction in nats; and the mean of its logits. Only the first has a gradient.
 * Logits [r, vocabulary], targets [r] -> [r, 4].
 */
export const figures = (logits: Tensor, targets: Tensor): Tensor => {
  const [count, words] = logits.type.shape as readonly [number, number]
  const still = stopGradient(logits)
  const first = not(less(take(still, targets), reduceMax(still, 1)))
  const shares = reshape(softmax(still), [count, 1, words])
  const entropy = neg(matmul(shares, reshape(logSoftmax(still), [count, words, 1])))
  const columns = [crossEntropy(logits, targets), float(first), entropy, scale(sum(still, [1]), 1 / words)]
  return concat(columns.map((own) => reshape(own, [count, 1])), 1)
}

/** A loss of each of `targets` [r] after rows [r, hidden], [r, ...]; checkpointing holds one chunk of logits. */
const inChunks = (
  rows: Tensor,
  targets: Tensor,
  logits: (rows: Tensor) => Tensor,
  loss: (logits: Tensor, targets: Tensor) => Tensor
): Tensor => {
  const count = targets.type.shape[0]!
  if (count <= CHUNK) return loss(logits(rows), targets)
  const kept = saved(rows)
  const chunks = Array.from({ length: Math.ceil(count / CHUNK) }, (_, i) => {
    const own = (t: Tensor) => slice(t, 0, i * CHUNK, Math.min(count, (i + 1) * CHUNK))
    return saved(loss(logits(own(kept)), own(targets)))
  })
  return concat(chunks, 0)
}

/**
 * Logits of the token after each of `rows`, [r, vocabulary], or negative log-likelihoods [r] of `targets`, or their figures.
 * A tied head reuses the embedding and has no weight of its own.
 */
export const causalLm = (c: DecoderConfig) => {
  const model = decoderBody(c)
  const head = linear(c.hidden_size, c.vocab_size, c.initializer_range)
  const params = { model: model.params, lm_head: c.tie_word_embeddings ? {} as typeof head.params : head.params }
  return module(params, (p, input: DecoderInput) => {
    const rows = reshape(model.apply(p.model, input), [-1, c.hidden_size])
    const logits = (of: Tensor) => head.apply(c.tie_word_embeddings ? p.model.embed_tokens : p.lm_head, of)
    return input.targets ? inChunks(rows, input.targets, logits, input.told ? figures : crossEntropy) : logits(rows)
  })
}
/** A causal language model, see `causalLm`. */
export type Decoder = ReturnType<typeof causalLm>
