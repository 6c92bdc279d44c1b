/** Results of tasks, in the files that MTEB (2.26) writes and reads: one a task, with what is ours under one key. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { names, type QueryFigures } from "../../domain/benchmarks/scores.ts"
import type { RetrievalTask } from "../../domain/benchmarks/task.ts"
import { benchFile, benchSamples } from "../../domain/fileNames.ts"
import { decodeFile, exists, replace } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { Environment } from "../environment.ts"
import { json } from "../run.ts"

/** Figures of a split and a subset, with MTEB's names of these. */
const Entry = Schema.StructWithRest(
  Schema.Struct({
    main_score: Schema.Finite,
    hf_subset: Schema.String,
    languages: Schema.Array(Schema.String)
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

/** A text that was left out, and the beginning of the one that training has seen. */
const Leak = Schema.Struct({
  what: Schema.Literals(["document", "query"]),
  id: Schema.String,
  text: Schema.String,
  likeness: Schema.Finite,
  seen: Schema.String,
  file: Schema.String
})

/** How a split was evaluated. */
const Evaluated = Schema.Struct({
  /** SHA-256 of retriever, settings, task and data. */
  key: Schema.String,
  documents: Schema.Natural,
  queries: Schema.Natural,
  /** What the retriever's prompts name as the task, if they do. */
  retrieval_task: Schema.optionalKey(Schema.String),
  /** Left out because training has seen them. */
  removed: Schema.Struct({
    documents: Schema.Natural,
    queries: Schema.Natural,
    emptied: Schema.Natural,
    /** Those that are near-duplicates. */
    near: Schema.optionalKey(Schema.Struct({ documents: Schema.Natural, queries: Schema.Natural })),
    examples: Schema.optionalKey(Schema.Array(Leak))
  }),
  seconds: Schema.Finite,
  environment: Environment
})

const Result = Schema.Struct({
  dataset_revision: Schema.String,
  task_name: Schema.String,
  /** The version of MTEB that computed the scores: none did. */
  mteb_version: Schema.Null,
  scores: Schema.Record(Schema.String, Schema.Array(Entry)),
  /** Seconds. */
  evaluation_time: Schema.Finite,
  kg_co2_emissions: Schema.Null,
  /** Seconds since 1970. */
  date: Schema.Finite,
  /** By split. */
  anamnesis: Schema.Record(Schema.String, Evaluated)
})
/** The result of a task. */
export type Result = typeof Result.Type

/** The figures of a split, and how they were computed. */
export interface SplitResult {
  readonly scores: typeof Entry.Type
  readonly evaluated: typeof Evaluated.Type
}

/** The results of a task's splits as one. */
export const resultOf = (task: RetrievalTask, splits: ReadonlyMap<string, SplitResult>, date: number): Result => ({
  dataset_revision: task.metadata?.revision ?? "local",
  task_name: task.task,
  mteb_version: null,
  scores: Object.fromEntries([...splits].map(([split, { scores }]) => [split, [scores]])),
  evaluation_time: [...splits.values()].reduce((sum, { evaluated }) => sum + evaluated.seconds, 0),
  kg_co2_emissions: null,
  date,
  anamnesis: Object.fromEntries([...splits].map(([split, { evaluated }]) => [split, evaluated]))
})

/** The stored results of a task's splits; none if it has no file. */
export const stored = Effect.fnUntraced(function*(folder: string, task: RetrievalTask) {
  const path = join(folder, benchFile(task.task))
  if (!(yield* exists(path))) return new Map<string, SplitResult>()
  const { anamnesis, scores } = yield* decodeFile(path, Schema.decodeUnknownEffect(Result))
  return new Map(
    Object.entries(anamnesis).flatMap(([split, evaluated]) => {
      const own = scores[split]?.[0]
      return own === undefined ? [] : [[split, { scores: own, evaluated }] as const]
    })
  )
})

/** Figures that are kept of each query, beside a task's main score. */
const kept: ReadonlySet<string> = new Set(["ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100"])

/** The file of a split's queries. */
const samplesOf = (folder: string, task: RetrievalTask, split: string) => join(folder, benchSamples(task.task, split))

/** Whether the figures of a split's queries are kept. */
export const hasSamples = (folder: string, task: RetrievalTask, split: string) => exists(samplesOf(folder, task, split))

/** Stores figures of each query of a split, in order. */
export const storeSamples = Effect.fnUntraced(function*(
  folder: string,
  task: RetrievalTask,
  split: string,
  ids: ReadonlyArray<string>,
  figures: ReadonlyArray<QueryFigures>
) {
  const shown = names.flatMap((name, i) => kept.has(name) || name === task.main_score ? [[name, i] as const] : [])
  const file = yield* LineFile.make(samplesOf(folder, task, split))
  yield* file.add(ids.map((id, doc_id) => {
    const own = Object.fromEntries(shown.map(([name, i]) => [name, figures[doc_id]!.figures[i]!]))
    return JSON.stringify({ doc_id, id, group: id, filter: "none", ...own })
  }))
  yield* file.finish
}, Effect.scoped)

/** Stores the result of a task. */
export const store = (folder: string, result: Result) =>
  replace(join(folder, benchFile(result.task_name)), json(result))
