/** Model folders of every architecture, small and whole: the files that are changed, and those that stay. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Json, of } from "../edits/json.ts"

const architectures = join(import.meta.dirname, "..", "..", "golden", "architectures")
const bytes = (...path: ReadonlyArray<string>): Uint8Array => readFileSync(join(architectures, ...path))
const json = (...path: ReadonlyArray<string>): object => JSON.parse(bytes(...path).toString()) as object

const words = ["a", "the", "gene", "which", "is", "of", "disease", "GBA1", "GLA", ",", ".", "?", "!", "-"]
const tokens = [
  "<pad>",
  "<unk>",
  "<s>",
  "</s>",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "[PAD]",
  "[unused0]",
  "[unused1]",
  "[Q] ",
  "[D] ",
  ...words
]
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }

/** A word level over fewer tokens than the models have rows. */
export const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [[2, "<s>"], [3, "</s>"], [6, "[MASK]"]].map(([id, content]) => Object.assign({ id, content }, flags)),
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: { type: "WordLevel", vocab: Object.fromEntries(tokens.map((token, i) => [token, i])), unk_token: "<unk>" }
}

const config = {
  tokenizer_class: "PreTrainedTokenizerFast",
  model_max_length: 32,
  clean_up_tokenization_spaces: false,
  add_bos_token: true,
  do_lower_case: false,
  bos_token: "<s>",
  eos_token: { content: "</s>", ...flags },
  pad_token: "<pad>",
  cls_token: "[CLS]",
  sep_token: "[SEP]",
  mask_token: { __type: "AddedToken", content: "[MASK]", ...flags, lstrip: true },
  additional_special_tokens: ["[unused0]"],
  extra_special_tokens: { image_token: "<img>" }
}

const generation = {
  bos_token_id: 2,
  eos_token_id: [3, 1],
  do_sample: true,
  temperature: 0.6,
  top_k: 40,
  top_p: 0.9,
  repetition_penalty: 1.1,
  bad_words_ids: [[4, 5]],
  stop_strings: ["?"],
  num_beams: 1,
  transformers_version: "4.45.0"
}

/** Files of texts, which are the same for all. */
const texts: Readonly<Record<string, Json>> = {
  "tokenizer_config.json": of(config),
  "special_tokens_map.json": of({ eos_token: "</s>", unk_token: { content: "<unk>", ...flags }, mask_token: "[MASK]" }),
  "added_tokens.json": of({ "<s>": 2, "[MASK]": 6 })
}
const newer: Readonly<Record<string, Json>> = {
  "tokenizer_config.json": of({
    ...config,
    added_tokens_decoder: {
      2: { content: "<s>", ...flags },
      3: { content: "</s>", ...flags },
      9: { content: "[unused1]" }
    }
  }),
  "special_tokens_map.json": of({ eos_token: "the" }),
  "generation_config.json": of(generation)
}

export interface Folder {
  readonly kind: "encoder" | "decoder"
  /** Its config as it is. */
  readonly base: object
  /** Those that are changed, one at a time. */
  readonly files: Readonly<Record<string, Json>>
  /** Those that stay as they are. */
  readonly others: Readonly<Record<string, Uint8Array>>
}

const encoder = (name: string, own: Readonly<Record<string, Json>>, beside: ReadonlyArray<string> = []): Folder => ({
  kind: "encoder",
  base: json(name, "config.json"),
  files: { "config.json": of(json(name, "config.json")), ...texts, ...own },
  others: Object.fromEntries(["model.safetensors", ...beside].map((file) => [file, bytes(name, file)]))
})

const generating = { ...texts, "generation_config.json": of(generation) }
const decoder = (name: string, own: Readonly<Record<string, Json>> = generating, more: object = {}): Folder => ({
  kind: "decoder",
  base: json(name, "config.json"),
  files: { "config.json": of({ ...json(name, "config.json"), ...more }), ...own },
  others: { "model.safetensors": bytes(name, "model.safetensors") }
})

const modules = json("pylate", "modules.json") as ReadonlyArray<object>
const metadata = "artifact.metadata"
const ways = "config_sentence_transformers.json"

export const folders: Readonly<Record<string, Folder>> = {
  bert: encoder("bert", {}),
  colbert: encoder("colbert", { [metadata]: of(json("colbert", metadata)) }),
  pylate: encoder("pylate", {
    [ways]: of(json("pylate", ways)),
    "modules.json": of([...modules, {
      idx: 2,
      name: "2",
      path: "2_Normalize",
      type: "sentence_transformers.models.Normalize"
    }]),
    "1_Dense/config.json": of(json("pylate", "1_Dense", "config.json"))
  }, ["1_Dense/model.safetensors"]),
  modernbert: encoder("modernbert", newer),
  llama: decoder("llama"),
  "llama-base": decoder("llama-base", texts, { do_sample: true, temperature: 0.7, top_p: 0.9, num_beams: 1 }),
  "llama-llama3": decoder("llama-llama3", newer),
  "llama-yarn": decoder("llama-yarn", { ...texts, "generation_config.json": of(generation) }),
  mistral: decoder("mistral"),
  "qwen2-windows": decoder("qwen2-windows"),
  qwen3: decoder("qwen3", newer),
  phi3: decoder("phi3"),
  "phi3-longrope": decoder("phi3-longrope"),
  gemma: decoder("gemma"),
  gemma3: decoder("gemma3")
}

/** Keys of all configs there are, which another model's may have by mistake. */
export const keysOfOthers: ReadonlyArray<string> = [
  ...new Set(Object.values(folders).flatMap(({ base }) => Object.keys(base))),
  "rope_theta",
  "rope_scaling",
  "partial_rotary_factor",
  "global_rope_theta",
  "sliding_window_pattern",
  "rope_local_base_freq",
  "quantization_config",
  "pruned_heads",
  "add_cross_attention",
  "position_embedding_type",
  "dim",
  "embedding_size",
  "embedding_multiplier",
  "logits_scaling",
  "no_rope_layers",
  "num_local_experts",
  "clip_qkv",
  "temperature",
  "num_beams"
]
