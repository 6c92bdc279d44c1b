/** Utilities, targets, fusion and readings against values made by hand and by JOMED's formulas in float64. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { optionOf } from "../../../src/domain/answers/chosenOption.ts"
import { fused, fusionWeights } from "../../../src/domain/verdicts/fusion.ts"
import { isInconsistent, oracle, rerankers } from "../../../src/domain/verdicts/readings.ts"
import {
  type Direction,
  disagree,
  divergence,
  listwiseTarget,
  logTarget,
  targetOf,
  type TargetOptions,
  teaches
} from "../../../src/domain/verdicts/target.ts"
import {
  confidenceOf,
  logSoftmax,
  NO_CLASS,
  softmax,
  type Utility,
  utilityOf,
  verdictOf
} from "../../../src/domain/verdicts/utility.ts"

/** The entropy of a distribution, in nats: the least that the listwise loss of this target can be. */
const entropy = (logP: Float64Array): number =>
  logP.reduce((sum, own) => own === -Infinity ? sum : sum - Math.exp(own) * own, 0)

/** The value of the divergence between target and retriever, in nats. */
const divergenceOf = (logT: Float64Array, logR: Float64Array, direction: Direction): number => {
  const [forward, backward] = [divergence(logT, logR), divergence(logR, logT)]
  return direction === "target_first" ? forward : direction === "retriever_first" ? backward : (forward + backward) / 2
}

const near = (found: ArrayLike<number>, wanted: ReadonlyArray<number>, off = 1.01e-6) => {
  assert.strictEqual(found.length, wanted.length)
  wanted.forEach((own, i) => assert.closeTo(found[i]!, own, off, `place ${i}`))
}

/** Class scores (No, Yes) of four passages; Yes is right. */
const Z = [[2, 0.5], [0, 0], [-1, 3], [1, 1.5]]
const s = [0.62, 0.55, 0.71, 0.4]
const utilities = (utility: Utility) => Z.map((z) => utilityOf(z, 1, utility))
const released: TargetOptions = { prior: "scores", direction: "target_first", temperatureGold: 1, temperatureScore: 1 }

describe("utility", () => {
  it("is the right class's probability, softened twice or in logarithms", () => {
    near(Z.map((z) => softmax(z)[1]!), [0.182426, 0.5, 0.982014, 0.622459])
    near(utilities("double_softmax"), [-1.060323, -Math.LN2, -0.323064, -0.578167])
    near(utilities("log_prob"), [-1.701413, -Math.LN2, -0.01815, -0.474077])
    near(utilities("nll"), [0.5, 0, 3, 1.5])
  })
  it("does not see classes that a question lacks", () => {
    for (const utility of ["double_softmax", "log_prob", "nll"] as const) {
      near(Z.map((z) => utilityOf([...z, NO_CLASS, NO_CLASS], 1, utility)), utilities(utility), 0)
    }
  })
  it("is finite for scores that float32 cannot tell apart by their exponentials", () => {
    assert.closeTo(utilityOf([-5000, -9000], 1, "log_prob"), -4000, 1e-9)
    assert.deepStrictEqual([...logSoftmax([NO_CLASS, 3])], [-Infinity, 0])
  })
  it("has a verdict: the first class of highest score, or none", () => {
    assert.deepStrictEqual([[1, 3, 3], [NO_CLASS, -7], [], [NO_CLASS], [Number.NaN]].map(verdictOf), [1, 1, -1, -1, -1])
    assert.deepStrictEqual([confidenceOf([0, 0]), confidenceOf([])], [0.5, 0])
  })
})

