/** Reads settings from a file and from `key=value` pairs on the command line, which override the file. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { basename } from "node:path"
import { brief } from "../domain/brief.ts"
import { runFiles } from "../domain/fileNames.ts"
import { COMMAND_LINE, ConfigError } from "../domain/settings/configure.ts"
import type { Raw } from "../domain/settings/RunConfig.ts"
import { literal, readObject } from "../runtime/files/settings.ts"
import { fieldOf, settingOf, settle } from "../systems/all.ts"

/**
 * Parses a command-line value: numbers, booleans, lists and objects as in YAML; for string settings, the literal text,
 * without surrounding quotes.
 */
const valueOf = (key: string, text: string): unknown => {
  const read = literal(text)
  const field = fieldOf(key)
  const fits = field === undefined ? () => true : Schema.is(field)
  if (typeof read !== "string") return fits(read) || !fits(text) ? read : text
  return /^\s*["']/.test(text) ? read : text
}

/** `key=value` pairs as settings; the last of a repeated key counts, and repetitions are logged. */
export const pairs = Effect.fnUntraced(function*(given: ReadonlyArray<string>) {
  const found = new Map<string, unknown>()
  const [problems, again] = [new Array<string>(), new Set<string>()]
  for (const pair of given) {
    const at = pair.indexOf("=")
    const key = pair.slice(0, Math.max(0, at)).trim()
    const name = settingOf(key) ?? key
    if (key === "") problems.push(`${brief(pair)} is not key=value`)
    if (found.has(name)) again.add(brief(name))
    found.set(name, valueOf(key, pair.slice(at + 1)))
  }
  if (problems.length > 0) return yield* new ConfigError({ source: COMMAND_LINE, problems })
  if (again.size > 0) yield* Effect.logWarning(`--set: given more than once, the last counts: ${[...again].join(", ")}`)
  return Object.fromEntries(found) as Raw
})

/** Whether a file is a run's own `settings.json`, which has every setting, so unused ones need no warning. */
const isOurs = (path: string): boolean => basename(path) === runFiles.settings

/** Explains a file that does not look like settings, judging by its keys. */
const mistaken = (path: string, file: Raw, { problems }: ConfigError): ReadonlyArray<string> => {
  if (Object.hasOwn(file, "arms")) return ["is the plan of an experiment: anamnesis experiment runs it"]
  if (Object.hasOwn(file, "model_type")) return ["is the config of a model, not settings"]
  const newer = isOurs(path) && Object.keys(file).some((key) => settingOf(key) === undefined)
  return newer
    ? [...problems, "it may be of a run of a newer version, whose settings this one does not know"]
    : problems
}

/** A file's settings with command-line overrides; settings without effect are logged. */
export const load = Effect.fn("loadSettings")(function*(path: string, overrides: Raw) {
  const file = yield* readObject(path)
  const given = [{ source: path, settings: file }, { source: COMMAND_LINE, settings: overrides }]
  const { config, unused } = yield* Effect.mapError(
    settle(given),
    (error) => error.source === path ? new ConfigError({ source: path, problems: mistaken(path, file, error) }) : error
  )
  const told = unused.filter(({ source }) => source === COMMAND_LINE || !isOurs(path))
  if (told.length > 0) yield* Effect.logWarning(`${path}: without effect: ${told.map(({ text }) => text).join(", ")}`)
  return config
})
