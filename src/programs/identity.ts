/** What a run is a run of: the settings that change what is learned, the questions and the corpus. */
import type * as Questions from "../datasets/questions.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { sha256Of } from "../runtime/files/disk.ts"
import type { Identity } from "../runtime/ports/Checkpoints.ts"

/** Settings that do not change what is learned, or only for how long. */
const incidental: ReadonlySet<string> = new Set<keyof RunConfig>([
  "output_dir",
  "num_train_epochs",
  "max_steps",
  "validation_file",
  "validation_where",
  "test_file",
  "test_where",
  "gold_field",
  "skip_bad_lines",
  "index_path",
  "per_device_eval_batch_size",
  "option_score",
  "answer_by",
  "generation_prompt",
  "max_new_tokens",
  "rationale_prompt",
  "rationale_max_new_tokens",
  "do_sample",
  "temperature",
  "top_k",
  "top_p",
  "min_p",
  "repetition_penalty",
  "no_repeat_ngram_size",
  "min_new_tokens",
  "stop_strings",
  "logging_steps",
  "save_steps",
  "save_total_limit"
])

/** The settings that change what is learned, as JSON by name. */
export const learned = (c: RunConfig): Identity =>
  Object.fromEntries(
    Object.entries(c).filter(([key]) => !incidental.has(key)).map(([key, value]) => [key, JSON.stringify(value)])
  )

export const identity = (c: RunConfig, epochs: Questions.Epochs, corpus: string): Identity => ({
  ...learned(c),
  "the questions": sha256Of(epochs(0).map((record) => `${JSON.stringify(record)}\n`)),
  "the corpus": corpus
})
