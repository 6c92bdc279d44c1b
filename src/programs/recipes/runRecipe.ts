/** Program: runs the steps of a recipe, each in a folder that its command line and its inputs name. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { benchFolder, benchSummary } from "../../domain/fileNames.ts"
import { problemsOf } from "../../domain/issues.ts"
import {
  type Choice,
  type Command,
  needed,
  Recipe,
  type Step,
  stepsOf,
  type Word,
  type Written
} from "../../domain/recipes/recipe.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import {
  decodeFile,
  exists,
  type FileError,
  located,
  makeFolder,
  namesIn,
  replace,
  sha256
} from "../../runtime/files/disk.ts"
import { models as localModels } from "../../runtime/files/hub/environment.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { readObject } from "../../runtime/files/settings.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { environment } from "../environment.ts"
import { json } from "../run.ts"
import { hashing } from "./inputs.ts"

/** A step failed. */
export class StepError extends Schema.TaggedError<StepError>()("StepError", {
  step: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `step ${this.step}: ${this.reason}`
  }
}

/** Runs a command line of `anamnesis`; what it prints goes to the file. */
export type Tool<R> = (
  words: ReadonlyArray<string>,
  output: string
) => Effect.Effect<{ readonly status: number }, { readonly message: string }, R>

/** How steps are run. */
export interface RecipeOptions {
  /** The folder of all results. */
  readonly out: string
  /** Values in place of the recipe's own. */
  readonly values: Readonly<Record<string, string>>
  /** Names of the steps that are wanted, with what they need; all, if empty. */
  readonly only: ReadonlyArray<string>
  /** Say what would be run, and run nothing. */
  readonly dryRun: boolean
  /** Remove the folders of steps as they were under other command lines or inputs. */
  readonly prune: boolean
  /** The folder from which steps take models that are named by their ids at the Hub; else that of the environment. */
  readonly models?: string | undefined
}

/** A step's result. */
export interface Done {
  readonly step: string
  /** Its folder; of a choice, that of the step chosen. `undefined` for a choice that is not made yet. */
  readonly folder: string | undefined
  /** The step chosen. */
  readonly chosen?: string | undefined
  readonly state: "done before" | "run" | "to run"
  readonly seconds: number | null
}

/** Written into a step's folder once it is done. */
const Mark = Schema.Struct({
  step: Schema.String,
  key: Schema.String,
  words: Schema.Array(Schema.String),
  inputs: Schema.Record(Schema.String, Schema.String),
  seconds: Schema.Finite
})
const MARK = "step.json"
const OUTPUT = "output.json"

/** Reads a recipe, with other values for some of its own; fails with everything that is wrong with it. */
export const readRecipe = Effect.fn("readRecipe")(function*(path: string, values: Readonly<Record<string, string>>) {
  const recipe = yield* Effect.mapError(
    Schema.decodeUnknownEffect(Recipe)(yield* readObject(path), { errors: "all", onExcessProperty: "error" }),
    (error) => new ConfigError({ source: path, problems: problemsOf(error) })
  )
  const unknown = Object.keys(values).filter((name) => !Object.hasOwn(recipe.values ?? {}, name))
  if (unknown.length > 0) {
    const problem = `has no value ${unknown.join(", ")}; there are ${
      Object.keys(recipe.values ?? {}).join(", ") || "none"
    }`
    return yield* new ConfigError({ source: path, problems: [problem] })
  }
  const read = stepsOf({ ...recipe, values: { ...recipe.values, ...values } })
  return "problems" in read ? yield* new ConfigError({ source: path, problems: read.problems }) : read.steps
})

/** A step that has been looked at: its key, and where its results are. */
interface Known extends Done {
  readonly key: string
}

const wordOf = (word: Word, out: string, of: (step: string) => string): string =>
  word.map((part) => "text" in part ? part.text : "own" in part ? out : of(part.step)).join("")

