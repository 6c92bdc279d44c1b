/** The judge of gradients is itself judged: every way to get an op's gradient wrong must be told from the right one. */
import { assert, describe, it } from "@effect/vitest"
import * as Nd from "../../src/kernels/NdArray.ts"
import { all } from "../../src/kernels/op/all.ts"
import { add, neg, scale } from "../../src/kernels/op/elementwise.ts"
import { constant, type Op, type Tensor } from "../../src/kernels/Tensor.ts"
import { differentiable, TOLERANCE, worst } from "./gradient.ts"

/** Wrong by a constant in the last element, where nothing else would show it. */
const nudged = (g: Tensor): Tensor => {
  const last = Nd.size(g.type.shape) - 1
  return add(g, constant(Nd.make(g.type.shape, (_, flat) => flat === last ? 1e-6 : 0)))
}

const mutations: Readonly<Record<string, (g: Tensor) => Tensor | null>> = {
  "off by one part in a million": (g) => scale(g, 1 + 1e-6),
  "off by a millionth in one element": nudged,
  "negated": neg,
  "left out": () => null
}

/** The op with the gradient of one operand changed. */
const mutant = (op: Op<any>, operand: number, change: (g: Tensor) => Tensor | null): Op<any> => ({
  ...op,
  vjp: (ct, inputs, y, attrs) => op.vjp(ct, inputs, y, attrs).map((g, i) => g && i === operand ? change(g) : g)
})

describe("the gradient law", () => {
  it("is silent only on ops without reals on both sides, and on the one that stops gradients", () => {
    const exempt = all.filter((op) => !differentiable(op)).map((op) => op.name)
    assert.deepStrictEqual(exempt, ["Float", "Less", "Equal", "And", "Or", "Not", "Iota", "Widen", "StopGradient"])
  })
  for (const op of all.filter(differentiable)) {
    for (const [wrong, change] of Object.entries(mutations)) {
      it(`fails for ${op.name} with a gradient ${wrong}`, () => {
        for (const law of op.law.cases) {
          assert.isBelow(worst(op, law, 3), TOLERANCE)
          op.law.ranges.forEach(({ dtype }, operand) => {
            if (dtype !== "float32") return
            const error = worst(mutant(op, operand, change), law, 3)
            assert.isAbove(error, 10 * TOLERANCE, `operand ${operand} of ${JSON.stringify(law)}`)
          })
        }
      })
    }
  }
})
