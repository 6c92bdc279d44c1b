/** Program: evaluates the retriever of the settings on tasks. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Result from "effect/Result"
import { isAbsolute, join } from "node:path"
import { layoutOf } from "../../datasets/benchmarks/layout.ts"
import type { RetrievalTask } from "../../domain/benchmarks/task.ts"
import { benchFolder, benchSummary } from "../../domain/fileNames.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { exists, replace } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import * as RetrieverFolder from "../../runtime/retrieval/folder.ts"
import { modeOf } from "../../systems/all.ts"
import { retrieverIdentity } from "../identity.ts"
import { withRetriever } from "../models.ts"
import { needsRetriever } from "../preflight.ts"
import { json, trained } from "../run.ts"
import { type Bench, evaluateTask } from "./evaluateTask.ts"
import { seenIn } from "./leaks.ts"
import { rowOf, summaryOf } from "./summary.ts"
import { tasksNamed } from "./tasks.ts"

/** What is evaluated. */
export interface BenchOptions {
  /** Names of shipped groups or tasks, or files of tasks. */
  readonly tasks: ReadonlyArray<string>
  /** The folder that the tasks' paths are relative to. */
  readonly data: string
  /** The folder of results; one in the run's folder, if `undefined`. */
  readonly out: string | undefined
  /** Files or BEIR folders of training data, whose texts are left out. */
  readonly train: ReadonlyArray<string>
  /** Least Jaccard index of a near-duplicate of these texts, which is left out, too; 1 for none. */
  readonly likeness: number
}

const refused = (problems: ReadonlyArray<string>) => new ConfigError({ source: "bench", problems })

/** Why a task's data cannot be read: `undefined` if its files are there. */
const missing = Effect.fnUntraced(function*(data: string, task: RetrievalTask) {
  const { dataset_name, dataset_path, metadata, passages_file, splits, test_file } = task
  const within = (path: string) => isAbsolute(path) ? path : join(data, path)
  const from = metadata?.dataset === undefined ? "" : `; it is ${metadata.dataset} at ${metadata.revision ?? "main"}`
  if (dataset_path === undefined) {
    const files = [passages_file!, test_file!].map(within)
    const absent = yield* Effect.filter(files, (path) => Effect.map(exists(path.split("#")[0]!), (is) => !is))
    return absent.length === 0 ? undefined : `${task.task}: there is no ${absent.join(", nor ")}`
  }
  const folder = within(dataset_path)
  if (!(yield* exists(folder))) return `${task.task}: there is no folder ${folder}${from}`
  for (const split of splits) {
    const found = yield* Effect.result(layoutOf(folder, split, dataset_name))
    if (Result.isFailure(found)) return `${task.task}: ${found.failure.message}${from}`
  }
  return undefined
})

/** Fails if a task's files are not there, before anything is computed. */
const present = Effect.fnUntraced(function*(data: string, tasks: ReadonlyArray<RetrievalTask>) {
  const problems = yield* Effect.forEach(tasks, (task) => missing(data, task))
  const lacking = problems.filter((problem) => problem !== undefined)
  if (lacking.length === 0) return
  const others = tasks.filter((_, i) => problems[i] === undefined).map(({ task }) => task)
  const rest = others.length === 0 ? [] : [`the others can be named by themselves: ${others.join(" ")}`]
  return yield* refused([...lacking, ...rest])
})

/** Whether the retriever of a mode has a prompt that names the task. */
const isInstructed = Effect.fnUntraced(
  function*(c: RunConfig) {
    const { retriever } = modeOf(c).traits
    if (retriever === "none" || retriever === "lexical") return false
    return (yield* RetrieverFolder.open(c.retriever_name_or_path, c)).instructed
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "Error")
)

/** Conditions that a user should know of. */
const notices = (
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

/** Evaluates tasks one after the other; those with a result under the same conditions are not evaluated again. */
export const bench = Effect.fn("bench")(function*(c: RunConfig, options: BenchOptions) {
  const tasks = yield* tasksNamed(options.tasks)
  yield* present(options.data, tasks)
  yield* needsRetriever(c, "bench")
  const { config } = yield* trained(c, withRetriever)
  const { seen, size, told } = yield* seenIn(options.train, options.likeness)
  const instructed = yield* isInstructed(config)
  for (const line of [...notices(config, tasks, instructed), ...told]) yield* Effect.logWarning(line)
  if (options.train.length > 0) yield* Effect.logInfo(`${size} texts of training data are looked for in the tasks`)
  const out = options.out ?? join(config.output_dir, benchFolder)
  const identity = yield* retrieverIdentity(config)
  const own: Bench = { config, data: options.data, out, seen, identity, instructed }
  return yield* Effect.gen(function*() {
    const rows = yield* Effect.forEach(
      tasks,
      (task) => Effect.map(evaluateTask(own, task), (done) => rowOf(task, done))
    )
    const summary = summaryOf(rows)
    yield* replace(join(out, benchSummary), json(summary))
    return summary
  }).pipe(Lock.holding(out))
}, Effect.scoped)
