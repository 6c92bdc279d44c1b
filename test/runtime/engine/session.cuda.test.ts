/** The same suite on CUDA, where there is a GPU; skipped by name and reason without one. */
import { assert, describe, it } from "@effect/vitest"
import { cuda } from "../../../src/runtime/engine/providers.ts"
import { unavailable } from "../../support/providers.ts"
import { suite } from "./session.suite.ts"

const gpu = cuda({ device: 0 })
const missing = await unavailable(gpu)
if (missing === undefined) {
  suite("cuda", gpu, 1e-5)
  suite("cuda, products in bfloat16", cuda({ device: 0, products: "bfloat16" }), 1e-1)
} else describe("Session on cuda", () => it.skip(`is not run: ${missing}`, () => assert.fail("not run")))
