/** Keys of a model folder's files, read a second time by the letter of transformers' documentation. */
import * as own from "../fields.ts"
import { isFields } from "../json.ts"
import { bad, type Fields } from "../records.ts"

export const count: own.Read<number> = (value) => natural(value) > 0 ? value as number : bad("no count")
export const natural: own.Read<number> = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : bad("no natural number")
export const integer: own.Read<number> = (value) => Number.isSafeInteger(value) ? value as number : bad("no integer")
export const number: own.Read<number> = (value) => Number.isFinite(value) ? value as number : bad("no number")
export const positive: own.Read<number> = (value) => number(value) > 0 ? value as number : bad("not positive")
export const between = (least: number, most: number): own.Read<number> => (value) =>
  number(value) >= least && (value as number) <= most ? value as number : bad("out of range")
export const share = between(0, 1)
export const rate = between(0, 0.99)
export const layers: own.Read<number> = (value) => count(value) <= 1024 ? value as number : bad("too many")
export const anyText: own.Read<string> = (value) => typeof value === "string" ? value : bad("no text")
export const listOf = <A>(read: own.Read<A>): own.Read<ReadonlyArray<A>> => (value) => own.list(value).map(read)
export const either = <A, B>(a: own.Read<A>, b: own.Read<B>): own.Read<A | B> => (value) =>
  Array.isArray(value) ? b(value) : a(value)
export const fields: own.Read<Fields> = (value) => isFields(value) ? value : bad("no object")

/** How a key is read, and what stands for it where it is left out; one without that has to be there. */
export type Key = readonly [read: own.Read<unknown>, otherwise?: unknown]
export type Keys = Readonly<Record<string, Key>>

/** Without keys that are null, which say nothing. */
export const saying = (value: unknown): Fields =>
  Object.fromEntries(Object.entries(fields(value)).filter(([, own]) => own !== null))

/** All fields but these. */
export const without = (json: object, ...keys: ReadonlyArray<string>): any =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !keys.includes(key)))

/** The values of keys. */
export const read = (json: Fields, keys: Keys): any =>
  Object.fromEntries(
    Object.entries(keys).map(([key, [of, ...otherwise]]) => {
      const value = own.get(json, key)
      if (value !== undefined) return [key, of(value)]
      return otherwise.length === 0 ? bad(`no ${key}`) : [key, otherwise[0]]
    })
  )

/** Names in lines. */
export const names = (...lines: ReadonlyArray<string>): ReadonlySet<string> => new Set(lines.join(" ").split(" "))

/** A file read a second time: what is to come of it, and the keys of which it is to be told that nothing does. */
export interface Said {
  readonly expected: Fields
  readonly told: ReadonlyArray<string>
}

/** Keys that say nothing of a model, or what no computation here depends on. */
const silent = names(
  "_name_or_path name_or_path architectures auto_map model_type transformers_version tokenizer_class",
  "dtype torch_dtype torchscript use_bfloat16 use_cache return_dict output_attentions output_hidden_states output_past",
  "gradient_checkpointing chunk_size_feed_forward finetuning_task task_specific_params pretraining_tp",
  "attention_dropout attention_probs_dropout_prob initializer_cutoff_factor _sliding_window_pattern",
  "id2label label2id num_labels problem_type classifier_dropout classifier_activation classifier_bias classifier_pooling",
  "decoder_bias deterministic_flash_attn sparse_pred_ignore_index sparse_prediction reference_compile",
  "repad_logits_with_grad bos_token_id eos_token_id pad_token_id cls_token_id sep_token_id mask_token_id",
  "tie_word_embeddings is_decoder"
)

/** Keys that ask for another computation, but at some values. */
const harmful: Readonly<Record<string, (value: unknown) => boolean>> = {
  quantization_config: (value) => !isEmpty(value),
  compression_config: (value) => !isEmpty(value),
  pruned_heads: (value) => !isEmpty(value),
  add_cross_attention: (value) => value !== false,
  is_encoder_decoder: (value) => value !== false,
  use_bidirectional_attention: (value) => value !== false,
  attn_logit_softcapping: () => true,
  final_logit_softcapping: () => true,
  resid_pdrop: (value) => value !== 0,
  embd_pdrop: (value) => value !== 0
}
const isEmpty = (value: unknown): boolean => typeof value === "object" && Object.keys(Object(value)).length === 0

/** Keys of texts to be generated, which older models have here. */
export const generated = names(
  "do_sample temperature top_k top_p min_p repetition_penalty no_repeat_ngram_size min_length min_new_tokens",
  "suppress_tokens begin_suppress_tokens bad_words_ids stop_strings max_length max_new_tokens num_beams num_beam_groups",
  "penalty_alpha typical_p length_penalty early_stopping guidance_scale num_return_sequences"
)

/** The keys beside those that are read of which nothing comes. */
export const idle = (json: Fields, keys: Keys): ReadonlyArray<string> => {
  const others = Object.entries(json).filter(([key]) => !Object.hasOwn(keys, key))
  for (const [key, value] of others) if (Object.hasOwn(harmful, key) && harmful[key]!(value)) bad(`the key ${key}`)
  return others.map(([key]) => key).filter((key) =>
    !Object.hasOwn(harmful, key) && !silent.has(key) && !generated.has(key)
  )
}
