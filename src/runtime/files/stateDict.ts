/** Names that checkpoints give to our parameters, and tensors of theirs that the models here do without. */
import type { Naming } from "./weights.ts"

/** What encoders have beside their layers: heads of other tasks, and buffers. */
const beside = {
  bert: /^(pooler|cls|classifier|qa_outputs)\.|^embeddings\.position_ids$/,
  modernbert: /^(head|decoder|classifier)\./
}
const roots = { bert: "bert", modernbert: "model" }

/** An encoder's head, as ColBERT calls it. */
export const HEAD = "linear.weight"

/** The encoder that a config's `model_type` names; ColBERT's where it names none, but there is a head. */
export const encoderType = (type: unknown, hasHead: boolean): keyof typeof beside | undefined => {
  if (type === undefined) return hasHead ? "bert" : undefined
  return type === "bert" || type === "modernbert" ? type : undefined
}

/** With the model's name before them or without; a head called `linear`, or a dense layer behind the model. */
export const ofEncoder = (type: keyof typeof beside): Naming => (stored) => {
  if (/^(\d+_Dense\.)?linear\.weight$/.test(stored)) return HEAD
  if (/^\d+_Dense\./.test(stored)) return stored
  const root = `${roots[type]}.`
  const name = stored.startsWith(root) ? stored.slice(root.length) : stored
  if (beside[type].test(name)) return undefined
  return root + name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias")
}

/** A tied head, where a checkpoint has one beside the embedding that it is. */
export const twinsOf = (config: { readonly tie_word_embeddings: boolean }): ReadonlyMap<string, string> =>
  new Map(config.tie_word_embeddings ? [["lm_head.weight", "model.embed_tokens.weight"]] : [])

/** Of a model with a head, or of the model alone; frequencies are computed, and a tied head is the embedding. */
export const ofDecoder = ({ tie_word_embeddings }: { readonly tie_word_embeddings: boolean }): Naming => (stored) => {
  if (stored.endsWith(".rotary_emb.inv_freq") || (tie_word_embeddings && stored === "lm_head.weight")) return undefined
  return /^(embed_tokens|layers|norm)\./.test(stored) ? `model.${stored}` : stored
}
