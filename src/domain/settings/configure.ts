/** Decodes user settings to a `RunConfig`, or reports everything wrong with them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief, cut, several } from "../brief.ts"
import { type Issue, issuesOf, pathText } from "../issues.ts"
import { didYouMean } from "../nearest.ts"
import { problemOf } from "../pattern.ts"
import { refreshOf } from "../RefreshSchedule.ts"
import { contradictions } from "./contradictions.ts"
import * as Placeholders from "./placeholders.ts"
import type { Raw, RunConfig } from "./RunConfig.ts"
import { aboutOf } from "./setting.ts"
import type { Spec } from "./Spec.ts"
import { wanted } from "./wanted.ts"

/** An invalid configuration: one line per problem, each naming its key. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  source: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const [first, ...more] = several(this.problems).map((problem) => cut(problem.replace(/\s+/g, " "), 400))
    return more.length === 0
      ? `${this.source}: ${first ?? "is not a configuration"}`
      : [`${this.source}:`, first, ...more].join("\n  ")
  }
}

/** Settings and their source: a file, part of a file, or the command line. */
export interface Given {
  readonly source: string
  readonly settings: Raw
}

/** The source name of command-line settings. */
export const COMMAND_LINE = "--set"

/** The setting that a key names: by name, alias, or either in kebab-case; `undefined` if unknown. */
export const settingOf = ({ aliases, fields }: Spec, key: string): string | undefined => {
  if (key.length > 64) return undefined
  const snake = key.replaceAll("-", "_")
  const name = aliases.get(snake) ?? snake
  return Object.hasOwn(fields, name) ? name : undefined
}

/** How many unknown keys get a suggestion. */
const GUESSES = 10

const unknownKey = ({ aliases, fields }: Spec, key: string, guess: boolean): string => {
  const near = guess ? didYouMean(key, [...Object.keys(fields), ...aliases.keys()]) : undefined
  return `unknown key ${brief(key)}${near === undefined ? "" : `, did you mean "${aliases.get(near) ?? near}"?`}`
}

/** A problem with a setting, and the setting's source. */
export interface Problem {
  readonly source: string
  readonly text: string
}

/** Merged settings, the source of each, and problems. */
interface Merged {
  readonly settings: Raw
  readonly sources: ReadonlyMap<string, string>
  readonly problems: ReadonlyArray<Problem>
  /** Settings of other systems, which have no effect. */
  readonly foreign: Settled["unused"]
}

/**
 * Renames keys to canonical names; a setting given twice by the same source is a problem. A file that several systems share
 * may have settings that only the others know.
 */
const rename = (spec: Spec, specs: Specs) => ({ settings, source }: Given): Merged => {
  const found = new Map<string, unknown>()
  const foreign: Array<Settled["unused"][number]> = []
  const problems: Array<string> = []
  for (const [key, value] of Object.entries(settings)) {
    const name = settingOf(spec, key)
    const owner = name === undefined ? specs.find((other) => settingOf(other, key) !== undefined) : spec
    if (owner === undefined) problems.push(unknownKey(spec, key, problems.length < GUESSES))
    else if (name === undefined) foreign.push({ key, source, text: `${key} (only in system ${owner.name})` })
    else if (found.has(name)) problems.push(`"${name}" is given twice (as ${brief(key)})`)
    else found.set(name, value)
  }
  return {
    settings: Object.fromEntries(found),
    sources: new Map([...found.keys()].map((name) => [name, source])),
    problems: [...new Set(problems)].map((text) => ({ source, text })),
    foreign
  }
}

/** Whether a pattern for module names is invalid, and why. */
const unreadable = (key: string, modules: RunConfig["lora_target_modules"]): string | false => {
  const problem = typeof modules === "string" ? problemOf(modules) : undefined
  return problem !== undefined && `${key}: "${modules}" is no pattern of names: ${problem}`
}

/** Conflicts between shared settings. */
const conflicts = (c: RunConfig): ReadonlyArray<string> =>
  [
    c.retriever_lora_r > 0 && c.retriever_trainable === "embeddings"
    && `retriever_trainable "embeddings" and retriever_lora_r (${c.retriever_lora_r}) exclude each other; name the `
      + "embeddings in retriever_modules_to_save",
    ...(["lora_target_modules", "retriever_lora_target_modules"] as const).map((key) => unreadable(key, c[key])),
    refreshOf(c.refresh_index) === undefined
    && `refresh_index: "${c.refresh_index}" is not "never", a number of steps, or ranges such as "0-100:10,100-1000:500", each with `
      + "\"probe 64\" or \"probe 64 below 0.9\" behind it or not"
  ].filter((problem) => problem !== false)

/** Merges sources; later ones win. */
const merge = (spec: Spec, specs: Specs, given: ReadonlyArray<Given>): Merged => {
  const all = given.map(rename(spec, specs))
  return {
    settings: Object.assign({}, ...all.map(({ settings }) => settings)) as Raw,
    sources: new Map(all.flatMap(({ sources }) => [...sources])),
    problems: all.flatMap(({ problems }) => problems),
    foreign: all.flatMap(({ foreign }) => foreign)
  }
}

/** One error for all problems; a problem from another source than the error's names its source. */
const failure = (problems: ReadonlyArray<Problem>, main: string): ConfigError => {
  const sources = new Set(problems.map(({ source }) => source))
  const source = sources.size === 1 ? [...sources][0]! : main
  return new ConfigError({
    source,
    problems: problems.map((one) => one.source === source ? one.text : `${one.source}: ${one.text}`)
  })
}

