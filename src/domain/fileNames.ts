/** Names of files and folders, each defined only here: models, checkpoints, runs, evaluations and indexes. */

/** The models of a run, named as their folders in a checkpoint. */
export const parts = ["retriever", "reader"] as const
/** One of `parts`. */
export type PartName = typeof parts[number]

/** A Hugging Face model folder; the last three files are ColBERT's, PyLate's and our own. */
export const modelFiles = {
  config: "config.json",
  generation: "generation_config.json",
  /** How pictures are prepared. */
  preprocessor: "preprocessor_config.json",
  /** How many tokens stand for a picture; newer ones hold what `preprocessor` does. */
  processor: "processor_config.json",
  weights: "model.safetensors",
  /** Maps tensors to shards, if there are several. */
  weightsIndex: "model.safetensors.index.json",
  tokenizer: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  specialTokens: "special_tokens_map.json",
  addedTokens: "added_tokens.json",
  chatTemplate: "chat_template.jinja",
  /** Where older processors have it, under the key `chat_template`. */
  processorTemplate: "chat_template.json",
  /** Modules after the encoder, in sentence-transformers folders. */
  modules: "modules.json",
  /** Folder of the pooling among them, and of the last step to unit length. */
  pooling: "1_Pooling",
  /** Maximum text lengths, in sentence-transformers folders. */
  lengths: "sentence_bert_config.json",
  card: "README.md",
  /** The config of a merge, under mergekit's name. */
  recipe: "mergekit_config.yml",
  colbert: "artifact.metadata",
  pylate: "config_sentence_transformers.json",
  /** Encoders of pictures and texts as open_clip publishes them. */
  openClip: "open_clip_config.json",
  openClipWeights: "open_clip_model.safetensors",
  /** Names the frozen encoder of trained heads, and says what they are. */
  heads: "heads.json",
  /** Marks a folder without weights whose model is trained from scratch. */
  untrained: "untrained.json"
} as const

/** An adapter folder in PEFT's layout. */
export const adapterFiles = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const

/** A checkpoint: a folder for each of `parts`, with `state` next to the model's files; and the manifest. */
export const checkpointFiles = { manifest: "trainer_state.json", state: "state.safetensors" } as const

/** Name of the checkpoint of a step. */
export const checkpointName = (step: number): string => `checkpoint-${step}`

/** The step in a checkpoint's name, leading zeros allowed; `undefined` for other names. */
export const checkpointStep = (name: string): number | undefined => {
  const [, step] = /^checkpoint-(\d+)$/.exec(name) ?? []
  return step === undefined ? undefined : Number(step)
}

/** A run's folder. */
export const runFiles = {
  settings: "settings.json",
  run: "run.json",
  trained: "trained.json",
  clock: "clock.json",
  evaluations: "evaluations.jsonl",
  lock: ".lock",
  /** Folders. */
  journal: "journal",
  tensorboard: "tensorboard",
  index: "index"
} as const

/** Folder of a split's evaluation, within the run's folder. */
export const evaluationFolder = (split: string): string => `eval-${split}`

/** The folder of an evaluation. */
export const evaluationFiles = {
  metrics: "metrics.json",
  predictions: "predictions.jsonl",
  ranking: "run.trec",
  judgements: "qrels.trec"
} as const

/** Folder of what is read of a split's questions with single passages, within the run's folder. */
export const analysisFolder = (split: string): string => `analysis-${split}`

/** Its files: figures; readings by the hash of their conditions; what written answers say and where that stands, and of which evaluation. */
export const analysisFiles = {
  figures: "analysis.json",
  readings: (hash: string): string => `readings-${hash.slice(0, 16)}.jsonl`,
  hallucinations: "hallucinations.jsonl",
  hallucinated: "hallucinations.json"
} as const

/** Beside a sheet of ratings: which item is whose answer, which raters do not see; and how they rate. */
export const besideSheet = {
  key: (sheet: string): string => `${sheet}.key.json`,
  rubric: (sheet: string): string => `${sheet}.md`
} as const

/** Folder of mined negatives, within the run's folder: its files, and what is kept to go on from. */
export const minedFolder = "mined"
/** Name of the file of a split's mined negatives. */
export const minedName = (split: string): string => `${split}.jsonl`
/** Name of the file that keeps what has been mined under some conditions, by their hash. */
export const minedKept = (hash: string): string => `kept-${hash.slice(0, 16)}.jsonl`

/** Name of the file of what the untrained model says of a run's rows, by the hash of its conditions. */
export const referenceKept = (hash: string): string => `reference-${hash.slice(0, 16)}.jsonl`

/** Folder of results of tasks, within the run's folder. */
export const benchFolder = "bench"
/** Name of the file of a task's results. */
export const benchFile = (task: string): string => `${task}.json`
/** Name of the file of what was asked of a task's records, and answered; of retrieval, of a split's queries with their figures. */
export const benchSamples = (task: string, split?: string): string =>
  `samples_${split === undefined ? task : `${task}.${split}`}.jsonl`
/** Name of the file of all generative tasks' results. */
export const benchResults = "results.json"
/** Name of the file of all tasks' figures. */
export const benchSummary = "summary.json"

/** The folder of an index. */
export const indexFiles = { metadata: "metadata.json", vectors: "vectors.safetensors" } as const

/** The folder of an optimisation of prompts; `scores` is a folder. */
export const optimisationFiles = {
  best: "best.json",
  log: "candidates.jsonl",
  report: "report.json",
  scores: "scores"
} as const

/** What a model wrote for a file or folder: its answers, a folder; how it went; and what it is, for its readers. */
export const besideWritten = {
  answers: (path: string): string => `${path}.answers`,
  report: (path: string): string => `${path}.report.json`,
  card: (path: string): string => `${path}.README.md`
} as const

/** Folder of a search of a merge, beside the model that it makes; `evaluations` and `candidate` are folders. */
export const searchFolder = (out: string): string => `${out}.search`
/** Its files. */
export const searchFiles = { report: "report.json", evaluations: "evaluations", candidate: "candidate" } as const
