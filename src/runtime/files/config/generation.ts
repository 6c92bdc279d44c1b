/** The generation defaults of a model folder: `generation_config.json`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { brief, several } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import { decodeFile, exists, readJson } from "../model.ts"
import { isObject, keys, names, Positive, tell } from "./keys.ts"

const optional = Schema.optionalKey
const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Ids = Schema.Array(Schema.Natural)
const oneOrMore = <S extends Schema.Top>(schema: S) => optional(Schema.Union([schema, Schema.Array(schema)]))

/** Supported keys, with the same effect as in transformers. */
const Known = Schema.Struct({
  do_sample: optional(Schema.Boolean),
  temperature: optional(NonNegative),
  top_k: optional(Schema.Natural),
  top_p: optional(Share),
  min_p: optional(Share),
  repetition_penalty: optional(Positive),
  no_repeat_ngram_size: optional(Schema.Natural),
  min_length: optional(Schema.Natural),
  min_new_tokens: optional(Schema.Natural),
  suppress_tokens: optional(Ids),
  begin_suppress_tokens: optional(Ids),
  bad_words_ids: optional(Schema.Array(Schema.NonEmptyArray(Schema.Natural))),
  eos_token_id: oneOrMore(Schema.Natural),
  stop_strings: oneOrMore(Schema.NonEmptyString)
})

/** Keys that do not change the text: lengths (taken from the settings), beam-only options, speed, what is returned. */
const harmless: ReadonlySet<string> = names(
  "max_length max_new_tokens early_stopping length_penalty diversity_penalty num_return_sequences output_attentions",
  "output_hidden_states output_logits output_scores return_dict_in_generate bos_token_id pad_token_id",
  "decoder_start_token_id forced_bos_token_id use_cache cache_config max_cache_len low_memory prefill_chunk_size",
  "compile_config disable_compile continuous_batching_config renormalize_logits remove_invalid_values is_assistant",
  "num_assistant_tokens num_assistant_tokens_schedule assistant_confidence_threshold prompt_lookup_num_tokens",
  "max_matching_ngram_size assistant_early_exit assistant_lookbehind target_lookbehind assistant_ensemble_weight",
  "speculation_type use_mtp _commit_hash _from_model_config transformers_version trust_remote_code"
)

const is = (neutral: unknown) => (value: unknown): boolean => value === neutral
const never = (): boolean => false
const inside = (value: unknown): boolean => typeof value === "number" && value > 0 && value < 1

/** Unsupported keys: whether one has no effect at a value, when sampling or not. */
const neutral: ReadonlyMap<string, (value: unknown, draws: boolean) => boolean> = new Map([
  ["num_beams", is(1)],
  ["num_beam_groups", is(1)],
  ["penalty_alpha", (value: unknown, draws: boolean) => draws || value === 0],
  ["top_h", (_: unknown, draws: boolean) => !draws],
  ["typical_p", (value: unknown, draws: boolean) => !draws || value === 1],
  ["epsilon_cutoff", (value: unknown, draws: boolean) => !draws || !inside(value)],
  ["eta_cutoff", (value: unknown, draws: boolean) => !draws || !inside(value)],
  ["encoder_repetition_penalty", is(1)],
  ["encoder_no_repeat_ngram_size", is(0)],
  ["guidance_scale", is(1)],
  ["token_healing", is(false)],
  ["cache_implementation", (value: unknown) => value !== "quantized"],
  ["forced_eos_token_id", never],
  ["exponential_decay_length_penalty", never],
  ["sequence_bias", never],
  ["watermarking_config", never],
  ["max_time", never],
  ["dola_layers", never],
  ["constraints", never],
  ["force_words_ids", never]
])

/** All keys that transformers' `generate` knows. */
export const generationKeys: ReadonlyArray<string> = [...Object.keys(Known.fields), ...harmless, ...neutral.keys()]

/** A folder's generation defaults; `known` is empty if it has none. */
export interface GenerationConfig {
  readonly path: string
  readonly known: typeof Known.Type
  /** Unsupported keys with their values. */
  readonly others: ReadonlyArray<readonly [string, unknown]>
}

const decode = (json: unknown, path: string) =>
  Effect.map(keys(Known)(json), (known): GenerationConfig => {
    const entries = Object.entries(isObject(json) ? json : {})
    return { path, known, others: entries.filter(([key, value]) => neutral.has(key) && value !== null) }
  })

/** Reads `generation_config.json`, or else the generation keys of `config.json`, as in older models. */
export const read = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.generation)
  if (!(yield* exists(path))) {
    const config = join(folder, modelFiles.config)
    return yield* decodeFile(config, (json) => decode(json, config))
  }
  const known = new Set(generationKeys)
  const found = yield* decodeFile(
    path,
    (json) => Effect.tap(decode(json, path), tell(path, given(json).filter((key) => !known.has(key))))
  )
  const config = join(folder, modelFiles.config)
  const older = given(yield* readJson(config)).filter((key) => choosing.has(key))
  if (older.length > 0) {
    yield* Effect.logWarning(`${config}: without effect beside generation_config.json: ${several(older).join(", ")}`)
  }
  return found
})

/** Unsupported keys of the folder that change what is generated, each with its value. */
export const unsupported = ({ others }: GenerationConfig, draws: boolean): ReadonlyArray<string> =>
  others.filter(([key, value]) => !neutral.get(key)!(value, draws)).map(([key, value]) => `${key} ${brief(value)}`)

/** Keys that are not null. */
const given = (json: unknown): ReadonlyArray<string> =>
  Object.entries(isObject(json) ? json : {}).filter(([, value]) => value !== null).map(([key]) => key)

/** Decoding keys, which older models have in `config.json`; without `eos_token_id`, which all models have there. */
const choosing: ReadonlySet<string> = new Set(
  [...Object.keys(Known.fields), ...neutral.keys()].filter((key) => key !== "eos_token_id")
)
