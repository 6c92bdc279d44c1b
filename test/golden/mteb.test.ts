/** Figures of graded rankings: those that MTEB computes of the same (mteb.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { nauc } from "../../src/domain/benchmarks/abstention.ts"
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
      // MTEB rounds neither the reciprocal rank, which we round to five digits, nor the areas, which we round to six.
      const tolerance = (name: string) => name.startsWith("mrr") ? 5.001e-6 : name.startsWith("nauc") ? 6e-7 : 1e-12
      for (const [name, value] of Object.entries(scores)) {
        assert.closeTo(got[name]!, value, tolerance(name), `run ${i}, ${name}`)
      }
    })
  })
  it("have areas under the abstention curve of many queries, better and worse than no abstention", () => {
    const areas = golden.flatMap(({ scores }) => Object.entries(scores).filter(([name]) => name.startsWith("nauc")))
    assert.isTrue(areas.some(([, value]) => value > 0.3 && value < 1) && areas.some(([, value]) => value < -0.3))
    assert.isTrue(golden.some(({ results }) => Object.keys(results).length > 10))
    assert.isUndefined(nauc([1, 2, 3], [0.1, 0.1, 0.1]))
    assert.strictEqual(nauc([1, 2, 3], [0.1, 0.2, 0.3]), 1)
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
