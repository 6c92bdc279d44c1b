/** Draws that know the gold passage. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Frame from "../../src/domain/Frame.ts"
import { Candidates } from "../../src/domain/tables.ts"
import { drawInBatch, drawOracle, drawWithGold, findGold } from "../../src/stages/supervise.ts"
import * as Rows from "../support/rows.ts"
import { questions } from "../support/tiny.ts"

const gold = questions.map((q) => Number(q.gold[0]!.slice(1)))
const row = <A>(block: ArrayLike<A>, r: number) => Rows.rowOfBlock(block, 6, r)

/** Candidates 0..4 for every question, best first; gold is among them for the first four questions. */
const candidates = Frame.append(Rows.frame(), Candidates(5), {
  docs: Int32Array.from({ length: 30 }, (_, i) => i % 5),
  docScore: Float32Array.from({ length: 30 }, (_, i) => -(i % 5))
})

describe("drawWithGold", () => {
  const blocks = Rows.blocks(Effect.runSync(drawWithGold(5, 3, 2, 1).run(candidates)))
  it("puts gold first, then others of the candidates, each once", () => {
    gold.forEach((doc, r) => {
      const [first, ...others] = row(blocks.drawn, r)
      assert.strictEqual(first, doc)
      assert.isTrue(others.every((other) => other !== doc && other >= 0 && other < 5))
      assert.strictEqual(new Set(others).size, 2)
    })
  })
  it("gives the reader the best candidates, best last, gold or not", () => {
    gold.forEach((_, r) => assert.deepStrictEqual(row(blocks.context, r), [1, 0]))
  })
  it("states the lowest and the highest candidate", () => {
    gold.forEach((_, r) => assert.deepStrictEqual(row(blocks.extremes, r), [4, 0]))
  })
})

describe("drawInBatch", () => {
  it("sets each row's gold against those of the others", () => {
    const { context, drawn } = Rows.blocks(Effect.runSync(drawInBatch(6).run(Rows.frame())))
    gold.forEach((doc, r) => {
      assert.strictEqual(row(drawn, r)[0], doc)
      assert.deepStrictEqual(row(drawn, r).toSorted((a, b) => a - b), gold.toSorted((a, b) => a - b))
      assert.deepStrictEqual(row(context, r), [doc])
    })
  })
})

describe("drawOracle", () => {
  it("hides gold among others of the corpus, anywhere", () => {
    const places = new Set<number>()
    for (let step = 0; step < 20; step++) {
      const { context, drawn } = Rows.blocks(Effect.runSync(drawOracle(3, 11, 5).run(Rows.frame(step))))
      gold.forEach((doc, r) => {
        assert.deepStrictEqual(row(drawn, r), [doc])
        assert.isTrue(row(context, r).includes(doc))
        assert.isTrue(row(context, r).every((other) => other >= 0 && other < 11))
        places.add(row(context, r).indexOf(doc))
      })
    }
    assert.deepStrictEqual([...places].toSorted(), [0, 1, 2])
  })
})

describe("findGold", () => {
  it("is the gold passage and nothing else", () => {
    assert.deepStrictEqual([...Rows.blocks(Effect.runSync(findGold.run(Rows.frame()))).docs], gold)
  })
})