/** The mean of the main scores of a step that ran `bench`. */
const scoreOf = Effect.fnUntraced(function*({ folder, step }: Known) {
  const path = join(folder!, benchFolder, benchSummary)
  if (!(yield* exists(path))) {
    return yield* new StepError({ step, reason: `left no ${join(benchFolder, benchSummary)} to pick by` })
  }
  const Summary = Schema.Struct({ main_score: Schema.Finite })
  const { main_score } = yield* decodeFile(path, Schema.decodeUnknownEffect(Summary))
  return main_score
})

/** Picks the candidate of the highest score, the first of equal ones. */
const choose = Effect.fnUntraced(function*({ candidates, name }: Choice, known: ReadonlyMap<string, Known>) {
  const own = candidates.map(({ score, step }) => ({ step: known.get(step)!, score: known.get(score)! }))
  const key = sha256(JSON.stringify(own.map(({ score, step }) => [step.key, score.key])))
  if (own.some(({ score }) => score.folder === undefined || score.state === "to run")) {
    return { key, step: name, folder: undefined, state: "to run", seconds: null } satisfies Known as Known
  }
  const scores = yield* Effect.forEach(own, ({ score }) => scoreOf(score))
  const best = own[scores.indexOf(Math.max(...scores))]!.step
  const told = own.map(({ step }, i) => `${step.step} ${scores[i]!.toFixed(4)}`).join(", ")
  yield* (yield* Reporter).note(`${name}: ${best.step} is best (${told})`)
  return {
    key,
    step: name,
    folder: best.folder,
    chosen: best.step,
    state: "done before",
    seconds: null
  } satisfies Known as Known
})

/** The folders of a recipe's steps under other command lines or inputs, or of steps that it no longer has. */
const outdated = Effect.fnUntraced(function*(out: string, known: Iterable<Known>) {
  const fs = yield* FileSystem.FileSystem
  const own = new Set([...known].map(({ folder }) => folder))
  const folders = (yield* namesIn(out)).map((name) => join(out, name)).filter((folder) => !own.has(folder))
  return yield* Effect.filter(folders, (folder) =>
    /-[0-9a-f]{12}$/.test(folder)
      ? fs.stat(folder).pipe(located(folder), Effect.map(({ type }) => type === "Directory"))
      : Effect.succeed(false))
})

/** What a step is, but for its folder: hashed into its key, and what makes its results in that folder. */
interface Work<E, R> {
  readonly name: string
  /** Words and texts, with keys in place of folders. */
  readonly plain: ReadonlyArray<string>
  readonly inputs: Readonly<Record<string, string>>
  /** Makes the results; returns the words as they were run. */
  readonly make: (folder: string) => Effect.Effect<ReadonlyArray<string>, E, R>
}

/** A step's results: those of its folder, or made now. */
const done = Effect.fnUntraced(
  function*<E, R>(
    { inputs, make, name, plain }: Work<E, R>,
    { dryRun, out, version }: RecipeOptions & { readonly version: string }
  ) {
    const key = sha256(JSON.stringify([1, version, plain, inputs]))
    const folder = join(out, `${name}-${key.slice(0, 12)}`)
    const mark = join(folder, MARK)
    if (yield* exists(mark)) {
      const { seconds } = yield* decodeFile(mark, Schema.decodeUnknownEffect(Mark))
      return { key, step: name, folder, state: "done before", seconds } satisfies Known as Known
    }
    if (dryRun) return { key, step: name, folder, state: "to run", seconds: null } satisfies Known as Known
    yield* makeFolder(folder)
    const began = yield* Clock.currentTimeMillis
    const words = yield* make(folder)
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    yield* replace(mark, json({ step: name, key, words, inputs, seconds } satisfies typeof Mark.Type))
    return { key, step: name, folder, state: "run", seconds } satisfies Known as Known
  }
)

/** The folder, or the key, of a step that has been looked at. */
const folderOf = (known: ReadonlyMap<string, Known>) => (step: string) => known.get(step)!.folder!
const keyOf = (known: ReadonlyMap<string, Known>) => (step: string) => `\${${known.get(step)!.key}}`

