/** `config.json` and `generation_config.json` of a model that is saved. */
import { isObject, type Json } from "../../files/config/keys.ts"
import type * as Shards from "../../files/safetensors/shards.ts"
import { HEAD } from "../../files/stateDict.ts"
import * as Folding from "../mergeLora.ts"

/** The config with an architecture if it lacks one; ColBERT always gets the name by which other tools know its head. */
const architectureOf = (config: Json, names: ReadonlySet<string>): Json =>
  names.has(HEAD)
    ? { model_type: "bert", ...config, architectures: ["HF_ColBERT"] }
    : { model_type: "llama", architectures: ["LlamaForCausalLM"], ...config }

/** `config.json` of the saved model, with sorted keys. */
export const configOf = (config: Json, dtype: Shards.SavedType, names: ReadonlySet<string>): Json => {
  const apart = names.has(Folding.tablesOf(names).head) ? { tie_word_embeddings: false } : {}
  const text = isObject(config["text_config"]) ? { text_config: { ...config["text_config"], ...apart } } : {}
  const whole = Object.entries({ ...architectureOf(config, names), ...apart, ...text, dtype }).filter(([key]) =>
    key !== "torch_dtype"
  )
  return Object.fromEntries(whole.toSorted(([a], [b]) => a < b ? -1 : 1))
}

/** Default generation config, from the special tokens of the config; `undefined` without an eos token. */
export const generationOf = (whole: Json): Json | undefined => {
  const config = { ...(isObject(whole["text_config"]) ? whole["text_config"] : {}), ...whole }
  const tokens = ["bos_token_id", "eos_token_id", "pad_token_id"].filter((key) => (config[key] ?? null) !== null)
  return tokens.includes("eos_token_id")
    ? { _from_model_config: true, ...Object.fromEntries(tokens.map((key) => [key, config[key]])) }
    : undefined
}

/** The config with so many rows of its tables, if they are others than before. */
export const withRows = (config: Json, rows: number | undefined): Json => {
  if (rows === undefined) return config
  const text = config["text_config"]
  return isObject(text) ? { ...config, text_config: { ...text, vocab_size: rows } } : { ...config, vocab_size: rows }
}
