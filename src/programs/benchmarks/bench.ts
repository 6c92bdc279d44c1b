/** Program: evaluates the retriever and the reader of the settings on tasks. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { join } from "node:path"
import type { GenerativeTask } from "../../domain/benchmarks/generativeTask.ts"
import { isRetrieval, type RetrievalTask } from "../../domain/benchmarks/task.ts"
import { benchFolder, benchSummary } from "../../domain/fileNames.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { replace } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import * as RetrieverFolder from "../../runtime/retrieval/folder.ts"
import { modeOf } from "../../systems/all.ts"
import { retrieverIdentity } from "../identity.ts"
import { withRetriever } from "../models.ts"
import { needsRetriever } from "../preflight.ts"
import { json, trained } from "../run.ts"
import { type Bench, evaluateTask } from "./evaluateTask.ts"
import { evaluateGenerative } from "./generative/evaluate.ts"
import type { Judge } from "./generative/outside.ts"
import { seenIn } from "./leaks.ts"
import { present } from "./present.ts"
import { rowOf, summaryOf } from "./summary.ts"
import { tasksNamed } from "./tasks.ts"

/** What is evaluated. */
export interface BenchOptions {
  /** Names of shipped groups or tasks, or files of tasks. */
  readonly tasks: ReadonlyArray<string>
  /** The folder that the tasks' paths are relative to. */
  readonly data: string
  /** Whether the settings name the reader itself, and not a run. */
  readonly named: boolean
  /** The folder of results; one in the run's folder, if `undefined`. */
  readonly out: string | undefined
  /** Files or BEIR folders of training data, whose texts are left out. */
  readonly train: ReadonlyArray<string>
  /** Least Jaccard index of a near-duplicate of these texts, which is left out, too; 1 for none. */
  readonly likeness: number
  /** Who judges answers, for metrics that need it. */
  readonly judge?: Judge | undefined
}

/** Whether the retriever of a mode has a prompt that names the task. */
export const isInstructed = Effect.fnUntraced(
  function*(c: RunConfig) {
    const { retriever } = modeOf(c).traits
    if (retriever === "none" || retriever === "lexical") return false
    return (yield* RetrieverFolder.open(c.retriever_name_or_path, c)).instructed
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "Error")
)

/** Conditions that a user should know of. */
export const notices = (
  c: RunConfig,
  tasks: ReadonlyArray<RetrievalTask>,
  instructed: boolean
): ReadonlyArray<string> => {
  const prompted = tasks.filter(({ prompt }) => prompt !== undefined).length
  return [
    c.index_path !== "" && `index_path (${c.index_path}) is not used: every task has a corpus of its own`,
    prompted > 0 && !instructed
    && `the prompts of ${prompted} tasks are not used: nothing before this retriever's texts names the task (a `
      + "single-vector retriever's retriever_template or query_prompt does, with {task})"
  ].filter((notice) => notice !== false)
}

/** Evaluates the retriever of the settings on tasks; those with a result under the same conditions are not evaluated again. */
const evaluateRetrieval = Effect.fnUntraced(
  function*(c: RunConfig, tasks: ReadonlyArray<RetrievalTask>, options: BenchOptions, out: string) {
    const { config } = yield* trained(c, withRetriever)
    const { seen, size, told } = yield* seenIn(options.train, options.likeness)
    const instructed = yield* isInstructed(config)
    for (const line of [...notices(config, tasks, instructed), ...told]) yield* Effect.logWarning(line)
    if (options.train.length > 0) yield* Effect.logInfo(`${size} texts of training data are looked for in the tasks`)
    const identity = yield* retrieverIdentity(config)
    const own: Bench = { config, data: options.data, out, seen, identity, instructed }
    return yield* Effect.forEach(tasks, (task) => Effect.map(evaluateTask(own, task), (done) => rowOf(task, done)))
  }
)

/** Evaluates tasks one after the other: those of retrieval by the retriever of the settings, the others by the reader. */
export const bench = Effect.fn("bench")(function*(c: RunConfig, options: BenchOptions) {
  const tasks = yield* tasksNamed(options.tasks)
  yield* present(options.data, tasks)
  const retrieval = tasks.filter(isRetrieval)
  const generative = tasks.filter((task) => !isRetrieval(task)) as ReadonlyArray<GenerativeTask>
  if (retrieval.length > 0) yield* needsRetriever(c, "bench")
  if (options.train.length > 0 && generative.length > 0) {
    yield* Effect.logWarning(`--train is not used in ${generative.length} tasks that are not of retrieval`)
  }
  const out = options.out ?? join(c.output_dir, benchFolder)
  return yield* Effect.gen(function*() {
    const rows = retrieval.length === 0 ? [] : yield* evaluateRetrieval(c, retrieval, options, out)
    const answered = generative.length === 0
      ? []
      : yield* evaluateGenerative(c, generative, {
        data: options.data,
        out,
        named: options.named,
        judge: options.judge
      })
    const summary = summaryOf(rows, answered)
    yield* replace(join(out, benchSummary), json(summary))
    return summary
  }).pipe(Lock.holding(out))
}, Effect.scoped)