describe("target", () => {
  const logR = logSoftmax(s)
  const made = (utility: Utility, o: Partial<TargetOptions> = {}) =>
    logTarget(utilities(utility), s, { ...released, ...o })
  it("is the retriever's distribution re-weighted by the utilities", () => {
    near(softmax(s), [0.261159, 0.243503, 0.285753, 0.209585])
    const logT = made("double_softmax")
    near(logT.map(Math.exp), [0.168554, 0.226882, 0.38549, 0.219074])
    assert.closeTo(divergence(logT, logR), 0.0352656, 1e-6)
    assert.closeTo(divergence(logT, logR) / 4, 0.00881642, 1e-7)
    assert.closeTo(entropy(logT), 1.3367448, 1e-6)
    assert.closeTo(entropy(logT) + divergence(logT, logR), 1.3720104, 1e-6)
    near(logR.map((own, k) => (Math.exp(own) - Math.exp(logT[k]!)) / 4), [0.023151, 0.004155, -0.024934, -0.002372])
  })
  it("has the gradient of KL(R || T) where that is asked for", () => {
    const logT = made("double_softmax")
    assert.closeTo(divergenceOf(logT, logR, "retriever_first"), 0.0367383, 1e-6)
    assert.closeTo(divergenceOf(logT, logR, "symmetric"), (0.0367383 + 0.0352656) / 2, 1e-6)
    const gradient = listwiseTarget(logT, logR, "retriever_first").map((t, k) => Math.exp(logR[k]!) - t)
    near(gradient, [0.10476, 0.008269, -0.096048, -0.016981])
    near(gradient.map((own) => own / 4), [0.02619, 0.002067, -0.024012, -0.004245])
  })
  it("starts from lowered scores, as the release without its prior", () => {
    const logT = made("double_softmax", { prior: "bounded", floor: 0.25 })
    near(logT.map(Math.exp), [0.226962, 0.239676, 0.318869, 0.214493])
    assert.closeTo(divergence(logT, logR) / 4, 0.0010699, 1e-7)
    near(logR.map((own, k) => (Math.exp(own) - Math.exp(logT[k]!)) / 4), [0.008549, 0.000957, -0.008279, -0.001227])
  })
  it("shares the score's temperature between prior and retriever", () => {
    const logT = made("log_prob")
    near(logT.map(Math.exp), [0.082076, 0.209748, 0.483429, 0.224747])
    assert.closeTo(divergence(logT, logR), 0.1435727, 1e-6)
    const cold = { temperatureGold: 0.1, temperatureScore: 0.1 }
    const colder = logSoftmax(s, 0.1)
    near(colder.map(Math.exp), [0.245882, 0.122101, 0.604772, 0.027245])
    const cooled = made("double_softmax", cold)
    near(cooled.map(Math.exp), [0.000253, 0.004944, 0.991319, 0.003483])
    assert.closeTo(divergence(cooled, colder), 0.4651344, 1e-6)
    const gradient = cooled.map((own, k) => (Math.exp(colder[k]!) - Math.exp(own)) / 0.1)
    near(gradient, [2.456288, 1.171572, -3.865471, 0.237611], 5e-6)
    near(made("log_prob", cold).map(Math.exp), [0, 0.000236, 0.999292, 0.000471])
  })
  it("is the utilities' own distribution without a prior", () => {
    near(made("log_prob", { prior: "none" }).map(Math.exp), [...softmax(utilities("log_prob"))])
  })

  const scored = fc.integer({ min: 2, max: 6 }).chain((m) => {
    const values = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: m, maxLength: m })
    return fc.tuple(values, values)
  })
  const temperatures = fc.record({
    temperatureGold: fc.double({ min: 0.05, max: 2, noNaN: true }),
    temperatureScore: fc.double({ min: 0.05, max: 2, noNaN: true })
  })
  const directions = ["target_first", "retriever_first", "symmetric"] as const
  it("teaches nothing where utilities are equal, whatever the temperatures", () => {
    fc.assert(fc.property(scored, temperatures, fc.constantFrom(...directions), ([scores], t, direction) => {
      const o = { ...t, prior: "scores", direction } as const
      const target = targetOf(scores.map(() => -0.7), scores, o)
      near(target, [...softmax(scores, t.temperatureScore)], 1e-9)
      const own = logSoftmax(scores, t.temperatureScore)
      const { gain, variance } = teaches(scores.map(() => -0.7), logTarget(scores.map(() => -0.7), scores, o), own)
      near([gain, variance], [0, 0], 1e-12)
    }))
  })
  it("has the numerical gradient of its divergence, with the target held", () => {
    fc.assert(fc.property(scored, temperatures, fc.constantFrom(...directions), ([scores, g], t, direction) => {
      const o = { ...t, prior: "scores", direction } as const
      const logT = logTarget(g, scores, o)
      const at = (own: ReadonlyArray<number>) => divergenceOf(logT, logSoftmax(own, t.temperatureScore), direction)
      const target = targetOf(g, scores, o)
      const R = softmax(scores, t.temperatureScore)
      const size = Math.max(1, at(scores)) / t.temperatureScore ** 2
      scores.forEach((_, k) => {
        const moved = (by: number) => scores.map((own, i) => i === k ? own + by : own)
        const slope = (at(moved(1e-5)) - at(moved(-1e-5))) / 2e-5
        assert.closeTo((R[k]! - target[k]!) / t.temperatureScore, slope, 1e-5 * size)
      })
      assert.closeTo(target.reduce((a, b) => a + b, 0), 1, 1e-9 * size)
    }))
  })
  it("learns from passages that disagree", () => {
    assert.isTrue(disagree(Z))
    assert.isFalse(disagree([[0, 1], [0.2, 0.3]]))
  })
  it("says whether utilities differ, and what the target gains", () => {
    const g = [1, 3]
    const half = logSoftmax([0, 0])
    const { gain, variance } = teaches(g, Float64Array.of(Math.log(0.25), Math.log(0.75)), half)
    near([variance, gain], [1, 0.5], 1e-12)
  })
})

