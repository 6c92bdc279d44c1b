/** config.json, read a second time: by the letter of transformers' documentation of each kind of model. */
import * as own from "../fields.ts"
import { bad, type Fields } from "../records.ts"
import {
  anyText,
  count,
  either,
  fields,
  idle,
  integer,
  type Keys,
  layers,
  listOf,
  natural,
  positive,
  rate,
  read,
  type Said,
  saying,
  without
} from "./keys.ts"

const activation = own.oneOf("silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
const types = listOf(own.oneOf("full_attention", "sliding_attention"))
type Types = ReadonlyArray<"full_attention" | "sliding_attention">

const sizes: Keys = {
  vocab_size: [count],
  hidden_size: [count],
  intermediate_size: [count],
  num_hidden_layers: [layers],
  num_attention_heads: [count],
  max_position_embeddings: [count],
  initializer_range: [positive, 0.02]
}

const divides = (whole: number, by: number): void => {
  if (whole % by !== 0) bad("not a multiple")
}

const rope: Keys = {
  rope_theta: [positive, undefined],
  rope_scaling: [fields, undefined],
  rope_parameters: [fields, undefined],
  partial_rotary_factor: [positive, undefined],
  original_max_position_embeddings: [count, undefined]
}

const named = (name: unknown, family: string): string =>
  name === "su" || (name === "yarn" && family === "phi3") ? "longrope" : anyText(name)

/** What each way of turning is told by; what is left out is worked out. */
const kinds: Readonly<Record<string, (c: any) => Keys>> = {
  default: () => ({}),
  linear: () => ({ factor: [positive] }),
  dynamic: () => ({ factor: [positive] }),
  llama3: ({ original }) => ({
    factor: [positive],
    low_freq_factor: [positive],
    high_freq_factor: [positive],
    original_max_position_embeddings: [count, original]
  }),
  yarn: ({ factor, original, ratio }) => ({
    factor: [positive],
    beta_fast: [positive, 32],
    beta_slow: [positive, 1],
    truncate: [own.flag, true],
    original_max_position_embeddings: [count, original],
    attention_factor: [positive, ratio ?? (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1)]
  }),
  longrope: ({ factor, original }) => ({
    short_factor: [listOf(positive)],
    long_factor: [listOf(positive)],
    original_max_position_embeddings: [count, original],
    attention_factor: [positive, factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))]
  })
}

/** Keys of a way of turning in all spellings; `finetuned` is what some publish with it. */
const spelled = (kind: string): ReadonlyArray<string> => [
  "rope_type",
  "type",
  "rope_theta",
  "partial_rotary_factor",
  ...Object.keys(kinds[kind]!({})),
  ...kind === "yarn" ? ["mscale", "mscale_all_dim", "finetuned"] : []
]

/** How positions turn, from wherever a config says it: nowhere otherwise than elsewhere. */
const ropeOf = (places: ReadonlyArray<readonly [name: string, said: Fields]>, family: string, context: any) => {
  const all = new Map<string, unknown>()
  for (const [, said] of places) {
    for (const [key, value] of Object.entries(said)) {
      if (all.has(key) && JSON.stringify(all.get(key)) !== JSON.stringify(value)) bad(`two of ${key}`)
      all.set(key, value)
    }
  }
  const given: any = Object.fromEntries(all)
  const [name, older] = [given.rope_type, given.type].map((one) => one === undefined ? undefined : named(one, family))
  if (name !== undefined && older !== undefined && name !== older) bad("two types")
  const kind = name ?? older ?? "default"
  if (!Object.hasOwn(kinds, kind)) bad(`the type ${kind}`)
  const original = given.original_max_position_embeddings ?? context.positions
  const factor = given.factor ?? context.positions / original
  const [over, under] = [given.mscale, given.mscale_all_dim].map((scale) =>
    factor <= 1 ? 1 : 0.1 * Number(scale) * Math.log(factor) + 1
  )
  const ratio = given.mscale && given.mscale_all_dim ? over! / under! : undefined
  const more = read({ ...given, factor }, kinds[kind]!({ original, factor, ratio }))
  const turned = read(given, { rope_theta: [positive, context.theta], partial_rotary_factor: [positive, 1] })
  const planes = Math.floor(context.head * turned.partial_rotary_factor / 2)
  if (kind === "longrope" && (more.short_factor.length !== planes || more.long_factor.length !== planes)) bad("planes")
  const told = places.flatMap(([place, said]) =>
    Object.keys(said).filter((key) => !spelled(kind).includes(key)).map((key) => place === "" ? key : `${place}.${key}`)
  )
  return { rope: { rope_type: kind, ...turned, ...more }, told }
}

