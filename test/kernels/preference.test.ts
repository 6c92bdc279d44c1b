/** Losses of preferences: values and gradients from their formulas in numpy, and gradients by finite differences. */
import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import { type PreferenceLoss, preferenceLosses } from "../../src/kernels/loss/preference.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { scale, sub } from "../../src/kernels/op/elementwise.ts"
import { constant, input } from "../../src/kernels/Tensor.ts"

/** Two pairs: log-likelihoods under the policy and the reference, and the tokens of the answers. */
const pairs = {
  chosen: [-12, -30],
  rejected: [-14, -25],
  reference: { chosen: [-13, -29], rejected: [-13.5, -27] },
  tokens: { chosen: [6, 15], rejected: [8, 10] }
}
const row = (values: ReadonlyArray<number>) => constant(Nd.fromArray([2], values))
const [chosen, rejected] = [input("chosen", [2]), input("rejected", [2])]
const BETA = 0.1

interface At {
  readonly chosen: ReadonlyArray<number>
  readonly rejected: ReadonlyArray<number>
}

const judged = (name: PreferenceLoss, { chosen: good, rejected: bad }: At, labelSmoothing = 0, beta = BETA) => {
  const own = {
    chosen: sub(chosen, row(pairs.reference.chosen)),
    rejected: sub(rejected, row(pairs.reference.rejected)),
    chosenTokens: row(pairs.tokens.chosen),
    rejectedTokens: row(pairs.tokens.rejected)
  }
  const losses = preferenceLosses[name](own, { beta, labelSmoothing })
  const mean = scale(sumAll(losses), 1 / 2)
  const feeds = { chosen: Nd.fromArray([2], good), rejected: Nd.fromArray([2], bad) }
  const found = interpret([losses, mean, ...grad(mean, [chosen, rejected])], feeds).map(({ data }) => Array.from(data))
  return { losses: found[0]!, mean: found[1]![0]!, chosen: found[2]!, rejected: found[3]! }
}
const near = (got: ReadonlyArray<number>, want: ReadonlyArray<number>, room = 1e-8) => {
  assert.strictEqual(got.length, want.length)
  got.forEach((x, i) => assert.closeTo(x, want[i]!, room, `element ${i}`))
}

type Vector = readonly [
  losses: ReadonlyArray<number>,
  mean: number,
  chosen: ReadonlyArray<number>,
  rejected: ReadonlyArray<number>
]
const vectors: Readonly<Record<PreferenceLoss, Vector>> = {
  sigmoid: [[0.62095705, 0.85435524], 0.73765615, [-0.02312851, -0.02872213], [0.02312851, 0.02872213]],
  hinge: [[0.85, 1.3], 1.075, [-0.05, -0.05], [0.05, 0.05]],
  ipo: [[22.76085069, 27.73777778], 25.24931424, [-0.79513889, -0.35111111], [0.59635417, 0.52666667]],
  robust: [[0.60220705, 0.89185524], 0.74703115, [-0.02937851, -0.03497213], [0.02937851, 0.03497213]],
  sigmoid_norm: [[0.68175449, 0.7065694], 0.69416195, [-0.00411893, -0.00168889], [0.00308919, 0.00253333]],
  apo_zero: [[0.96252342, 1.07481318], 1.0186683, [-0.0124688, -0.0124688], [0.01249219, 0.01237583]],
  apo_down: [[0.98754934, 1.04946333], 1.01850634, [0.00003885, 0.00024589], [0.01242995, 0.01222292]]
}
const smoothing = (name: string): number => name === "robust" ? 0.1 : 0
const names = Object.keys(vectors) as ReadonlyArray<PreferenceLoss>

describe("a loss of preferences", () => {
  for (const name of names) {
    it(`${name} has its values and gradients`, () => {
      const [losses, mean, good, bad] = vectors[name]
      const found = judged(name, pairs, smoothing(name))
      near(found.losses, losses)
      assert.closeTo(found.mean, mean, 1e-8)
      near(found.chosen, good)
      near(found.rejected, bad)
    })
    it(`${name} has the gradient of finite differences`, () => {
      const at = { chosen: [-12.3, -27.1], rejected: [-13.9, -28.4] }
      const found = judged(name, at, smoothing(name), 0.3)
      const step = 1e-4
      for (const side of ["chosen", "rejected"] as const) {
        const slopes = at[side].map((_, i) => {
          const moved = (by: number) =>
            judged(
              name,
              { ...at, [side]: at[side].map((x, k) => k === i ? x + by : x) },
              smoothing(name),
              0.3
            ).mean
          return (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (12 * step)
        })
        near(found[side], slopes, 1e-9)
      }
    })
  }
  it("of a policy that is its reference is a constant", () => {
    const at = { chosen: pairs.reference.chosen, rejected: pairs.reference.rejected }
    const mean = (name: PreferenceLoss) => judged(name, at, smoothing(name)).mean
    near(names.map(mean), [Math.LN2, 1, 25, Math.LN2, Math.LN2, 1, 1], 1e-12)
  })
  it("robust without swapped labels is sigmoid", () => {
    near(judged("robust", pairs).losses, judged("sigmoid", pairs).losses, 1e-14)
  })
  it("moves nothing where both answers are the same, for losses of their difference", () => {
    const answer = input("answer", [2])
    const own = { chosen: answer, rejected: answer, chosenTokens: row([6, 15]), rejectedTokens: row([6, 15]) }
    for (const name of ["sigmoid", "hinge", "ipo", "robust", "sigmoid_norm", "apo_zero"] as const) {
      const loss = sumAll(preferenceLosses[name](own, { beta: BETA, labelSmoothing: smoothing(name) }))
      const [slope] = interpret(grad(loss, [answer]), { answer: Nd.fromArray([2], [0.4, -1]) })
      near([...slope!.data], [0, 0], 1e-15)
    }
  })
})
