/** Development sets that merged models are scored on: retrieval tasks; other tasks join by another maker of `DevSet`. */
import * as Effect from "effect/Effect"
import { loadTask, type TaskData } from "../../datasets/benchmarks/load.ts"
import { fromRecords } from "../../datasets/dataset.ts"
import { names } from "../../domain/benchmarks/scores.ts"
import type { RetrievalTask } from "../../domain/benchmarks/task.ts"
import * as Key from "../../domain/Key.ts"
import { folders } from "../../domain/settings/models.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import type { Identity } from "../../runtime/ports/Checkpoints.ts"
import { type Asked, figuresIn, keyOf, tellTask } from "../benchmarks/evaluateTask.ts"
import { retrieverSettings } from "../identity.ts"
import type { Level } from "./file.ts"

/** A set of examples on which a model folder has a score each, at levels that take more and more of them. */
export interface DevSet<E, R> {
  readonly name: string
  /** Number of examples at a level. */
  readonly examples: (level: number) => number
  /** Texts that a model reads for it: what an evaluation costs. */
  readonly cost: (level: number) => number
  /** Hash of all that the scores of a level depend on, given the model's identity. */
  readonly key: (model: Identity, level: number) => string
  /** Logs what a user should know of a model on this set, such as texts that are cut. */
  readonly tell: (folder: string) => Effect.Effect<void, E, R>
  /** A score for each example, higher being better. */
  readonly scores: (folder: string, level: number) => Effect.Effect<ReadonlyArray<number>, E, R>
}

/** A level's share of a task: the first queries of a random order, their judged passages, and random other ones. */
export const sampled = Effect.fnUntraced(
  function*({ corpus, queries }: Asked, key: Key.Key, { examples, passages }: Level) {
    const order = Key.permutation(Key.fold(key, "queries"), queries.length)
    const some = examples === undefined || examples >= queries.length
      ? queries
      : [...order.subarray(0, examples)].map((q) => queries[q]!)
    if (passages === undefined || passages >= corpus.size) return { corpus, queries: some } satisfies Asked as Asked
    const judged = some.flatMap(({ grades }) => [...grades.keys()].map(corpus.row)).filter((row) => row >= 0)
    const rows = new Set(judged)
    for (const row of Key.permutation(Key.fold(key, "passages"), corpus.size)) {
      if (rows.size >= passages) break
      rows.add(row)
    }
    const texts = yield* corpus.read([...rows].toSorted((a, b) => a - b))
    return { corpus: fromRecords(texts), queries: some } satisfies Asked as Asked
  }
)

/** How retrieval tasks are asked. */
export interface RetrievalOptions {
  /** Settings of the retriever, whose folder is each candidate's. */
  readonly config: RunConfig
  readonly data: string
  readonly levels: ReadonlyArray<Level>
  readonly seed: number
}

/** Warnings about the data that a search chooses by. */
const told = (name: string, split: string, { told }: TaskData): ReadonlyArray<string> => [
  ...told,
  ...split === "test" ? [`${name}: a search on the split test makes its figures no test figures any more`] : []
]

/** The development set of a retrieval task's split; its data can be read until the scope ends. */
const ofSplit = Effect.fnUntraced(function*(task: RetrievalTask, split: string, options: RetrievalOptions) {
  const { config, data, levels, seed } = options
  const memory = config.corpus_in_memory * 2 ** 20
  const loaded = yield* loadTask(task, split, {
    folder: data,
    memory,
    skipBad: config.skip_bad_lines,
    seen: () => undefined
  })
  const name = task.splits.length === 1 ? task.task : `${task.task} (${split})`
  for (const line of told(name, task.dataset_path === undefined ? "" : split, loaded)) yield* Effect.logWarning(line)
  const key = Key.fold(Key.make(seed), "merge-search", task.task, split)
  const samples = yield* Effect.forEach(levels, (level) => sampled(loaded, key, level))
  const settings = retrieverSettings(config)
  const main = names.indexOf(task.main_score)
  const of = (folder: string): RunConfig => ({ ...config, [folders.retriever]: folder })
  return {
    name,
    examples: (level: number) => samples[level]!.queries.length,
    cost: (level: number) => samples[level]!.queries.length + samples[level]!.corpus.size,
    key: (model: Identity, level: number) => keyOf(task, { ...model, ...settings }, samples[level]!),
    tell: (folder: string) => tellTask(of(folder), task, samples.at(-1)!),
    scores: (folder: string, level: number) =>
      Effect.map(figuresIn(of(folder), task, samples[level]!), (all) => all.map(({ figures }) => figures[main]!))
  }
})

/** The development sets of retrieval tasks, one a split. */
export const retrieval = Effect.fnUntraced(function*(tasks: ReadonlyArray<RetrievalTask>, options: RetrievalOptions) {
  const splits = tasks.flatMap((task) => task.splits.map((split) => [task, split] as const))
  return yield* Effect.forEach(splits, ([task, split]) => ofSplit(task, split, options))
})
