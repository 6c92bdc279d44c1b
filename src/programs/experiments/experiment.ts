/** Program: several runs from the same initial weights, evaluated alike. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { join } from "node:path"
import { ConfigError } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { Raw, RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { exists, located } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { readObject } from "../../runtime/files/settings.ts"
import * as Sharing from "../../runtime/files/shared/shared.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { type Saved, Shared } from "../../runtime/ports/Shared.ts"
import { environment } from "../environment.ts"
import { init } from "../init.ts"
import { withModels } from "../models.ts"
import { fitting } from "../preflight.ts"
import { learner, prepare, questions } from "../prepare.ts"
import { start } from "../run.ts"
import { referred } from "../training/reference.ts"
import * as Trained from "../training/trained.ts"
import { adopt, type Run as ArmRun, runArm } from "./arm.ts"
import { check, decodePlan, type Plan, type Planned, type Run, runs, runsOf, settingsOf } from "./experimentPlan.ts"
import { type Placed, placed } from "./twins.ts"

/** An arm's run under a seed, with its evaluation. */
export interface Outcome extends ArmRun {
  readonly arm: string
  readonly seed: number
}

/** Reads a plan from a file; fails with everything that is wrong with it. */
export const readPlan = Effect.fn("readPlan")(function*(path: string) {
  return yield* decodePlan(path, yield* readObject(path))
})

/** Trains a phase, resuming it if it was interrupted. */
const warmUp = (config: RunConfig) =>
  Effect.flatMap(
    Effect.flatMap(prepare(config), referred),
    (prepared) => start(prepared, true).pipe(Effect.provide(learner(prepared)))
  ).pipe(Effect.scoped)

/** The model folders of a checkpoint, as settings. */
const models = Effect.fnUntraced(function*(checkpoint: string) {
  const fs = yield* FileSystem.FileSystem
  const parts = Object.entries(folders).map(([part, setting]) => [setting, join(checkpoint, part)] as const)
  return yield* Effect.filter(parts, ([, folder]) => fs.exists(folder).pipe(located(folder)))
})

/** The settings of a run, with its own output folder, and with its models at hand. */
const settle = (planned: Planned, run: Run, weights: Raw) =>
  Effect.flatMap(settingsOf(planned, run, weights), ({ config }) =>
    withModels({
      ...config,
      output_dir: join(config.output_dir, `seed-${run.seed}`, ...run.folder)
    }))

/** The folder of all results: no run has another. */
const outputOf = (planned: Planned) =>
  Effect.map(settingsOf(planned, runsOf(planned.plan, planned.plan.seeds[0])[0]!), ({ config }) => config.output_dir)

/** Refuses an arm whose test questions do not fit the reader, before any training. */
const askable = (c: RunConfig) =>
  Effect.flatMap(questions(c, "test"), (records) => fitting(c, "test", "answer", records))

/** The folder of a seed in which the runners of one experiment lock what each of them works on. */
const RUNNERS = ".runners"
/** The folder of an experiment with what its runs share. */
const SHARED = ".shared"

/** Locks a part of a seed's work until the scope ends, while no other process is at it. */
const alone = Effect.fnUntraced(function*(folder: string, part: string, what: string) {
  const { note } = yield* Reporter
  yield* Lock.waiting(join(folder, RUNNERS, part), (other) => note(`${folder}: waits for ${what} of process ${other}`))
})

/** Trains a phase, or takes it as another arm of this or another process trained it. */
const phased = Effect.fnUntraced(function*(config: RunConfig, run: Run) {
  const seed = join(config.output_dir, ...run.folder.map(() => ".."))
  yield* alone(seed, run.folder.join("."), run.folder.join("/"))
  const before = yield* Trained.read(config.output_dir)
  const trained = yield* warmUp(config)
  return { trained, again: before?.steps === trained.steps }
}, Effect.scoped)

