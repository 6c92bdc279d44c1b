/** Program: several runs from the same initial weights, evaluated alike. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { join } from "node:path"
import { ConfigError } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { Raw, RunConfig } from "../../domain/settings/RunConfig.ts"
import { located } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { readObject } from "../../runtime/files/settings.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { init } from "../init.ts"
import { withModels } from "../models.ts"
import { fitting } from "../preflight.ts"
import { learner, prepare, questions } from "../prepare.ts"
import { start } from "../run.ts"
import { referred } from "../training/reference.ts"
import { type Run as ArmRun, runArm } from "./arm.ts"
import { check, decodePlan, type Plan, type Planned, type Run, runs, settingsOf } from "./experimentPlan.ts"

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

/** Refuses an arm whose test questions do not fit the reader, before any training. */
const askable = (c: RunConfig) =>
  Effect.flatMap(questions(c, "test"), (records) => fitting(c, "test", "answer", records))

/** Runs phases in order; returns the resulting model folders, as settings for the runs that follow. */
const inTurn = Effect.fnUntraced(function*(planned: Planned, phases: ReadonlyArray<Run>, begun: Raw) {
  const given = new Map(Object.entries(begun))
  for (const phase of phases) {
    const { checkpoint } = yield* warmUp(yield* settle(planned, phase, Object.fromEntries(given)))
    for (const [setting, folder] of yield* models(checkpoint)) given.set(setting, folder)
  }
  return Object.fromEntries(given)
})

/** The folder of a seed in which the runners of one experiment lock what each of them works on. */
const RUNNERS = ".runners"
/** How often is looked for arms that other runners have ended. */
const PAUSE = "1 second"

/**
 * Runs arms that no other runner is at, until all are done; those that another has run are not run again. Results are in
 * the order of the arms.
 */
const shared = Effect.fnUntraced(function*<A extends { readonly name: string }, B, E, R>(
  folder: string,
  arms: ReadonlyArray<A>,
  one: (arm: A) => Effect.Effect<B, E, R>
) {
  const { note } = yield* Reporter
  const done = new Map<string, B>()
  let told = false
  for (let left = arms; left.length > 0;) {
    const held: Array<A> = []
    for (const arm of left) {
      const own = Effect.flatMap(
        Lock.attempt(join(folder, RUNNERS, arm.name)),
        (free) => free ? Effect.asSome(one(arm)) : Effect.succeedNone
      )
      const result = yield* Effect.scoped(own)
      if (Option.isSome(result)) done.set(arm.name, result.value)
      else held.push(arm)
    }
    if (held.length === left.length) {
      if (!told) {
        yield* note(`${folder}: waits for ${held.map(({ name }) => name).join(", ")}, at which another process is`)
      }
      told = true
      yield* Effect.sleep(PAUSE)
    }
    left = held
  }
  return arms.map(({ name }) => done.get(name)!)
})

const ofSeed = Effect.fnUntraced(function*(planned: Planned, seed: number) {
  const { arms, warmUp: phases } = runs(planned.plan, seed)
  const { config } = yield* settingsOf(planned, { seed, place: "settings", folder: [], settings: {}, after: [] }, {})
  yield* init(config)
  for (const phase of [...phases, ...arms.flatMap((arm) => arm.phases)]) yield* settle(planned, phase, {})
  for (const { run } of arms) yield* askable(yield* settle(planned, run, {}))
  const folder = join(config.output_dir, `seed-${seed}`)
  const { note } = yield* Reporter
  const warmed = phases.length === 0 ? {} : yield* Effect.scoped(Effect.andThen(
    Lock.waiting(
      join(folder, RUNNERS, "warm_up"),
      (other) => note(`${folder}: waits for the warm-up of process ${other}`)
    ),
    inTurn(planned, phases, {})
  ))
  return yield* shared(
    folder,
    arms,
    Effect.fnUntraced(function*({ name, phases, run }) {
      const config = yield* settle(planned, run, yield* inTurn(planned, phases, warmed))
      return { arm: name, seed, ...yield* runArm(config) } satisfies Outcome as Outcome
    })
  )
})

/**
 * Runs every arm under every seed; several processes with one output folder share the arms. Errors in the plan are reported before
 * any training starts.
 */
export const experiment = Effect.fn("experiment")(function*(plan: Plan, source: string, overrides: Raw) {
  const planned = { plan, source, overrides }
  for (const notice of yield* check(planned)) yield* Effect.logWarning(notice)
  return (yield* Effect.forEach(plan.seeds, (seed) => ofSeed(planned, seed))).flat()
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
