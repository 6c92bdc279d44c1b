/** Maps state dict names to our parameters, and drops tensors that our models do not use. */
import { type BertType, bertTypes } from "../../kernels/nn/bert.ts"
import { debertaTypes } from "../../kernels/nn/deberta.ts"
import { roots } from "../../kernels/nn/encoders.ts"
import type { Naming } from "./weights.ts"

/** Unused tensors of encoders: heads for other tasks, and buffers. */
const ofBert =
  /^(pooler|cls|lm_head|classifier|pre_classifier|qa_outputs|vocab_\w+)\.|^embeddings\.(position|token_type)_ids$/
/** Checkpoints have a table of positions even where nothing reads it, as in all that are read here. */
const ofDeberta =
  /^(pooler|cls|classifier|qa_outputs|lm_predictions|mask_predictions)\.|^embeddings\.(position_ids|position_embeddings\.weight)$/
const beside = {
  ...Object.fromEntries(bertTypes.map((type) => [type, ofBert])) as Readonly<Record<BertType, RegExp>>,
  ...Object.fromEntries(debertaTypes.map((type) => [type, ofDeberta])) as Readonly<
    Record<typeof debertaTypes[number], RegExp>
  >,
  modernbert: /^(head|decoder|classifier)\./
}

/** ColBERT's name of an encoder's projection head. */
export const HEAD = "linear.weight"

/** The encoder type given by `model_type`; without one, ColBERT's BERT if there is a head. */
export const encoderType = (type: unknown, hasHead: boolean): keyof typeof beside | undefined => {
  if (type === undefined) return hasHead ? "bert" : undefined
  return Object.hasOwn(beside, String(type)) ? type as keyof typeof beside : undefined
}

/** Names with or without the model prefix; the head is `linear` or a dense layer behind the model. */
export const ofEncoder = (type: keyof typeof beside): Naming => (stored) => {
  if (/^(\d+_Dense\.)?linear\.weight$/.test(stored)) return HEAD
  if (/^\d+_Dense\./.test(stored)) return stored
  const root = `${roots[type]}.`
  const name = stored.startsWith(root) ? stored.slice(root.length) : stored
  if (beside[type].test(name)) return undefined
  return root + name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias")
}

/** A tied LM head, if stored, must equal the embedding. */
export const twinsOf = (config: { readonly tie_word_embeddings: boolean }): ReadonlyMap<string, string> =>
  new Map(config.tie_word_embeddings ? [["lm_head.weight", "model.embed_tokens.weight"]] : [])

/** With or without the `model.` prefix; drops RoPE frequencies, and the LM head if it is tied. */
export const ofDecoder = ({ tie_word_embeddings }: { readonly tie_word_embeddings: boolean }): Naming => (stored) => {
  if (stored.endsWith(".rotary_emb.inv_freq") || (tie_word_embeddings && stored === "lm_head.weight")) return undefined
  return /^(embed_tokens|layers|norm)\./.test(stored) ? `model.${stored}` : stored
}
