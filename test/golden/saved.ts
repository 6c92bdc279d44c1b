/** The model folders of `saved/`, as we save them from the adapters of `lora/`. `node test/golden/saved.ts` writes them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { merge } from "../../src/programs/export.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { pathOf } from "./adapted.ts"

export const SAVED = join("test", "golden", "saved")

/** A folder of `saved/`, the adapter it is of, and its format. */
export const saved = {
  llama: { adapter: "llama-ours", dtype: "bfloat16", maxShardSize: "3KB" },
  tied: { adapter: "tied-peft", dtype: "float16", maxShardSize: "5GB" },
  colbert: { adapter: "colbert-ours", dtype: "float32", maxShardSize: "5GB" }
} as const

export const save = (name: keyof typeof saved, folder: string) =>
  Effect.provide(merge(pathOf(saved[name].adapter), join(folder, name), saved[name]), silent)

if (import.meta.main) {
  rmSync(SAVED, { recursive: true, force: true })
  const all = Effect.forEach(Object.keys(saved) as Array<keyof typeof saved>, (name) => save(name, SAVED))
  await Effect.runPromise(
    all.pipe(Effect.scoped, Effect.provide(Layer.merge(NodeFileSystem.layer, cpu({ threads: 1 }))))
  )
}
