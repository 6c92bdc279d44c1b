/** Captions as labels: which option they name, how they vote, and what share of them is right. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { alone, type ReadAlone } from "../../../src/domain/verdicts/analysis.ts"
import { labelOf, labelScores, voted } from "../../../src/domain/verdicts/labels.ts"
import { utilityOf } from "../../../src/domain/verdicts/utility.ts"

const options = ["normal", "pneumonia"]

describe("a caption", () => {
  it("names an option as a word, or none", () => {
    assert.strictEqual(labelOf("This chest X-ray shows: pneumonia.", options), 1)
    assert.strictEqual(labelOf("normal", options), 0)
    assert.strictEqual(labelOf("A normal heart and pneumonia", options), -1)
    assert.strictEqual(labelOf("abnormal", options), -1)
    assert.strictEqual(labelOf("", options), -1)
  })
  it("has the utility 1 where it names the right option, else 0", () => {
    const scores = labelScores("It shows: pneumonia.", options)
    assert.deepStrictEqual([0, 1].map((right) => utilityOf(scores, right, "label")), [0, 1])
    assert.deepStrictEqual([...labelScores("an X-ray", options)], [0, 0])
  })
})

describe("a vote", () => {
  it("counts each caption by its score, and those alike where a score is below 0", () => {
    assert.strictEqual(voted([0, 1, 1], [0.9, 0.4, 0.4]), 0)
    assert.strictEqual(voted([0, 1, 1], [0.9, 0.5, 0.5]), 1)
    assert.strictEqual(voted([0, 1, 1], [0.9, -0.1, 0.1]), 1)
    assert.strictEqual(voted([1, 0], [0.5, 0.5]), 0)
    assert.strictEqual(voted([-1, 1], [0.9, 0]), 1)
    assert.strictEqual(voted([-1, -1], [0.9, 0.1]), -1)
    assert.strictEqual(voted([], []), -1)
  })
  it("does not depend on the order of passages", () => {
    const passages = fc.array(fc.tuple(fc.integer({ min: -1, max: 3 }), fc.integer({ min: -4, max: 9 })), {
      minLength: 1
    })
    fc.assert(fc.property(passages, (own) => {
      const of = (all: typeof own) => voted(all.map(([label]) => label), all.map(([, score]) => score))
      assert.strictEqual(of(own), of(own.toReversed()))
    }))
  })
})

describe("an analysis of captions that are labels", () => {
  const question = (key: string, labelled: ReadonlyArray<0 | 1>, copied: 0 | 1): ReadAlone => ({
    key,
    group: key,
    options: 2,
    answered: 1,
    verdicts: [0, 1],
    scores: [[], []],
    right: [0, 1],
    chance: [],
    labelled,
    copied
  })
  it("has label@k as the mean of shares, and the copied answer beside rerankers", () => {
    const found = alone([question("a", [1, 0], 1), question("b", [0, 0], 0), question("c", [1, 1], 1)])!
    assert.deepStrictEqual(found.label.map(({ mean }) => mean), [2 / 3, 1 / 2])
    const copy = found.rerankers.find(({ name }) => name === "copy")!
    assert.closeTo(copy.accuracy.mean, 2 / 3, 1e-12)
    assert.closeTo(copy.gap.mean, 1 / 3, 1e-12)
  })
  it("has neither of others", () => {
    const bare = Object.assign({}, question("a", [], 0), { labelled: undefined, copied: undefined })
    const found = alone([bare])!
    assert.deepStrictEqual(found.label, [])
    assert.isUndefined(found.rerankers.find(({ name }) => name === "copy"))
  })
})
