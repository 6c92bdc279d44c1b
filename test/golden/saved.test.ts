/** Model folders as we save them: the committed ones, of which transformers computed the outputs (saved.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { folderOf } from "../support/files.ts"
import { computed, load, subjects } from "./adapted.ts"
import * as Golden from "./golden.ts"
import { save, SAVED, saved } from "./saved.ts"

const names = Object.keys(saved) as Array<keyof typeof saved>
const around = Layer.merge(NodeFileSystem.layer, Golden.providers[0]!.session)

describe("a saved model", () => {
  for (const name of names) {
    it.live(`${name} is the folder that transformers was given`, () =>
      Effect.gen(function*() {
        const folder = yield* folderOf({})
        yield* save(name, folder)
        const files = readdirSync(join(folder, name)).toSorted()
        assert.deepStrictEqual(files, readdirSync(join(SAVED, name)).toSorted())
        for (const file of files) {
          const [got, want] = [folder, SAVED].map((at) => readFileSync(join(at, name, file)))
          assert.isTrue(got!.equals(want!), file)
        }
      }).pipe(Effect.scoped, Effect.provide(around, { local: true })))
    it.live(`${name} computes what transformers does with it`, () =>
      Effect.gen(function*() {
        const { tensors } = yield* Golden.readTensors("saved")
        const { module, weights } = yield* load(subjects[name]!, join("..", "saved", name))
        const { output } = yield* computed(subjects[name]!, module, weights.parameters())
        Golden.close(output!, tensors.get(`${name}/outputs`)!.data, `outputs of ${name}`, { tolerance: 1e-5 })
      }).pipe(Effect.scoped, Effect.provide(around, { local: true })))
  }
  /** Halves have 11 bits. */
  for (const [name, made, tolerance] of [["tied", "lora", 2 ** -9], ["colbert", "lora-ours", 1e-5]] as const) {
    it.live(`${name} computes what PEFT did with its adapter`, () =>
      Effect.gen(function*() {
        const { tensors } = yield* Golden.readTensors(made)
        const { module, weights } = yield* load(subjects[name]!, join("..", "saved", name))
        const { output } = yield* computed(subjects[name]!, module, weights.parameters())
        Golden.close(output!, tensors.get(`${name}/outputs`)!.data, `outputs of ${name}`, { tolerance })
      }).pipe(Effect.scoped, Effect.provide(around, { local: true })))
  }
})
