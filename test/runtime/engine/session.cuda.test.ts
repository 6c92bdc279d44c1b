/** The same suite on CUDA, where there is a GPU; skipped by name and reason without one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { neg } from "../../../src/kernels/op/elementwise.ts"
import { input } from "../../../src/kernels/Tensor.ts"
import { cuda } from "../../../src/runtime/engine/providers.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"
import { suite } from "./session.suite.ts"

const gpu = cuda({ device: 0 })
const x = input("x", [2])

/** Why no program can be had, where none can. */
const missing = await Effect.flatMap(
  Session,
  (session) => session.compile({ name: "probe", inputs: { x }, outputs: { y: neg(x) } })
).pipe(
  Effect.scoped,
  Effect.provide(gpu),
  Effect.match({ onFailure: (error) => error.message, onSuccess: () => undefined }),
  Effect.runPromise
)

if (missing === undefined) suite("cuda", gpu, 1e-5)
else describe("Session on cuda", () => it.skip(`is not run: ${missing}`, () => assert.fail("not run")))