/**
 * Runs phases in order; returns the resulting model folders, as settings for the runs that follow. `saves` says of which it
 * counts that they were trained for another arm.
 */
const inTurn = Effect.fnUntraced(function*(
  planned: Planned,
  phases: ReadonlyArray<Run>,
  begun: Raw,
  saves: (phase: Run) => boolean = () => false
) {
  const { save } = yield* Shared
  const given = new Map(Object.entries(begun))
  for (const phase of phases) {
    const config = yield* settle(planned, phase, Object.fromEntries(given))
    const { again, trained: { checkpoint, seconds, steps } } = yield* phased(config, phase)
    if (again && saves(phase)) save("phases", { times: 1, readings: steps * stepSize(config), seconds: seconds ?? 0 })
    for (const [setting, folder] of yield* models(checkpoint)) given.set(setting, folder)
  }
  return Object.fromEntries(given)
})

/** How often is looked for what other runners have ended. */
const PAUSE = "1 second"

/** Runs an effect unless another process is at this part of a seed's work. */
const unlessHeld = <A, E, R>(folder: string, part: string, effect: Effect.Effect<A, E, R>) =>
  Lock.attempt(join(folder, RUNNERS, part)).pipe(
    Effect.flatMap((free) => free ? Effect.asSome(effect) : Effect.succeedNone),
    Effect.scoped
  )

/** A seed's work: `turn` does what no other runner is at, and `left` says which parts others are at since. */
interface SeedWork<E, R> {
  readonly turn: Effect.Effect<void, E, R>
  readonly left: () => ReadonlyArray<string>
  readonly outcomes: () => ReadonlyArray<Outcome>
}

const ofSeed = Effect.fnUntraced(function*(planned: Planned, seed: number) {
  const { arms: all, warmUp: phases } = runs(planned.plan, seed)
  const arms = yield* placed(planned, all)
  const [before, own] = [[...phases, ...arms.flatMap((arm) => arm.phases)], arms.map(({ run }) => run)]
  for (const run of [...before, ...own]) yield* init((yield* settingsOf(planned, run)).config)
  for (const run of before) yield* settle(planned, run, {})
  for (const run of own) yield* askable(yield* settle(planned, run, {}))
  const folder = join(yield* outputOf(planned), `seed-${seed}`)
  let warmed: Raw | undefined = phases.length === 0 ? {} : undefined
  const done = new Map<string, Outcome>()

  const configOf = Effect.fnUntraced(function*({ name, phases, run }: Placed, weights: Raw) {
    const begun = yield* exists(join(folder, name))
    const saves = (phase: Run) => !begun && phase.folder[0] !== name
    return yield* settle(planned, run, yield* inTurn(planned, phases, weights, saves))
  })
  const ran = (arm: Placed, weights: Raw) => Effect.flatMap(configOf(arm, weights), runArm)
  const adopted = Effect.fnUntraced(function*(arm: Placed, weights: Raw) {
    const other = arms.find(({ name }) => name === arm.twin)!
    return yield* adopt(yield* configOf(arm, weights), yield* configOf(other, weights))
  })
  const missing = (twins: boolean) => arms.filter(({ name, twin }) => !done.has(name) && (twin !== undefined) === twins)

  const turn = Effect.gen(function*() {
    if (!warmed) warmed = Option.getOrUndefined(yield* unlessHeld(folder, "warm_up", inTurn(planned, phases, {})))
    if (!warmed) return
    for (const [twins, run] of [[false, ran], [true, adopted]] as const) {
      for (const arm of missing(twins)) {
        const result = yield* unlessHeld(folder, arm.name, run(arm, warmed))
        if (Option.isSome(result)) done.set(arm.name, { arm: arm.name, seed, ...result.value })
      }
      if (missing(twins).length > 0) return
    }
  })
  const left = () => {
    if (!warmed) return [`${folder}: the warm-up`]
    const parts = missing(missing(false).length === 0)
    return parts.map(({ name }) => `${folder}: ${name}`)
  }
  return { turn, left, outcomes: () => arms.map(({ name }) => done.get(name)!) }
})

