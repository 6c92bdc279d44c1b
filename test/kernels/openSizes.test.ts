import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Nd from "../../src/kernels/NdArray.ts"
import { encode } from "../../src/kernels/onnx/encode.ts"
import { dimension, factorise, standIns } from "../../src/kernels/onnx/openSizes.ts"
import { add } from "../../src/kernels/op/elementwise.ts"
import { constant, input, ShapeError } from "../../src/kernels/Tensor.ts"

describe("open sizes", () => {
  it("are found in any product of them", () => {
    const open = standIns(["batch", "length", "past"], [])
    const powers = fc.record({
      batch: fc.nat(1),
      length: fc.nat(1),
      past: fc.nat(1),
      factor: fc.integer({ min: 1, max: 4096 })
    })
    fc.assert(fc.property(powers, ({ factor, ...times }) => {
      const names = Object.entries(times).flatMap(([name, n]) => n === 1 ? [name] : []) as Array<keyof typeof open>
      const value = names.reduce((product, name) => product * open[name], factor)
      assert.deepStrictEqual(factorise(value, open), { factor, of: names })
    }))
  })
  it("stand for no size that is there already", () => {
    const [first, second] = Object.values(standIns(["a", "b"], []))
    const { a } = standIns(["a"], [[3, 2 * first!], [second!]])
    assert.isTrue(a > second!)
  })
  it("have names as dimensions", () => {
    const open = { batch: 5003, length: 5009 }
    assert.deepStrictEqual([7, 5003, 2 * 5003 * 5009].map((d) => dimension(d, open)), [7, "batch", "2*batch*length"])
  })
  it("are refused in constants, which have a size", () => {
    const open = standIns(["length"], [])
    const x = input("x", [open.length])
    const y = add(x, constant(Nd.make([open.length], () => 1)))
    assert.throws(() => encode({ name: "g", inputs: { x }, outputs: { y } }, { open }), ShapeError)
  })
})
