/** The plan of an experiment: what is wrong with one, and the settings of each of its runs. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief } from "../brief.ts"
import { type Issue, issuesOf, pathText } from "../issues.ts"
import { didYouMean } from "../nearest.ts"
import { COMMAND_LINE, ConfigError, settingOf, settle, type Settled } from "./configure.ts"
import type { Raw } from "./RunConfig.ts"

const Some = Schema.Record(Schema.String, Schema.Unknown)

/**
 * For each seed the warm-ups run in order, each from the weights that those before it made; then every arm runs from
 * there.
 */
export const Plan = Schema.Struct({
  seeds: Schema.NonEmptyArray(Schema.Natural),
  settings: Some,
  warm_up: Schema.Record(Schema.String, Some).pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  arms: Schema.Record(Schema.String, Some)
})
export type Plan = typeof Plan.Type

/** What each part of a plan has to be. */
const wanted: Readonly<Record<keyof Plan, string>> = {
  seeds: "a list of whole numbers of at least 0",
  settings: "settings (key: value)",
  warm_up: "settings (key: value) by name",
  arms: "settings (key: value) by name"
}
const parts = Object.keys(wanted) as ReadonlyArray<keyof Plan>

/** Folders of these names cannot be made everywhere. */
const reserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i
const folderName = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._=+,@()-]*[\p{L}\p{N}_=+@()-])?$/u

/** Why a run cannot be called so: its name is that of its folder, and keeps its place among the others. */
const misnamed = (name: string): string | undefined => {
  if (/^\d+$/.test(name)) return "is a number; add a letter"
  if (name.length > 100 || !folderName.test(name) || reserved.test(name)) {
    return "cannot be the name of a folder; use letters, digits, spaces and ._=+,@()- and begin with a letter or a digit"
  }
  return undefined
}

/** Names that mean the same folder, on some disks. */
const alike = (name: string): string => name.normalize("NFKC").toLowerCase()

type Runs = Readonly<Record<string, unknown>>

const named = (warmUps: Runs, arms: Runs): ReadonlyArray<string> => {
  const seen = new Map<string, string>()
  const check = (part: string) => (name: string): ReadonlyArray<string> => {
    const place = `${part}, ${brief(name)}`
    const [why, other] = [misnamed(name), seen.get(alike(name))]
    seen.set(alike(name), place)
    if (why !== undefined) return [`${place} ${why}`]
    return other === undefined ? [] : [`${place} would share a folder with ${other}`]
  }
  return [...Object.keys(warmUps).flatMap(check("warm_up")), ...Object.keys(arms).flatMap(check("arms"))]
}

/** Where a seed is given that is not one of the plan's. */
const seeded = ({ arms, settings, warm_up }: Plan): ReadonlyArray<string> => {
  const all = { settings, ...prefixed("warm_up", warm_up), ...prefixed("arms", arms) }
  return Object.entries(all).filter(([, own]) => Object.hasOwn(own, "seed"))
    .map(([place]) => `${place}: seed: the plan's seeds decide; leave it out`)
}
const prefixed = (part: string, runs: Plan["arms"]) =>
  Object.fromEntries(Object.entries(runs).map(([name, own]) => [`${part}.${name}`, own]))

const repeated = (seeds: ReadonlyArray<number>): ReadonlyArray<string> => {
  const twice = seeds.filter((seed, i) => seeds.indexOf(seed) < i)
  return twice.length > 0 ? [`seeds: ${brief([...new Set(twice)])} given twice`] : []
}

const unknownKeys = (file: Raw): ReadonlyArray<string> =>
  Object.keys(file).filter((key) => !parts.some((part) => part === key)).map((key) => {
    const near = didYouMean(key, parts)
    return `unknown key ${brief(key)}${near === undefined ? "" : `, did you mean "${near}"?`}`
  })

/** "arms.joint: must be settings (key: value); given null" */
const misfit = (file: Raw) => ({ path, reason }: Issue): string => {
  const given = path.reduce<unknown>((value, part) => (value as Raw | undefined)?.[part as string], file)
  if (given === undefined) return `${pathText(path)}: ${reason}`
  const what = path.length === 2 && path[0] !== "seeds" ? wanted.settings : wanted[path[0] as keyof Plan]
  return `${pathText(path)}: must be ${what}; given ${brief(given)}`
}

