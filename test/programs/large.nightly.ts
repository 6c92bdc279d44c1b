/** Files larger than an array, a string or a system call may be. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as Disk from "../../src/runtime/files/checkpoints.ts"
import { hashFile } from "../../src/runtime/files/disk.ts"
import * as TensorFile from "../../src/runtime/files/safetensors/read.ts"
import * as Shards from "../../src/runtime/files/safetensors/shards.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { Checkpoints, type Part, type Saved } from "../../src/runtime/ports/Checkpoints.ts"
import { folderOf, onDisk } from "../support/files.ts"

const GIB = 2 ** 30
/** A tensor of more than 2 GiB, of which a few elements are not zero. */
const large = (gib: number) => {
  const data = new Float32Array(gib * GIB / 4)
  data[0] = 1
  data[data.length - 1] = -2
  return { shape: [data.length], data }
}
const ends = (data: Float32Array) => [data.length, data[0], data[data.length - 1]]

describe("a file", { concurrent: false }, () => {
  it.live("of a tensor of 5 GiB is read and hashed where most of it is a hole", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({}), "sparse.safetensors")
      const bytes = 5 * GIB
      const head = Safetensors.header([{ name: "w", dtype: "F32", shape: [bytes / 4], bytes }], {})
      writeFileSync(path, head)
      truncateSync(path, head.length + bytes)
      const file = openSync(path, "r+")
      writeSync(file, new Uint8Array(Float32Array.of(-2).buffer), 0, 4, head.length + bytes - 4)
      closeSync(file)
      const { data } = yield* Effect.scoped(Effect.flatMap(TensorFile.open(path), (own) => own.read("w")))
      assert.deepStrictEqual(ends(data), [bytes / 4, 0, -2])
      assert.match(yield* hashFile(path), /^[0-9a-f]{64}$/)
    })), 300_000)
  it.live("of a checkpoint is written, verified and loaded above 5 GB", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const state = large(5)
      let loaded: ReadonlyArray<number | undefined> = []
      const part: Part = {
        save: () => ({
          weights: new Map([["w", { shape: [1], data: Float32Array.of(3) }]]),
          extra: new Map([["slot/w", state]]),
          counters: { updates: 1 },
          files: []
        }),
        load: ({ extra }: Saved) =>
          Effect.map(extra.read("slot/w"), ({ data }) => {
            loaded = ends(data)
          })
      }
      const layer = Disk.layer({ output_dir: folder, save_total_limit: 2 }).pipe(Layer.provide(NodeFileSystem.layer))
      const using = <A, E>(use: (checkpoints: Checkpoints["Service"]) => Effect.Effect<A, E>) =>
        Effect.gen(function*() {
          const checkpoints = yield* Checkpoints
          yield* checkpoints.register("reader", part)
          return yield* use(checkpoints)
        }).pipe(Effect.provide(layer, { local: true }))
      yield* using((checkpoints) => checkpoints.save({ step: 7, run: {} }))
      assert.isAbove(statSync(join(folder, "checkpoint-7/reader/state.safetensors")).size, 5e9)
      assert.strictEqual((yield* using((checkpoints) => checkpoints.restore({})))!.step, 7)
      assert.deepStrictEqual(loaded, ends(state.data))
      assert.strictEqual((yield* Disk.latest(folder))!.step, 7)
    })), 300_000)
  it.live(
    "of weights for other tools is written in shards and by itself, a tensor above 2 GiB in each type",
    () =>
      onDisk(Effect.gen(function*() {
        const [folder, tensor] = [yield* folderOf({}), large(2.5)]
        for (const dtype of ["float32", "bfloat16"] as const) {
          const pending = ["a", "b"].map((name) => ({ name, shape: tensor.shape, values: Effect.succeed(tensor.data) }))
          const files = yield* Shards.write(folder, pending, { dtype, maxShardSize: 2 * GIB })
          assert.strictEqual(files.filter((name) => name.endsWith(".safetensors")).length, 2)
          const own = yield* Safetensors.read(join(folder, files.find((name) => name.endsWith(".safetensors"))!))
          assert.deepStrictEqual(ends([...own.values()][0]!.data), ends(tensor.data))
          assert.include(readFileSync(join(folder, "model.safetensors.index.json"), "utf8"), "weight_map")
        }
      })),
    300_000
  )
})
