/** Settings from where users keep them: a file, and `key=value` pairs of the command line that win over it. */
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
 * A value of the command line, as the setting takes it: numbers, truth values, lists and objects as in a YAML file; where
 * the setting takes a string, the text as it stands, or what is between its quotes.
 */
const valueOf = (key: string, text: string): unknown => {
  const read = literal(text)
  const field = fieldOf(key)
  const fits = field === undefined ? () => true : Schema.is(field)
  if (typeof read !== "string") return fits(read) || !fits(text) ? read : text
  return /^\s*["']/.test(text) ? read : text
}

/** `key=value` pairs as settings, of which the last of a setting counts; that there are others is told. */
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

/** A run's own `settings.json` has all settings in full: nobody gave each of them. */
const isOurs = (path: string): boolean => basename(path) === runFiles.settings

/** What is wrong with a file that was taken for settings, as far as its keys tell. */
const mistaken = (path: string, file: Raw, { problems }: ConfigError): ReadonlyArray<string> => {
  if (Object.hasOwn(file, "arms")) return ["is the plan of an experiment: anamnesis experiment runs it"]
  if (Object.hasOwn(file, "model_type")) return ["is the config of a model, not settings"]
  const newer = isOurs(path) && Object.keys(file).some((key) => settingOf(key) === undefined)
  return newer
    ? [...problems, "it may be of a run of a newer version, whose settings this one does not know"]
    : problems
}

/** The settings of a file under those of the command line; what changes nothing is told. */
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
