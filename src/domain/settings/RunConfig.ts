/** Everything a run may vary, in the spellings of Hugging Face, ColBERT and Atlas. */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** Programs compute in float32, in which less than this is 0 and more than its greatest number infinite. */
const [LEAST, GREATEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127]
const inFloat32 = Schema.makeFilter((value: number) =>
  value === 0 || (Math.abs(value) >= LEAST && Math.abs(value) <= GREATEST) || "is beyond what float32 can hold"
)
const Positive = Schema.Finite.check(Schema.isGreaterThan(0), inFloat32)
const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), inFloat32)
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
/** The share of an old mean that a new one keeps: 1 would keep all of it. */
const Decay = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1))
/** Nobody but a shell knows what `~` and `$HOME` stand for: a folder of that name would be made. */
const asNamed = Schema.makeFilter((path: string) => {
  if (path.includes("\0")) return "holds a null character"
  return !/^(~(\/|$)|\$)/.test(path) || "is taken literally: ~ and variables are not expanded; write the path in full"
})
const Path = Schema.NonEmptyString.check(asNamed)
const MaybePath = Schema.String.check(asNamed)
const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.99 }))
const Modules = Schema.Union([Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString)])
const Where = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite]))

export const modes = [
  "joint",
  "frozen_rag",
  "no_retrieval",
  "bm25_rag",
  "gold_supervised",
  "oracle",
  "lexical",
  "copy"
] as const
export type Mode = typeof modes[number]

/** Length of a prompt, in tokens, from which on shifted sparse attention replaces full attention in training. */
export const LEAST_SHIFTED = 1024

