/** The same suite on WebGPU, where there is an adapter (SwiftShader's will do); skipped by name and reason without one. */
import { assert, describe, it } from "@effect/vitest"
import { webgpu } from "../../../src/runtime/engine/providers.ts"
import { unavailable } from "../../support/providers.ts"
import { refusedByWebgpu, suite } from "./session.suite.ts"

const missing = await unavailable(webgpu)
if (missing === undefined) suite("webgpu", webgpu, "float32", refusedByWebgpu)
else describe("Session on webgpu", () => it.skip(`is not run: ${missing}`, () => assert.fail("not run")))
