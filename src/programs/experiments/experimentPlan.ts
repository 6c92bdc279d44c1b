/** An experiment's plan: its validation, and the settings of each of its runs. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief } from "../../domain/brief.ts"
import { type Issue, issuesOf, pathText } from "../../domain/issues.ts"
import { didYouMean } from "../../domain/nearest.ts"
import { COMMAND_LINE, ConfigError, type Settled } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { Raw } from "../../domain/settings/RunConfig.ts"
import { settingOf, settle } from "../../systems/all.ts"
import { cellsOf, Grid } from "./grid.ts"

const Some = Schema.Record(Schema.String, Schema.Unknown)

/** The settings of phases by name; each phase starts from the models of the phases before it. */
const Recipe = Schema.Record(Schema.String, Some)
const File = Schema.Struct({
  seeds: Schema.NonEmptyArray(Schema.Natural),
  settings: Some,
  warm_up: Recipe.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  arms: Schema.Record(Schema.String, Some).pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  grid: Schema.Record(Schema.String, Grid).pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
})

/** A run that is trained and evaluated after its own phases. */
export interface Arm {
  readonly phases: typeof Recipe.Type
  readonly settings: typeof Some.Type
}

/**
 * For each seed, the warm-up's phases run in order, each from the models of those before it; every arm then starts
 * from their models: first its own phases, then the arm itself.
 */
export interface Plan {
  readonly seeds: readonly [number, ...ReadonlyArray<number>]
  readonly settings: typeof Some.Type
  readonly warm_up: typeof Recipe.Type
  readonly arms: Readonly<Record<string, Arm>>
}

/** The expected value of each part of a plan. */
const [ONE, SOME] = ["settings (key: value)", "settings (key: value) by name"]
const wanted: Readonly<Record<keyof typeof File.Type, string>> = {
  seeds: "a list of whole numbers of at least 0",
  settings: ONE,
  warm_up: SOME,
  arms: SOME,
  grid: "settings (key: value) by name, with lists of values in `over`"
}
const parts = Object.keys(wanted) as ReadonlyArray<keyof typeof File.Type>

/** Folder names that are reserved on some systems. */
const reserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i
const folderName = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._=+,@()-]*[\p{L}\p{N}_=+@()-])?$/u

/** Why a run cannot have this name: it is also a folder name, and must keep its position among the plan's keys. */
const misnamed = (name: string): string | undefined => {
  if (/^\d+$/.test(name)) return "is a number; add a letter"
  if (name.length > 100 || !folderName.test(name) || reserved.test(name)) {
    return "cannot be the name of a folder; use letters, digits, spaces and ._=+,@()- and begin with a letter or a digit"
  }
  return undefined
}

/** Equal for names that denote the same folder on some disks. */
const alike = (name: string): string => name.normalize("NFKC").toLowerCase()

/** Problems with the names of runs; `beside` has the names already used in the same folder. */
const named = (part: string, names: Iterable<string>, beside: Map<string, string>): ReadonlyArray<string> =>
  [...names].flatMap((name) => {
    const place = `${part}, ${brief(name)}`
    const [why, other] = [misnamed(name), beside.get(alike(name))]
    beside.set(alike(name), place)
    if (why !== undefined) return [`${place} ${why}`]
    return other === undefined ? [] : [`${place} would share a folder with ${other}`]
  })

/** The same for an undecoded file, because a name such as __proto__ is lost in decoding. */
const misnamedIn = (file: Raw, cells: ReadonlyArray<string>): ReadonlyArray<string> => {
  const beside = new Map<string, string>()
  const arms = Object.entries((file["arms"] ?? {}) as Readonly<Record<string, Raw>>)
  return [
    ...named("warm_up", Object.keys(file["warm_up"] ?? {}), beside),
    ...named("arms", arms.map(([name]) => name), beside),
    ...named("grid", cells, beside),
    ...arms.flatMap(([name, arm]) => named(`arms.${name}.phases`, Object.keys(arm["phases"] ?? {}), new Map()))
  ]
}

/** Refuses seeds given outside the plan's `seeds`, and folders of results of single runs. */
const misplaced = (plan: Plan): ReadonlyArray<string> => {
  const runs = runsOf(plan, plan.seeds[0])
  const having = (key: string, of: ReadonlyArray<Pick<Run, "place" | "settings">>, why: string) =>
    of.filter(({ settings }) => Object.hasOwn(settings, key)).map(({ place }) =>
      `${place}: ${key}: ${why}; leave it out`
    )
  return [
    ...having("seed", [{ place: "settings", settings: plan.settings }, ...runs], "the plan's seeds decide"),
    ...having("output_dir", runs, "all runs are in that of settings, each in a folder of its name")
  ]
}

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
  const what = path[0] === "seeds" || path.length === 1 ? wanted[path[0] as keyof typeof wanted] : ONE
  return `${pathText(path)}: must be ${what}; given ${brief(given)}`
}

const isRecipe = Schema.is(Recipe)

