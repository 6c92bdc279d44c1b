/** Figures of readings of single passages, by hand. */
import { assert, describe, it } from "@effect/vitest"
import { alone, onQuestions, type ReadAlone } from "../../../src/domain/verdicts/analysis.ts"

/** The paper's example: four questions of two options, each read with four passages; the last is of the first's group. */
const verdicts = [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 1]]
const gold = [0, 1, 1, 0]
const answered = [0, 0, 1, 1]
const questions = verdicts.map((own, q): ReadAlone => ({
  key: `1, q${q}`,
  group: `g${q % 3}`,
  options: 2,
  answered: answered[q] === gold[q] ? 1 : 0,
  verdicts: own,
  scores: own.map((verdict, k) => verdict === 0 ? [k, -1] : [0, 1 + k]),
  right: own.map((verdict) => verdict === gold[q] ? 1 : 0),
  chance: q === 0 ? [0, 1] : q === 1 ? [0, 0] : []
}))

describe("analysis of single passages", () => {
  it("tells disagreement, the oracle over k, chance, and the gap", () => {
    const found = alone(questions)!
    assert.deepStrictEqual(
      [found.questions, found.groups, found.passages, found.binary, found.accuracy!.mean, found.inconsistent.mean],
      [4, 3, 4, true, 0.5, 0.75]
    )
    assert.closeTo(found.there!.mean, 1 / 3, 1e-12)
    assert.deepStrictEqual(found.oracle.map(({ mean }) => mean), [0.5, 1, 1, 1])
    assert.deepStrictEqual(found.chance.map(({ mean }) => mean), [0, 0.5])
    assert.strictEqual(found.gap!.mean, 0.5)
    assert.isTrue(found.inconsistent.low! <= 0.75 && found.inconsistent.high! >= 0.75)
  })
  it("tells how rerankers fare, on all questions and on those on which passages disagree", () => {
    const judged = questions.map((own, q) => Object.assign({}, own, { judged: [3, 1, 0, -1][q]! }))
    const { rerankers } = alone(judged)!
    assert.deepStrictEqual(
      rerankers.map(({ accuracy, gap, name, there }) => [name, accuracy.mean, there!.mean, gap.mean]),
      [
        // First passages lead to 0 0 1 1; the surest, which come last, to 0 0 0 1; most to 0 0 1 1.
        ["score", 0.5, 1 / 3, 0.5],
        ["confidence", 0.25, 0, 0.75],
        ["agreement", 0.5, 1 / 3, 0.5],
        ["judge", 0.75, 2 / 3, 0.25]
      ]
    )
  })
  it("leaves out what cannot be known", () => {
    assert.strictEqual(alone([{ ...questions[0]!, verdicts: [], right: [] }]), undefined)
    const mute = questions.map((own) =>
      Object.assign({}, own, {
        answered: null,
        scores: own.scores.map(() => []),
        chance: [],
        options: 3
      })
    )
    const found = alone(mute)!
    assert.deepStrictEqual(
      [found.accuracy, found.there, found.gap, found.chance.length, found.binary],
      [null, null, null, 0, false]
    )
    assert.deepStrictEqual(found.rerankers.map(({ name }) => name), ["score", "agreement"])
  })
  it("compares systems on the questions of the first", () => {
    const of = (values: ReadonlyArray<number>) => values.map((value, q) => ({ key: `1, q${q}`, group: `q${q}`, value }))
    const systems = [
      { name: "a", answers: of([1, 0, 0, 0]) },
      { name: "b", answers: of([0, 1, 1, 1]) },
      { name: "c", answers: [] }
    ]
    const [a, b, c] = onQuestions(systems, new Set(["1, q1", "1, q2", "1, q3"]))
    assert.deepStrictEqual([a!.questions, a!.accuracy!.mean, a!.against], [3, 0, undefined])
    assert.deepStrictEqual([b!.accuracy!.mean, b!.against!.difference.mean], [1, 1])
    // All of eight sign patterns: both ends count. Holm doubles it, as for two systems.
    assert.deepStrictEqual([b!.against!.permutation, b!.against!.holm], [0.25, 0.5])
    assert.deepStrictEqual([c!.questions, c!.accuracy, c!.against], [0, null, undefined])
  })
})
