/** Names of tensors: GGUF's, and those of Hugging Face's state dicts; `{}` stands for the number of a layer. */

/** A name without ".weight" or ".bias", in GGUF and in a state dict. */
type Pair = readonly [gguf: string, stored: string]

const [BLOCK, LAYER] = ["blk.{}.", "model.layers.{}."]

/** The names of a decoder; `norms` are those of the two norms of a layer's MLP, and what else an architecture has. */
const decoder = (...own: ReadonlyArray<Pair>): ReadonlyArray<Pair> => [
  ["token_embd", "model.embed_tokens"],
  ["output_norm", "model.norm"],
  ["output", "lm_head"],
  ...[
    ["attn_norm", "input_layernorm"],
    ["attn_output", "self_attn.o_proj"],
    ["ffn_down", "mlp.down_proj"],
    ...own
  ].map(([gguf, stored]) => [BLOCK + gguf, LAYER + stored] as const)
]

const attention: ReadonlyArray<Pair> = ["q", "k", "v"].map((x) => [`attn_${x}`, `self_attn.${x}_proj`])
const gated: ReadonlyArray<Pair> = [["ffn_gate", "mlp.gate_proj"], ["ffn_up", "mlp.up_proj"]]
const norm: Pair = ["ffn_norm", "post_attention_layernorm"]
const qkNorms: ReadonlyArray<Pair> = [["attn_q_norm", "self_attn.q_norm"], ["attn_k_norm", "self_attn.k_norm"]]

const bert: ReadonlyArray<Pair> = [
  ["token_embd", "embeddings.word_embeddings"],
  ["position_embd", "embeddings.position_embeddings"],
  ["token_types", "embeddings.token_type_embeddings"],
  ["token_embd_norm", "embeddings.LayerNorm"],
  ...([
    ["attn_q", "attention.self.query"],
    ["attn_k", "attention.self.key"],
    ["attn_v", "attention.self.value"],
    ["attn_output", "attention.output.dense"],
    ["attn_output_norm", "attention.output.LayerNorm"],
    ["ffn_up", "intermediate.dense"],
    ["ffn_down", "output.dense"],
    ["layer_output_norm", "output.LayerNorm"]
  ] as const).map(([gguf, stored]) => [BLOCK + gguf, `encoder.layer.{}.${stored}`] as const)
]

/** How transformers names an architecture, and the names of its tensors. */
interface Known {
  readonly model_type: string
  readonly model: string
  readonly names: ReadonlyArray<Pair>
}

/** The architectures that are read, by GGUF's name. */
export const architectures = {
  llama: { model_type: "llama", model: "LlamaForCausalLM", names: decoder(...attention, ...gated, norm) },
  qwen2: { model_type: "qwen2", model: "Qwen2ForCausalLM", names: decoder(...attention, ...gated, norm) },
  qwen3: { model_type: "qwen3", model: "Qwen3ForCausalLM", names: decoder(...attention, ...qkNorms, ...gated, norm) },
  phi3: {
    model_type: "phi3",
    model: "Phi3ForCausalLM",
    names: decoder(["attn_qkv", "self_attn.qkv_proj"], ["ffn_up", "mlp.gate_up_proj"], norm)
  },
  gemma: { model_type: "gemma", model: "GemmaForCausalLM", names: decoder(...attention, ...gated, norm) },
  gemma3: {
    model_type: "gemma3_text",
    model: "Gemma3ForCausalLM",
    names: decoder(
      ...attention,
      ...qkNorms,
      ...gated,
      ["post_attention_norm", "post_attention_layernorm"],
      ["ffn_norm", "pre_feedforward_layernorm"],
      ["post_ffw_norm", "post_feedforward_layernorm"]
    )
  },
  bert: { model_type: "bert", model: "BertModel", names: bert }
} as const satisfies Readonly<Record<string, Known>>

/** An architecture that is read, by GGUF's name. */
export type Architecture = keyof typeof architectures

/** Whether models of this architecture are read. */
export const isKnown = (name: string): name is Architecture => Object.hasOwn(architectures, name)

/** Tensors that hold RoPE's divisors by dimension pair, which the config states. */
export const ropeTables = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"] as const

/**
 * Tensors that are left out, as their counterparts of a state dict are: RoPE's divisors, buffers of old files, heads of
 * encoders for other tasks.
 */
export const isBeside = (name: string): boolean =>
  ropeTables.some((table) => table === name) ||
  /^blk\.\d+\.attn_rot_embd\.weight$|^cls(\.output)?\.(weight|bias)$/.test(name)

const renaming = (pairs: ReadonlyArray<Pair>) => {
  const names = new Map(pairs)
  return (name: string): string | undefined => {
    const [, stem, kind] = /^(.*)(\.weight|\.bias)$/.exec(name) ?? []
    if (stem === undefined) return undefined
    const [number] = /(?<=\.)\d+(?=\.)/.exec(stem) ?? [""]
    const found = names.get(number === "" ? stem : stem.replace(number, "{}"))
    return found === undefined ? undefined : found.replace("{}", number) + kind
  }
}

/** The state dict's name of a tensor; `undefined` if the architecture has none such. */
export const storedName = (architecture: Architecture) => renaming(architectures[architecture].names)

/** GGUF's name of a tensor of a state dict; `undefined` if it has none. */
export const ggufName = (architecture: Architecture) =>
  renaming(architectures[architecture].names.map(([gguf, stored]) => [stored, gguf] as const))

/**
 * How values differ from the state dict's, by GGUF's name: `turned` where RoPE's pairs are neighbours instead of halves
 * apart (llama's queries and keys), `shifted` where 1 has been added (gemma's norms, whose weights are 1 + w).
 */
export const changeOf = (architecture: Architecture, name: string): "turned" | "shifted" | undefined => {
  if (architecture === "llama" && /^blk\.\d+\.attn_[qk]\./.test(name)) return "turned"
  return architecture.startsWith("gemma") && name.endsWith("norm.weight") ? "shifted" : undefined
}
