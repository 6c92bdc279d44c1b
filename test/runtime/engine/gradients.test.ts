/** The gradients of both models as their step graphs have them, against differences of their losses, in float64. */
import { assert, describe, it } from "@effect/vitest"
import { interpret } from "../../../src/kernels/interpret.ts"
import type { Graph } from "../../../src/kernels/onnx/encode.ts"
import { sub } from "../../../src/kernels/op/elementwise.ts"
import type { Optimizer } from "../../../src/kernels/optim/Optimizer.ts"
import { drawn, isParam, steps, type Values } from "../../support/steps.ts"

/** The next weight is the weight less its gradient. */
const plain: Optimizer = {
  slots: [],
  scalars: [],
  at: () => ({}),
  update: (weight, gradient) => ({ weight: sub(weight, gradient), slots: {} })
}

const moved = (from: Values, direction: Values, by: number): Values =>
  Object.fromEntries(
    Object.entries(from).map(([name, { data, shape }]) => [
      name,
      { shape, data: data.map((x, i) => x + by * direction[name]!.data[i]!) }
    ])
  )

/** How much the loss rises along a direction: by the gradient, and by differences. */
const slopes = ({ inputs, outputs }: Graph, batch: Values, weights: Values, direction: Values) => {
  const names = Object.keys(inputs).filter(isParam)
  const next = interpret(names.map((name) => outputs[`next/${name}`]!), { ...batch, ...weights })
  const analytic = names.reduce((sum, name, p) => {
    const gradient = weights[name]!.data.map((x, i) => x - next[p]!.data[i]!)
    return gradient.reduce((s, g, i) => s + g * direction[name]!.data[i]!, sum)
  }, 0)
  const loss = (by: number) =>
    interpret([outputs["loss"]!], { ...batch, ...moved(weights, direction, by) })[0]!.data[0]!
  const slope = (h: number) => (loss(h) - loss(-h)) / (2 * h)
  return { analytic, numeric: (4 * slope(1e-4) - slope(2e-4)) / 3 }
}

describe("the gradient of a whole step", () => {
  for (const [name, [graph, batch]] of Object.entries(steps(plain, 1e30))) {
    it(`is the slope of the loss in every parameter: ${name}`, () => {
      const weights = drawn(graph, "weights", 0.6)
      const still = drawn(graph, "still", 0)
      const everywhere = drawn(graph, "direction", 1)
      for (const path of Object.keys(weights)) {
        const { analytic, numeric } = slopes(graph, batch, weights, { ...still, [path]: everywhere[path]! })
        assert.closeTo(analytic, numeric, 1e-8 * Math.max(1, Math.abs(numeric)), path)
      }
      const { analytic, numeric } = slopes(graph, batch, weights, everywhere)
      assert.closeTo(analytic, numeric, 1e-8 * Math.max(1, Math.abs(numeric)))
      assert.isAbove(Math.abs(numeric), 1e-3)
    })
  }
})
