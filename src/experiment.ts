/** Program: several runs that start from the same weights, evaluated alike. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { decode } from "./domain/configure.ts"
import { type Raw, type RunConfig, Settings } from "./domain/RunConfig.ts"
import { evaluate, type Evaluation } from "./evaluate.ts"
import { FileError, located } from "./runtime/layers/files.ts"
import { Retriever } from "./runtime/ports/Retriever.ts"
import { readObject } from "./settings.ts"
import { learner, prepare, questions } from "./system.ts"
import { train, type Trained } from "./train.ts"

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
  readonly trained: Trained
  readonly evaluation: Evaluation
}

export const readPlan = Effect.fn("readPlan")(function*(path: string) {
  return yield* readObject(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Plan, { errors: "all", onExcessProperty: "error" })),
    Effect.mapError((error) =>
      error._tag === "FileError" ? error : new FileError({ path, place: "", reason: error.message })
    )
  )
})

/** Trains from where it was left. */
const study = <A, E, R>(config: RunConfig, then: Effect.Effect<A, E, R>) =>
  Effect.flatMap(prepare(config), (prepared) =>
    Effect.gen(function*() {
      const trained = yield* train(prepared.epochs, { resume: true })
      return { trained, result: yield* then }
    }).pipe(Effect.provide(learner(prepared))))

/** The test questions, with a fresh index. */
const examine = Effect.fnUntraced(function*() {
  const c = yield* Settings
  yield* (yield* Retriever).refresh
  const records = yield* questions(c, "test_file")
  return yield* evaluate(records, { gold: c.mode === "oracle", task: `${c.output_dir}, test` })
})

/** The model folders of a checkpoint, as settings. */
const models = Effect.fnUntraced(function*(checkpoint: string) {
  const fs = yield* FileSystem.FileSystem
  const parts = ["retriever", "reader"].map((part) => [`${part}_name_or_path`, join(checkpoint, part)] as const)
  const present = yield* Effect.filter(parts, ([, folder]) => fs.exists(folder).pipe(located(folder)))
  return Object.fromEntries(present) as Raw
})

const ofSeed = Effect.fnUntraced(function*(plan: Plan, seed: number, source: string, overrides: Raw) {
  const settle = (name: string, own: Raw, given: Raw) =>
    Effect.map(decode(`${source}, ${name}`, { ...plan.settings, seed, ...own, ...given }, overrides), (c) => ({
      ...c,
      output_dir: join(c.output_dir, `seed-${seed}`, name)
    }))
  let given: Raw = {}
  for (const [name, own] of Object.entries(plan.warm_up)) {
    const config = yield* settle(name, own, given)
    const { trained } = yield* study(config, Effect.void)
    given = { ...given, ...(yield* models(trained.checkpoint)) }
  }
  return yield* Effect.forEach(
    Object.entries(plan.arms),
    Effect.fnUntraced(function*([arm, own]) {
      const { result, trained } = yield* study(yield* settle(arm, own, given), examine())
      return { arm, seed, trained, evaluation: result } satisfies Outcome
    })
  )
})

/** Every arm of every seed. */
export const experiment = Effect.fn("experiment")(function*(plan: Plan, source: string, overrides: Raw) {
  return (yield* Effect.forEach(plan.seeds, (seed) => ofSeed(plan, seed, source, overrides))).flat()
})
