/** Everything a run may vary, in the spellings of Hugging Face, ColBERT and Atlas. */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Path = Schema.NonEmptyString
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

/** Tokens of a prompt from which on shifted sparse attention takes the place of full attention. */
export const LEAST_SHIFTED = 1024

/** Fields in the order they are documented. Lengths are in tokens, rates in absolute units, shares in [0, 1]. */
export const fields = {
  /** JMLR as the paper states it, or as its released code runs. */
  preset: Schema.Literals(["paper", "release"]),
  /** What is trained, and from what. */
  mode: Schema.Literals(modes),
  /** Every draw of a run is a function of it, the step and the question. */
  seed: Natural,
  /** Folder of the run: checkpoints, journal, evaluations. */
  output_dir: Path,

  /** JSON lines of passages; `.gz` is read too. */
  passages_file: Path,
  /** JSON lines of the questions that are learned from. */
  train_file: Schema.String,
  /** Those of `evaluate --split validation`. */
  validation_file: Schema.String,
  /** Those of `evaluate`. */
  test_file: Schema.String,
  /** Lines to take of the file: those whose fields have these values. */
  passages_where: Where,
  /** The same of the other files. */
  train_where: Where,
  /** As `train_where`. */
  validation_where: Where,
  /** As `train_where`. */
  test_where: Where,
  /** Share of the groups of `train_file` kept for testing where `test_file` is not given. */
  holdout: Share,
  /** The field that tells which questions are counted together in a bootstrap. */
  group_field: Schema.NonEmptyString,
  /** Wrong options as the file gives them, or drawn by key from the right answers of its other questions. */
  distractors: Schema.Literals(["given", "random"]),
  /** Leave out malformed lines and count them, instead of stopping at the first. */
  skip_bad_lines: Schema.Boolean,
  /** Model folder of the retriever: `config.json`, `tokenizer.json` and, once trained, `model.safetensors`. */
  retriever_name_or_path: Path,
  /** Model folder of the reader. */
  reader_name_or_path: Path,

  /** Questions of a batch; an update is of `gradient_accumulation_steps` batches, one after the other in memory. */
  per_device_train_batch_size: Count,
  /** Batches of an update. */
  gradient_accumulation_steps: Count,
  /** Questions of a batch where they are answered only. */
  per_device_eval_batch_size: Count,
  /** How often each question is learned from, where `max_steps` is -1. */
  num_train_epochs: Positive,
  /** Steps of training; -1 for as many as the epochs take. */
  max_steps: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  /** Learning rate of the reader. */
  learning_rate: NonNegative,
  /** Learning rate of the retriever. */
  lr_retriever: NonNegative,
  /** How learning rates fall after the warm-up. */
  lr_scheduler_type: Schema.Literals(["constant", "linear", "cosine"]),
  /** Share of the peak learning rate left at the end. */
  min_lr_rate: Share,
  /** Share of the steps in which learning rates rise from 0, where `warmup_steps` is -1. */
  warmup_ratio: Share,
  /** Steps of warm-up; -1 for `warmup_ratio` of all. */
  warmup_steps: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  /** AdamW's, of matrices alone. */
  weight_decay: NonNegative,
  /** Share that AdamW's mean of gradients keeps a step. */
  adam_beta1: Share,
  /** Share that its mean of squared gradients keeps. */
  adam_beta2: Share,
  /** What is added to the root of that mean. */
  adam_epsilon: Positive,
  /** Each model's gradient is scaled down to this norm. */
  max_grad_norm: Positive,
  /** Compute each layer again in the backward pass instead of keeping what it yields: less memory, a third more work. */
  gradient_checkpointing: Schema.Boolean,
  /** Type in which weights that do not learn are kept while others do; everything is computed in float32. */
  torch_dtype: Schema.Literals(["float32", "float16", "bfloat16"]),
  /** Which retriever weights learn where it has no adapters: all, or only the embeddings (as in the release). */
  retriever_trainable: Schema.Literals(["all", "embeddings"]),
  /** Rank of the reader's adapters, which learn while its weights are frozen; 0 to train the weights themselves. */
  lora_r: Natural,
  /** What adapters add is multiplied by alpha / rank. */
  lora_alpha: Positive,
  /** Share of an adapter's inputs dropped in training. */
  lora_dropout: Rate,
  /** Modules that get adapters, as in PEFT: last names of their paths, a pattern of whole paths, or "all-linear". */
  lora_target_modules: Modules,
  /** Modules that learn in full beside the adapters: the ends of their paths. */
  modules_to_save: Schema.Array(Schema.NonEmptyString),
  /** Rank of the retriever's adapters. */
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
  /** Biases stay as they are where adapters learn. */
  lora_bias: Schema.Literals(["none"]),

  /** Tokens of a query, markers and masks included; 0 for as many as the checkpoint was made for. */
  query_max_len: Natural,
  /** Tokens of a passage, markers included; 0 as for queries. */
  passage_max_len: Natural,
  /** Size of a token's vector where the retriever's folder has no head: one is drawn; 0 for hidden states as they are. */
  dim: Natural,
  /** Candidates a question. */
  n_candidates: Count,
  /** Candidates the reader judges one by one. */
  retriever_n_context: Count,
  /** Words of each passage that the `copy` mode makes up. */
  copy_words: Schema.Int.check(Schema.isGreaterThanOrEqualTo(2)),
  /** Passages the reader learns and answers from. */
  n_context: Count,
  /** Whether the reader learns from drawn passages or from the best. */
  context: Schema.Literals(["sampled", "top"]),
  /** Which candidates the reader judges: drawn by score without replacement, or the best. */
  sampling: Schema.Literals(["weighted", "top"]),
  /** The scaled scores are divided by it before the draw. */
  sampling_temperature: Positive,
  /** How the reader's likelihoods teach the retriever: by pairs (JMLR), or as a distribution (Atlas's PDist). */
  gold_score_mode: Schema.Literals(["llm_rank", "pdist"]),
  /** Temperature of the reader's distribution over passages (pdist). */
  temperature_gold: Positive,
  /** Temperature of the retriever's distribution over passages (pdist, gold_supervised, lexical). */
  temperature_score: Positive,
  /** What two passages of equal likelihood say: nothing, or that the later drawn is the better (as in the release). */
  rank_ties: Schema.Literals(["skip", "later"]),
  /** Nats a token by which two likelihoods must differ to count as different. */
  rank_tie_margin: NonNegative,
  /** What the sum over pairs is divided by: their number, or one more (as in the release). */
  rank_mean: Schema.Literals(["pairs", "pairs_plus_one"]),
  /** Weight of the retriever's loss. */
  rank_weight: NonNegative,
  /** "never", every N steps, or Atlas's ranges "0-100:10,100-1000:500". */
  refresh_index: Schema.Union([Schema.Int, Schema.String]),
  /** Folder of an index that `embed` wrote, of the same corpus and weights; empty to make one when it is needed. */
  index_path: Schema.String,
  /** Score the candidates afresh with the current encoder, as JMLR does. */
  retrieve_with_rerank: Schema.Boolean,

  /** Tokens of a prompt with its answer; passages are cut from the front, the worst first. */
  max_length: Count,
  /**
   * What becomes of a question that does not fit `max_length` with its options and its answer: "raise" refuses to start,
   * "truncate" cuts the beginning of its text, "skip" does not learn from it and leaves it unanswered.
   */
  excess_length: Schema.Literals(["raise", "truncate", "skip"]),
  /** Tokens of a passage in the reader's prompt. */
  text_maxlength: Count,
  /**
   * Learn with attention to whole prompts; else prompts from 1024 tokens on are learned with LongLoRA's shifted sparse
   * attention (S2-Attn), within quarters of them. The reader always answers with full attention.
   */
  use_full_attn: Schema.Boolean,
  /** Weight of the likelihood of the prompt itself beside that of the answer. */
  lm_loss_weight: NonNegative,
  /** Prompts as the chat template of the reader's folder has a user's words. */
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
  /** How the likelihoods of an option's tokens are added up. */
  option_score: Schema.Literals(["mean", "sum"]),
  /** An option is chosen by its likelihood, or by the text that the reader writes (`max_new_tokens` of it). */
  answer_by: Schema.Literals(["likelihood", "generation"]),
  /** What follows the question where the reader writes its answer. */
  generation_prompt: Schema.String,
  /** What follows the answer for the reader to explain it; empty for no explanation. */
  rationale_prompt: Schema.String,
  /** Tokens of an answer that is written, at most. */
  max_new_tokens: Count,
  /** Tokens of an explanation, at most. */
  rationale_max_new_tokens: Count,
  /** Draw the tokens of what is written; null, here and below, for what the model's `generation_config.json` says. */
  do_sample: Schema.NullOr(Schema.Boolean),
  /** Logits are divided by it before a draw; 0 to draw nothing. */
  temperature: Schema.NullOr(NonNegative),
  /** Draw from so many likeliest tokens; 0 for all. */
  top_k: Schema.NullOr(Natural),
  /** Draw from the likeliest tokens that together have this probability. */
  top_p: Schema.NullOr(Share),
  /** Draw from tokens that are at least so likely, as a share of the likeliest one's probability. */
  min_p: Schema.NullOr(Share),
  /** Tokens of the text, and of its prompt, are made less likely by this factor. */
  repetition_penalty: Schema.NullOr(Positive),
  /** No run of so many tokens is written twice, nor repeated from the prompt; 0 for no such rule. */
  no_repeat_ngram_size: Schema.NullOr(Natural),
  /** Tokens that are written before a text may end. */
  min_new_tokens: Schema.NullOr(Natural),
  /** Texts that end what is written, and are no part of it. */
  stop_strings: Schema.NullOr(Schema.Array(Schema.NonEmptyString)),

  /** Steps between lines of progress where they are written to a file. */
  logging_steps: Count,
  /** Steps between checkpoints; -1 for one at the end. */
  save_steps: Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  /** Checkpoints that are kept, the newest. */
  save_total_limit: Count
} as const

/** Questions of an update, which is a step. */
export const stepSize = (c: RunConfig): number => c.per_device_train_batch_size * c.gradient_accumulation_steps

export const RunConfig = Schema.Struct(fields)
export type RunConfig = typeof RunConfig.Type
export type Raw = Readonly<Record<string, unknown>>

/** The decoded configuration of the run, for the layers that need it. */
export class Settings extends Context.Service<Settings, RunConfig>()("anamnesis/domain/Settings") {}
