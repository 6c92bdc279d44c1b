/** The ranking loss against the released code's double loop (Burges et al. 2005, RankNet). */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import { listwise, mean, minMaxScale, pairwise, reverseDivergence } from "../../src/kernels/loss/rank.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { slice } from "../../src/kernels/op/gather.ts"
import { input } from "../../src/kernels/Tensor.ts"
import { logLikelihoods, preferences, type RankOptions, softmin } from "../../src/stages/score.ts"

/** The loss of the first `m` of the scores and its gradient for all of them, as the step graph has it. */
const graph = (n: number, m: number) => {
  const [scores, wanted] = [input("scores", [1, n]), input("wanted", [1, m, m])]
  const loss = mean(pairwise(slice(minMaxScale(scores), 1, 0, m), wanted))
  const outputs = [loss, ...grad(loss, [scores])]
  return (values: ReadonlyArray<number>, nll: ReadonlyArray<number>, options: RankOptions) => {
    const [value, gradient] = interpret(outputs, {
      scores: Nd.fromArray([1, n], values),
      wanted: Nd.fromArray([1, m, m], preferences(Float32Array.from(nll), options))
    })
    return { loss: value!.data[0]!, gradient: [...gradient!.data] }
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** Word for word: scaled scores of all n, pairs among the first m, hard targets, ties to the later drawn. */
const naive = (scores: ReadonlyArray<number>, nll: ReadonlyArray<number>, { mean, ties }: RankOptions): number => {
  const [low, high] = [Math.min(...scores), Math.max(...scores)]
  const s = scores.map((x) => high === low ? 0 : 2 * ((x - low) / (high - low)) - 1)
  let [total, pairs] = [0, 0]
  for (let a = 0; a < nll.length; a++) {
    for (let b = a + 1; b < nll.length; b++) {
      pairs++
      if (nll[a] === nll[b] && ties === "skip") continue
      const y = nll[b]! - nll[a]! > 0 ? 1 : 0
      const p = sigmoid(s[a]! - s[b]!)
      total += -y * Math.log(p) - (1 - y) * Math.log(1 - p)
    }
  }
  return total / (pairs + (mean === "pairs_plus_one" ? 1 : 0))
}

const options = fc.record<RankOptions>({
  ties: fc.constantFrom("skip", "later"),
  mean: fc.constantFrom("pairs", "pairs_plus_one")
})
/** Small integers, so that ties and rows of equal values are frequent. */
const values = (n: number) => fc.array(fc.integer({ min: -2, max: 2 }), { minLength: n, maxLength: n })
const rows = fc.integer({ min: 2, max: 6 }).chain((m) =>
  fc.tuple(values(m + 2), values(m)).map(([scores, nll]) => ({ m, scores, nll }))
)

describe("the pairwise loss", () => {
  it("is the double loop's, ties and equal scores included", () => {
    fc.assert(fc.property(rows, options, ({ m, nll, scores }, how) => {
      assert.closeTo(graph(m + 2, m)(scores, nll, how).loss, naive(scores, nll, how), 1e-6)
    }))
  })
  it("does not depend on the order of the drawn", () => {
    const shuffled = rows.chain((row) =>
      fc.shuffledSubarray([...row.nll.keys()], { minLength: row.m }).map((order) => ({ row, order }))
    )
    fc.assert(fc.property(shuffled, options, ({ order, row: { m, nll, scores } }, { mean }) => {
      const loss = graph(m + 2, m)
      const how = { ties: "skip", mean } as const
      const permuted = [...order.map((i) => scores[i]!), ...scores.slice(m)]
      const one = loss(scores, nll, how)
      const other = loss(permuted, order.map((i) => nll[i]!), how)
      assert.closeTo(other.loss, one.loss, 1e-12)
      order.forEach((from, to) => assert.closeTo(other.gradient[to]!, one.gradient[from]!, 1e-12))
    }))
  })
  it("has the gradient that the released code's autograd has, through both extremes", () => {
    const distinct = fc.uniqueArray(fc.integer({ min: -40, max: 40 }), { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(distinct, fc.uniqueArray(fc.nat(9), { minLength: 3, maxLength: 3 }), options, (x, nll, how) => {
        const scores = x.map((v) => v / 10)
        const { gradient } = graph(5, 3)(scores, nll, how)
        scores.forEach((score, i) => {
          const at = (by: number) => naive(scores.with(i, score + by), nll, how)
          const slope = (h: number) => (at(h) - at(-h)) / (2 * h)
          assert.closeTo(gradient[i]!, (4 * slope(1e-3) - slope(2e-3)) / 3, 1e-6)
        })
      })
    )
  })
  it("teaches nothing where all scores are equal, and nothing where all likelihoods are and ties are skipped", () => {
    const loss = graph(4, 3)
    const flat = loss([2, 2, 2, 2], [1, 2, 3], { ties: "skip", mean: "pairs" })
    assert.closeTo(flat.loss, Math.LN2, 1e-7)
    assert.deepStrictEqual(flat.gradient.map(Math.abs), [0, 0, 0, 0])
    const same = loss([1, 2, 3, 4], [5, 5, 5], { ties: "skip", mean: "pairs" })
    assert.deepStrictEqual([same.loss, ...same.gradient.map(Math.abs)], [0, 0, 0, 0, 0])
  })
  it("wants the likelier passage higher", () => {
    const { gradient } = graph(4, 2)([0.5, 0.4, 1, 0], [1, 2], { ties: "skip", mean: "pairs" })
    assert.isBelow(gradient[0]!, 0)
    assert.isAbove(gradient[1]!, 0)
  })
})

describe("preferences", () => {
  it("weigh each ordered pair by one over the number of pairs, where the first is the likelier", () => {
    fc.assert(fc.property(rows, ({ m, nll }) => {
      const wanted = preferences(Float32Array.from(nll), { ties: "skip", mean: "pairs" })
      const pairs = m * (m - 1) / 2
      for (let a = 0; a < m; a++) {
        for (let b = 0; b < m; b++) {
          assert.closeTo(wanted[a * m + b]!, nll[a]! < nll[b]! ? 1 / pairs : 0, 1e-7)
        }
      }
    }))
  })
})

describe("the listwise loss", () => {
  it("is the cross-entropy of the target and the softmax of the scores, in double loops", () => {
    fc.assert(fc.property(rows, fc.constantFrom(0.1, 1, 3), ({ m, nll, scores }, temperature) => {
      const target = softmin(Float32Array.from(nll), m, temperature)
      const [s, t] = [input("s", [1, m]), input("t", [1, m])]
      const [loss] = interpret([listwise(s, t, temperature)], {
        s: Nd.fromArray([1, m], scores.slice(0, m)),
        t: Nd.fromArray([1, m], target)
      })
      const total = scores.slice(0, m).reduce((sum, x) => sum + Math.exp(x / temperature), 0)
      const want = scores.slice(0, m).reduce(
        (sum, x, i) => sum - target[i]! * Math.log(Math.exp(x / temperature) / total),
        0
      )
      assert.closeTo(loss!.data[0]!, want, 1e-6 * Math.max(1, want))
    }))
  })
})

describe("the divergence the other way", () => {
  /** By hand: R = (3/4, 1/4), Q = (1/4, 3/4): (3/4 - 1/4) ln 3, and R_j (ln R_j/Q_j - loss). */
  it("is what one computes by hand, with its gradient", () => {
    const [s, t] = [input("s", [1, 2]), input("t", [1, 2])]
    const loss = reverseDivergence(s, t, 0.5)
    const [value, gradient] = interpret([loss, ...grad(loss, [s])], {
      s: Nd.fromArray([1, 2], [0.5 * Math.log(3), 0]),
      t: Nd.fromArray([1, 2], [Math.log(1 / 4), Math.log(3 / 4)])
    })
    const log3 = Math.log(3)
    assert.closeTo(value!.data[0]!, log3 / 2, 1e-12)
    assert.closeTo(gradient!.data[0]!, 2 * 0.75 * (log3 - log3 / 2), 1e-12)
    assert.closeTo(gradient!.data[1]!, 2 * 0.25 * (-log3 - log3 / 2), 1e-12)
  })
  it("is 0 where the scores say what the likelihoods do, whose logarithms are finite at any temperature", () => {
    fc.assert(fc.property(rows, fc.constantFrom(1, 0.001), ({ m, nll }, temperature) => {
      const given = nll.map((own) => own + 2)
      const logs = logLikelihoods(Float32Array.from(given), m, temperature)
      assert.isTrue(logs.every(Number.isFinite))
      assert.closeTo(logs.reduce((sum, own) => sum + Math.exp(own), 0), 1, 1e-4)
      const [s, t] = [input("s", [1, m]), input("t", [1, m])]
      const [loss] = interpret([reverseDivergence(s, t, 2)], {
        s: Nd.fromArray([1, m], given.map((own) => 2 * Math.exp(-own) / temperature)),
        t: Nd.fromArray([1, m], logs)
      })
      assert.closeTo(loss!.data[0]!, 0, 1e-3)
    }))
  })
})

describe("softmin", () => {
  it("is exp(-nll/τ) over its sum, at any temperature", () => {
    fc.assert(fc.property(rows, fc.constantFrom(1, 0.01), ({ m, nll }, temperature) => {
      const target = softmin(Float32Array.from([...nll, ...nll]), m, temperature)
      const low = Math.min(...nll)
      const total = nll.reduce((sum, x) => sum + Math.exp((low - x) / temperature), 0)
      nll.forEach((x, i) => assert.closeTo(target[m + i]!, Math.exp((low - x) / temperature) / total, 1e-6))
    }))
  })
})