const heads = (c: any): void => divides(c.hidden_size, c.num_attention_heads)

const bert = (json: Fields): Said => {
  const keys: Keys = {
    ...sizes,
    dim: [natural, undefined],
    type_vocab_size: [count, 2],
    layer_norm_eps: [positive, 1e-12],
    hidden_dropout_prob: [rate, 0.1],
    hidden_act: [activation, "gelu"],
    position_embedding_type: [own.oneOf("absolute"), "absolute"],
    is_decoder: [(value) => value === false ? value : bad("a decoder"), false]
  }
  const expected = without(read(json, keys), "is_decoder", "position_embedding_type")
  heads(expected)
  return { expected, told: idle(json, keys) }
}

/** The rotation of the layers of a type, which may have one of their own. */
const turnsOf = (json: Fields, type: string, key: string, theta: number, family: string, context: object) => {
  const parts = saying(json["rope_parameters"] ?? {})
  const own = parts[type] === undefined ? {} : saying(parts[type])
  const base = json[key] === undefined ? {} : { rope_theta: positive(json[key]) }
  const scaling = saying(json["rope_scaling"] ?? {})
  return ropeOf([["", base], ["rope_scaling", scaling], [`rope_parameters.${type}`, own]], family, {
    ...context,
    theta
  })
}

/** Only types of layers have rotations of their own. */
const ofTypes = (json: Fields): void => {
  for (const [type, own] of Object.entries(saying(json["rope_parameters"] ?? {}))) {
    fields(own)
    if (type !== "full_attention" && type !== "sliding_attention") bad("no type of layers")
  }
}

const modernBert = (json: Fields): Said => {
  const keys: Keys = {
    ...sizes,
    dim: [natural, undefined],
    norm_eps: [positive, 1e-5],
    norm_bias: [own.flag, false],
    attention_bias: [own.flag, false],
    mlp_bias: [own.flag, false],
    hidden_activation: [activation, "gelu"],
    embedding_dropout: [rate, 0],
    mlp_dropout: [rate, 0],
    local_attention: [count, 128],
    global_attn_every_n_layers: [count, 3],
    layer_types: [types, undefined],
    global_rope_theta: [positive, undefined],
    local_rope_theta: [positive, undefined],
    rope_scaling: [fields, undefined],
    rope_parameters: [fields, undefined]
  }
  const { global_attn_every_n_layers: every, layer_types, ...c } = read(json, keys)
  if (json["sliding_window"] !== undefined) bad("a window by another key")
  heads(c)
  const head = c.hidden_size / c.num_attention_heads
  divides(head, 2)
  ofTypes(json)
  const all: Types = layer_types ??
    Array.from({ length: c.num_hidden_layers }, (_, i) => i % every === 0 ? "full_attention" : "sliding_attention")
  if (all.length !== c.num_hidden_layers) bad("other layers")
  const context = { head, positions: c.max_position_embeddings }
  const whole = turnsOf(json, "full_attention", "global_rope_theta", 160_000, "modernbert", context)
  const local = turnsOf(json, "sliding_attention", "local_rope_theta", 10_000, "modernbert", context)
  if ([whole, local].some(({ rope }) => "attention_factor" in rope || rope.partial_rotary_factor !== 1)) {
    bad("no encoder's")
  }
  const expected = without(c, "global_rope_theta", "local_rope_theta", "rope_parameters", "rope_scaling")
  return {
    expected: {
      ...expected,
      layer_types: all,
      rope_parameters: { full_attention: whole.rope, sliding_attention: local.rope }
    },
    told: [
      ...idle(json, keys).filter((key) => key !== "layer_norm_eps" && key !== "position_embedding_type"),
      ...whole.told,
      ...local.told
    ]
  }
}

