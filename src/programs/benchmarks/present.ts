/** Whether the data of tasks is there, asked before anything is computed. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isAbsolute, join } from "node:path"
import { layoutOf } from "../../datasets/benchmarks/layout.ts"
import type { GenerativeTask } from "../../domain/benchmarks/generativeTask.ts"
import { isRetrieval, type RetrievalTask, type Task } from "../../domain/benchmarks/task.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { exists } from "../../runtime/files/disk.ts"

const refused = (problems: ReadonlyArray<string>) => new ConfigError({ source: "bench", problems })

/** Why a task's data cannot be read: `undefined` if its files are there. */
const missing = Effect.fnUntraced(function*(data: string, task: Task) {
  return yield* isRetrieval(task) ? retrievalMissing(data, task) : recordsMissing(data, task)
})

/** The same of a generative task: the files that it names. */
const recordsMissing = Effect.fnUntraced(function*(data: string, task: GenerativeTask) {
  const { dataset_join, dataset_kwargs, dataset_path, metadata = {}, metrics, task: name } = task
  const given = dataset_kwargs?.data_files
  const files = given === undefined
    ? [dataset_path]
    : typeof given === "string" || Array.isArray(given)
    ? [given].flat()
    : Object.values(given).flat()
  const paths = [
    ...files,
    ...(dataset_join === undefined ? [] : [dataset_join.path]),
    ...metrics.flatMap(({ file }) => file ?? [])
  ].map((path) => isAbsolute(path) ? path : join(data, path))
  const absent = yield* Effect.filter(paths, (path) => Effect.map(exists(path), (is) => !is))
  if (absent.length === 0) return undefined
  const from = metadata["dataset"] === undefined ? "" : `; the task is of ${String(metadata["dataset"])}`
  return `${name}: there is no ${absent.join(", nor ")}${from}`
})

const retrievalMissing = Effect.fnUntraced(function*(data: string, task: RetrievalTask) {
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
export const present = Effect.fnUntraced(function*(data: string, tasks: ReadonlyArray<Task>) {
  const problems = yield* Effect.forEach(tasks, (task) => missing(data, task))
  const lacking = problems.filter((problem) => problem !== undefined)
  if (lacking.length === 0) return
  const others = tasks.filter((_, i) => problems[i] === undefined).map(({ task }) => task)
  const rest = others.length === 0 ? [] : [`the others can be named by themselves: ${others.join(" ")}`]
  return yield* refused([...lacking, ...rest])
})
