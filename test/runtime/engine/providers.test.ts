/** Which provider a program gets, and what it is told where that provider cannot be had. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cuda, fromConfig } from "../../../src/runtime/engine/providers.ts"
import { ProviderUnavailable, Session } from "../../../src/runtime/engine/Session.ts"
import { folderOf, onDisk } from "../../support/files.ts"

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
  it.live("names all that are missing, where, and what to do", () =>
    onDisk(Effect.gen(function*() {
      const { error, folder } = yield* refusal()
      assert.include(error.message, `The cuda provider cannot start: ${shared} and ${own} are not in ${folder}`)
      assert.include(error.message, "docs/cuda.md")
      assert.include(error.message, "--provider cpu")
    })))
  it.live("names the next one, once the first is there", () =>
    onDisk(Effect.gen(function*() {
      const { error, folder } = yield* refusal(shared)
      assert.include(error.message, `cannot start: ${own} is not in ${folder}`)
    })))
  it.live("names those of CUDA and the driver's, once its own are there", () =>
    onDisk(Effect.gen(function*() {
      const { error } = yield* refusal(shared, own)
      /** Where they are, the loader has something to say of an empty file. */
      assert.match(
        error.message,
        /the loader does not find libcudart\.so\.13, libcublas\.so\.13.* and libcuda\.so\.1 \(libcuda\.so\.1 is the NVIDIA driver's\)|file too short/
      )
      assert.include(error.message, "docs/cuda.md")
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
  it.live("leaves what it says nothing of as it is", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* chosen({ PROVIDER: "", THREADS: " " }), yield* chosen({}))
    }))
  for (
    const [name, value, wanted] of [
      ["PROVIDER", "tpu", /must be one of cpu, cuda, webgpu, reference; given "tpu"$/],
      ["PROVIDER", "constructor", /must be one of cpu, cuda, webgpu, reference; given "constructor"$/],
      ["THREADS", "many", /must be a whole number from 1 to \d+; given "many"$/],
      ["THREADS", "0", /given "0"$/],
      ["THREADS", "-1", /given "-1"$/],
      ["THREADS", "1.5", /given "1.5"$/],
      ["THREADS", "1e1", /given "1e1"$/],
      ["THREADS", "1000000", /given "1000000"$/],
      ["THREADS", "9".repeat(10_000), /given "9{40}"$/],
      ["PRECISION", "fp16", /must be one of float32, float16, bfloat16; given "fp16"$/],
      ["PRECISION", "float16", /must be float32 on cpu; given "float16"$/],
      ["PRECISION", "bfloat16", /must be float32 on cpu; given "bfloat16"$/],
      ["CUDA_DEVICE", "all", /must be a whole number from 0 to 1023; given "all"$/]
    ] as const
  ) {
    it.live(`is refused with ${name}=${value.slice(0, 20)}, in a line`, () =>
      Effect.gen(function*() {
        const { message } = yield* Effect.flip(chosen({ [name]: value }))
        assert.isTrue(message.startsWith(`${name}: `), message)
        assert.match(message, wanted)
        assert.notInclude(message, "\n")
      }))
  }
})
