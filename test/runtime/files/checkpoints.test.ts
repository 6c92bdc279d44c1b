/** Checkpoints on disk: whole or not at all, whatever happens to the files. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import { Checkpoints, type Part } from "../../../src/runtime/ports/Checkpoints.ts"
import { crashing } from "../../support/crash.ts"
import { folderOf, onDisk } from "../../support/files.ts"

/** A model that is one number. */
class Counter implements Part {
  value: number
  constructor(value: number) {
    this.value = value
  }
  save = () => {
    const tensor = (value: number) => ({ shape: [2], data: new Float32Array(2).fill(value) })
    return {
      weights: new Map([["w", tensor(this.value)]]),
      extra: new Map([["slot/w", tensor(-this.value)]]),
      counters: { updates: this.value },
      files: [["config.json", "{}"]] as const
    }
  }
  load: Part["load"] = ({ counters, extra, weights }) =>
    Effect.map(Effect.all([weights.read("w"), extra.read("slot/w")]), ([w, slot]) => {
      const [value, negative] = [w.data[0]!, slot.data[0]!]
      assert.deepStrictEqual([negative, counters["updates"]], [-value, value])
      this.value = value
    })
}

/** The checkpoints of a folder, as one process sees them, with two models in it. */
const process = <A, E>(
  folder: string,
  use: (checkpoints: Checkpoints["Service"], models: readonly [Counter, Counter]) => Effect.Effect<A, E>,
  options: { readonly keep?: number; readonly disk?: Layer.Layer<FileSystem.FileSystem> } = {}
) =>
  Effect.gen(function*() {
    const checkpoints = yield* Checkpoints
    const models = [new Counter(0), new Counter(0)] as const
    yield* checkpoints.register("reader", models[0])
    yield* checkpoints.register("retriever", models[1])
    return yield* use(checkpoints, models)
  }).pipe(Effect.provide(
    Disk.layer({ output_dir: folder, save_total_limit: options.keep ?? 2 }).pipe(
      Layer.provide(options.disk ?? NodeFileSystem.layer)
    ),
    { local: true }
  ))

const saveAt = (folder: string, step: number, options: Parameters<typeof process>[2] = {}) =>
  process(folder, (checkpoints, models) => {
    models[0].value = step
    models[1].value = step + 1000
    return checkpoints.save({ step, run: { lr: "1" } })
  }, options)

/** The step that a new process finds, which both models must agree with; -1 where it finds none. */
const found = (folder: string) =>
  process(folder, (checkpoints, models) =>
    Effect.map(checkpoints.restore({ lr: "1" }), (position) => {
      if (position) assert.deepStrictEqual(models.map((m) => m.value), [position.step, position.step + 1000])
      return position?.step ?? -1
    }))

const steps = (folder: string) => readdirSync(folder).toSorted()

describe("checkpoints", () => {
  it.live("give back what was saved", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      assert.strictEqual(yield* found(folder), -1)
      assert.strictEqual(yield* saveAt(folder, 3), join(folder, "checkpoint-3"))
      assert.strictEqual(yield* found(folder), 3)
    })))
  it.live("are few: the newest, by number", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      for (const step of [2, 9, 10, 100]) yield* saveAt(folder, step)
      assert.deepStrictEqual(steps(folder), ["checkpoint-10", "checkpoint-100"])
      assert.strictEqual(yield* found(folder), 100)
    })))
  it.live("of a model are a folder that any library reads, with the hash of every file", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const path = yield* saveAt(folder, 1)
      const manifest = JSON.parse(readFileSync(join(path, "trainer_state.json"), "utf8")) as Record<string, object>
      const files = ["config.json", "model.safetensors", "state.safetensors"]
      assert.deepStrictEqual(readdirSync(join(path, "reader")).toSorted(), files)
      assert.deepStrictEqual(
        Object.keys(manifest["files"]!).toSorted(),
        ["reader", "retriever"].flatMap((part) => files.map((file) => `${part}/${file}`))
      )
    })))
  it.live("of another run are refused, by name", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* saveAt(folder, 1)
      const error = yield* Effect.flip(process(folder, (checkpoints) => checkpoints.restore({ lr: "2" })))
      assert.strictEqual(error._tag, "CheckpointError")
      assert.match(error.message, /checkpoint-1: is of another run: lr was 1 and is 2; restore/)
    })))
})

