/** Figures of graded rankings: those that MTEB computes of the same (mteb.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { figuresOf, means, names } from "../../src/domain/benchmarks/scores.ts"

type Numbers = Readonly<Record<string, number>>
interface Golden {
  readonly ignore: boolean
  readonly results: Readonly<Record<string, Numbers>>
  readonly qrels: Readonly<Record<string, Numbers>>
  readonly scores: Numbers
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, "mteb.json"), "utf8")) as ReadonlyArray<Golden>

describe("the figures of a task", () => {
  it("are MTEB's, at all its cutoffs", () => {
    assert.isAbove(golden.length, 15)
    golden.forEach(({ ignore, qrels, results, scores }, i) => {
      const queries = Object.entries(results).map(([query, found]) => {
        const ranking = Object.entries(found).filter(([doc]) => !ignore || doc !== query)
        return figuresOf(ranking, new Map(Object.entries(qrels[query]!)))
      })
      const got = means(queries)
      assert.deepStrictEqual(Object.keys(got).toSorted(), Object.keys(scores).toSorted())
      // MTEB rounds all but the reciprocal rank to five digits.
      for (const [name, value] of Object.entries(scores)) {
        assert.closeTo(got[name]!, value, name.startsWith("mrr") ? 5.001e-6 : 1e-12, `run ${i}, ${name}`)
      }
    })
  })
  it("are of grades below zero and above one, of ties, and of queries without a relevant document", () => {
    const grades = golden.flatMap(({ qrels }) => Object.values(qrels).map((own) => Object.values(own)))
    assert.isTrue(grades.some((own) => own.includes(-1)) && grades.some((own) => own.includes(3)))
    assert.isTrue(grades.some((own) => own.every((grade) => grade <= 0)))
    const scores = golden.flatMap(({ results }) => Object.values(results).map((own) => Object.values(own)))
    assert.isTrue(scores.some((own) => new Set(own).size < own.length))
    assert.isTrue(golden.some(({ scores }) => names.some((name) => scores[name]! > 0 && scores[name]! < 1)))
  })
})