describe("fusion", () => {
  it("weighs the passages of two retrievers by their relative scores", () => {
    const weights = fusionWeights([[0.8, 0.6], [0.31, 0.3]])
    near(weights, [0.266876, 0.207843, 0.266876, 0.258405])
    const rows = [[3, 1, 0], [0, 2, 1], [1, 1.5, 0], [0.2, 2.5, 0.1]]
    const sums = fused(weights, rows)
    near(sums, [1.119185, 1.728888, 0.233684])
    assert.strictEqual(verdictOf(sums), 1)
    assert.deepStrictEqual(rows.map(verdictOf), [0, 1, 1, 1])
    assert.isTrue(isInconsistent(rows.map(verdictOf)))
    for (const right of [0, 1]) assert.isTrue(oracle(rows.map(verdictOf), (own) => own === right))
    assert.isFalse(oracle(rows.map(verdictOf), (own) => own === 2))
  })
  it("weighs one retriever's passages by their own scores", () => {
    near(fusionWeights([[0.8, 0.6]]), [0.549834, 0.450166])
  })
  it("never turns an order around, where scores are below 0", () => {
    near(fusionWeights([[-0.1, -0.2], [0.5, 0.5]]).map((w, _, all) => w / (all[0]! + all[1]!)), [
      0.524979,
      0.475021,
      1.577125,
      1.577125
    ], 2e-6)
    fc.assert(fc.property(
      fc.array(fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 3
      }),
      (heads) => {
        const weights = fusionWeights(heads)
        assert.closeTo(weights.reduce((a, b) => a + b, 0), 1, 1e-9)
        let from = 0
        for (const scores of heads) {
          scores.forEach((a, i) =>
            scores.forEach((b, j) => assert.isTrue(a <= b ? weights[from + i]! <= weights[from + j]! : true))
          )
          from += scores.length
        }
      }
    ))
  })
  it("leaves out what is no passage", () => {
    near(fusionWeights([[0.8, -Infinity], [0.8, 0.8]]), [1 / 3, 0, 1 / 3, 1 / 3])
    near(fusionWeights([[-Infinity, -Infinity]]), [0, 0])
    near(fused([0, 1], [[NO_CLASS, NO_CLASS], [1, 2]]), [1, 2])
    assert.deepStrictEqual([...fused([0, 0], [[5, 6], [1, 2]])], [NO_CLASS, NO_CLASS])
  })
})

describe("readings of single passages", () => {
  it("are judged as in the paper's example", () => {
    const verdicts = [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 1]]
    const [gold, answers] = [[0, 1, 1, 0], [0, 0, 1, 1]]
    const inconsistent = verdicts.map(isInconsistent)
    const right = answers.map((own, q) => own === gold[q])
    const best = verdicts.map((own, q) => oracle(own, (verdict) => verdict === gold[q]))
    const share = (all: ReadonlyArray<boolean>) => all.filter(Boolean).length / all.length
    near([share(inconsistent), share(right), share(right.filter((_, q) => inconsistent[q]))], [0.75, 0.5, 1 / 3])
    near([share(best), share(best) - share(right)], [1, 0.5])
  })
  it("count no answer as one of its own", () => {
    assert.isTrue(isInconsistent([0, -1]))
    assert.isFalse(isInconsistent([-1, -1]))
    assert.isFalse(isInconsistent([]))
  })
  it("are reranked by score, by confidence and by vote", () => {
    const scores = [[0.2, 0, 0], [0, 3, 0], [0, 0, 1], [0, 0, 1]]
    const readings = { scores, verdicts: scores.map(verdictOf) }
    assert.deepStrictEqual(Object.values(rerankers).map((pick) => pick(readings)), [0, 1, 2])
    const tied = { scores: scores.slice(0, 2), verdicts: [0, 1] }
    assert.strictEqual(rerankers.agreement(tied), 0)
    assert.strictEqual(rerankers.agreement({ scores: [], verdicts: [-1, -1, 2] }), 2)
    const none = { scores: [], verdicts: [] }
    assert.deepStrictEqual(Object.values(rerankers).map((pick) => pick(none)), [-1, -1, -1])
  })
})

describe("options in a text", () => {
  it("are found as whole words alone, and no text that names none or two counts", () => {
    const said = (text: string) => optionOf(text, ["No", "Yes"], "text")
    assert.deepStrictEqual(
      ["normal", "not known", "Yes", "no.", "Yes, it is normal", "", "it is unclear"].map(said),
      [-1, -1, 1, 0, 1, -1, -1]
    )
    const of = (text: string) => optionOf(text, ["pneumonia", "normal heart", "effusion"], "letter")
    assert.deepStrictEqual(
      ["The picture shows an effusion", "B", "C) effusion", "pneumonias", "pneumonia or effusion"].map(of),
      [2, 1, 2, -1, -1]
    )
  })
})