/** Decodes and validates a plan from its file's object. */
export const decodePlan = Effect.fnUntraced(function*(source: string, file: Raw) {
  const refuse = (problems: ReadonlyArray<string>) => new ConfigError({ source, problems })
  const unknown = unknownKeys(file)
  if (unknown.length > 0) {
    const armed = Object.hasOwn(file, "arms") || Object.hasOwn(file, "grid")
    return yield* refuse(armed ? unknown : ["is no plan of an experiment: it has no arms"])
  }
  const { arms, grid, seeds, settings, warm_up } = yield* Schema.decodeUnknownEffect(File)(file, { errors: "all" })
    .pipe(
      Effect.mapError((error) => refuse(issuesOf(error).map(misfit(file))))
    )
  const unphased = Object.entries(arms).filter(([, { phases = {} }]) => !isRecipe(phases))
    .map(([name, { phases }]) => `arms.${name}.phases: must be ${SOME}; given ${brief(phases)}`)
  if (unphased.length > 0) return yield* refuse(unphased)
  const armOf = ({ phases = {}, ...own }: typeof Some.Type): Arm => ({ phases: phases as Arm["phases"], settings: own })
  const cells = cellsOf(grid)
  if ("problems" in cells) return yield* refuse(cells.problems)
  const plan: Plan = {
    seeds,
    settings,
    warm_up,
    arms: Object.fromEntries([...Object.entries(arms), ...cells.arms].map(([name, arm]) => [name, armOf(arm)]))
  }
  const problems = [
    ...(Object.keys(plan.arms).length === 0 ? ["arms: there is none"] : []),
    ...misnamedIn(file, cells.arms.map(([name]) => name)),
    ...repeated(plan.seeds),
    ...misplaced(plan)
  ]
  return problems.length > 0 ? yield* refuse(problems) : plan
})

/** A run of a plan: a phase of the warm-up, a phase of an arm, or an arm. */
export interface Run {
  readonly seed: number
  /** Its path in the plan: "arms.joint". */
  readonly place: string
  /** Its folder, relative to the seed's. */
  readonly folder: ReadonlyArray<string>
  /** Its own settings. */
  readonly settings: Raw
  /** Paths of the runs whose models it starts from. */
  readonly after: ReadonlyArray<string>
}

/** The runs of a seed: the warm-up's phases in order, and each arm with its phases. */
export interface Runs {
  readonly warmUp: ReadonlyArray<Run>
  readonly arms: ReadonlyArray<{ readonly name: string; readonly phases: ReadonlyArray<Run>; readonly run: Run }>
}

/** Phases in sequence, each after all those before it. */
const inTurn = (
  phases: typeof Recipe.Type,
  seed: number,
  place: string,
  folder: ReadonlyArray<string>,
  before: ReadonlyArray<string>
): ReadonlyArray<Run> => {
  const places = Object.keys(phases).map((name) => `${place}.${name}`)
  return Object.entries(phases).map(([name, settings], i) => ({
    seed,
    place: places[i]!,
    folder: [...folder, name],
    settings,
    after: [...before, ...places.slice(0, i)]
  }))
}

/** The runs of a plan under a seed. */
export const runs = ({ arms, warm_up }: Plan, seed: number): Runs => {
  const warmUp = inTurn(warm_up, seed, "warm_up", [], [])
  const warmed = warmUp.map(({ place }) => place)
  return {
    warmUp,
    arms: Object.entries(arms).map(([name, arm]) => {
      const place = `arms.${name}`
      const phases = inTurn(arm.phases, seed, `${place}.phases`, [name, "phases"], warmed)
      const after = [...warmed, ...phases.map((phase) => phase.place)]
      return { name, phases, run: { seed, place, folder: [name], settings: arm.settings, after } }
    })
  }
}

/** The same as a single list, in order. */
export const runsOf = (plan: Plan, seed: number): ReadonlyArray<Run> => {
  const { arms, warmUp } = runs(plan, seed)
  return [...warmUp, ...arms.flatMap(({ phases, run }) => phases.concat(run))]
}

/** A plan with its source and overrides. */
export interface Planned {
  readonly plan: Plan
  /** The plan's file. */
  readonly source: string
  /** Command-line settings. They override all others, except model folders, which only the first run starts from. */
  readonly overrides: Raw
}

const isFolder = (key: string): boolean => Object.values(folders).some((folder) => folder === settingOf(key))
const pick = (settings: Raw, wanted: (key: string) => boolean): Raw =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => wanted(key)))

const placeOf = ({ source }: Planned, { place }: Run): string => `${source}, ${place}`
const sharedOf = ({ source }: Planned): string => `${source}, settings`

/** The settings of a run, given the model folders `weights` from the phases before it. */
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
    { source: placeOf(planned, run), settings: run.settings },
    { source: COMMAND_LINE, settings: pick(overrides, (key) => !isFolder(key)) }
  ], placeOf(planned, run))
}

/** A run's own settings that are overridden, or that keep it from starting at the shared models. */
const overridden = (planned: Planned, run: Run): ReadonlyArray<string> => {
  const place = placeOf(planned, run)
  const own = Object.keys(run.settings).flatMap((key) => settingOf(key) ?? [])
  const given = new Set(Object.keys(planned.overrides).map(settingOf))
  const lost = own.filter((key) => given.has(key) && !isFolder(key))
  const folders = own.filter(isFolder)
  const others = run.after.every((own) => own.startsWith("warm_up."))
    ? "the warm-ups'"
    : "those of the phases before it"
  return [
    ...(lost.length > 0 ? [`${place}: --set wins over its own ${lost.join(", ")}`] : []),
    ...(run.after.length > 0 && folders.length > 0
      ? [`${place}: begins from its own ${folders.join(", ")}, not ${others}`]
      : [])
  ]
}

/** Decodes the settings of every run; returns warnings about a valid plan. */
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
