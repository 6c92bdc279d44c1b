/** How often weights are read from files: once to be hashed, once to be loaded, and not to be written. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { statSync } from "node:fs"
import { join, relative } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { evaluateRun } from "../../src/programs/evaluation/evaluateRun.ts"
import { run } from "../../src/programs/run.ts"
import { load } from "../../src/programs/settings.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { prepare } from "../support/cli.ts"
import { onDisk } from "../support/files.ts"

/** A file system that counts the bytes that are read of each file. */
const counting = (read: Map<string, number>) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      const count = (path: string, bytes: number) =>
        Effect.sync(() => void read.set(path, (read.get(path) ?? 0) + bytes))
      const counted = (path: string) => (file: FileSystem.File): FileSystem.File =>
        Object.assign(Object.create(file) as FileSystem.File, {
          read: (...given: Parameters<typeof file.read>) =>
            Effect.tap(file.read(...given), (got) => count(path, Number(got)))
        })
      return {
        ...fs,
        open: (path, options) => Effect.map(fs.open(path, options), counted(path)),
        readFile: (path) => Effect.tap(fs.readFile(path), (bytes) => count(path, bytes.length)),
        stream: (path, options) => Stream.tap(fs.stream(path, options), (bytes) => count(path, bytes.length))
      }
    })
  )

/** How many times over `effect` reads the files of tensors in a folder; headers, which are read more often, round off. */
const readBy = <A, E>(folder: string, effect: Effect.Effect<A, E, Surroundings>) =>
  Effect.suspend(() => {
    const read = new Map<string, number>()
    const layer = Layer.mergeAll(cpu({ threads: 1 }), silent, counting(read)).pipe(
      Layer.provideMerge(NodeServices.layer)
    )
    const times = (path: string, bytes: number) => Math.round(bytes / statSync(path).size)
    return Effect.map(Effect.provide(effect, layer, { local: true }), () =>
      Object.fromEntries(
        [...read].filter(([path]) => path.startsWith(folder) && path.endsWith(".safetensors"))
          .map(([path, bytes]) => [relative(folder, path), times(path, bytes)])
      ))
  })
type Surroundings = Effect.Services<ReturnType<typeof evaluateRun> | ReturnType<typeof run> | ReturnType<typeof load>>

/** A run's settings: those of the tiny system, with paths that hold wherever the process stands. */
const settings = (folder: string, changes: Raw) => {
  const paths = {
    passages_file: "passages.jsonl",
    train_file: "questions.jsonl",
    test_file: "questions.jsonl",
    retriever_name_or_path: "retriever",
    reader_name_or_path: "reader",
    output_dir: "run"
  }
  const own = Object.entries(paths).map(([key, path]) => [key, join(folder, path)])
  return load(join(folder, "run.yaml"), { ...Object.fromEntries(own), save_steps: 1, max_steps: 2, ...changes })
}

const models = ["reader/model.safetensors", "retriever/model.safetensors"]
const states = ["reader/state.safetensors", "retriever/state.safetensors"]
const each = (names: ReadonlyArray<string>, times: number) => Object.fromEntries(names.map((name) => [name, times]))

describe("weights", () => {
  it.live(
    "of a checkpoint are hashed once and loaded once; its optimiser's state only to be gone on with",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Effect.promise(prepare)
        const [out, first] = [join(folder, "run"), join(folder, "run", "checkpoint-2")]
        const train = (changes: Raw = {}) => Effect.flatMap(settings(folder, changes), (c) => run(c, true))
        assert.deepStrictEqual(yield* readBy(out, train()), {})
        assert.deepStrictEqual(yield* readBy(first, train({ max_steps: 3 })), each([...models, ...states], 2))
        const evaluate = Effect.flatMap(settings(folder, {}), (c) => evaluateRun(c, "test"))
        const used = { ...each(models, 2), ...each(states, 0) }
        assert.deepStrictEqual(yield* readBy(join(out, "checkpoint-3"), evaluate), used)
      })),
    60_000
  )

  it.live("under an adapter are hashed once and loaded once", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Effect.promise(prepare)
      const base = join(folder, "run", "checkpoint-2")
      yield* readBy(folder, Effect.flatMap(settings(folder, {}), (c) => run(c, true)))
      const adapters = { output_dir: join(folder, "adapted"), lora_r: 2, retriever_lora_r: 2 }
      const over = (from: string, changes: Raw = {}) =>
        settings(folder, {
          ...adapters,
          reader_name_or_path: join(from, "reader"),
          retriever_name_or_path: join(from, "retriever"),
          ...changes
        })
      const train = (from: string, changes: Raw = {}) => Effect.flatMap(over(from, changes), (c) => run(c, true))
      assert.deepStrictEqual(yield* readBy(base, train(base)), each(models, 2))
      assert.deepStrictEqual(
        yield* readBy(base, Effect.flatMap(over(base), (c) => evaluateRun(c, "test"))),
        each(models, 2)
      )
      const adapted = join(folder, "adapted", "checkpoint-2")
      const again = { output_dir: join(folder, "again") }
      assert.deepStrictEqual(yield* readBy(base, train(adapted, again)), each(models, 2))
    })), 60_000)
})
