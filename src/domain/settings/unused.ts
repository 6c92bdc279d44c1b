/** Settings that change nothing under the others: who gave one would think that it did. */
import { teachRetriever } from "./contradictions.ts"
import { LEAST_SHIFTED, type Mode, type RunConfig } from "./RunConfig.ts"

/** Whether it matters, and where it would. */
type Use = (c: RunConfig) => readonly [used: boolean, where: string]

const inModes = (...modes: ReadonlyArray<Mode>): Use => {
  const known = new Set(modes)
  return ({ mode }) => [known.has(mode), `in mode ${modes.join(", ")}`]
}
const notInModes = (...modes: ReadonlyArray<Mode>): Use => {
  const known = new Set(modes)
  return ({ mode }) => [!known.has(mode), `not in mode ${modes.join(", ")}`]
}
const where = (text: string, holds: (c: RunConfig) => boolean): Use => (c) => [holds(c), text]
/** All of them; what is told is the first that does not hold. */
const both = (...uses: ReadonlyArray<Use>): Use => (c) =>
  uses.map((use) => use(c)).find(([used]) => !used) ?? [true, ""]

const encodes = inModes("joint", "frozen_rag", "gold_supervised", "lexical")
const trainsRetriever = inModes(...teachRetriever)
const reads = notInModes("lexical")
const readsPassages = notInModes("lexical", "no_retrieval")
const finds = inModes("joint", "frozen_rag", "bm25_rag", "gold_supervised")
const ranks = inModes("joint", "frozen_rag", "bm25_rag", "gold_supervised", "lexical")
const samples = inModes("joint", "frozen_rag", "bm25_rag")
const judges = inModes("joint", "frozen_rag")
const byPairs = where("with gold_score_mode llm_rank", ({ gold_score_mode }) => gold_score_mode === "llm_rank")
const asDistribution = where("with gold_score_mode pdist", ({ gold_score_mode }) => gold_score_mode === "pdist")
const readerLora = where("with a lora_r above 0", ({ lora_r }) => lora_r > 0)
const retrieverLora = where("with a retriever_lora_r above 0", ({ retriever_lora_r }) => retriever_lora_r > 0)
const drawn = where("with do_sample", ({ do_sample }) => do_sample !== false)
const likelihoods = where("with answer_by likelihood", ({ answer_by }) => answer_by === "likelihood")
const hasFile = (split: "train" | "validation" | "test"): Use =>
  where(`with ${split}_file`, (c) => c[`${split}_file`] !== "")
const freezes = (c: RunConfig): boolean =>
  c.mode === "frozen_rag" || c.lora_r > 0 || c.retriever_lora_r > 0 || c.retriever_trainable === "embeddings"

/** When each matters; a setting that is not here always may. */
const uses: Partial<Record<keyof RunConfig, Use>> = {
  train_file: where(
    "not in mode lexical, copy",
    ({ holdout, mode, test_file }) => !["lexical", "copy"].includes(mode) || (holdout > 0 && test_file === "")
  ),
  train_where: hasFile("train"),
  validation_where: hasFile("validation"),
  test_where: hasFile("test"),
  holdout: where("without test_file", ({ test_file }) => test_file === ""),
  num_train_epochs: where("with max_steps -1", ({ max_steps }) => max_steps === -1),
  warmup_ratio: where("with warmup_steps -1", ({ warmup_steps }) => warmup_steps === -1),
  min_lr_rate: where("with lr_scheduler_type linear or cosine", (c) => c.lr_scheduler_type !== "constant"),
  learning_rate: reads,
  lr_retriever: trainsRetriever,
  torch_dtype: where("where weights are frozen", freezes),
  retriever_trainable: trainsRetriever,
  lora_r: reads,
  lora_alpha: both(reads, readerLora),
  lora_dropout: both(reads, readerLora),
  lora_target_modules: both(reads, readerLora),
  modules_to_save: both(reads, readerLora),
  retriever_lora_r: trainsRetriever,
  retriever_lora_alpha: both(trainsRetriever, retrieverLora),
  retriever_lora_dropout: both(trainsRetriever, retrieverLora),
  retriever_lora_target_modules: both(trainsRetriever, retrieverLora),
  retriever_modules_to_save: both(trainsRetriever, retrieverLora),
  use_rslora: where("with adapters", ({ lora_r, retriever_lora_r }) => lora_r > 0 || retriever_lora_r > 0),
  query_max_len: encodes,
  passage_max_len: encodes,
  dim: encodes,
  n_candidates: ranks,
  retriever_n_context: finds,
  copy_words: inModes("copy"),
  n_context: readsPassages,
  context: samples,
  sampling: samples,
  sampling_temperature: both(samples, where("with sampling weighted", ({ sampling }) => sampling === "weighted")),
  gold_score_mode: judges,
  temperature_gold: both(judges, asDistribution),
  temperature_score: where(
    "in mode gold_supervised, lexical, or with gold_score_mode pdist",
    (c) => ["gold_supervised", "lexical"].includes(c.mode) || (judges(c)[0] && c.gold_score_mode === "pdist")
  ),
  rank_ties: both(judges, byPairs),
  rank_tie_margin: both(judges, byPairs),
  rank_mean: both(judges, byPairs),
  rank_weight: encodes,
  refresh_index: inModes("joint", "gold_supervised"),
  index_path: encodes,
  retrieve_with_rerank: inModes("joint", "gold_supervised"),
  max_length: reads,
  text_maxlength: both(readsPassages, where("below max_length", (c) => c.text_maxlength <= c.max_length)),
  use_full_attn: both(
    reads,
    where(`with a max_length of ${LEAST_SHIFTED} or more`, ({ max_length }) => max_length >= LEAST_SHIFTED)
  ),
  lm_loss_weight: reads,
  apply_chat_template: reads,
  document_prompt: readsPassages,
  question_prompt: reads,
  answer_prompt: reads,
  options_in_prompt: reads,
  options_in_query: ranks,
  answer_format: reads,
  option_score: both(reads, likelihoods),
  answer_by: reads,
  generation_prompt: reads,
  rationale_prompt: reads,
  max_new_tokens: reads,
  rationale_max_new_tokens: both(
    reads,
    where("with rationale_prompt", ({ rationale_prompt }) => rationale_prompt !== "")
  ),
  do_sample: reads,
  temperature: both(reads, drawn),
  top_k: both(reads, drawn),
  top_p: both(reads, drawn),
  repetition_penalty: reads,
  stop_strings: reads
}

/** Why a setting changes nothing: "holdout (only without test_file)"; none where it may change something. */
export const unused = (c: RunConfig, key: string): string | undefined => {
  const [used, where] = uses[key as keyof RunConfig]?.(c) ?? [true, ""]
  if (used) return undefined
  return where.startsWith("not") ? `${key} (${where})` : `${key} (only ${where})`
}
