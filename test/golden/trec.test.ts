/** Figures of fuzzed rankings: those that pytrec_eval computes of the files we write of them (trec.py). */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { summarise } from "../../src/domain/judge.ts"
import { filesOf, runOf, RUNS } from "./trecRuns.ts"

interface Golden {
  readonly sha256: string
  readonly ranked: number
  /** Reciprocal rank, nDCG at 10, recall at 1, 5, 10 and 100; none where no question has a figure. */
  readonly figures: ReadonlyArray<number> | null
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, "trec.json"), "utf8")) as ReadonlyArray<Golden>

describe("the figures of a ranking", () => {
  it("are trec_eval's of the files that are written of it, 200 times", () => {
    assert.strictEqual(golden.length, RUNS)
    golden.forEach(({ figures, ranked, sha256 }, i) => {
      const judged = runOf(i)
      const { qrels, run } = filesOf(judged)
      assert.strictEqual(createHash("sha256").update(run).update(qrels).digest("hex"), sha256, `files of run ${i}`)
      const { "mrr@100": mrr, "ndcg@10": ndcg, ranked: count, recall } = summarise(judged, 0)
      assert.strictEqual(count, ranked, `run ${i}`)
      const got = [mrr, ndcg, ...Object.values(recall)]
      if (figures === null) assert.deepStrictEqual(got, got.map(() => null))
      else figures.forEach((x, j) => assert.closeTo(got[j]!, x, 1e-12, `run ${i}, figure ${j}`))
    })
  })
  it("are of ties, of other orders than that of the files, and of every depth", () => {
    const all = golden.flatMap((_, i) => runOf(i))
    const tied = all.filter(({ found }) => new Set(found.map(([, score]) => score)).size < found.length)
    const full = all.filter(({ found }) => found.length === 100)
    const parts = all.filter(({ recall }) => recall[3] !== null && recall[3]! > 0 && recall[3]! < 1)
    for (const some of [tied, full, parts]) assert.isAbove(some.length, 100)
  })
})
