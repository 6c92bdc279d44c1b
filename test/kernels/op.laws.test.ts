import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { all } from "../../src/kernels/op/all.ts"
import { scale } from "../../src/kernels/op/elementwise.ts"
import type { Op } from "../../src/kernels/Tensor.ts"
import { operands } from "./arbitrary.ts"
import { applied, type Case, feedsOf, gradientError } from "./gradient.ts"

const TOLERANCE = 1e-8
/** A kink or a tie within this distance of the probe makes the difference quotient meaningless. */
const KINK = 4e-3

const differentiable = (op: Op<any>): boolean => {
  const types = op.law.ranges.map((r) => ({ dtype: r.dtype, shape: op.law.cases[0]!.shapes[0]! }))
  return types.some((t) => t.dtype === "float32") && applied(op, op.law.cases[0]!).output.type.dtype === "float32"
}

/** The piecewise ops are judged away from the points where they are not differentiable. */
const smooth = (op: Op<any>, values: ReadonlyArray<Nd.NdArray>): boolean => {
  if (!["Max", "Min", "ReduceMax"].includes(op.name)) return true
  const all = values.flatMap((v) => [...v.data]).toSorted((a, b) => a - b)
  return all.every((x, i) => i === 0 || x - all[i - 1]! > KINK)
}

const worst = (op: Op<any>, law: Case, runs = 20): number => {
  let error = 0
  fc.assert(
    fc.property(operands(op.law, law.shapes), (values) => {
      fc.pre(smooth(op, values))
      error = Math.max(error, gradientError(op, law, values))
    }),
    { numRuns: runs, seed: 1 }
  )
  return error
}

for (const op of all) {
  describe(op.name, () => {
    for (const law of op.law.cases) {
      const title = JSON.stringify(law)
      it(`has one range for each operand ${title}`, () => assert.strictEqual(op.law.ranges.length, law.shapes.length))
      it(`has the shape of its meaning ${title}`, () => {
        const { output } = applied(op, law)
        fc.assert(fc.property(operands(op.law, law.shapes), (values) => {
          const [y] = interpret([output], feedsOf(values))
          assert.deepStrictEqual([...y!.shape], [...output.type.shape])
          assert.strictEqual(y!.data.length, Nd.size(output.type.shape))
        }))
      })
      if (differentiable(op)) {
        it(`has the gradient of its meaning ${title}`, () => assert.isBelow(worst(op, law), TOLERANCE))
      }
    }
  })
}

describe("the gradient law", () => {
  const wrong = (op: Op<any>, by: number): Op<any> => ({
    ...op,
    vjp: (ct, inputs, y, attrs) => op.vjp(ct, inputs, y, attrs).map((g) => g === null ? null : scale(g, by))
  })
  for (const op of all.filter(differentiable)) {
    it(`fails for ${op.name} with every gradient off by one part in ten thousand`, () => {
      assert.isAbove(worst(wrong(op, 1.0001), op.law.cases[0]!), TOLERANCE)
    })
  }
})