/** Takes turns at the seeds until all are done; waits where other runners are at all that is left. */
const inTurns = Effect.fnUntraced(function*<E, R>(seeds: ReadonlyArray<SeedWork<E, R>>) {
  const { note } = yield* Reporter
  const allLeft = () => seeds.flatMap(({ left }) => left())
  let told = false
  for (let before = allLeft(); before.length > 0;) {
    for (const { turn } of seeds.filter(({ left }) => left().length > 0)) yield* turn
    const after = allLeft()
    if (after.join() === before.join()) {
      if (!told) yield* note(`other processes are at what is left, and are waited for: ${after.join(", ")}`)
      told = true
      yield* Effect.sleep(PAUSE)
    }
    before = after
  }
  return seeds.flatMap(({ outcomes }) => outcomes())
})

/** What was not computed again, by kind, in words; `undefined` if there is nothing. */
const savedText = (saved: ReadonlyMap<string, Saved>): string | undefined => {
  const seconds = [...saved.values()].reduce((sum, own) => sum + own.seconds, 0)
  const kinds = [...saved].map(([kind, own]) =>
    `${kind} ${own.times} times (${own.readings.toLocaleString("en")} texts, ${own.seconds.toFixed(1)} s)`
  )
  return kinds.length === 0
    ? undefined
    : `shared, not computed again: ${kinds.join(", ")}; ${seconds.toFixed(1)} s in all`
}

/**
 * Runs every arm under every seed; several processes with one output folder share the arms. Errors in the plan are reported before
 * any training starts.
 */
export const experiment = Effect.fn("experiment")(function*(plan: Plan, source: string, overrides: Raw) {
  const planned = { plan, source, overrides }
  for (const notice of yield* check(planned)) yield* Effect.logWarning(notice)
  const { note } = yield* Reporter
  const sharing = yield* Sharing.make(join(yield* outputOf(planned), SHARED), {
    environment: yield* environment,
    tell: note
  })
  const seeds = Effect.flatMap(Effect.forEach(plan.seeds, (seed) => ofSeed(planned, seed)), inTurns)
  const outcomes = yield* Effect.provideService(seeds, Shared, sharing)
  const saved = savedText(sharing.saved())
  if (saved !== undefined) yield* note(saved)
  return outcomes
})

/** The plan restricted to these arms, and with these seeds; an empty list leaves the plan's own. */
export const only = (
  plan: Plan,
  arms: ReadonlyArray<string>,
  seeds: ReadonlyArray<number>
): Effect.Effect<Plan, ConfigError> => {
  const unknown = arms.filter((arm) => !Object.hasOwn(plan.arms, arm))
  if (unknown.length > 0) {
    const problem = `no arm is named ${unknown.join(", ")}; there are ${Object.keys(plan.arms).join(", ")}`
    return Effect.fail(new ConfigError({ source: "--arm", problems: [problem] }))
  }
  if (new Set(seeds).size < seeds.length || seeds.some((seed) => seed < 0)) {
    const problem = `${seeds.join(", ")}: seeds are different whole numbers of at least 0`
    return Effect.fail(new ConfigError({ source: "--seed", problems: [problem] }))
  }
  const kept = Object.entries(plan.arms).filter(([arm]) => arms.length === 0 || arms.includes(arm))
  const [first, ...others] = seeds
  return Effect.succeed({
    ...plan,
    seeds: first === undefined ? plan.seeds : [first, ...others],
    arms: Object.fromEntries(kept)
  })
}

/** The metrics of an outcome, without its individual verdicts. */
export const figures = ({ arm, before, evaluation, seed, trained }: Outcome) => ({
  arm,
  seed,
  trained,
  before,
  after: evaluation.summary
})
