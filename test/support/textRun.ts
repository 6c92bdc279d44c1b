/**
 * A run on texts, and as a program of its own one that is made to be killed: `node test/support/textRun.ts FOLDER OUT [WRITE]`,
 * as `run.ts` is. The mode and what is special of a run are in the name of OUT: "sft-1", "dpo-1".
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import * as Run from "../../src/programs/run.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { type Reporter, silent } from "../../src/runtime/ports/Reporter.ts"
import { decode } from "../../src/systems/all.ts"
import { hanging, talking } from "./run.ts"
import * as Texts from "./texts.ts"

/** Updates of a run. */
export const STEPS = 8

/** Rows share rows; adapters, and batches in parts. */
const variants = {
  sft: { packing: true, max_length: 256 },
  dpo: { lora_r: 4, lora_dropout: 0, gradient_accumulation_steps: 2, per_device_train_batch_size: 2 }
} as const
/** The kinds of runs. */
export type Kind = keyof typeof variants

/** Puts the model and the rows into a folder. */
export const prepare = (folder: string): void => {
  mkdirSync(join(folder, "model"))
  for (const [name, content] of Object.entries(Texts.modelFiles)) writeFileSync(join(folder, "model", name), content)
  for (const [name, content] of Object.entries(Texts.rowFiles)) writeFileSync(join(folder, name), content)
}

/** Trains to the last step, from the newest checkpoint where there is one; rows are judged every other step. */
export const run = Effect.fnUntraced(function*(
  folder: string,
  out: string,
  around: Layer.Layer<Reporter | FileSystem> = Layer.merge(silent, NodeFileSystem.layer)
) {
  const kind = basename(out).split("-")[0] as Kind
  const rows = join(folder, Texts.fileOf[kind])
  const config = yield* decode("test", {
    ...Texts.settings(kind),
    ...variants[kind],
    reader_name_or_path: join(folder, "model"),
    train_file: rows,
    eval_file: rows,
    eval_steps: 2,
    output_dir: out,
    max_steps: STEPS,
    save_steps: 3
  })
  const layer = Layer.mergeAll(cpu({ threads: 1 }), around).pipe(Layer.provideMerge(NodeServices.layer))
  return yield* Run.run(config, true).pipe(Effect.provide(layer, { local: true }))
})

/** What a run has beside its checkpoint and its journal: evaluations, and what its reference said. */
export const beside = (out: string): ReadonlyArray<readonly [name: string, text: string]> =>
  readdirSync(out).filter((name) => /^(?:evaluations|reference-.*)\.jsonl$/.test(name)).toSorted().map((name) =>
    [name, readFileSync(join(out, name), "utf8")] as const
  )

if (import.meta.main) {
  const [folder, out, at] = process.argv.slice(2) as [string, string, string?]
  const disk = at === undefined ? NodeFileSystem.layer : hanging(Number(at))
  NodeRuntime.runMain(run(folder, out, Layer.merge(talking, disk)))
}
