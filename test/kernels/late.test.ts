/** Gradients of contrastive losses on late-interaction scores, at the token vectors: against differences in float64. */
import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import { maxSim, maxSimOwn } from "../../src/kernels/loss/maxSim.ts"
import { divergence, listwise, marginMse, mean, minMaxScale } from "../../src/kernels/loss/rank.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { add, scale } from "../../src/kernels/op/elementwise.ts"
import { constant, input, scalar, type Tensor } from "../../src/kernels/Tensor.ts"

const [B, Q, N, L, D] = [3, 4, 5, 3, 6]
const queries = input("queries", [B, Q, D])
const docs = input("docs", [N, L, D])
const values = (shape: ReadonlyArray<number>, seed: number): Nd.NdArray =>
  Nd.make(shape, (_, i) => Math.sin(seed + 7.3 * i) + 0.3 * Math.cos(2.1 * i))
const at = { queries: values([B, Q, D], 1), docs: values([N, L, D], 2) }
/** The last token of every other document does not count. */
const counted = constant(Nd.make([N, L], ([doc, token]) => token === L - 1 && doc! % 2 === 0 ? 0 : 1), "bool")
const allowed = (n: number, out: number) =>
  constant(Nd.make([B, n], ([row, column]) => row === 1 && column === out ? 0 : 1), "bool")
const places = constant(Nd.make([B, 3], ([row, column]) => (row! + 2 * column!) % N), "int32")
const oneHot = constant(Nd.make([B, N], ([row, column]) => row === column ? 1 : 0))
const shares = constant(Nd.make([B, 3], (_, i) => [0.5, 0.3, 0.2][i % 3]!))
const teacher = constant(Nd.make([B, 3], (_, i) => [2.5, 1, -0.5][i % 3]!))

const all = maxSim(queries, docs, counted)
const own = maxSimOwn(queries, docs, places, counted)
const losses: Readonly<Record<string, Tensor>> = {
  "InfoNCE over the batch": listwise(all, oneHot, 1.5, { allowed: allowed(N, 4) }),
  "divergence from a teacher": divergence(own, shares, 2),
  "divergence of scaled scores": divergence(scale(add(minMaxScale(own), scalar(1)), 0.5), shares, 1),
  "margins": marginMse(own, teacher, allowed(3, 2))
}

describe("the gradient at token vectors", () => {
  for (const [name, each] of Object.entries(losses)) {
    it(`of ${name}`, () => {
      const loss = mean(each)
      const gradients = interpret(grad(loss, [queries, docs]), at)
      const value = (input: "queries" | "docs", i: number, by: number): number => {
        const nudged = { shape: at[input].shape, data: at[input].data.with(i, at[input].data[i]! + by) }
        return interpret([loss], { ...at, [input]: nudged })[0]!.data[0]!
      }
      for (const [k, input] of (["queries", "docs"] as const).entries()) {
        const slopes = [...at[input].data.keys()].map((i) => {
          const slope = (h: number) => (value(input, i, h) - value(input, i, -h)) / (2 * h)
          return (4 * slope(1e-4) - slope(2e-4)) / 3
        })
        assert.isAbove(Math.max(...slopes.map(Math.abs)), 1e-3)
        slopes.forEach((slope, i) => assert.closeTo(gradients[k]!.data[i]!, slope, 1e-8, `${input} ${i}`))
      }
    })
  }
})