const valueAt = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce((found: unknown, part) => (found as Raw | undefined)?.[part as string], value)

/** "seed: must be a whole number of at least 0; given -1" */
const explain = ({ fields }: Spec, settings: Raw, { kind, path, reason }: Issue): string => {
  const key = String(path[0])
  const value = valueAt(settings, path)
  if (value === undefined) return `${key}: ${reason}`
  if (kind !== "Type") return `${key}: ${brief(value)} ${cut(reason, 200)}`
  const { remedy, what } = wanted(fields[key]!, value)
  const place = path.length > 1 ? `; ${cut(pathText(path))} is ${brief(value)}` : `; given ${brief(value)}`
  return `${key}: must be ${what}${place}${remedy}`
}

/** Keeps the first problem of each setting: the rest concern the same value. */
const firstOfEach = (issues: ReadonlyArray<Issue>): ReadonlyArray<Issue> =>
  [
    ...new Map(issues.toReversed().map((issue) => [issue.path[0], issue])).values()
  ].toReversed()

/** Valid settings. */
export interface Settled {
  readonly config: RunConfig
  /** Given, non-default settings that have no effect under the others. */
  readonly unused: ReadonlyArray<Problem & { readonly key: string }>
}

const presetOf = ({ presets }: Spec, name: unknown): Raw =>
  (Object.entries(presets).find(([preset]) => preset === name) ?? Object.entries(presets)[0]!)[1]

/** Schema errors, each with the source of its setting. */
const misfits = (
  spec: Spec,
  settings: Raw,
  { sources }: Merged,
  main: string,
  error: Schema.SchemaError
): ReadonlyArray<Problem> =>
  firstOfEach(issuesOf(error)).map((issue) => ({
    source: sources.get(String(issue.path[0])) ?? main,
    text: explain(spec, settings, issue)
  }))

/** Why a setting has no effect: "holdout (only without test_file)"; `undefined` if it may have one. */
export const unused = (spec: Spec, config: RunConfig, key: string): string | undefined => {
  const where = aboutOf(spec.fields[key]!).matters?.(config, spec.modes)
  if (where === undefined) return undefined
  return where.startsWith("not") ? `${key} (${where})` : `${key} (only ${where})`
}

/** The systems by name; the first is the default. */
export type Specs = readonly [Spec, ...ReadonlyArray<Spec>]

/** Names of a system: its own, those of its modes, and those of its presets. */
const namings = {
  system: ({ name }: Spec) => [name],
  mode: ({ modes }: Spec) => Object.keys(modes),
  preset: ({ presets }: Spec) => Object.keys(presets)
}

/** The first spec with the names of all systems, modes and presets: for saying that none has what is given. */
const anyOf = (specs: Specs): Spec => {
  const [first] = specs
  const names = Object.entries(namings).map(([key, of]) => [key, Schema.Literals(specs.flatMap(of))] as const)
  return { ...first, fields: { ...first.fields, ...Object.fromEntries(names) } }
}

/** The system that the last source names, if any: itself, or else by its mode, or else by its preset. */
const specOf = (specs: Specs, given: ReadonlyArray<Given>): Spec => {
  for (const { settings } of given.toReversed()) {
    for (const [key, names] of Object.entries(namings)) {
      if (Object.hasOwn(settings, key)) {
        return specs.find((spec) => names(spec).includes(settings[key] as string)) ?? anyOf(specs)
      }
    }
  }
  return specs[0]
}

/**
 * Decodes the user's settings: later sources override earlier ones, all override the preset, and the preset overrides
 * the defaults. Conflicts between settings are attributed to `main`.
 */
export const settle = Effect.fnUntraced(function*(
  specs: Specs,
  given: ReadonlyArray<Given>,
  main = given[0]?.source ?? "settings"
) {
  const spec = specOf(specs, given)
  const merged = merge(spec, specs, given)
  const { problems, settings, sources } = merged
  const usual = { ...spec.defaults, ...presetOf(spec, settings["preset"]) }
  const all: Raw = { ...usual, ...settings, ...(specs.includes(spec) ? { system: spec.name } : {}) }
  const decoded = yield* Schema.decodeUnknownEffect(Schema.Struct(spec.fields))(all, { errors: "all" }).pipe(
    Effect.mapError((error) => failure([...problems, ...misfits(spec, all, merged, main, error)], main))
  )
  const config = decoded as RunConfig
  if (problems.length > 0) return yield* failure(problems, main)
  const found = [
    ...spec.conflicts(config),
    ...conflicts(config),
    ...Placeholders.problems(spec.fields, config),
    ...contradictions(config, spec.modes[config.mode]!)
  ]
  if (found.length > 0) {
    const source = [...sources.values()].includes(COMMAND_LINE) ? `${main} with ${COMMAND_LINE}` : main
    return yield* new ConfigError({ source, problems: found })
  }
  const own = [...sources].filter(([key]) => JSON.stringify(settings[key]) !== JSON.stringify(usual[key]))
  const idle = own.flatMap(([key, source]) =>
    [unused(spec, config, key) ?? []].flat().map((text) => ({ key, source, text }))
  )
  return { config, unused: [...merged.foreign, ...idle] } satisfies Settled as Settled
})
