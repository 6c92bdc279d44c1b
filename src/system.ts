/** From settings to a run: its data, and the layers of its mode. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { ConfigError } from "./domain/configure.ts"
import type { Passage, QuestionRecord } from "./domain/Records.ts"
import { type Mode, type RunConfig, Settings, stepSize } from "./domain/RunConfig.ts"
import { fitting, tellPassages } from "./preflight.ts"
import { cloze, type Epochs, heldOut, lexical, scrambled, withRandomOptions } from "./questions.ts"
import * as bm25 from "./runtime/layers/bm25.ts"
import { layer as onDisk } from "./runtime/layers/checkpoints.ts"
import * as Dataset from "./runtime/layers/dataset.ts"
import * as modes from "./runtime/layers/modes.ts"
import * as reader from "./runtime/layers/reader.ts"
import type { Checkpoints } from "./runtime/ports/Checkpoints.ts"
import { Passages } from "./runtime/ports/Passages.ts"

/** Both ports and both learners, as the mode has them. */
const learning = (mode: Mode) => {
  switch (mode) {
    case "joint":
    case "gold_supervised":
      return modes.joint
    case "frozen_rag":
      return modes.frozenRag
    case "bm25_rag":
      return modes.bm25Rag
    case "no_retrieval":
    case "oracle":
    case "copy":
      return modes.noRetrieval
    case "lexical":
      return modes.retrieverOnly
  }
}

/** Both ports, for answering with what the mode has learned. */
const reading = (mode: Mode) => {
  switch (mode) {
    case "bm25_rag":
      return Layer.mergeAll(bm25.layer, reader.readOnly)
    case "no_retrieval":
    case "oracle":
    case "copy":
      return modes.closedBook
    default:
      return modes.inference
  }
}

/** Records of a file; malformed lines are told, and counted where they may be skipped. */
const told = <A, E, R>(path: string, loaded: Effect.Effect<Dataset.Loaded<A>, E, R>) =>
  Effect.tap(
    loaded,
    ({ skipped }) => skipped.length > 0 ? Effect.logWarning(`${path}: ${skipped.length} lines skipped`) : Effect.void
  )

export const splits = ["train", "validation", "test"] as const
export type Split = typeof splits[number]

/** The questions of a split's file, or of the part of the train file that stands for it. */
const recordsOf = Effect.fnUntraced(function*(c: RunConfig, split: Split) {
  const shared = c.test_file === "" && c.holdout > 0 && split !== "validation"
  const source = shared ? "train" : split
  const path = c[`${source}_file`]
  if (path === "") {
    return yield* new ConfigError({ source: `mode ${c.mode}`, problems: [`${source}_file is not given`] })
  }
  const options = { where: c[`${source}_where`], skipBad: c.skip_bad_lines, group: c.group_field }
  const { records } = yield* told(path, Dataset.questions(path, options))
  return shared ? heldOut(records, c.holdout, c.seed, split === "test") : records
})

/** The questions of a split, with the options that the settings ask for. */
export const questions = Effect.fn("questions")(function*(c: RunConfig, split: Split) {
  const records = yield* recordsOf(c, split)
  return c.distractors === "random" ? withRandomOptions(records, c.seed) : records
})

/** The passages as their file gives them. */
export const passages = Effect.fn("passages")(function*(c: RunConfig) {
  const options = { where: c.passages_where, skipBad: c.skip_bad_lines }
  return (yield* told(c.passages_file, Dataset.passages(c.passages_file, options))).records
})

/** The corpus, or the one made up of its words where the reader learns to copy. */
const corpusOf = (c: RunConfig) =>
  Effect.map(passages(c), (records) => c.mode === "copy" ? scrambled(records, c.copy_words, c.seed) : records)

/** What a run studies: the questions of its file, or questions made from the corpus. */
const epochsOf = Effect.fnUntraced(function*(c: RunConfig, corpus: ReadonlyArray<Passage>) {
  if (c.mode === "lexical") return lexical(corpus, c.seed)
  if (c.mode === "copy") return cloze(corpus, c.seed)
  const records = yield* questions(c, "train")
  return (() => records) as Epochs
})

/** Modes that learn from the passages known to hold the answer. */
const supervised: ReadonlySet<Mode> = new Set<Mode>(["gold_supervised", "oracle"])

/** What settings and data make impossible together. */
const conflicts = (c: RunConfig, corpus: Passages["Service"], records: ReadonlyArray<QuestionRecord>) => {
  const lost = records.filter((q) => q.gold.some((id) => corpus.row(id) < 0))
  const bare = records.filter((q) => q.gold.length === 0)
  return [
    c.n_candidates > corpus.ids.length
    && `n_candidates (${c.n_candidates}) exceeds the number of passages (${corpus.ids.length})`,
    lost.length > 0 &&
    `${lost.length} questions name gold passages that ${c.passages_file} lacks (first: ${lost[0]!.id})`,
    supervised.has(c.mode) && bare.length > 0
    && `mode ${c.mode} needs the gold passage of every question; ${bare.length} have none (first: ${bare[0]!.id})`
  ].filter((problem) => problem !== false)
}

export interface Prepared {
  /** The settings, with the number of steps spelled out. */
  readonly config: RunConfig
  readonly passages: Passages["Service"]
  readonly epochs: Epochs
}

const stepsOf = (c: RunConfig, questions: number): number =>
  c.max_steps >= 0 ? c.max_steps : Math.ceil(c.num_train_epochs * questions / stepSize(c))

/** Reads the data of a training run, and refuses what cannot be run. */
export const prepare = Effect.fn("prepare")(function*(c: RunConfig) {
  const corpus = yield* corpusOf(c)
  const stored = Dataset.fromRecords(corpus)
  const epochs = yield* epochsOf(c, corpus)
  const problems = conflicts(c, stored, epochs(0))
  if (problems.length > 0) return yield* new ConfigError({ source: `mode ${c.mode}`, problems })
  yield* tellPassages(c, stored)
  const { long, records } = yield* fitting(c, c.train_file || `mode ${c.mode}`, "learn", epochs(0))
  const left = new Set(c.excess_length === "skip" ? long.map(({ id }) => id) : [])
  return {
    config: { ...c, max_steps: stepsOf(c, records.length) },
    passages: stored,
    epochs: left.size === 0 ? epochs : (epoch) => epochs(epoch).filter(({ id }) => !left.has(id))
  } satisfies Prepared as Prepared
})

const given = ({ config, passages }: Omit<Prepared, "epochs">) =>
  Layer.merge(Layer.succeed(Settings, config), Layer.succeed(Passages, passages))

/** Everything a training run takes, but the provider and the file system. */
export const learner = (
  prepared: Prepared,
  checkpoints: Layer.Layer<Checkpoints, never, Settings | FileSystem.FileSystem> = onDisk
) =>
  learning(prepared.config.mode).pipe(
    Layer.provideMerge(checkpoints),
    Layer.provideMerge(given(prepared))
  )

/** Everything inference takes, but the provider and the file system. */
export const inference = Effect.fn("inference")(function*(config: RunConfig) {
  const stored = Dataset.fromRecords(yield* corpusOf(config))
  yield* tellPassages(config, stored)
  return reading(config.mode).pipe(Layer.provideMerge(given({ config, passages: stored })))
})
