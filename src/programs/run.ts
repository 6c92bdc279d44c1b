/** Program: one training run, from its settings to its last checkpoint, with a manifest of how it was made. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Record from "effect/Record"
import { join } from "node:path"
import { checkpointStep, runFiles } from "../domain/fileNames.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import { suspicions } from "../domain/settings/contradictions.ts"
import { folders } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as Checkpoints from "../runtime/files/checkpoints.ts"
import { exists, located, namesIn, partialOf, readJson, replace } from "../runtime/files/disk.ts"
import { isPinned } from "../runtime/files/hub/ids.ts"
import * as Lock from "../runtime/files/lock.ts"
import { Reporter } from "../runtime/ports/Reporter.ts"
import { modeOf } from "../systems/all.ts"
import { environment } from "./environment.ts"
import { learned } from "./identity.ts"
import { basesOf, quantizationOf, withModels } from "./models.ts"
import { learner, prepare, type Prepared } from "./prepare.ts"
import { train } from "./train.ts"
import * as HeldOut from "./training/heldOut.ts"
import { referred } from "./training/reference.ts"
import * as Trained from "./training/trained.ts"

/** A value as the bytes of a JSON file. */
export const json = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)

const [SETTINGS, RUN] = [runFiles.settings, runFiles.run]

/** Removes partial files left in a run's folder by a killed process. */
const tidy = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const paths = [
    join(folder, SETTINGS),
    join(folder, RUN),
    HeldOut.pathOf(folder),
    Trained.pathOf(folder),
    Trained.clockOf(folder)
  ].map(
    partialOf
  )
  yield* Effect.forEach(paths, (path) => fs.remove(path, { force: true }).pipe(located(path)))
  yield* Checkpoints.tidy(folder)
})

const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).map(([what, count]) => `${count.toLocaleString("en")} ${what}`).join(", ")

/** Logs if a run resumes with a different number of steps than it started with. */
const extended = Effect.fnUntraced(function*(c: RunConfig, start: number) {
  const path = join(c.output_dir, SETTINGS)
  if (start === 0 || !(yield* exists(path))) return
  const { max_steps: before } = Object(yield* readJson(path)) as { readonly max_steps?: unknown }
  if (before === c.max_steps) return
  yield* (yield* Reporter).note(
    `max_steps was ${
      String(before)
    } and is ${c.max_steps}: learning rates follow the new schedule from step ${start} on`
  )
})

/**
 * Trains, after writing the settings (`settings.json`, usable as a config file) and the environment (`run.json`). The
 * folder is locked meanwhile; a run that cannot start writes nothing to it.
 */
export const start = Effect.fn("start")(
  function*({ config, counts, epochs, heldOut, passages }: Prepared, resume: boolean) {
    const folder = config.output_dir
    const begin = Effect.fnUntraced(function*(from: number) {
      yield* extended(config, from)
      for (const line of suspicions(config, modeOf(config).traits)) yield* Effect.logWarning(line)
      if (counts) yield* (yield* Reporter).note(`${config.train_file}: ${countsText(counts)}`)
      yield* tidy(folder)
      yield* replace(join(folder, SETTINGS), json(config))
      yield* replace(
        join(folder, RUN),
        json({
          corpus: passages.hash,
          bases: yield* basesOf(config),
          quantization: quantizationOf(config),
          environment: yield* environment
        })
      )
    })
    return yield* train(config, epochs, { resume, begin, heldOut }).pipe(Lock.holding(folder))
  }
)

/** Trains under the settings. An existing run in the folder is resumed if `resume`, and otherwise left alone. */
export const run = Effect.fn("run")(function*(c: RunConfig, resume: boolean) {
  const existing = (yield* namesIn(c.output_dir)).find((name) => checkpointStep(name) !== undefined)
  if (existing !== undefined && !resume) {
    const problem = `holds a run already (${existing}); go on with it by --resume, or choose another output_dir`
    return yield* new ConfigError({ source: c.output_dir, problems: [problem] })
  }
  const prepared = yield* referred(yield* prepare(c))
  return yield* start(prepared, resume).pipe(Effect.provide(learner(prepared)))
}, Effect.scoped)

/** The models that a command uses: a checkpoint's, or those of the settings. */
export interface Chosen {
  readonly config: RunConfig
  /** `undefined` if the run has none. */
  readonly checkpoint: { readonly path: string; readonly step: number } | undefined
}

/** Logs the settings that differ from those the checkpoint was trained with. */
const compare = Effect.fnUntraced(function*(c: RunConfig, path: string, stored: Readonly<Record<string, string>>) {
  const pins = (text: string, name: string) => isPinned(String(JSON.parse(text)), String(JSON.parse(name)))
  const changed = Object.entries(learned(c)).filter(([key, value]) =>
    key in stored && stored[key] !== value && !pins(stored[key]!, value)
  )
  if (changed.length === 0) return
  const told = changed.map(([key, value]) => `${key} ${value} (trained with ${stored[key]})`).join(", ")
  yield* Effect.logWarning(`${path} was trained with other settings: ${told}`)
})

/** The settings, with models from the run's newest intact checkpoint if there is one; `models` has them at hand. */
export const trained = Effect.fn("trained")(function*(c: RunConfig, models: typeof withModels = withModels) {
  const found = yield* Checkpoints.latest(c.output_dir)
  if (found === undefined) {
    const { reader, retriever } = modeOf(c).traits
    if (reader !== "none" || retriever === "frozen" || retriever === "trained") {
      yield* Effect.logWarning(
        `${c.output_dir} holds no checkpoint yet: the models of the settings are used as they are`
      )
    }
    return { config: yield* models(c), checkpoint: undefined } satisfies Chosen as Chosen
  }
  const { parts, path, run, step } = found
  if (run) yield* compare(c, path, run)
  const own = Record.toEntries(folders).map((
    [part, setting]
  ) => [setting, parts.has(part) ? join(path, part) : c[setting]])
  return {
    config: yield* models({ ...c, ...Object.fromEntries(own) }),
    checkpoint: { path, step }
  } satisfies Chosen as Chosen
})