const damages: Readonly<Record<string, (checkpoint: string) => void>> = {
  "truncated weights": (path) => truncateSync(join(path, "reader", "model.safetensors"), 20),
  "empty weights": (path) => truncateSync(join(path, "retriever", "model.safetensors"), 0),
  "one byte of its state changed": (path) => {
    const file = join(path, "retriever", "state.safetensors")
    const bytes = readFileSync(file)
    bytes[bytes.length - 2]! ^= 1
    writeFileSync(file, bytes)
  },
  "one byte more of its state": (path) => appendFileSync(join(path, "reader", "state.safetensors"), "x"),
  "a file missing": (path) => rmSync(join(path, "reader", "config.json")),
  "another step in its manifest": (path) => {
    const file = join(path, "trainer_state.json")
    writeFileSync(file, readFileSync(file, "utf8").replace("\"global_step\": 8", "\"global_step\": 9"))
  },
  "another counter in its manifest": (path) => {
    const file = join(path, "trainer_state.json")
    writeFileSync(file, readFileSync(file, "utf8").replace("\"updates\": 8", "\"updates\": 7"))
  },
  "a truncated manifest": (path) => truncateSync(join(path, "trainer_state.json"), 60),
  "a manifest of another kind": (path) => writeFileSync(join(path, "trainer_state.json"), "{\"format\": 2}"),
  "no manifest": (path) => rmSync(join(path, "trainer_state.json")),
  "nothing in it": (path) => {
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true })
  }
}

describe("a damaged checkpoint", () => {
  for (const [what, damage] of Object.entries(damages)) {
    it.live(`with ${what} is passed over for the one before it`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* folderOf({})
        yield* saveAt(folder, 5)
        damage(yield* saveAt(folder, 8))
        assert.strictEqual(yield* found(folder), 5)
        /** Who only answers does not read the optimiser's state. */
        assert.strictEqual((yield* Disk.latest(folder))!.step, /byte of its state changed/.test(what) ? 8 : 5)
        yield* saveAt(folder, 8)
        assert.strictEqual(yield* found(folder), 8)
      })))
  }
  it.live("is not kept at the cost of a later write", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      damages["no manifest"]!(yield* saveAt(folder, 9, { keep: 1 }))
      yield* saveAt(folder, 4, { keep: 1 })
      assert.strictEqual(yield* found(folder), 4)
    })))
  it.live("alone is an error that names what is wrong with it, not a start from nothing", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      damages["truncated weights"]!(yield* saveAt(folder, 5))
      const error = yield* Effect.flip(found(folder))
      assert.match(
        error.message,
        /no checkpoint in it is whole \(.*checkpoint-5\/reader\/model.safetensors: is not as it was/
      )
      assert.strictEqual((yield* Effect.flip(Disk.latest(folder))).message, error.message)
    })))
})

describe("a machine that stops while it saves", () => {
  it.live("leaves the checkpoint before, or the new one: never a part of it", () =>
    onDisk(Effect.gen(function*() {
      const seen: Array<number> = []
      for (let at = 1; seen.at(-1) !== 99; at++) {
        const folder = yield* folderOf({})
        yield* saveAt(folder, 5, { keep: 1 })
        const disk = crashing(at).pipe(Layer.provide(NodeFileSystem.layer))
        const exit = yield* Effect.exit(saveAt(folder, 8, { keep: 1, disk }))
        seen.push(Exit.isSuccess(exit) ? 99 : yield* found(folder))
        yield* Disk.tidy(folder)
        assert.notInclude(steps(folder).join(), "partial")
        yield* saveAt(folder, 8, { keep: 1 })
        assert.strictEqual(yield* found(folder), 8)
        assert.deepStrictEqual(steps(folder), ["checkpoint-8"])
      }
      assert.isAbove(seen.length, 15)
      assert.deepStrictEqual(seen.slice(0, -1), seen.slice(0, -1).toSorted((a, b) => a - b))
      assert.deepStrictEqual([...new Set(seen)], [5, 8, 99])
    })))
  it.live("does not lose the last checkpoint of a finished run that is resumed and stopped", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* saveAt(folder, 5)
      const disk = crashing(1).pipe(Layer.provide(NodeFileSystem.layer))
      yield* process(folder, (checkpoints) =>
        Effect.gen(function*() {
          const position = (yield* checkpoints.restore({ lr: "1" }))!
          assert.strictEqual(yield* checkpoints.save(position), join(folder, "checkpoint-5"))
        }), { disk })
      assert.isTrue(existsSync(join(folder, "checkpoint-5")))
      assert.strictEqual(yield* found(folder), 5)
    })))
})
