/** Where the graphs of a run would run: on a device all of their nodes have kernels there. */
import { assert, describe, it } from "@effect/vitest"
import { encode, KernelError } from "../../src/kernels/onnx/encode.ts"
import { cuda, webgpu } from "../../src/kernels/onnx/target.ts"
import { Or } from "../../src/kernels/op/select.ts"
import { apply, input } from "../../src/kernels/Tensor.ts"
import { hotGraphs } from "../support/hotGraphs.ts"

const [int4, int8] = [{ bits: 4, size: 32 }, { bits: 8, size: 32 }] as const
const targets = [
  {
    target: cuda,
    stored: [undefined, "float16", "bfloat16", int4, int8],
    products: [undefined, "float16", "bfloat16"]
  },
  /** 4 bits have the operators of 8; rows of one block, as these models' are, are refused there. */
  { target: webgpu, stored: [undefined, "float16", int8], products: [undefined, "float16"] }
] as const

for (const { products, stored, target } of targets) {
  for (const type of stored) {
    describe(`on ${target.name}, frozen weights ${typeof type === "object" ? `int${type.bits}` : type ?? "float32"}`, () => {
      for (const [name, graph] of Object.entries(hotGraphs(type))) {
        /** A loop runs on the host there. */
        if (graph.repeats && !target.has("Scan")) continue
        for (const half of products) {
          it(`no node of ${name} is on the host, products in ${half ?? "float32"}`, () => {
            assert.isAbove(encode(graph, { target, products: half }).length, 100)
          })
        }
      }
    })
  }
}

describe("an operator without a kernel", () => {
  const x = input("x", [2], "bool")
  it("is named with its type and the provider", () => {
    const without = { ...cuda, has: (opType: string) => opType !== "Not" }
    const graph = { name: "g", inputs: { x }, outputs: { y: apply(Or, [x, x], {}) } }
    assert.doesNotThrow(() => encode(graph, { target: without }))
    const other = { ...without, has: (opType: string) => opType !== "Or" && opType !== "Not" }
    assert.throws(() => encode(graph, { target: other }), KernelError, "cuda has no kernel for Not of bool")
  })
})