/** Keys that all decoders have. */
const common: Keys = {
  ...sizes,
  ...rope,
  hidden_dropout_prob: [rate, 0],
  num_key_value_heads: [count, undefined],
  head_dim: [count, undefined],
  tie_word_embeddings: [own.flag, undefined],
  bos_token_id: [natural, undefined],
  eos_token_id: [either(natural, listOf(natural)), []],
  pad_token_id: [integer, 0],
  is_causal: [own.flag, true],
  use_bidirectional_attention: [own.flag, false],
  layer_types: [types, undefined]
}

const [epsilon, biased] = [[positive, 1e-6] as const, [own.flag, false] as const]
const act: Keys = { hidden_act: [anyText, undefined] }
const windowed: Keys = { sliding_window: [count, undefined] }
const qwen: Keys = { ...windowed, use_sliding_window: [own.flag, false], max_window_layers: [natural, 28] }

/** Keys of each member of the family. */
const families: Readonly<Record<string, Keys>> = {
  llama: { rms_norm_eps: epsilon, ...act, attention_bias: biased, mlp_bias: biased },
  mistral: { rms_norm_eps: epsilon, ...act, ...windowed },
  qwen2: { rms_norm_eps: epsilon, ...act, ...qwen },
  qwen3: { rms_norm_eps: epsilon, ...act, ...qwen, attention_bias: biased },
  phi3: { rms_norm_eps: [positive, 1e-5], ...act, ...windowed },
  gemma: { rms_norm_eps: epsilon, ...act, attention_bias: biased, hidden_activation: [anyText, undefined] },
  gemma3_text: {
    rms_norm_eps: epsilon,
    attention_bias: biased,
    hidden_activation: [anyText, undefined],
    ...windowed,
    sliding_window_pattern: [count, 6],
    rope_local_base_freq: [positive, undefined],
    query_pre_attn_scalar: [positive, 256]
  }
}

/** Keys that not all of them have, and that say nothing to the others where they are false. */
const special = new Set([
  ...Object.values(families).flatMap((own) => Object.keys(own)).filter((key) => key !== "rms_norm_eps"),
  "hidden_act"
])

/** The window of each layer; none where it sees all. */
const windowsOf = (c: any, family: string, nulled: boolean): ReadonlyArray<number | undefined> => {
  const all = Array.from({ length: c.num_hidden_layers }, (_, i) => i)
  if (family === "gemma3_text") {
    const own: Types = c.layer_types ??
      all.map((i) => (i + 1) % c.sliding_window_pattern === 0 ? "full_attention" : "sliding_attention")
    if (own.length !== all.length) bad("other layers")
    if (nulled && own.includes("sliding_attention")) bad("windows of no size")
    return own.map((type) => type === "full_attention" ? undefined : c.sliding_window ?? 4096)
  }
  const size = c.sliding_window ?? (family === "mistral" && !nulled ? 4096 : undefined)
  const from = family === "llama" || family === "gemma" || (family.startsWith("qwen") && !c.use_sliding_window)
    ? Infinity
    : family.startsWith("qwen")
    ? c.max_window_layers
    : 0
  const own = all.map((i) => i >= from ? size : undefined)
  const told: Types | undefined = c.layer_types
  if (
    told &&
    (told.length !== own.length || told.some((type, i) => (type === "full_attention") !== (own[i] === undefined)))
  ) {
    bad("other windows")
  }
  return own
}

const actOf = (c: any, family: string): string => {
  if (family === "gemma3_text") return c.hidden_activation ?? "gelu_pytorch_tanh"
  if (family !== "gemma") return c.hidden_act ?? "silu"
  const said = c.hidden_activation ?? c.hidden_act ?? "gelu_pytorch_tanh"
  return said === "gelu" ? "gelu_pytorch_tanh" : said
}

const headOf = (c: any, family: string, nulled: boolean): number => {
  if (c.head_dim !== undefined) return c.head_dim
  if (family.startsWith("gemma")) return 256
  if (family === "qwen3" && !nulled) return 128
  divides(c.hidden_size, c.num_attention_heads)
  return c.hidden_size / c.num_attention_heads
}

