/** Which provider a program gets, and what it is told where that provider cannot be had. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cuda, fromConfig } from "../../src/runtime/engine/providers.ts"
import { ProviderUnavailable, Session } from "../../src/runtime/engine/Session.ts"
import { folderOf, onDisk } from "../support/files.ts"

/** What the cuda layer says where the loader looks in a folder of these files. */
const refusal = Effect.fnUntraced(function*(...libraries: ReadonlyArray<string>) {
  const folder = yield* folderOf(Object.fromEntries(["libonnxruntime.so.1", ...libraries].map((name) => [name, ""])))
  const before = process.env["LD_LIBRARY_PATH"]
  process.env["LD_LIBRARY_PATH"] = folder
  const error = Effect.runSync(Effect.flip(Effect.scoped(Layer.build(cuda({ device: 0 })))))
  if (before === undefined) delete process.env["LD_LIBRARY_PATH"]
  else process.env["LD_LIBRARY_PATH"] = before
  assert.instanceOf(error.reason, ProviderUnavailable)
  return { error, folder }
})

describe("cuda without its libraries", () => {
  const [shared, own] = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"]
  it.live("names the one that is missing, where, and what to do", () =>
    onDisk(Effect.gen(function*() {
      const { error, folder } = yield* refusal()
      assert.include(error.message, `The cuda provider cannot start: ${shared} is not in ${folder}`)
      assert.include(error.message, "docs/cuda.md")
      assert.include(error.message, "--provider cpu")
    })))
  it.live("names the next one, once the first is there", () =>
    onDisk(Effect.gen(function*() {
      const { error, folder } = yield* refusal(shared)
      assert.include(error.message, `${own} is not in ${folder}`)
    })))
})

const chosen = (environment: Readonly<Record<string, string>>) =>
  Effect.map(Session, ({ provider, threads }) => ({ provider, threads })).pipe(
    Effect.provide(fromConfig, { local: true }),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
  )

describe("the environment", () => {
  it.live("names the provider and its threads", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* chosen({})).provider, "cpu")
      assert.deepStrictEqual(yield* chosen({ PROVIDER: "cpu", THREADS: "3" }), { provider: "cpu", threads: 3 })
      assert.strictEqual((yield* chosen({ PROVIDER: "reference" })).provider, "reference")
    }))
  it.live("is refused where it names none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(chosen({ PROVIDER: "tpu" }))
      assert.match(error.message, /"cpu" \| "cuda" \| "reference"/)
      assert.match((yield* Effect.flip(chosen({ THREADS: "many" }))).message, /THREADS/)
    }))
})
