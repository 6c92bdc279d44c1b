import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { interpret } from "../../src/kernels/interpret.ts"
import { maxSim, maxSimOwn } from "../../src/kernels/loss/maxSim.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { constant } from "../../src/kernels/Tensor.ts"

const size = fc.integer({ min: 1, max: 4 })
const reals = (...shape: ReadonlyArray<number>) =>
  fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: Nd.size(shape), maxLength: Nd.size(shape) })
    .map((values) => constant(Nd.make(shape, (_, i) => values[i]!)))

const cases = fc.tuple(size, size, size, size, size, size).chain(([b, q, d, n, l, k]) =>
  fc.record({
    queries: reals(b, q, d),
    docs: reals(n, l, d),
    places: fc.array(fc.nat(n - 1), { minLength: b * k, maxLength: b * k })
      .map((at) => Nd.make([b, k], (_, i) => at[i]!)),
    keep: fc.array(fc.nat(l), { minLength: n, maxLength: n })
      .map((last) => constant(Nd.make([n, l], ([row, i]) => i! <= last[row!]! ? 1 : 0), "bool"))
  })
)

it("a question's own documents score as they do among all", () => {
  fc.assert(fc.property(cases, ({ docs, keep, places, queries }) => {
    const [all, own] = interpret(
      [maxSim(queries, docs, keep), maxSimOwn(queries, docs, constant(places, "int32"), keep)],
      {}
    )
    places.data.forEach((doc, i) => {
      const row = Math.floor(i / places.shape[1]!)
      assert.closeTo(own!.data[i]!, Nd.get(all!, [row, doc]), 1e-12)
    })
  }))
})
