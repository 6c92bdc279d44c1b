/** Finds tasks by what the user names: shipped groups and tasks, or files. */
import * as Effect from "effect/Effect"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { type Task, tasksOf } from "../../domain/benchmarks/task.ts"
import { didYouMean } from "../../domain/nearest.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { exists, namesIn } from "../../runtime/files/disk.ts"
import { readObject } from "../../runtime/files/settings.ts"

const shipped = fileURLToPath(new URL("../../../tasks", import.meta.url))
const yaml = /\.ya?ml$/

const read = Effect.fnUntraced(function*(path: string) {
  const source = path.startsWith(shipped) ? relative(process.cwd(), path) : path
  return yield* tasksOf(source, yield* readObject(path))
})

/** The shipped groups by name. */
const groups = Effect.gen(function*() {
  const names = (yield* namesIn(shipped)).filter((name) => yaml.test(name)).toSorted()
  const found = yield* Effect.forEach(
    names,
    (name) => Effect.map(read(join(shipped, name)), (tasks) => [name.replace(yaml, ""), tasks] as const)
  )
  return new Map(found)
})

/** The tasks of a name: a file of tasks, a shipped group, or one of its tasks. */
const named = Effect.fnUntraced(function*(name: string, known: ReadonlyMap<string, ReadonlyArray<Task>>) {
  if (known.has(name)) return known.get(name)!
  const all = [...known.values()].flat()
  const task = all.find((own) => own.task === name)
  if (task !== undefined) return [task]
  if (yield* exists(name)) return yield* read(name)
  const names = [...known.keys(), ...all.map((own) => own.task)]
  const near = didYouMean(name, names)
  const problem = yaml.test(name)
    ? `there is no file ${name}`
    : `${name} is neither a file nor a shipped task${near === undefined ? "" : `, did you mean ${near}?`}; there are `
      + names.join(", ")
  return yield* new ConfigError({ source: "bench", problems: [problem] })
})

/** The tasks of several names, each once. */
export const tasksNamed = Effect.fn("tasksNamed")(function*(names: ReadonlyArray<string>) {
  const known = yield* groups
  const tasks = new Map<string, Task>()
  for (const task of (yield* Effect.forEach(names, (name) => named(name, known))).flat()) {
    const before = tasks.get(task.task)
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(task)) {
      const problem = `two different tasks are called ${task.task}, and their results would share a file`
      return yield* new ConfigError({ source: "bench", problems: [problem] })
    }
    tasks.set(task.task, task)
  }
  return [...tasks.values()]
})
