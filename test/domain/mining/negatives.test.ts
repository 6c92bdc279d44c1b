/** Which passages become negatives: the worked example of the rules, each filter, and properties of random choices. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../../src/domain/Key.ts"
import {
  type Asked,
  type Candidate,
  choose,
  defaults,
  depthOf,
  type MiningOptions,
  problemsOf,
  rangeEnd
} from "../../../src/domain/mining/negatives.ts"
import { shingles } from "../../../src/domain/mining/overlap.ts"
import { jaccard } from "../../../src/domain/texts/overlap.ts"

const f = Math.fround
const key = Key.make(7)
const texts = [
  "the first passage is about copper in the liver",
  "a second one speaks of long fingers and tall people",
  "thirdly there is a red spot in the eye",
  "fourth comes kinky hair and the gene behind it",
  "the fifth of them names chorea as a sign",
  "at last a weak heart on chromosome seventeen"
]
const candidates = (scores: ReadonlyArray<number>): ReadonlyArray<Candidate> =>
  scores.map((score, row) => ({ row, score: f(score), text: texts[row % texts.length]! + (row < 6 ? "" : ` ${row}`) }))
const asked = (score: number, changes: Partial<Asked> = {}): Asked => ({
  query: "what is it?",
  positives: new Set([99]),
  texts: ["a positive of other words altogether"],
  score: f(score),
  answers: [],
  ...changes
})
const chosen = (o: Partial<MiningOptions>, own: Asked, some: ReadonlyArray<Candidate>) => {
  const options = { ...defaults, ...o }
  return choose(options, own, some, rangeEnd(options, 1), key)
}
const scoresOf = (o: Partial<MiningOptions>, p: number, scores: ReadonlyArray<number>) =>
  chosen({ num_negatives: 2, ...o }, asked(p), candidates(scores)).negatives.map(({ score }) => score)

describe("the worked example", () => {
  const scores = [0.82, 0.71, 0.69, 0.66, 0.60, 0.40]
  const cases: ReadonlyArray<readonly [Partial<MiningOptions>, ReadonlyArray<number>]> = [
    [{}, [0.82, 0.71]],
    [{ absolute_margin: 0.05 }, [0.60, 0.40]],
    [{ relative_margin: 0.05 }, [0.66, 0.60]],
    [{ relative_margin: 0.05, range_min: 1 }, [0.60, 0.40]],
    [{ max_score: 0.68 }, [0.66, 0.60]],
    [{ min_score: 0.7, num_negatives: 3 }, [0.82, 0.71]],
    [{ rank_of: "raw", range_min: 1, relative_margin: 0.05 }, [0.66, 0.60]],
    [{ rank_of: "raw", range_min: 1, range_max: 4, relative_margin: 0.05 }, [0.66]]
  ]
  for (const [options, expected] of cases) {
    it(JSON.stringify(options), () => assert.deepStrictEqual(scoresOf(options, 0.7, scores), expected.map(f)))
  }
  it("has a limit below a negative score", () => {
    const options = { relative_margin: 0.05, num_negatives: 4 }
    assert.deepStrictEqual(scoresOf(options, -0.2, [-0.18, -0.2, -0.205, -0.211, -0.3]), [-0.211, -0.3].map(f))
  })
})

describe("a passage is no negative", () => {
  const counts = (o: Partial<MiningOptions>, own: Asked, some: ReadonlyArray<Candidate>) => {
    const { dropped, negatives } = chosen({ num_negatives: 9, ...o }, own, some)
    return [Object.fromEntries(dropped), negatives.map(({ row }) => row)] as const
  }
  const six = candidates([6, 5, 4, 3, 2, 1])

  it("that is a known positive, by its row or its text, or is the query", () => {
    const own = asked(9, { positives: new Set([1]), texts: [`  ${texts[3]!.replace(" ", "\n\t")} `], query: texts[4]! })
    assert.deepStrictEqual(counts({}, own, six), [{ positive: 1, equals_positive: 1, equals_query: 1 }, [0, 2, 5]])
  })
  it("that a retriever of words did not find", () => {
    assert.deepStrictEqual(counts({}, asked(9, { floor: 0 }), candidates([2, 1, 0, 0])), [{ no_match: 2 }, [0, 1]])
  })
  it("that contains an answer as whole words, if that is asked for", () => {
    const own = asked(9, { answers: ["The Liver!", "fing", "A"] })
    assert.deepStrictEqual(counts({ answer_text: "absent" }, own, six), [{ answer_text: 1 }, [1, 2, 3, 4, 5]])
    assert.deepStrictEqual(counts({}, own, six), [{}, [0, 1, 2, 3, 4, 5]])
  })
  it("that is nearly a positive, or has the text of a better one", () => {
    const long = Array.from({ length: 60 }, (_, i) => `word${i}`)
    const near = [...long.slice(0, 59), "another"].join(" ")
    const half = [...long.slice(0, 30), ...Array.from({ length: 30 }, (_, i) => `other${i}`)].join(" ")
    const some = [near, half, half].map((text, row) => ({ row, score: 3 - row, text }))
    const own = asked(9, { texts: [long.join(" ")] })
    assert.deepStrictEqual(counts({}, own, some), [{ near_duplicate: 1, repeated: 1 }, [1]])
    assert.deepStrictEqual(counts({ max_overlap: 1 }, own, some), [{ repeated: 1 }, [0, 1]])
  })
})

describe("overlap", () => {
  it("is the Jaccard index of runs of five words", () => {
    const [a, b] = ["one two three four five six", "Two, three four - five SIX seven!"].map(shingles)
    assert.deepStrictEqual([...a!], ["one two three four five", "two three four five six"])
    assert.strictEqual(jaccard(a!, b!), 1 / 3)
    assert.deepStrictEqual([...shingles("only two")], ["only two"])
    assert.strictEqual(jaccard(shingles("?!"), shingles("")), 0)
  })
})

describe("random negatives", () => {
  const some = fc.record({
    scores: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }),
    num_negatives: fc.integer({ min: 1, max: 8 }),
    range_min: fc.nat(3),
    seed: fc.nat()
  })
  it("are of the range, in order, each once, as many as there are, and the same under the same key", () => {
    fc.assert(fc.property(some, ({ num_negatives, range_min, scores, seed }) => {
      const options = { ...defaults, num_negatives, range_min, sampling_strategy: "random" as const, range_max: 30 }
      const all = candidates(scores.toSorted((a, b) => b - a))
      const draw = () => choose(options, asked(2), all, 30, Key.make(seed)).negatives.map(({ row }) => row)
      const rows = draw()
      const range = all.slice(range_min, 30).map(({ row }) => row)
      assert.strictEqual(rows.length, Math.min(num_negatives, range.length))
      assert.deepStrictEqual(rows, [...new Set(rows)].toSorted((a, b) => a - b))
      assert.isTrue(rows.every((row) => range.includes(row)))
      assert.deepStrictEqual(draw(), rows)
    }))
  })
  it("differ from key to key", () => {
    const options = { ...defaults, sampling_strategy: "random" as const, range_max: 40 }
    const all = candidates(Array.from({ length: 40 }, (_, i) => -i))
    const drawn = Array.from({ length: 9 }, (_, seed) => choose(options, asked(2), all, 40, Key.make(seed)).negatives)
    assert.isAbove(new Set(drawn.map((own) => own.map(({ row }) => row).join())).size, 6)
  })
})

describe("options", () => {
  it("that nothing can be mined under are told, all of them", () => {
    assert.deepStrictEqual(problemsOf(defaults, 3), [])
    const bad = {
      ...defaults,
      num_negatives: 9,
      range_min: 2,
      range_max: 5,
      relative_margin: 1.5,
      absolute_margin: -1,
      min_score: 2,
      max_score: 1,
      max_overlap: 7
    }
    assert.deepStrictEqual(problemsOf(bad, 1).map((problem) => problem.split(" ")[0]), [
      "num_negatives",
      "relative_margin",
      "absolute_margin",
      "min_score",
      "max_overlap"
    ])
    assert.match(problemsOf({ ...defaults, range_min: 5, range_max: 5 }, 1)[0]!, /range_min \(5\) must be less/)
  })
  it("say how deep to search", () => {
    assert.deepStrictEqual([rangeEnd(defaults, 2), depthOf(defaults, 2)], [5, 7])
    const filtered = { ...defaults, relative_margin: 0.05, range_min: 4 }
    assert.deepStrictEqual([rangeEnd(filtered, 2), depthOf(filtered, 2)], [36, 38])
    assert.strictEqual(depthOf({ ...defaults, rank_of: "raw", range_max: 210 }, 9), 210)
  })
})
