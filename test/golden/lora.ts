/** The adapters `*-ours` of `lora/`: what a checkpoint has of adapters with weights drawn by key. `node test/golden/lora.ts`. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Disk from "../../src/runtime/files/checkpoints.ts"
import { learnerPart } from "../../src/runtime/models/checkpointPart.ts"
import type { LoraSettings } from "../../src/runtime/models/lora.ts"
import { Checkpoints } from "../../src/runtime/ports/Checkpoints.ts"
import { load, pathOf, subjects } from "./adapted.ts"

const plain = { lora_dropout: 0.1, modules_to_save: [], use_rslora: false }
/** What adapts each model. */
export const settings: Readonly<Record<string, LoraSettings>> = {
  llama: {
    ...plain,
    r: 4,
    lora_alpha: 6,
    target_modules: "all-linear",
    modules_to_save: ["embed_tokens", "norm", "lm_head"]
  },
  tied: { ...plain, r: 2, lora_alpha: 6, target_modules: ["v_proj", "down_proj", "embed_tokens", "lm_head"] },
  colbert: { ...plain, r: 3, lora_alpha: 2, use_rslora: true, target_modules: "all-linear" }
}

const drawn = (path: string, { length }: ArrayLike<number>): Float32Array => {
  const key = Key.fold(Key.make(5), path)
  return Float32Array.from({ length }, (_, i) => 0.3 * Key.normal(key, i) + (path.endsWith("norm.weight") ? 1 : 0))
}

/** Writes a checkpoint of the adapter to `folder`: its part's files lie in `checkpoint-1/NAME`. */
export const save = Effect.fnUntraced(function*(name: string, folder: string) {
  const { based, weights } = yield* load(subjects[name]!, name, { lora: settings[name]! })
  const current = weights.parameters()
  weights.restore(new Map(weights.trainable.map((path) => [path, drawn(path, current.get(path)!)])))
  const disk = Disk.layer({ output_dir: folder, save_total_limit: 1 })
  yield* Effect.gen(function*() {
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(name, learnerPart(weights, undefined, { based, files: [] }))
    yield* checkpoints.save({ step: 1, run: { of: "lora" } })
  }).pipe(Effect.provide(disk, { local: true }))
  return join(folder, "checkpoint-1", name)
})

export const files = ["adapter_config.json", "adapter_model.safetensors"] as const

const write = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  for (const name of Object.keys(subjects)) {
    const from = yield* save(name, yield* fs.makeTempDirectoryScoped())
    yield* fs.makeDirectory(pathOf(`${name}-ours`), { recursive: true })
    for (const file of files) yield* fs.copyFile(join(from, file), join(pathOf(`${name}-ours`), file))
  }
}).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(NodeFileSystem.layer, cpu({ threads: 1 }))))

if (import.meta.main) await Effect.runPromise(write)
