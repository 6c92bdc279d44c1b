/**
 * A run of the tiny system, and as a program of its own one that is made to be killed:
 * `node test/support/run.ts FOLDER OUT [WRITE]`, where `writeModels` was in FOLDER. It tells each step; with WRITE it
 * stops for ever in the middle of that write, and says so.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { basename } from "node:path"
import { fromRecords } from "../../src/datasets/dataset.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { start } from "../../src/programs/run.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Checkpoints from "../../src/runtime/files/checkpoints.ts"
import { Reporter, silent } from "../../src/runtime/ports/Reporter.ts"
import { joint } from "../../src/systems/jmlr/layers.ts"
import * as Tiny from "./tiny.ts"

export const STEPS = 24

/** Adapters in both models, and weights beside them that learn in full, from batches in parts and layers made twice. */
const adapters = {
  per_device_train_batch_size: 1,
  gradient_accumulation_steps: 2,
  gradient_checkpointing: true,
  lora_r: 4,
  lora_dropout: 0.1,
  modules_to_save: ["norm"],
  retriever_lora_r: 2,
  retriever_lora_target_modules: ["query", "dense", "word_embeddings"]
}

/** Most passages are equally good: on most batches of two questions nothing is preferred to anything. */
const margin = { per_device_train_batch_size: 2, rank_tie_margin: 1 }
/** Steps of one run learn from what was found before the first; the index is refreshed within one. */
const runs = { steps_per_run: 3 }
/** Products in float16: the first updates are skipped, until the loss scale fits. */
const halves = runs
/** The retriever learns from verdicts of a reader that is up to three updates old. */
const lagged = { reader_lag: 3 }
const joint0 = { reader_lag: 0 }
const variants: Readonly<Record<string, Raw>> = { adapters, margin, runs, halves, lagged, joint0 }
const variantOf = (out: string): string => basename(out).split("-")[0]!

/** Dropout is on, the index is refreshed now and then, and every third step is kept. In runs that are named after a variant, as
 * above. */
export const config = (folder: string, out: string) =>
  Tiny.settings(folder, {
    output_dir: out,
    max_steps: STEPS,
    save_steps: 3,
    refresh_index: 5,
    ...variants[variantOf(out)]
  })

/** Trains to the last step, from the newest checkpoint where there is one. */
export const run = Effect.fnUntraced(function*(
  folder: string,
  out: string,
  around: Layer.Layer<Reporter | FileSystem.FileSystem> = Layer.merge(silent, NodeFileSystem.layer)
) {
  const own = yield* config(folder, out)
  const session = cpu({ threads: 1, products: variantOf(out) === "halves" ? "float16" : undefined })
  const surroundings = Layer.mergeAll(Tiny.corpusLayer, session, around).pipe(Layer.provideMerge(NodeServices.layer))
  const layer = joint(own).pipe(Layer.provideMerge(Checkpoints.layer(own)), Layer.provideMerge(surroundings))
  const prepared = {
    config: own,
    epochs: () => Tiny.questions,
    passages: fromRecords(Tiny.passages),
    empty: new Set<string>()
  }
  return yield* start(prepared, true).pipe(Effect.provide(layer, { local: true }))
})

/** Prints a line. */
export const say = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))
/** Tells each step. */
export const talking = Layer.succeed(Reporter, { report: ({ done }) => say(`step ${done}`), note: () => Effect.void })

/** A disk that writes half of the `at`-th file, or of what is appended to one, and hangs. */
export const hanging = (at: number) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      let writes = 0
      return {
        ...fs,
        open: (path, options) =>
          options?.flag === "wx" || options?.flag === "a"
            ? Effect.map(fs.open(path, options), (file) => ({
              ...file,
              stat: file.stat,
              sync: file.sync,
              writeAll: (bytes) =>
                ++writes === at
                  ? file.writeAll(bytes.subarray(0, bytes.length / 2)).pipe(
                    Effect.andThen(say("hanging")),
                    Effect.andThen(Effect.never)
                  )
                  : file.writeAll(bytes)
            }))
            : fs.open(path, options)
      }
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))

if (import.meta.main) {
  const [folder, out, at] = process.argv.slice(2) as [string, string, string?]
  const disk = at === undefined ? NodeFileSystem.layer : hanging(Number(at))
  NodeRuntime.runMain(run(folder, out, Layer.merge(talking, disk)))
}