/** A plan that can be run, from the object of its file. */
export const decodePlan = Effect.fnUntraced(function*(source: string, file: Raw) {
  const refuse = (problems: ReadonlyArray<string>) => new ConfigError({ source, problems })
  const unknown = unknownKeys(file)
  if (unknown.length > 0) {
    return yield* refuse(Object.hasOwn(file, "arms") ? unknown : ["is no plan of an experiment: it has no arms"])
  }
  const plan = yield* Schema.decodeUnknownEffect(Plan)(file, { errors: "all" }).pipe(
    Effect.mapError((error) => refuse(issuesOf(error).map(misfit(file))))
  )
  const problems = [
    ...(Object.keys(plan.arms).length === 0 ? ["arms: there is none"] : []),
    /** As the file has them: a name such as __proto__ is lost on the way. */
    ...named((file["warm_up"] ?? {}) as Runs, file["arms"] as Runs),
    ...repeated(plan.seeds),
    ...seeded(plan)
  ]
  return problems.length > 0 ? yield* refuse(problems) : plan
})

/** A run of a plan: a warm-up or an arm, by its name. */
export interface Run {
  readonly part: "warm_up" | "arms"
  readonly name: string
  readonly seed: number
}

export interface Planned {
  readonly plan: Plan
  /** Its file. */
  readonly source: string
  /** Settings of the command line. They win over all others, but for model folders: there the first run begins. */
  readonly overrides: Raw
}

const isFolder = (key: string): boolean =>
  ["retriever_name_or_path", "reader_name_or_path"].some((folder) => folder === settingOf(key))
const pick = (settings: Raw, wanted: (key: string) => boolean): Raw =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => wanted(key)))

const placeOf = ({ source }: Planned, { name, part }: Run): string => `${source}, ${part}.${name}`
const sharedOf = ({ source }: Planned): string => `${source}, settings`

/** The settings of a run, where the warm-ups before it made the model folders of `weights`. */
export const settingsOf = (planned: Planned, run: Run, weights: Raw = {}): Effect.Effect<Settled, ConfigError> => {
  const { overrides, plan } = planned
  if (Object.keys(overrides).some((key) => settingOf(key) === "seed")) {
    const problem = "seed: the plan's seeds decide; --seed gives others"
    return Effect.fail(new ConfigError({ source: COMMAND_LINE, problems: [problem] }))
  }
  return settle([
    { source: sharedOf(planned), settings: plan.settings },
    { source: "seeds", settings: { seed: run.seed } },
    { source: COMMAND_LINE, settings: pick(overrides, isFolder) },
    { source: "warm_up", settings: weights },
    { source: placeOf(planned, run), settings: plan[run.part][run.name] ?? {} },
    { source: COMMAND_LINE, settings: pick(overrides, (key) => !isFolder(key)) }
  ], placeOf(planned, run))
}

/** The runs of a seed, in order. */
export const runsOf = ({ arms, warm_up }: Plan, seed: number): ReadonlyArray<Run> => [
  ...Object.keys(warm_up).map((name) => ({ part: "warm_up", name, seed }) as const),
  ...Object.keys(arms).map((name) => ({ part: "arms", name, seed }) as const)
]

/** A run's own settings that do not decide, or that keep it from what the others share. */
const overridden = (planned: Planned, run: Run): ReadonlyArray<string> => {
  const [place, { overrides, plan }] = [placeOf(planned, run), planned]
  const own = Object.keys(plan[run.part][run.name]!).flatMap((key) => settingOf(key) ?? [])
  const given = new Set(Object.keys(overrides).map(settingOf))
  const lost = own.filter((key) => given.has(key) && !isFolder(key))
  const folders = own.filter(isFolder)
  const follows = run.part === "arms" ? Object.keys(plan.warm_up).length > 0 : Object.keys(plan.warm_up)[0] !== run.name
  return [
    ...(lost.length > 0 ? [`${place}: --set wins over its own ${lost.join(", ")}`] : []),
    ...(follows && folders.length > 0 ? [`${place}: begins from its own ${folders.join(", ")}, not the warm-ups'`] : [])
  ]
}

/** Decodes the settings of every run; what is to be told of a plan that can be run. */
export const check = Effect.fnUntraced(function*(planned: Planned) {
  const runs = runsOf(planned.plan, planned.plan.seeds[0])
  const settled = yield* Effect.forEach(runs, (run) => settingsOf(planned, run))
  const own = runs.flatMap((run, i) => {
    const idle = settled[i]!.unused.filter(({ source }) => source === placeOf(planned, run))
    const told = idle.map(({ text }) => text).join(", ")
    return overridden(planned, run).concat(told === "" ? [] : [`${placeOf(planned, run)}: without effect: ${told}`])
  })
  const ofAll = [sharedOf(planned), COMMAND_LINE].flatMap((source) => {
    const [first, ...others] = settled.map(({ unused }) => unused.filter((one) => one.source === source))
    const idle = first!.filter(({ key }) => others.every((unused) => unused.some((one) => one.key === key)))
    return idle.length > 0 ? [`${source}: without effect: ${idle.map(({ key }) => key).join(", ")}`] : []
  })
  return [...own, ...ofAll]
})
