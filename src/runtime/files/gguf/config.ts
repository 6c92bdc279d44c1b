/** `config.json` of a GGUF file's model, from its metadata and the shapes of its tensors. */
import { brief } from "../../../domain/brief.ts"
import type { Header } from "./header.ts"
import { Malformed } from "./malformed.ts"
import type { Metadata } from "./metadata.ts"
import { type Architecture, architectures, isKnown } from "./names.ts"
import { scalingOf, type Tables } from "./rope.ts"
import { type Section, sectionOf } from "./section.ts"

type Json = Readonly<Record<string, unknown>>

/** The architecture of a file, if its models are read here. */
export const architectureOf = ({ metadata }: Pick<Header, "metadata">): Architecture => {
  const type = metadata.text("general.type", "model")
  if (type !== "model") throw new Malformed("general.type", `is "${type}"; only models are read`)
  const parts = metadata.count("split.count", 1)
  if (parts > 1) {
    throw new Malformed("split.count", `the model is in ${parts} files; join them first (llama-gguf-split --merge)`)
  }
  const name = metadata.text("general.architecture")
  if (isKnown(name)) return name
  const known = Object.keys(architectures).join(", ")
  throw new Malformed("general.architecture", `${brief(name)} is not known here (known: ${known})`)
}

/** The first size of a tensor, as its number of rows. */
const rowsOf = ({ tensors }: Header, name: string): number => {
  const found = tensors.get(name)
  if (found) return found.shape[0]!
  throw new Malformed(`tensor ${name}`, "is not there")
}

const same = (own: Section, key: string, given: number, what: string): void => {
  const stated = own.count(key, given)
  if (stated !== given) throw new Malformed(own.at(key), `is ${stated}, and ${what} ${given}`)
}

/** Keys of `config.json` for special tokens, and the metadata that has their ids. */
const ids = { bos_token_id: "bos", eos_token_id: "eos", pad_token_id: "padding" }

const tokensOf = (metadata: Metadata): Json =>
  Object.fromEntries(
    Object.entries(ids).flatMap(([key, name]) => {
      const place = `tokenizer.ggml.${name}_token_id`
      return metadata.has(place) ? [[key, metadata.count(place)]] : []
    })
  )

/** The dtype of `config.json` for the element types beside float32; of quantised values float32 itself. */
const dtypeOf = ({ tensors }: Header): string => {
  const types = new Set([...tensors.values()].map(({ type }) => type.name).filter((name) => name !== "F32"))
  const [only] = types
  return types.size === 1 && only === "F16" ? "float16" : types.size === 1 && only === "BF16" ? "bfloat16" : "float32"
}

const sizesOf = (header: Header, own: Section): Json & { readonly max_position_embeddings: number } => {
  const vocab_size = rowsOf(header, "token_embd.weight")
  same(own, "vocab_size", vocab_size, "token_embd.weight has the rows")
  return {
    vocab_size,
    hidden_size: own.count("embedding_length"),
    intermediate_size: own.count("feed_forward_length"),
    num_hidden_layers: own.count("block_count"),
    num_attention_heads: own.count("attention.head_count"),
    max_position_embeddings: own.count("context_length")
  }
}

/** Gemma 3's windows and the scale of its attention, of which llama.cpp fixes what a file leaves out. */
const gemma3 = (own: Section, layers: number, headSize: number, perHead: number): Json => {
  const every = own.has("attention.sliding_window_pattern") ? own.value("attention.sliding_window_pattern") : 6
  return {
    sliding_window: own.count("attention.sliding_window"),
    rope_local_base_freq: own.number("rope.freq_base_swa", 10_000),
    query_pre_attn_scalar: layers === 62 ? perHead : headSize,
    ...(typeof every === "number"
      ? { sliding_window_pattern: every }
      : { layer_types: (every as ReadonlyArray<unknown>).map((has) => has ? "sliding_attention" : "full_attention") })
  }
}

