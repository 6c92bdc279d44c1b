/** The same suite on CUDA, where there is a GPU; skipped by name and reason without one. */
import { assert, describe, it } from "@effect/vitest"
import { cuda } from "../../../src/runtime/engine/providers.ts"
import { unavailable } from "../../support/providers.ts"
import { suite } from "./session.suite.ts"

const gpu = cuda({ device: 0 })
const missing = await unavailable(gpu)
if (missing === undefined) {
  suite("cuda", gpu, "float32")
  for (const products of ["float16", "bfloat16"] as const) {
    suite(`cuda, products in ${products}`, cuda({ device: 0, products }), products)
  }
} else describe("Session on cuda", () => it.skip(`is not run: ${missing}`, () => assert.fail("not run")))
