/** `generation_config.json` of a GGUF file's model: what ends a text, and the sampling that its makers recommend. */
import type { Metadata } from "./metadata.ts"

type Json = Readonly<Record<string, unknown>>

/** Tokens that end what is written: of a text, of a turn, of a message. */
const ends = ["eos", "eot", "eom"].map((name) => `tokenizer.ggml.${name}_token_id`)

/** Recommended values of `generate`'s keys. */
const sampling = { temperature: "temp", top_k: "top_k", top_p: "top_p", min_p: "min_p" }

/** The generation config. */
export const generationOf = (metadata: Metadata): Json => {
  const ids = [...new Set(ends.filter((key) => metadata.has(key)).map((key) => metadata.count(key)))]
  const own = Object.entries(sampling).map(([key, name]) => [key, `general.sampling.${name}`] as const)
    .filter(([, place]) => metadata.has(place)).map(([key, place]) => [key, metadata.number(place)])
  return {
    ...(ids.length === 0 ? {} : { eos_token_id: ids.length === 1 ? ids[0] : ids }),
    ...(own.length === 0 ? {} : { do_sample: true, ...Object.fromEntries(own) })
  }
}