/** What may be a name in the texts of a step's files. */
const tokensOf = ({ files }: Written, known: ReadonlyMap<string, Known>): ReadonlyArray<string> =>
  files.flatMap(({ text }) => wordOf(text, "${out}", keyOf(known)).split(/[\s"',:{}[\]]+/))

/** Writes a step's files. */
const written = (
  { files, name }: Written,
  known: ReadonlyMap<string, Known>,
  inputs: Work<never, never>["inputs"]
): Work<FileError, FileSystem.FileSystem> => ({
  name,
  plain: files.flatMap(({ path, text }) => [path, wordOf(text, "${out}", keyOf(known))]),
  inputs,
  make: (folder) =>
    Effect.as(
      Effect.forEach(files, ({ path, text }) =>
        replace(join(folder, path), new TextEncoder().encode(wordOf(text, folder, folderOf(known))))),
      []
    )
})

/** Runs a step's command line. */
const command = <R>(
  { name, words }: Command,
  known: ReadonlyMap<string, Known>,
  inputs: Work<never, R>["inputs"],
  { note, tool }: { readonly note: (line: string) => Effect.Effect<void>; readonly tool: Tool<R> }
): Work<StepError, R> => ({
  name,
  plain: plainOf(words, known),
  inputs,
  make: Effect.fnUntraced(function*(folder) {
    const full = words.map((word) => wordOf(word, folder, folderOf(known)))
    yield* note(`${name}: anamnesis ${full.join(" ")}`)
    const { status } = yield* Effect.mapError(
      tool(full, join(folder, OUTPUT)),
      ({ message }) => new StepError({ step: name, reason: message })
    )
    if (status === 0) return full
    const reason = `ended with status ${status}; what it made is in ${folder}, and the same command goes on from there`
    return yield* new StepError({ step: name, reason })
  })
})

const plainOf = (words: Command["words"], known: ReadonlyMap<string, Known>) =>
  words.map((word) => wordOf(word, "${out}", keyOf(known)))

/** The steps that are wanted, each after those that it refers to. */
const wanted = Effect.fnUntraced(function*(path: string, { only, values }: RecipeOptions) {
  const all = yield* readRecipe(path, values)
  const absent = only.filter((name) => all.every((step) => step.name !== name))
  if (absent.length === 0) return only.length === 0 ? all : needed(all, only)
  const problem = `has no step ${absent.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`
  return yield* new ConfigError({ source: path, problems: [problem] })
})

/** Runs a recipe's steps; those that are done under the same command line and inputs are not run again. */
export const runRecipe = Effect.fn("runRecipe")(function*<R>(path: string, options: RecipeOptions, tool: Tool<R>) {
  const steps = yield* wanted(path, options)
  const { only, out, prune } = options
  yield* makeFolder(out)
  const [fs, reporter] = [yield* FileSystem.FileSystem, yield* Reporter]
  const models = options.models ?? (yield* localModels)
  const inputsOf = yield* hashing({ hashes: join(out, "hashes.json"), folder: out, models })
  const { version } = yield* environment
  const known = new Map<string, Known>()
  const own = { ...options, version }
  const take = Effect.fnUntraced(function*(step: Step, at: number) {
    if (step.kind === "choice") return yield* choose(step, known)
    if (step.kind === "files") return yield* done(written(step, known, yield* inputsOf(tokensOf(step, known))), own)
    const note = (line: string) => reporter.note(`step ${at} of ${steps.length}, ${line}`)
    const inputs = yield* inputsOf(plainOf(step.words, known))
    return yield* done(command(step, known, inputs, { note, tool }), own)
  })
  return yield* Effect.gen(function*() {
    for (const [i, step] of steps.entries()) known.set(step.name, yield* take(step, i + 1))
    const results = [...known.values()].map(({ key: _, ...own }): Done => own)
    yield* replace(join(out, "recipe.json"), json(results))
    const others = only.length === 0 ? yield* outdated(out, known.values()) : []
    if (prune) yield* Effect.forEach(others, (folder) => fs.remove(folder, { recursive: true }).pipe(located(folder)))
    return { steps: results, outdated: prune ? [] : others }
  }).pipe(Lock.holding(out))
})
