/** Decoding parameters: from the settings, else from the model folder. */
import type { Generation } from "../../../domain/settings/generation.ts"
import { type GenerationConfig, unsupported } from "../../files/config/generation.ts"
import type { Constraints } from "./constraints.ts"
import type { Sampling } from "./sampling.ts"

/** Decoding parameters, without length limits and eos tokens. */
export interface Decoding extends Sampling, Constraints {
  readonly stop_strings: ReadonlyArray<string>
}

/** From the settings, else from the folder, else Hugging Face's defaults. Temperature 0 means greedy decoding. */
export const resolve = (c: Generation, { known }: GenerationConfig): Decoding => {
  const temperature = c.temperature ?? known.temperature ?? 1
  const min_new_tokens = c.min_new_tokens ?? known.min_new_tokens
  return {
    do_sample: (c.do_sample ?? known.do_sample ?? false) && temperature > 0,
    temperature,
    top_k: c.top_k ?? known.top_k ?? 50,
    top_p: c.top_p ?? known.top_p ?? 1,
    min_p: c.min_p ?? known.min_p ?? 0,
    repetition_penalty: c.repetition_penalty ?? known.repetition_penalty ?? 1,
    no_repeat_ngram_size: c.no_repeat_ngram_size ?? known.no_repeat_ngram_size ?? 0,
    min_length: min_new_tokens === undefined ? known.min_length ?? 0 : 0,
    min_new_tokens: min_new_tokens ?? 0,
    suppress_tokens: known.suppress_tokens ?? [],
    begin_suppress_tokens: known.begin_suppress_tokens ?? [],
    bad_words_ids: known.bad_words_ids ?? [],
    stop_strings: c.stop_strings ?? [known.stop_strings ?? []].flat()
  }
}

/** Unsupported keys of the folder that change what is generated, each with its value. */
export const foreign = (c: Generation, config: GenerationConfig): ReadonlyArray<string> =>
  unsupported(config, resolve(c, config).do_sample)
