/** Names of files and folders, each written here alone: of models, checkpoints, runs, evaluations and indexes. */

/** The models of a run, by the names of their folders in a checkpoint. */
export const parts = ["retriever", "reader"] as const
/** One of `parts`. */
export type PartName = typeof parts[number]

/** A model folder, as Hugging Face lays it out; the last three are ColBERT's, PyLate's and our own. */
export const modelFiles = {
  config: "config.json",
  generation: "generation_config.json",
  weights: "model.safetensors",
  /** Which file has which tensor, where there are several. */
  weightsIndex: "model.safetensors.index.json",
  tokenizer: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  specialTokens: "special_tokens_map.json",
  addedTokens: "added_tokens.json",
  chatTemplate: "chat_template.jinja",
  /** What lies behind the model, in folders of sentence-transformers. */
  modules: "modules.json",
  /** Lengths of texts, in folders of sentence-transformers. */
  lengths: "sentence_bert_config.json",
  card: "README.md",
  colbert: "artifact.metadata",
  pylate: "config_sentence_transformers.json",
  /** Says of a folder without weights that its model is to be trained from nothing. */
  untrained: "untrained.json"
} as const

/** An adapter's folder, as PEFT lays it out. */
export const adapterFiles = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const

/** A checkpoint: a folder for each of `parts` in it, which has `state` beside the model's files; and the manifest. */
export const checkpointFiles = { manifest: "trainer_state.json", state: "state.safetensors" } as const

/** Name of the checkpoint of a step. */
export const checkpointName = (step: number): string => `checkpoint-${step}`

/** The step of a checkpoint by its name, zeros before it included; `undefined` for other names. */
export const checkpointStep = (name: string): number | undefined => {
  const [, step] = /^checkpoint-(\d+)$/.exec(name) ?? []
  return step === undefined ? undefined : Number(step)
}

/** A run's folder. */
export const runFiles = {
  settings: "settings.json",
  run: "run.json",
  trained: "trained.json",
  lock: ".lock",
  /** Folders. */
  journal: "journal",
  index: "index"
} as const

/** Folder of the evaluation of a split, in a run's. */
export const evaluationFolder = (split: string): string => `eval-${split}`

/** The folder of an evaluation. */
export const evaluationFiles = {
  metrics: "metrics.json",
  predictions: "predictions.jsonl",
  ranking: "run.trec",
  judgements: "qrels.trec"
} as const

/** The folder of an index. */
export const indexFiles = { metadata: "metadata.json", vectors: "vectors.safetensors" } as const
