/** Values that runs share: computed once, kept whole, within bounds, and never taken for what they are not. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sharing from "../../../src/runtime/files/shared/shared.ts"
import type { Wanted } from "../../../src/runtime/ports/Shared.ts"

const numbers = (of: unknown, count = 2): Wanted<Float32Array> => ({
  kind: "scores",
  of,
  readings: count,
  bytes: (own) => new Uint8Array(own.buffer),
  value: (bytes) => bytes.length === 4 * count ? new Float32Array(bytes.slice().buffer) : undefined
})

/** What is logged and told, and how often something was computed. */
const inFolder = <A>(
  check: (tools: {
    readonly folder: string
    readonly logged: Array<string>
    readonly told: Array<string>
    readonly open: (most?: number, environment?: unknown) => ReturnType<typeof Sharing.make>
    readonly counted: (value: Float32Array) => Effect.Effect<Float32Array>
    readonly count: () => number
  }) => Effect.Effect<A, unknown, any>
) => {
  const folder = mkdtempSync(join(tmpdir(), "shared-"))
  const [logged, told] = [new Array<string>(), new Array<string>()]
  let count = 0
  const tell = (line: string) => Effect.sync(() => void told.push(line))
  const tools = {
    folder,
    logged,
    told,
    open: (most?: number, environment: unknown = "here") =>
      Sharing.make(folder, { environment, tell, ...(most === undefined ? {} : { most }) }),
    counted: (value: Float32Array) => Effect.sync(() => (count++, value)),
    count: () => count
  }
  const logger = Logger.make(({ message }) => void logged.push(String(message)))
  return check(tools).pipe(
    Effect.provide(Layer.mergeAll(NodeFileSystem.layer, Logger.layer([logger]))),
    Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true })))
  ) as Effect.Effect<A, unknown>
}
const files = (folder: string) => readdirSync(join(folder, "scores")).map((name) => join(folder, "scores", name))

describe("a shared value", () => {
  it.live("is computed once for a key, by any process, and counted with its readings", () =>
    inFolder(Effect.fnUntraced(function*({ count, counted, open }) {
      const value = Float32Array.of(1.5, -0)
      const one = yield* open()
      assert.deepStrictEqual(yield* one.value(numbers("a"), counted(value)), value)
      const other = yield* open()
      assert.deepStrictEqual(yield* other.value(numbers("a"), counted(value)), value)
      assert.strictEqual(count(), 1)
      yield* other.value(numbers("b"), counted(value))
      yield* (yield* open(undefined, "elsewhere")).value(numbers("a"), counted(value))
      assert.strictEqual(count(), 3)
      assert.strictEqual(one.saved().size, 0)
      const { readings, times } = other.saved().get("scores")!
      assert.deepStrictEqual([readings, times], [2, 1])
    })))
  it.live("is computed by one of those that want it at once, while the others wait", () =>
    inFolder(Effect.fnUntraced(function*({ count, counted, open }) {
      const sharing = yield* open()
      const slow = Effect.andThen(Effect.sleep("50 millis"), counted(Float32Array.of(1, 2)))
      const all = yield* Effect.all(Array.from({ length: 3 }, () => sharing.value(numbers("a"), slow)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(all, all.map(() => Float32Array.of(1, 2)))
      assert.strictEqual(count(), 1)
    })))
  it.live("is computed again, with a word, where its file is damaged, another's, or of another form", () =>
    inFolder(Effect.fnUntraced(function*({ count, counted, folder, logged, open }) {
      const sharing = yield* open()
      const value = Float32Array.of(1, 2)
      const asked = (w = numbers("a")) => sharing.value(w, counted(value))
      yield* asked()
      const [path] = files(folder)
      const whole = readFileSync(path!)
      const damages: ReadonlyArray<readonly [Buffer | string, RegExp]> = [
        [whole.subarray(0, whole.length - 1), /its bytes do not have its SHA-256; it is computed again/],
        [Buffer.from(whole).fill(7, whole.length - 2), /SHA-256/],
        ["", /does not say that it is what its name says/],
        [String(whole).replace(/"key":"../, `"key":"zz`), /does not say/]
      ]
      for (const [i, [bytes, word]] of damages.entries()) {
        writeFileSync(path!, bytes)
        assert.deepStrictEqual(yield* asked(), value)
        assert.strictEqual(count(), i + 2)
        assert.match(logged.at(-1)!, word)
        assert.deepStrictEqual(readFileSync(path!).length, whole.length)
      }
      yield* asked({ ...numbers("a"), value: () => undefined })
      assert.match(logged.at(-1)!, /holds no scores; they are computed again/)
      assert.strictEqual(count(), damages.length + 2)
    })))
  it.live("makes room for others when it was not used for the longest time; too large ones are not kept, which is told once", () =>
    inFolder(Effect.fnUntraced(function*({ count, counted, folder, open, told }) {
      const size = 16
      const value = new Float32Array(size)
      const all = yield* open(8000)
      for (let i = 0; i < 20; i++) yield* all.value(numbers(i, size), counted(value))
      const kept = files(folder)
      for (const path of kept) utimesSync(path, 1, 1)
      yield* all.value(numbers(7, size), counted(value))
      assert.strictEqual(count(), 20)
      const less = yield* open(1000)
      const left = files(folder)
      assert.isTrue(left.length < kept.length && left.length > 0)
      yield* less.value(numbers(7, size), counted(value))
      assert.strictEqual(count(), 20)
      for (let i = 0; i < 2; i++) yield* less.value(numbers(`large ${i}`, 100), counted(new Float32Array(100)))
      assert.deepStrictEqual(told, [`${folder}: scores of 400 B are too large to be shared`])
      assert.isFalse(existsSync(join(folder, "large")))
    })))
})
