/** Tables of outcomes: arms paired by question and seed, and no figure where there is none. */
import { assert, describe, it } from "@effect/vitest"
import { judge, summarise, type Verdict, verdict } from "../../src/domain/judge.ts"
import type { Outcome } from "../../src/programs/experiments/experiment.ts"
import * as Report from "../../src/report/tables.ts"

/** A question of a group, answered right or wrong, or in words that name no option; `null` where nobody answered. */
const one = (id: string, group: string, said: "right" | "wrong" | "?" | null): Verdict => {
  const record = { id, question: "?", options: ["a", "b"], answer: "a", answerIndex: 0, gold: ["p"], group, type: "t" }
  const predictionIndex = said === "right" ? 0 : said === "wrong" ? 1 : -1
  const answered = said === null ? undefined : { prediction: "", predictionIndex, written: "" }
  return verdict(judge(record, { answered, ranking: said === null ? [] : [["p", 1]] }))
}

const outcome = (arm: string, seed: number, judged: ReadonlyArray<Verdict>): Outcome => ({
  arm,
  seed,
  before: undefined,
  trained: { steps: 1, seconds: 2, questionsPerSecond: 3, retrieverLoss: 0, readerLoss: 0, checkpoint: "c" },
  evaluation: { judged, summary: summarise(judged, 1) }
})

/** The cells of a table's rows. */
const cells = (table: string): ReadonlyArray<ReadonlyArray<string>> =>
  table.split("\n").filter((line) => line.startsWith("|")).slice(2).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  )

const ids = Array.from({ length: 12 }, (_, i) => `q${i}`)
const judged = (right: (i: number) => boolean) => ids.map((id, i) => one(id, `g${i % 4}`, right(i) ? "right" : "wrong"))

describe("a comparison of arms", () => {
  const [a, b] = [judged((i) => i % 3 === 0), judged((i) => i % 2 === 0)]
  it("is the same in whatever order questions and seeds come", () => {
    const straight = [outcome("a", 1, a), outcome("a", 2, b), outcome("b", 1, b), outcome("b", 2, a)]
    const turned = [
      outcome("a", 2, b.toReversed()),
      outcome("a", 1, a),
      outcome("b", 1, b.toReversed()),
      outcome("b", 2, a)
    ]
    assert.strictEqual(Report.comparisons(turned), Report.comparisons(straight))
    assert.deepStrictEqual(cells(Report.comparisons(straight))[0]!.slice(0, 3), ["a", "b", "0.000"])
  })
  it("is not made of other questions or seeds, which is told", () => {
    const other = (outcomes: ReadonlyArray<Outcome>) => Report.comparisons(outcomes).split("\n\n")
    const [table, note] = other([outcome("a", 1, a), outcome("b", 1, b.slice(1))])
    assert.deepStrictEqual(cells(table!), [["a", "b", "-", "-", "-"]])
    assert.match(note!, /^a and b are not compared: 1 questions .*\(first: seed 1, q0\)\.$/)
    assert.match(other([outcome("a", 1, a), outcome("b", 2, b)])[1]!, /not compared: 24 questions/)
    assert.strictEqual(other([outcome("a", 1, a), outcome("b", 1, b)]).length, 1)
  })
})

describe("what has no figure", () => {
  it("is a dash", () => {
    const silent = outcome("lexical", 1, ids.map((id) => one(id, "g", null)))
    const lone = outcome("one group", 1, ids.map((id) => one(id, "g", "right")))
    const all = Report.all([silent, lone, outcome("empty", 1, [])])
    assert.notMatch(all, /NaN|null|undefined|Infinity/)
    const [results, , comparisons] = all.split("\n\n")
    assert.deepStrictEqual(cells(results!).map((row) => row.slice(0, 4)), [
      ["lexical", "-", "-", "-"],
      ["one group", "1.000", "-", "1.000"],
      ["empty", "-", "-", "-"]
    ])
    assert.deepStrictEqual(cells(comparisons!).map((row) => row[2]), ["-", "-"])
    for (const { evaluation } of [silent, lone]) assert.notMatch(Report.summary(evaluation.summary), /NaN|null/)
    assert.notMatch(Report.summary(summarise([], 0)), /NaN|null/)
  })
})

describe("the table of types", () => {
  const typed = (...types: ReadonlyArray<string>) =>
    judged(() => true).map((v, i) => Object.assign({}, v, { type: types[i % types.length]! }))
  const types = (...given: ReadonlyArray<string>) => Report.types([outcome("a", 1, typed(...given))])
  it("is left out where no question has one", () => {
    assert.isUndefined(types(""))
    assert.strictEqual(Report.all([outcome("a", 1, typed(""))]).split("\n\n").length, 2)
    assert.strictEqual(Report.all([outcome("a", 1, judged(() => true))]).split("\n\n").length, 3)
  })
  it("names those that have none", () => assert.match(types("", "gene")!, /^\| arm +\| \(no type\) +\| gene +\|\n/))
})

describe("answers that name no option", () => {
  it("are counted in a column of their own, where there are some", () => {
    const parsed = outcome("parsed", 1, judged(() => true))
    const lost = outcome("lost", 1, ids.map((id, i) => one(id, `g${i}`, i < 5 ? "?" : "right")))
    assert.notInclude(Report.results([parsed]), "unparsed")
    const table = Report.results([parsed, lost])
    assert.include(table.split("\n")[0]!, "| 95% interval   | unparsed |")
    assert.deepStrictEqual(cells(table).map((row) => row[3]), ["0", "5"])
    assert.deepStrictEqual(cells(Report.summary(lost.evaluation.summary))[0]!.slice(0, 3), ["12", "5", "0.583"])
    assert.include(Report.summary(summarise(judged(() => true), 0, 3)), "| skipped |")
  })
})