/** Fields in the order they are documented. Lengths are in tokens, rates in absolute units, shares in [0, 1]. */
export const fields = {
  /** JMLR as the paper states it, or as its released code runs. */
  preset: Schema.Literals(["paper", "release"]),
  /** What is trained, and on which passages. */
  mode: Schema.Literals(modes),
  /** Seed of all random choices; each depends on it, the step and the question alone. */
  seed: Natural,
  /** Folder of the run: checkpoints, journal, evaluations. */
  output_dir: Path,

  /** Passages: JSON lines, a JSON array or object, parquet, or a folder of them; `.gz` is read too (docs/data.md). */
  passages_file: Path,
  /** Training questions, in any of the forms of docs/data.md. */
  train_file: MaybePath,
  /** Validation questions, for `evaluate --split validation`. */
  validation_file: MaybePath,
  /** Test questions, the default split of `evaluate`. */
  test_file: MaybePath,
  /** Keep only the records whose fields equal these values. */
  passages_where: Where,
  /** As `passages_where`, for `train_file`. */
  train_where: Where,
  /** As `passages_where`, for `validation_file`. */
  validation_where: Where,
  /** As `passages_where`, for `test_file`. */
  test_where: Where,
  /** Share of the groups of `train_file` held out for testing where there is no `test_file`. */
  holdout: Share,
  /** Field that names a question's group: groups are held out, and resampled in the bootstrap, as a whole. */
  group_field: Schema.NonEmptyString,
  /** Field that has the ids of a question's gold passages. */
  gold_field: Schema.NonEmptyString,
  /** Wrong options: as the file gives them, or drawn at random from the right answers of its other questions. */
  distractors: Schema.Literals(["given", "random"]),
  /** Skip and count malformed lines instead of stopping at the first. */
  skip_bad_lines: Schema.Boolean,
  /** Model folder of the retriever: `config.json`, `tokenizer.json` and, once trained, `model.safetensors`. */
  retriever_name_or_path: Path,
  /** Model folder of the reader. */
  reader_name_or_path: Path,

  /** Questions per batch; an update takes `gradient_accumulation_steps` batches, one at a time in memory. */
  per_device_train_batch_size: Count,
  /** Batches per update. */
  gradient_accumulation_steps: Count,
  /** Questions per batch in evaluation. */
  per_device_eval_batch_size: Count,
  /** Passes over the training questions, where `max_steps` is -1. */
  num_train_epochs: Schema.Finite.check(Schema.isGreaterThan(0)),
  /** Updates to train for; -1 for as many as `num_train_epochs` take. */
  max_steps: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  /** Learning rate of the reader. */
  learning_rate: NonNegative,
  /** Learning rate of the retriever. */
  lr_retriever: NonNegative,
  /** How the learning rates decay after the warm-up. */
  lr_scheduler_type: Schema.Literals(["constant", "linear", "cosine"]),
  /** Learning rate at the end, as a share of the peak. */
  min_lr_rate: Share,
  /** Warm-up as a share of all steps, where `warmup_steps` is -1. */
  warmup_ratio: Share,
  /** Steps over which the learning rates rise from 0; -1 for `warmup_ratio` of all. */
  warmup_steps: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  /** AdamW weight decay; not applied to biases and norm weights. */
  weight_decay: NonNegative,
  /** AdamW's β₁. */
  adam_beta1: Decay,
  /** AdamW's β₂. */
  adam_beta2: Decay,
  /** AdamW's ε. */
  adam_epsilon: Positive,
  /** Clip each model's gradient to this norm. */
  max_grad_norm: Positive,
  /** Recompute activations in the backward pass instead of storing them: less memory, a third more work. */
  gradient_checkpointing: Schema.Boolean,
  /** Storage dtype of frozen weights; all arithmetic is float32. */
  torch_dtype: Schema.Literals(["float32", "float16", "bfloat16"]),
  /** Which weights of a retriever without adapters are trained: all, or only the embeddings (as in the release). */
  retriever_trainable: Schema.Literals(["all", "embeddings"]),
  /** Rank of the reader's LoRA adapters, trained while its own weights are frozen; 0 to train the weights themselves. */
  lora_r: Natural,
  /** LoRA scaling: what adapters add is multiplied by alpha / rank. */
  lora_alpha: Positive,
  /** Dropout on the inputs of adapters. */
  lora_dropout: Rate,
  /** Modules that get adapters, as in PEFT: last names of their paths, a pattern of whole paths, or "all-linear". */
  lora_target_modules: Modules,
  /** Modules trained in full beside the adapters, by the ends of their paths. */
  modules_to_save: Schema.Array(Schema.NonEmptyString),
  /** Rank of the retriever's LoRA adapters; 0 for none. */
  retriever_lora_r: Natural,
  /** As `lora_alpha`. */
  retriever_lora_alpha: Positive,
  /** As `lora_dropout`. */
  retriever_lora_dropout: Rate,
  /** As `lora_target_modules`. */
  retriever_lora_target_modules: Modules,
  /** As `modules_to_save`. */
  retriever_modules_to_save: Schema.Array(Schema.NonEmptyString),
  /** Multiply by alpha / √rank instead (rank-stabilised LoRA); both models. */
  use_rslora: Schema.Boolean,
  /** Biases are not trained where there are adapters. */
  lora_bias: Schema.Literals(["none"]),

  /** Length of a query in tokens, markers and masks included; 0 for the checkpoint's own. */
  query_max_len: Natural,
  /** Greatest length of a passage in tokens, markers included; 0 for the checkpoint's own. */
  passage_max_len: Natural,
  /** Size of token vectors where the retriever's folder has no head: a random one is added; 0 for plain hidden states. */
  dim: Natural,
  /** Passages retrieved per question: the candidates. */
  n_candidates: Count,
  /** Candidates that the reader scores one by one. */
  retriever_n_context: Count,
  /** Length in words of the synthetic passages of the `copy` warm-up. */
  copy_words: Schema.Int.check(Schema.isGreaterThanOrEqualTo(2)),
  /** Passages in the reader's prompt. */
  n_context: Count,
  /** Whether the reader is trained on the best of the sampled candidates or of all. */
  context: Schema.Literals(["sampled", "top"]),
  /** Which candidates the reader scores: sampled by score without replacement, or the best. */
  sampling: Schema.Literals(["weighted", "top"]),
  /** Temperature of that sampling: the scaled scores are divided by it. */
  sampling_temperature: Positive,
  /** How the reader's likelihoods teach the retriever: by pairs (JMLR), or as a distribution (Atlas's PDist). */
  gold_score_mode: Schema.Literals(["llm_rank", "pdist"]),
  /** Temperature of the reader's distribution over passages (pdist). */
  temperature_gold: Positive,
  /** Temperature of the retriever's distribution over passages (pdist, gold_supervised, lexical). */
  temperature_score: Positive,
  /** Ties in likelihood: skipped, or the passage sampled later counts as better (as released). */
  rank_ties: Schema.Literals(["skip", "later"]),
  /** Likelihoods that differ by no more than this, in nats per token, are ties. */
  rank_tie_margin: NonNegative,
  /** The sum over pairs is divided by their number, or by one more (as in the release). */
  rank_mean: Schema.Literals(["pairs", "pairs_plus_one"]),
  /** Weight of the retriever's loss. */
  rank_weight: NonNegative,
  /** "never", every N steps, or Atlas's ranges "0-100:10,100-1000:500". */
  refresh_index: Schema.Union([Schema.Int, Schema.String]),
  /** Folder of an index that `embed` wrote for the same corpus and weights; empty to build one when needed. */
  index_path: MaybePath,
  /** Rescore the candidates with the current encoder, as JMLR does. */
  retrieve_with_rerank: Schema.Boolean,

  /** Greatest length of a prompt with its answer, in tokens; passages are cut from the front, the worst first. */
  max_length: Count,
  /**
   * A question that does not fit `max_length` with its options and its answer: "raise" refuses to start, "truncate" cuts the
   * beginning of its text, "skip" leaves it out of training and unanswered.
   */
  excess_length: Schema.Literals(["raise", "truncate", "skip"]),
  /** Greatest length of a passage in the reader's prompt, in tokens. */
  text_maxlength: Count,
  /**
   * Train with full attention; else prompts from 1024 tokens on are trained with LongLoRA's shifted sparse attention
   * (S2-Attn), within quarters of them. The reader always answers with full attention.
   */
  use_full_attn: Schema.Boolean,
  /** Weight of the prompt's own loss beside that of the answer. */
  lm_loss_weight: NonNegative,
  /** Wrap the prompt as a user message with the model's chat template. */
  apply_chat_template: Schema.Boolean,
  /** How a passage is put before the reader: `{text}`. */
  document_prompt: Schema.String,
  /** How the question follows the passages: `{question}`, with its options if they are shown. */
  question_prompt: Schema.String,
  /** How the answer follows the question: `{answer}`. */
  answer_prompt: Schema.String,
  /** Whether the reader sees the options. */
  options_in_prompt: Schema.Boolean,
  /** Whether the retriever is asked with the options. */
  options_in_query: Schema.Boolean,
  /** The reader answers with the option's text, or with its letter. */
  answer_format: Schema.Literals(["text", "letter"]),
  /** Score of an option: the mean of its tokens' log-likelihoods, or their sum. */
  option_score: Schema.Literals(["mean", "sum"]),
  /** How an option is chosen: by its likelihood, or from generated text (up to `max_new_tokens`). */
  answer_by: Schema.Literals(["likelihood", "generation"]),
  /** Text after the question where the answer is generated. */
  generation_prompt: Schema.String,
  /** Text after the answer that asks for an explanation; empty for none. */
  rationale_prompt: Schema.String,
  /** Greatest length of a generated answer, in tokens. */
  max_new_tokens: Count,
  /** Greatest length of an explanation, in tokens. */
  rationale_max_new_tokens: Count,
  /** Sample instead of greedy decoding. `null` (here and below): use the model's `generation_config.json`. */
  do_sample: Schema.NullOr(Schema.Boolean),
  /** Sampling temperature; 0 for greedy decoding. */
  temperature: Schema.NullOr(NonNegative),
  /** Sample from this many of the likeliest tokens; 0 for all. */
  top_k: Schema.NullOr(Natural),
  /** Sample from the likeliest tokens that together have this probability. */
  top_p: Schema.NullOr(Share),
  /** Sample from tokens whose probability is at least this share of the likeliest one's. */
  min_p: Schema.NullOr(Share),
  /** Factor by which tokens of the prompt and of the text so far are made less likely. */
  repetition_penalty: Schema.NullOr(Positive),
  /** No n-gram of this size is generated twice, nor repeated from the prompt; 0 for no such rule. */
  no_repeat_ngram_size: Schema.NullOr(Natural),
  /** Least length of a generated text, in tokens. */
  min_new_tokens: Schema.NullOr(Natural),
  /** Texts that end the generation; they are not part of the answer. */
  stop_strings: Schema.NullOr(Schema.Array(Schema.NonEmptyString)),

  /** Steps between lines of progress, where output is not a terminal. */
  logging_steps: Count,
  /** Steps between checkpoints; -1 for one at the end only. */
  save_steps: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  /** How many of the newest checkpoints are kept. */
  save_total_limit: Count
} as const

/** Questions per step, which is an update. */
export const stepSize = (c: RunConfig): number => c.per_device_train_batch_size * c.gradient_accumulation_steps

export const RunConfig = Schema.Struct(fields)
export type RunConfig = typeof RunConfig.Type
export type Raw = Readonly<Record<string, unknown>>

/** The decoded configuration of the run, for the layers that need it. */
export class Settings extends Context.Service<Settings, RunConfig>()("anamnesis/domain/Settings") {}
