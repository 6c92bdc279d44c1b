import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { all } from "../../src/kernels/op/all.ts"
import { operands } from "./arbitrary.ts"
import { applied, differentiable, feedsOf, TOLERANCE, worst } from "./gradient.ts"

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
