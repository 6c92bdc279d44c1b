/** Program: several runs that start from the same weights, evaluated alike. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { ConfigError, decode } from "./domain/configure.ts"
import { type Raw, type RunConfig, Settings } from "./domain/RunConfig.ts"
import { evaluate, type Evaluation } from "./evaluate.ts"
import { init } from "./init.ts"
import type { Summary } from "./judge.ts"
import { fitting } from "./preflight.ts"
import { start } from "./run.ts"
import { FileError, located } from "./runtime/layers/files.ts"
import { Retriever } from "./runtime/ports/Retriever.ts"
import { readObject } from "./settings.ts"
import { learner, prepare, questions } from "./system.ts"
import type { Trained } from "./train.ts"

const Some = Schema.Record(Schema.String, Schema.Unknown)

/**
 * For each seed the warm-ups run in order, each from the weights that those before it made; then every arm runs from
 * there.
 */
export const Plan = Schema.Struct({
  seeds: Schema.NonEmptyArray(Schema.Natural),
  settings: Some,
  warm_up: Schema.Record(Schema.String, Some),
  arms: Schema.Record(Schema.String, Some)
})
export type Plan = typeof Plan.Type

export interface Outcome {
  readonly arm: string
  readonly seed: number
  /** The ranking before training, where the retriever learns. */
  readonly before: Summary | undefined
  readonly trained: Trained
  readonly evaluation: Evaluation
}

export const readPlan = Effect.fn("readPlan")(function*(path: string) {
  return yield* readObject(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Plan, { errors: "all", onExcessProperty: "error" })),
    Effect.tap((plan) => {
      const twice = Object.keys(plan.arms).filter((arm) => arm in plan.warm_up)
      const reason = `${twice.join(", ")} names a warm-up and an arm, which would share a folder`
      return twice.length > 0 ? Effect.fail(new FileError({ path, place: "arms", reason })) : Effect.void
    }),
    Effect.mapError((error) =>
      error._tag === "FileError" ? error : new FileError({ path, place: "", reason: error.message })
    )
  )
})

/** Questions, with a fresh index. */
const examine = Effect.fnUntraced(function*(read: boolean) {
  const c = yield* Settings
  yield* (yield* Retriever).refresh
  const task = `${c.output_dir}, ${read ? "test" : "ranking before"}`
  return yield* evaluate(yield* questions(c, "test"), {
    passages: c.mode === "oracle" ? "gold" : "found",
    read,
    task
  })
})

/** Trains from where it was left. */
const warmUp = (config: RunConfig) =>
  Effect.flatMap(
    prepare(config),
    (prepared) => start(prepared, true).pipe(Effect.provide(learner(prepared)))
  )

const retrieverLearns = ({ mode }: RunConfig): boolean => mode === "joint" || mode === "gold_supervised"

/** Ranks, trains, answers. */
const runArm = (config: RunConfig) =>
  Effect.flatMap(prepare(config), (prepared) =>
    Effect.gen(function*() {
      const before = retrieverLearns(config) ? (yield* examine(false)).summary : undefined
      const trained = yield* start(prepared, true)
      return { before, trained, evaluation: yield* examine(config.mode !== "lexical") }
    }).pipe(Effect.provide(learner(prepared))))

/** The model folders of a checkpoint, as settings. */
const models = Effect.fnUntraced(function*(checkpoint: string) {
  const fs = yield* FileSystem.FileSystem
  const parts = ["retriever", "reader"].map((part) => [`${part}_name_or_path`, join(checkpoint, part)] as const)
  return yield* Effect.filter(parts, ([, folder]) => fs.exists(folder).pipe(located(folder)))
})

/** Refuses an arm whose test questions would not fit at its end. */
const askable = (c: RunConfig) =>
  Effect.flatMap(questions(c, "test"), (records) => fitting(c, "test", "answer", records))

const ofSeed = Effect.fnUntraced(function*(plan: Plan, seed: number, source: string, overrides: Raw) {
  const given = new Map<string, unknown>()
  const settle = (name: string, own: Raw) => {
    const settings = Object.assign({}, plan.settings, { seed }, own, Object.fromEntries(given))
    return Effect.map(decode(`${source}, ${name}`, settings, overrides), (c) => ({
      ...c,
      output_dir: join(c.output_dir, `seed-${seed}`, name)
    }))
  }
  /** Whatever is wrong with a plan is told before hours are spent on its first runs. */
  yield* Effect.forEach(Object.entries({ ...plan.warm_up, ...plan.arms }), ([name, own]) => settle(name, own))
  yield* init(yield* settle("", {}))
  for (const [name, own] of Object.entries(plan.arms)) yield* askable(yield* settle(name, own))
  for (const [name, own] of Object.entries(plan.warm_up)) {
    const { checkpoint } = yield* warmUp(yield* settle(name, own))
    for (const [setting, folder] of yield* models(checkpoint)) given.set(setting, folder)
  }
  return yield* Effect.forEach(
    Object.entries(plan.arms),
    ([arm, own]) =>
      Effect.map(
        Effect.flatMap(settle(arm, own), runArm),
        (ran) => ({ arm, seed, ...ran }) satisfies Outcome as Outcome
      )
  )
})

/** Every arm of every seed. */
export const experiment = Effect.fn("experiment")(function*(plan: Plan, source: string, overrides: Raw) {
  return (yield* Effect.forEach(plan.seeds, (seed) => ofSeed(plan, seed, source, overrides))).flat()
})

/** The plan with these arms alone and these seeds instead of its own; what is not named at all stays as it is. */
export const only = (
  plan: Plan,
  arms: ReadonlyArray<string>,
  seeds: ReadonlyArray<number>
): Effect.Effect<Plan, ConfigError> => {
  const unknown = arms.filter((arm) => !(arm in plan.arms))
  if (unknown.length > 0) {
    const problem = `no arm is named ${unknown.join(", ")}; there are ${Object.keys(plan.arms).join(", ")}`
    return Effect.fail(new ConfigError({ source: "--arm", problems: [problem] }))
  }
  const kept = Object.entries(plan.arms).filter(([arm]) => arms.length === 0 || arms.includes(arm))
  const [first, ...others] = seeds
  return Effect.succeed({
    ...plan,
    seeds: first === undefined ? plan.seeds : [first, ...others],
    arms: Object.fromEntries(kept)
  })
}

/** The figures of an outcome, without its thousands of judgements. */
export const figures = ({ arm, before, evaluation, seed, trained }: Outcome) => ({
  arm,
  seed,
  trained,
  before,
  after: evaluation.summary
})
