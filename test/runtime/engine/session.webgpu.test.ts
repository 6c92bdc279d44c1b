/** The same suite on WebGPU, where there is an adapter (SwiftShader's will do); skipped by name and reason without one. */
import { assert, describe, it } from "@effect/vitest"
import { webgpu } from "../../../src/runtime/engine/providers.ts"
import { unavailable } from "../../support/providers.ts"
import { suite } from "./session.suite.ts"

const missing = await unavailable(webgpu)
/** bfloat16 has no kernels there, and 4-bit rows of an odd number of blocks are refused by name. */
const refused = ({ bits, columns, from, size }: Readonly<Record<string, any>>): boolean =>
  from === "bfloat16" || (bits === 4 && Math.ceil(columns / size) % 2 === 1)
if (missing === undefined) suite("webgpu", webgpu, "float32", (_, { attrs }) => refused(attrs))
else describe("Session on webgpu", () => it.skip(`is not run: ${missing}`, () => assert.fail("not run")))