/** Keys that one family has besides those of all decoders. */
const traits = (architecture: Architecture, header: Header, own: Section, sizes: Json, headSize: number): Json => {
  const has = (name: string) => header.tensors.has(name)
  const window = () => own.count("attention.sliding_window", 0) || null
  switch (architecture) {
    case "llama":
      return {
        hidden_act: "silu",
        attention_bias: has("blk.0.attn_q.bias"),
        mlp_bias: has("blk.0.ffn_down.bias")
      }
    case "qwen2":
      return { hidden_act: "silu", use_sliding_window: false }
    case "qwen3":
      return { hidden_act: "silu", use_sliding_window: false, attention_bias: has("blk.0.attn_q.bias") }
    case "phi3":
      return { hidden_act: "silu", sliding_window: window() }
    case "gemma":
      return { hidden_activation: "gelu_pytorch_tanh" }
    default: {
      const perHead = Number(sizes["hidden_size"]) / Number(sizes["num_attention_heads"])
      return {
        hidden_activation: "gelu_pytorch_tanh",
        ...gemma3(own, Number(sizes["num_hidden_layers"]), headSize, perHead)
      }
    }
  }
}

const decoder = (architecture: Architecture, header: Header, own: Section, tables: Tables): Json => {
  const sizes = sizesOf(header, own)
  const heads = Number(sizes["num_attention_heads"])
  const head_dim = own.count("attention.key_length", Number(sizes["hidden_size"]) / heads)
  same(own, "attention.value_length", head_dim, "attention.key_length")
  const turning = own.count("rope.dimension_count", head_dim)
  if (turning !== head_dim && architecture !== "phi3") {
    throw new Malformed(own.at("rope.dimension_count"), `${turning} of ${head_dim} is known of phi3 alone`)
  }
  const rope_theta = own.number("rope.freq_base", 10_000)
  const { max_position_embeddings: positions } = sizes
  const { original_max_position_embeddings: original, ...stretch } = scalingOf(own, tables, {
    positions,
    headSize: turning,
    theta: rope_theta
  })
  const before = original === undefined ? {} : { original_max_position_embeddings: original }
  const causal = own.flag("attention.causal", true)
  return {
    ...sizes,
    num_key_value_heads: own.count("attention.head_count_kv", heads),
    head_dim,
    rms_norm_eps: own.number("attention.layer_norm_rms_epsilon"),
    rope_theta,
    ...(causal ? {} : { is_causal: false }),
    ...(turning === head_dim ? {} : { partial_rotary_factor: turning / head_dim }),
    /** Phi-3's configs have the original length beside the scaling, not in it. */
    ...(architecture === "phi3" ? before : {}),
    ...(stretch["rope_type"] === "default"
      ? {}
      : { rope_scaling: architecture === "phi3" ? stretch : { ...stretch, ...before } }),
    tie_word_embeddings: !header.tensors.has("output.weight"),
    ...traits(architecture, header, own, sizes, head_dim)
  }
}

const encoder = (header: Header, own: Section): Json => {
  const { max_position_embeddings: stated, ...sizes } = sizesOf(header, own)
  if (own.flag("attention.causal", true)) {
    throw new Malformed(own.at("attention.causal"), "is not false: not an encoder's")
  }
  const positions = rowsOf(header, "position_embd.weight")
  if (stated > positions) {
    throw new Malformed(own.at("context_length"), `is ${stated}, and position_embd.weight has the rows ${positions}`)
  }
  return {
    ...sizes,
    max_position_embeddings: positions,
    type_vocab_size: header.tensors.get("token_types.weight")?.shape[0] ?? 1,
    layer_norm_eps: own.number("attention.layer_norm_epsilon"),
    hidden_act: "gelu"
  }
}

/** Metadata of no consequence for the model: about the file, its tokenizer, its quantisation, its origin. */
const elsewhere = /^(general|tokenizer|quantize|imatrix|split)\./

/** Metadata of other programs; in the config, they are told of as any unknown key is. */
const foreign = (architecture: string, metadata: Metadata): Json =>
  Object.fromEntries(
    metadata.keys.filter((key) => !elsewhere.test(key) && !key.startsWith(`${architecture}.`))
      .map((key) => [key, metadata.value(key)])
  )

/**
 * The config, in the Hugging Face format.
 *
 * @throws Malformed if the architecture, or a key that changes what is computed, is not known.
 */
export const configOf = (header: Header, tables: Tables): Json => {
  const { metadata } = header
  const architecture = architectureOf(header)
  const own = sectionOf(metadata, architecture)
  const model = architecture === "bert" ? encoder(header, own) : decoder(architecture, header, own, tables)
  own.finish()
  return {
    model_type: architectures[architecture].model_type,
    architectures: [architectures[architecture].model],
    ...model,
    ...(architecture === "bert" ? {} : tokensOf(metadata)),
    ...foreign(architecture, metadata),
    dtype: dtypeOf(header)
  }
}
