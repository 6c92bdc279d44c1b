/** Program: one training run, from its settings to its last checkpoint, with a manifest that tells what made it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { ConfigError } from "./domain/configure.ts"
import type { RunConfig } from "./domain/RunConfig.ts"
import { environment } from "./environment.ts"
import * as Checkpoints from "./runtime/layers/checkpoints.ts"
import { FileError, located, readJson, replace } from "./runtime/layers/files.ts"
import { learner, prepare, type Prepared } from "./system.ts"
import { train } from "./train.ts"

export const json = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)

const Stored = Schema.Struct({
  steps: Schema.Finite,
  seconds: Schema.Finite,
  questionsPerSecond: Schema.Finite,
  retrieverLoss: Schema.Finite,
  readerLoss: Schema.Finite,
  checkpoint: Schema.String
})

/** What a finished run told of itself. */
const stored = (path: string) =>
  readJson(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Stored)),
    Effect.mapError((e) => e instanceof FileError ? e : new FileError({ path, place: "", reason: e.message }))
  )

/** Trains, having written what is trained (`settings.json`, which is a config file) and on what (`run.json`). */
export const start = Effect.fn("start")(function*({ config, epochs, passages }: Prepared, resume: boolean) {
  const fs = yield* FileSystem.FileSystem
  const folder = config.output_dir
  yield* fs.makeDirectory(folder, { recursive: true }).pipe(located(folder))
  yield* replace(join(folder, "settings.json"), json(config))
  yield* replace(join(folder, "run.json"), json({ corpus: passages.hash, environment: yield* environment }))
  const done = yield* train(epochs, { resume })
  const path = join(folder, "trained.json")
  if (done.questionsPerSecond > 0) yield* replace(path, json(done))
  return (yield* fs.exists(path).pipe(located(path))) ? yield* stored(path) : done
})

/** Trains under the settings. A folder that holds a run already is gone on with where `resume`, else left alone. */
export const run = Effect.fn("run")(function*(c: RunConfig, resume: boolean) {
  const existing = yield* Checkpoints.latest(c.output_dir)
  if (existing !== undefined && !resume) {
    const problem = `output_dir holds a run already (${existing}); go on with it by --resume, or choose another`
    return yield* new ConfigError({ source: c.output_dir, problems: [problem] })
  }
  const prepared = yield* prepare(c)
  return yield* start(prepared, resume).pipe(Effect.provide(learner(prepared)))
})

/** The settings with the models of the newest whole checkpoint of their run, where there is one. */
export const trained = Effect.fn("trained")(function*(c: RunConfig) {
  const fs = yield* FileSystem.FileSystem
  const checkpoint = yield* Checkpoints.latest(c.output_dir)
  if (checkpoint === undefined) return c
  const own = Effect.fnUntraced(function*(part: "retriever" | "reader") {
    const folder = join(checkpoint, part)
    return (yield* fs.exists(folder).pipe(located(folder))) ? folder : c[`${part}_name_or_path`]
  })
  return { ...c, retriever_name_or_path: yield* own("retriever"), reader_name_or_path: yield* own("reader") }
})
