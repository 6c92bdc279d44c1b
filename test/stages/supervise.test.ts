/** Draws that know the gold passage. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Frame from "../../src/domain/Frame.ts"
import { Candidates } from "../../src/domain/tables.ts"
import { goldTarget } from "../../src/stages/score.ts"
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
    const { docs } = Rows.blocks(Effect.runSync(findGold(2).run(Rows.frame())))
    assert.deepStrictEqual([...docs], gold.flatMap((doc) => [doc, -1]))
  })
})

/** The tiny questions with these gold passages each, as the step asks them; candidates 0..n-1, best first. */
const severalGold = (ids: ReadonlyArray<string>, n: number, step = 3) =>
  Frame.append(Rows.frame(step, questions.map((q) => Object.assign({}, q, { gold: ids }))), Candidates(n), {
    docs: Int32Array.from({ length: 6 * n }, (_, i) => i % n),
    docScore: Float32Array.from({ length: 6 * n }, (_, i) => -(i % n))
  })

describe("several gold passages", () => {
  const three = ["p2", "p9", "p4"]
  it("are all drawn where there is room, and all targets", () => {
    const drawn = drawWithGold(5, 5, 2, 1).run(severalGold(three, 5))
    const { target, ...blocks } = Rows.blocks(
      Effect.runSync(Effect.flatMap(drawn, (rows) => goldTarget(5).run(rows)))
    )
    for (let r = 0; r < 6; r++) {
      assert.deepStrictEqual(row(blocks.drawn, r).slice(0, 3), [2, 9, 4])
      assert.isTrue(row(blocks.drawn, r).slice(3).every((doc) => [0, 1, 3].includes(doc)))
      row(target, r).forEach((share, i) => assert.closeTo(share, i < 3 ? 1 / 3 : 0, 1e-6))
    }
  })
  it("leave room for a passage that is none, others in every step", () => {
    const seen = new Set<number>()
    for (let step = 0; step < 12; step++) {
      const { drawn } = Rows.blocks(Effect.runSync(drawWithGold(5, 3, 2, 1).run(severalGold(three, 5, step))))
      for (let r = 0; r < 6; r++) {
        const own = row(drawn, r)
        assert.isTrue(own.slice(0, 2).every((doc) => [2, 9, 4].includes(doc)) && [0, 1, 3].includes(own[2]!))
        assert.strictEqual(new Set(own).size, 3)
        own.slice(0, 2).forEach((doc) => seen.add(doc))
      }
    }
    assert.strictEqual(seen.size, 3)
  })
  it("fill the draw where nearly all candidates are gold", () => {
    const rows = severalGold(["p0", "p1", "p2", "p3"], 4)
    const { drawn } = Rows.blocks(Effect.runSync(drawWithGold(4, 4, 2, 1).run(rows)))
    for (let r = 0; r < 6; r++) assert.deepStrictEqual(row(drawn, r).toSorted(), [0, 1, 2, 3])
  })
  it("are all given by an oracle that has room for them, and found before reading", () => {
    const { context } = Rows.blocks(Effect.runSync(drawOracle(4, 11, 5).run(severalGold(three, 5))))
    const { docs } = Rows.blocks(
      Effect.runSync(findGold(2).run(Rows.frame(3, questions.map((q) => Object.assign({}, q, { gold: three })))))
    )
    for (let r = 0; r < 6; r++) {
      assert.includeMembers([...row(context, r)], [2, 9, 4])
      assert.strictEqual(new Set(row(context, r)).size, 4)
      assert.deepStrictEqual(row(docs, r), [2, 9])
    }
  })
})