const decoder = (family: string) => (json: Fields, raw: Fields): Said => {
  const keys = { ...common, ...families[family] }
  const c = read(json, keys)
  const nulled = (key: string) => Object.hasOwn(raw, key) && raw[key] === null
  const [head, groups] = [headOf(c, family, nulled("head_dim")), c.num_key_value_heads ?? c.num_attention_heads]
  divides(c.num_attention_heads, groups)
  divides(head, 2)
  if (c.use_bidirectional_attention || !c.is_causal) bad("no decoder")
  const context = { head, positions: c.max_position_embeddings }
  const plain = Object.fromEntries(
    ["rope_theta", "partial_rotary_factor", "original_max_position_embeddings"].flatMap((key) =>
      json[key] === undefined ? [] : [[key, json[key]]]
    )
  )
  const two = family === "gemma3_text"
  if (two) ofTypes(json)
  const places = [["", plain], ["rope_scaling", saying(c.rope_scaling ?? {})], [
    "rope_parameters",
    saying(c.rope_parameters ?? {})
  ]] as const
  const whole = two
    ? turnsOf(json, "full_attention", "rope_theta", 1e6, family, context)
    : ropeOf(places, family, { ...context, theta: 10_000 })
  const local = two
    ? turnsOf({ ...json, rope_scaling: {} }, "sliding_attention", "rope_local_base_freq", 10_000, family, context)
    : undefined
  const partly = [whole, local].some((own) => own !== undefined && own.rope.partial_rotary_factor !== 1)
  if (partly && (family !== "phi3" || whole.rope.partial_rotary_factor > 1)) bad("heads turned in part")
  const hidden_act = activation(actOf(c, family))
  const own = c.attention_bias ?? false
  return {
    expected: {
      ...read(json, { ...sizes, rms_norm_eps: keys["rms_norm_eps"]!, hidden_dropout_prob: [rate, 0] }),
      num_key_value_heads: groups,
      head_dim: head,
      tie_word_embeddings: c.tie_word_embeddings ?? family.startsWith("gemma"),
      hidden_act,
      qkv_bias: family === "qwen2" || own,
      output_bias: own,
      mlp_bias: c.mlp_bias ?? false,
      windows: windowsOf(c, family, nulled("sliding_window")),
      rope_parameters: whole.rope,
      local_rope_parameters: local?.rope,
      query_pre_attn_scalar: two ? c.query_pre_attn_scalar : undefined,
      bos_token_id: c.bos_token_id,
      eos_token_id: [c.eos_token_id].flat(),
      pad_token_id: Math.max(0, c.pad_token_id)
    },
    told: [
      ...idle(json, keys).filter((key) => !(json[key] === false && special.has(key))),
      ...whole.told.filter((key) => !(family === "phi3" && key === "original_max_position_embeddings")),
      ...local?.told ?? []
    ]
  }
}

type Reader = (json: Fields, raw: Fields) => Said
const readers: Readonly<Record<"encoder" | "decoder", Readonly<Record<string, Reader>>>> = {
  encoder: { bert, modernbert: modernBert },
  decoder: Object.fromEntries(Object.keys(families).map((family) => [family, decoder(family)]))
}

/** What a config says of a model of the kind; the first of its kind where it names none. */
export const modelOf = (kind: "encoder" | "decoder", value: unknown): Said & { readonly family: string } => {
  const json = saying(value)
  const [name] = listOf(anyText)(json["architectures"] ?? [])
  const other = name !== undefined && !/^(bert|HF_ColBERT$)/i.test(name) && !/^llama/i.test(name)
  if (json["model_type"] === undefined && other) bad("another model")
  const family = anyText(json["model_type"] ?? Object.keys(readers[kind])[0])
  if (!Object.hasOwn(readers[kind], family)) return bad(`the model ${family}`)
  return { ...readers[kind][family]!(json, value as Fields), family }
}

/** What the shapes of a model's weights depend on: other numbers, other shapes. */
export const shapesOf = (family: string, c: any): ReadonlyArray<unknown> => {
  const { hidden_size, intermediate_size, num_hidden_layers, vocab_size } = c
  const plain = [vocab_size, hidden_size, intermediate_size, num_hidden_layers]
  if (family === "bert") return [...plain, c.max_position_embeddings, c.type_vocab_size]
  if (family === "modernbert") return [...plain, c.norm_bias, c.attention_bias, c.mlp_bias]
  const [q, kv] = [c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim]
  const rows = family === "phi3" ? [q + 2 * kv, q] : [q, kv]
  const normed = family === "qwen3" || family === "gemma3_text" ? [c.head_dim] : []
  return [...plain, ...rows, ...normed, c.qkv_bias, c.output_bias, c.mlp_bias, c.tie_word_embeddings]
}
