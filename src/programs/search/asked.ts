/** The tasks of a search, all of one kind, and the settings of the model that candidates are evaluated as. */
import * as Effect from "effect/Effect"
import type { GenerativeTask } from "../../domain/benchmarks/generativeTask.ts"
import { isRetrieval, type Task } from "../../domain/benchmarks/task.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { modeOf, settle } from "../../systems/all.ts"
import { isInstructed, notices } from "../benchmarks/bench.ts"
import { tasksNamed } from "../benchmarks/tasks.ts"
import { answered } from "./answeredSets.ts"
import * as DevSets from "./devSets.ts"
import type { Search } from "./file.ts"

/** What is wrong with the mode of a search's settings. */
const misfit = (config: RunConfig, retrieves: boolean): string | undefined => {
  const { reader, retriever } = modeOf(config).traits
  if (retrieves) {
    if (retriever === "frozen" || retriever === "trained") return undefined
    return `settings: mode ${config.mode} has no retriever that is a model`
  }
  return reader === "none" ? `settings: mode ${config.mode} has no reader` : undefined
}

/** The settings of the retriever, or of the reader, that candidates are evaluated as. */
const settingsOf = Effect.fnUntraced(
  function*(source: string, { settings }: Search, work: string, retrieves: boolean) {
    const given = {
      mode: retrieves ? "frozen_rag" : "no_retrieval",
      passages_file: "tasks",
      output_dir: work,
      [folders.retriever]: retrieves ? "candidate" : "none",
      [folders.reader]: retrieves ? "none" : "candidate"
    }
    const { config, unused } = yield* settle([{ source, settings: { ...given, ...settings } }])
    const own = unused.filter(({ key }) => Object.hasOwn(settings, key))
    if (own.length > 0) yield* Effect.logWarning(`${source}: without effect: ${own.map(({ text }) => text).join(", ")}`)
    const problem = misfit(config, retrieves)
    return problem === undefined ? config : yield* new ConfigError({ source, problems: [problem] })
  }
)

/** The tasks of a search with the settings of its model; fails if they are of both kinds. */
export const askedOf = Effect.fnUntraced(function*(source: string, search: Search, work: string) {
  const tasks = yield* tasksNamed(search.tasks)
  const retrieves = tasks.every(isRetrieval)
  if (!retrieves && tasks.some(isRetrieval)) {
    const names = tasks.filter(isRetrieval).map(({ task }) => task).join(", ")
    const problem = `tasks: ${names}: tasks of retrieval cannot be searched together with tasks that a reader answers`
    return yield* new ConfigError({ source, problems: [problem] })
  }
  return { config: yield* settingsOf(source, search, work, retrieves), tasks }
})

type Asked = Effect.Success<ReturnType<typeof DevSets.retrieval> | ReturnType<typeof answered>>[number]
type Evaluating = ReturnType<Asked["scores"] | Asked["tell"]>

/** A development set of either kind. */
type AnySet = DevSets.DevSet<Effect.Error<Evaluating>, Effect.Services<Evaluating>>

/** The development sets of tasks of one kind; `folder` is that of a model that is like the candidates. */
export const setsOf = Effect.fnUntraced(
  function*(tasks: ReadonlyArray<Task>, { data, levels, seed }: Search, config: RunConfig, folder: string) {
    const retrieval = tasks.filter(isRetrieval)
    if (retrieval.length === 0) {
      const options = { config, data, folder, levels, seed }
      return (yield* answered(tasks as ReadonlyArray<GenerativeTask>, options)) as ReadonlyArray<AnySet>
    }
    const instructed = yield* isInstructed({ ...config, [folders.retriever]: folder })
    for (const note of notices(config, retrieval, instructed)) yield* Effect.logWarning(note)
    return (yield* DevSets.retrieval(retrieval, { config, data, levels, seed })) as ReadonlyArray<AnySet>
  }
)
