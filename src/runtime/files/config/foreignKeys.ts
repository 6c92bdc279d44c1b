/** Keys of `config.json` that no model here reads: harmless always, or only at some values. */
import * as Effect from "effect/Effect"
import { brief } from "../../../domain/brief.ts"
import { generationKeys } from "./generation.ts"
import { BadConfig, isObject, names, tell } from "./keys.ts"

/**
 * Keys about documentation, storage, initialisation, training elsewhere or other tasks. Attention dropout is not
 * supported (decision 14); initialisation uses `initializer_range` only.
 */
const harmless: ReadonlySet<string> = new Set([
  ...names(
    "_name_or_path architectures auto_map finetuning_task model_type name_or_path tokenizer_class",
    "task_specific_params transformers_version unsloth_fixed unsloth_version",
    "dtype torch_dtype torchscript use_bfloat16 _attn_implementation _attn_implementation_autoset",
    "attn_implementation cache_implementation chunk_size_feed_forward gradient_checkpointing",
    "output_attentions output_hidden_states output_past pretraining_tp return_dict use_cache",
    "use_return_dict tf_legacy_loss reference_compile deterministic_flash_attn repad_logits_with_grad",
    "attention_dropout attention_probs_dropout_prob initializer_cutoff_factor _sliding_window_pattern",
    "id2label label2id num_labels problem_type sparse_pred_ignore_index sparse_prediction",
    "classifier_activation classifier_bias classifier_dropout classifier_pooling decoder_bias",
    "pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type",
    "directionality cross_attention_hidden_size tie_encoder_decoder decoder_start_token_id",
    "bos_token_id cls_token_id eos_token_id mask_token_id pad_token_id sep_token_id",
    "tie_word_embeddings is_decoder"
  ),
  ...generationKeys
])

const isEmpty = (value: unknown): boolean => typeof value === "object" && Object.keys(Object(value)).length === 0

/** Keys that request unsupported features, except at these values. */
const neutral: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["quantization_config", isEmpty],
  ["compression_config", isEmpty],
  ["pruned_heads", isEmpty],
  ["add_cross_attention", (value) => value === false],
  ["is_encoder_decoder", (value) => value === false],
  ["use_bidirectional_attention", (value) => value === false],
  ["attn_logit_softcapping", () => false],
  ["final_logit_softcapping", () => false],
  ["resid_pdrop", (value) => value === 0],
  ["embd_pdrop", (value) => value === 0]
])

/** How the keys of a config are treated. */
export interface Reading {
  /** Keys that define the model. */
  readonly used: Iterable<string>
  /** Other keys of the architecture that have no effect here. */
  readonly idle?: Iterable<string>
  /** Keys of other architectures that would change what transformers computes for this one too. */
  readonly refused?: Iterable<string>
}

/**
 * Fails, naming them, if there are unsupported keys that change what transformers computes; warns about unknown keys.
 */
export const check = (json: unknown, path: string, { idle = [], refused = [], used }: Reading) => {
  const [reads, passes, stops] = [new Set(used), new Set(idle), new Set(refused)]
  const own = Object.entries(isObject(json) ? json : {}).filter(([key, value]) => value !== null && !reads.has(key))
  const isForeign = ([key, value]: readonly [string, unknown]) => stops.has(key) || neutral.get(key)?.(value) === false
  const foreign = own.filter(isForeign)
  if (foreign.length > 0) {
    const problems = foreign.map(([key, value]) => `${key} ${brief(value)} is not known here`)
    return Effect.fail(new BadConfig({ problems }))
  }
  return tell(
    path,
    own.map(([key]) => key).filter((key) => !neutral.has(key) && !harmless.has(key) && !passes.has(key))
  )
}
