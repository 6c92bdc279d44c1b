import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { branchBias } from "../../src/kernels/nn/attention.ts"
import { shiftedSparse } from "../../src/kernels/nn/shifted.ts"
import { attendCausal } from "../../src/kernels/op/attend.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul } from "../../src/kernels/op/elementwise.ts"
import { input, type Tensor, topological } from "../../src/kernels/Tensor.ts"

const full = (branches: Tensor) => {
  const bias = branchBias(branches)
  return (q: Tensor, k: Tensor, v: Tensor) => attendCausal(q, k, v, bias)
}

/** Shifted attention of `heads` heads over `groups` heads of keys, of vectors of size d. */
const graph = (n: number, heads: number, groups: number, d: number) => {
  const [branches, positions] = [input("branches", [1, n], "int32"), input("positions", [1, n], "int32")]
  const [q, k, v] = [input("q", [1, heads, n, d]), input("k", [1, groups, n, d]), input("v", [1, groups, n, d])]
  return { inputs: [q, k, v], output: shiftedSparse(branches, positions, full)(q, k, v, 0) }
}

/** The weights that each query gives each key: what comes of values that are the rows of the unit matrix. */
const weights = (n: number, heads: number, groups: number, padding: number) => {
  const zeros = (...shape: ReadonlyArray<number>) => Nd.make(shape, () => 0)
  const [seen] = interpret([graph(n, heads, groups, n).output], {
    branches: Nd.make([1, n], (_, i) => i < n - padding ? 0 : -1),
    positions: Nd.make([1, n], (_, i) => i),
    q: zeros(1, heads, n, n),
    k: zeros(1, groups, n, n),
    v: Nd.make([1, groups, n, n], ([_, __, i, j]) => i === j ? 1 : 0)
  })
  return (head: number, query: number) =>
    Array.from({ length: n }, (_, key) => key).filter((key) => Nd.get(seen!, [0, head, query, key]) > 0)
}

const upTo = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe("shifted sparse attention", () => {
  it("sees its group up to itself: whole groups in one half of the heads, from half a group on in the other", () => {
    for (const groups of [1, 2, 4]) {
      const seen = weights(16, 4, groups, 0)
      for (let i = 0; i < 16; i++) {
        for (const head of [0, 1]) assert.deepStrictEqual(seen(head, i), upTo(Math.floor(i / 4) * 4, i))
        for (const head of [2, 3]) {
          assert.deepStrictEqual(seen(head, i), upTo(Math.max(0, Math.floor((i + 2) / 4) * 4 - 2), i))
        }
      }
    }
  })
  it("does not see padding", () => {
    const seen = weights(16, 2, 1, 3)
    assert.deepStrictEqual(seen(0, 15), [12])
    assert.deepStrictEqual(seen(1, 13), [10, 11, 12])
  })
  it("holds nothing greater than heads × sequence × group, nor does its gradient", () => {
    const [n, heads] = [64, 4]
    const { inputs, output } = graph(n, heads, 2, 2)
    const all = topological([output, ...grad(sumAll(mul(output, output)), inputs)])
    assert.isAtMost(Math.max(...all.map((t) => Nd.size(t.type.shape))), heads / 2 * (n / 4) ** 2)
  })
  it("refuses lengths and heads that it cannot halve, by name", () => {
    assert.throws(() => graph(12, 2, 1, 2), /shiftedSparse\(float32\[1,2,12,2\]\): its length is no multiple of 8/)
    assert.throws(() => graph(16, 3, 1, 2), /or its heads are odd/)
  })
})
