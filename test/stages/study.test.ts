/** Retrieve, sample, read, score: each against what it says, on ports in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import * as Batches from "../../src/datasets/batches.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { queryOf } from "../../src/domain/records/options.ts"
import { Attention, Candidates, Draw, Leaving, Reading } from "../../src/domain/tables.ts"
import { Retriever } from "../../src/runtime/ports/Retriever.ts"
import { attend, read, readWithout } from "../../src/stages/read.ts"
import { retrieve } from "../../src/stages/retrieve.ts"
import { sample, type SampleOptions } from "../../src/stages/sample.ts"
import { adist, goldTarget, llmRank, loop, pdist, posterior, replug } from "../../src/stages/score.ts"
import * as Fakes from "../support/fakes.ts"
import * as Asking from "../support/reading.ts"
import * as Rows from "../support/rows.ts"
import { questions } from "../support/tiny.ts"

const row = <A>(block: ArrayLike<A>, r: number, rows = 6) => Rows.rowOfBlock(block, rows, r)

describe("retrieve", () => {
  it.effect("finds the gold passage of each question among the best, best first", () =>
    Effect.gen(function*() {
      const found = yield* retrieve({ n: 4, rerank: false }).run(Rows.frame())
      const { docs, docScore } = Rows.blocks(found)
      questions.forEach((q, r) => assert.include(row(docs, r).map((doc) => `p${doc}`), q.gold[0]))
      for (let r = 0; r < 6; r++) {
        const scores = row(docScore, r)
        assert.deepStrictEqual(scores, scores.toSorted((a, b) => b - a))
      }
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
  it.effect("asks with the text it is given for each question", () => {
    const { calls, layer } = Fakes.ports(Rows.texts)
    return Effect.gen(function*() {
      const query = queryOf({ options_in_query: true })
      yield* retrieve({ n: 2, rerank: false }).run(Batches.frame(questions, 0, { row: () => -1, query }))
      assert.deepStrictEqual(calls.searched, [questions.map(query)])
      assert.match(calls.searched[0]![0]!, /^Which gene is at fault in Gaucher disease\?\nA\. GBA1\nB\. GLA/)
    }).pipe(Effect.provide(layer))
  })
  it.effect("ranks by fresh scores where asked, equal ones in the order found", () => {
    const stale = Layer.succeed(Retriever, {
      search: (asked, k) =>
        Effect.succeed({
          docs: Int32Array.from(asked.flatMap(() => [4, 7, 2, 9].slice(0, k))),
          scores: Float32Array.from(asked.flatMap(() => [9, 8, 7, 6].slice(0, k)))
        }),
      score: (_, docs) => Effect.succeed(Float32Array.from(docs, (doc) => doc === 2 ? 3 : doc === 4 ? -1 : 1)),
      refresh: Effect.succeed(0)
    })
    return Effect.gen(function*() {
      const fresh = yield* retrieve({ n: 4, rerank: true }).run(Rows.frame())
      const kept = yield* retrieve({ n: 4, rerank: false }).run(Rows.frame())
      for (let r = 0; r < 6; r++) {
        assert.deepStrictEqual(row(Frame.column(fresh, "docs"), r), [2, 7, 9, 4])
        assert.deepStrictEqual(row(Frame.column(fresh, "docScore"), r), [3, 1, 1, -1])
        assert.deepStrictEqual(row(Frame.column(kept, "docs"), r), [4, 7, 2, 9])
      }
    }).pipe(Effect.provide(stale))
  })
})

const options: SampleOptions = {
  n: 5,
  m: 3,
  c: 2,
  sampling: "weighted",
  context: "sampled",
  temperature: 1,
  seed: 11
}
const scored = fc.array(fc.float({ min: -9, max: 9, noNaN: true }), { minLength: 30, maxLength: 30 }).map((scores) =>
  Frame.append(Rows.frame(), Candidates(5), {
    docs: Int32Array.from(scores, (_, i) => 100 + i * 7 % 31),
    docScore: Float32Array.from(scores, (score) => score + 0)
  })
)
const sampled = (frame: Parameters<ReturnType<typeof sample>["run"]>[0], overrides: Partial<SampleOptions> = {}) =>
  Rows.blocks(Effect.runSync(sample({ ...options, ...overrides }).run(frame)))

describe("sample", () => {
  it("draws distinct candidates of the row, and tells the extremes of all of them", () => {
    fc.assert(fc.property(scored, (frame) => {
      const { docScore, docs, drawn, extremes } = sampled(frame)
      for (let r = 0; r < 6; r++) {
        const [own, scores] = [row(docs, r), row(docScore, r)]
        assert.strictEqual(new Set(row(drawn, r)).size, 3)
        assert.isTrue(row(drawn, r).every((doc) => own.includes(doc)))
        const [low, high] = row(extremes, r).map((doc) => scores[own.indexOf(doc)])
        assert.deepStrictEqual([low, high], [Math.min(...scores), Math.max(...scores)])
      }
    }))
  })
  it("gives the reader the best of the drawn, or of all, the best last", () => {
    fc.assert(fc.property(scored, fc.constantFrom("sampled", "top"), (frame, context) => {
      const blocks = sampled(frame, { context })
      for (let r = 0; r < 6; r++) {
        const [own, scores] = [row(blocks.docs, r), row(blocks.docScore, r)]
        const score = (doc: number) => scores[own.indexOf(doc)]!
        const pool = context === "top" ? own : row(blocks.drawn, r)
        const best = pool.map(score).toSorted((a, b) => b - a).slice(0, 2)
        assert.deepStrictEqual(row(blocks.context, r).map(score), best.toReversed())
      }
    }))
  })
  it("takes the best in order where nothing is drawn", () => {
    fc.assert(fc.property(scored, (frame) => {
      const { docs, drawn } = sampled(frame, { sampling: "top" })
      for (let r = 0; r < 6; r++) assert.deepStrictEqual(row(drawn, r), row(docs, r).slice(0, 3))
    }))
  })
  it("draws anew in another step, for another question and under another seed, and the same again otherwise", () => {
    const at = (step: number, seed: number, ids = questions) => {
      const frame = Frame.append(Rows.frame(step, ids), Candidates(5), {
        docs: Int32Array.from({ length: 30 }, (_, i) => i % 5),
        docScore: new Float32Array(30)
      })
      return [...sampled(frame, { seed }).drawn]
    }
    assert.deepStrictEqual(at(1, 1), at(1, 1))
    assert.notDeepEqual(at(1, 1), at(2, 1))
    assert.notDeepEqual(at(1, 1), at(1, 2))
    assert.notDeepEqual(at(1, 1), at(1, 1, questions.map((q) => ({ ...q, id: `${q.id}'` }))))
    assert.isAbove(new Set(Array.from({ length: 6 }, (_, r) => String(row(at(1, 1), r)))).size, 2)
  })
  it("draws the best nearly always at low temperature", () => {
    const frame = Frame.append(Rows.frame(), Candidates(5), {
      docs: Int32Array.from({ length: 30 }, (_, i) => i % 5),
      docScore: Float32Array.from({ length: 30 }, (_, i) => -(i % 5))
    })
    const { drawn } = sampled(frame, { temperature: 0.001 })
    for (let r = 0; r < 6; r++) assert.deepStrictEqual(row(drawn, r), [0, 1, 2])
  })
})

describe("read", () => {
  it.effect("asks for each drawn passage alone, in the order of the draw", () =>
    Effect.gen(function*() {
      const drawn = Int32Array.from(questions.flatMap((q) => [Number(q.gold[0]!.slice(1)), 4, 7]))
      const frame = Frame.append(Rows.frame(), { drawn: Draw(3, 1).drawn }, { drawn })
      const { nll } = Rows.blocks(yield* read(3, { ...Asking.defaults, answer_format: "text" }).run(frame))
      for (let r = 0; r < 6; r++) {
        const [gold, other, another] = row(nll, r)
        assert.deepStrictEqual([other, another], [1, 1])
        assert.strictEqual(gold, 0.5)
      }
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
})

describe("read without", () => {
  it.effect("asks with all drawn passages but one, the first drawn last", () =>
    Effect.gen(function*() {
      const drawn = Int32Array.from(questions.flatMap((q) => [Number(q.gold[0]!.slice(1)), 4, 7]))
      const frame = Frame.append(Rows.frame(), { drawn: Draw(3, 1).drawn }, { drawn })
      const { nllWithout } = Rows.blocks(
        yield* readWithout(3, { ...Asking.defaults, answer_format: "text" }).run(frame)
      )
      for (let r = 0; r < 6; r++) assert.deepStrictEqual(row(nllWithout, r), [1, 0.5, 0.5])
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
})

describe("attend", () => {
  it.effect("asks once with all drawn passages, in an order that the draw does not decide, and gives each its own mass", () => {
    const { calls, layer } = Fakes.ports(Rows.texts)
    return Effect.gen(function*() {
      const gold = (r: number) => Number(questions[r]!.gold[0]!.slice(1))
      const drawn = Int32Array.from(questions.flatMap((_, r) => r === 0 ? [4, -1, gold(0)] : [gold(r), 4, 7]))
      const frame = Frame.append(Rows.frame(), { drawn: Draw(3, 1).drawn }, { drawn })
      const asked = (seed: number) =>
        Effect.map(
          attend(3, { ...Asking.defaults, answer_format: "text", seed }).run(frame),
          (rows) => Rows.blocks(rows).attention
        )
      const attention = yield* asked(0)
      assert.deepStrictEqual(row(attention, 0), [0, 0, 1])
      for (let r = 1; r < 6; r++) assert.deepStrictEqual(row(attention, r), [1, 0, 0])
      assert.strictEqual(calls.attended.length, 6)
      /** Places of the gold passage, which is drawn first, in the prompts of many seeds. */
      for (let seed = 1; seed < 40; seed++) assert.deepStrictEqual(yield* asked(seed), attention)
      const places = calls.attended.flatMap((texts, i) => {
        const r = i % 6
        return r === 0 ? [] : [texts.findIndex((text) => text.includes(Rows.texts[gold(r)]!))]
      })
      for (const place of [0, 1, 2]) {
        assert.closeTo(places.filter((own) => own === place).length / places.length, 1 / 3, 0.12)
      }
    }).pipe(Effect.provide(layer))
  })
})

describe("score", () => {
  const nll = Float32Array.from(questions.flatMap((_, r) => [3, 1, 2].map((x) => x * (1 + r))))
  const reading = Frame.append(Rows.frame(), Reading(3), { nll })
  it("wants the likelier of each pair above the other", () => {
    const { preference } = Rows.blocks(Effect.runSync(llmRank(3, { ties: "skip", mean: "pairs" }).run(reading)))
    const third = Math.fround(1 / 3)
    for (let r = 0; r < 6; r++) assert.deepStrictEqual(row(preference, r), [0, 0, 0, third, 0, third, third, 0, 0])
  })
  it("wants a share of each passage by its likelihood", () => {
    const { target } = Rows.blocks(Effect.runSync(pdist(3, 0.5).run(reading)))
    for (let r = 0; r < 6; r++) {
      const weights = [3, 1, 2].map((x) => Math.exp(-x * (1 + r) / 0.5))
      const total = weights.reduce((a, b) => a + b)
      row(target, r).forEach((share, i) => assert.closeTo(share, weights[i]! / total, 1e-6))
    }
  })
  it("wants what makes the marginal likelihood grow: the gradient of the target's loss is EMDR2's", () => {
    const [temperature, m, n] = [0.7, 3, 5]
    const docs = Int32Array.from({ length: 6 * n }, (_, i) => (i * 3) % n)
    const docScore = Float32Array.from({ length: 6 * n }, (_, i) => Math.sin(i))
    const places = [4, 0, 2]
    const drawn = Int32Array.from(questions.flatMap((_, r) => places.map((place) => docs[r * n + place]!)))
    const frame = Frame.append(
      Frame.append(reading, { drawn: Draw(m, 1).drawn }, { drawn }),
      Candidates(n),
      { docs, docScore }
    )
    const { target } = Rows.blocks(Effect.runSync(posterior(m, n, 1, temperature).run(frame)))
    const shares = (s: ReadonlyArray<number>) => {
      const weights = s.map((x) => Math.exp(x / temperature))
      return weights.map((w) => w / weights.reduce((a, b) => a + b))
    }
    for (let r = 0; r < 6; r++) {
      const scores = places.map((place) => docScore[r * n + place]!)
      const likelihood = row(nll, r).map((x) => Math.exp(-x))
      const loss = (s: ReadonlyArray<number>) =>
        -Math.log(shares(s).reduce((sum, share, k) => sum + share * likelihood[k]!, 0))
      scores.forEach((_, k) => {
        const moved = (by: number) => loss(scores.map((s, i) => i === k ? s + by : s))
        const gradient = (moved(1e-5) - moved(-1e-5)) / 2e-5
        assert.closeTo((shares(scores)[k]! - row(target, r)[k]!) / temperature, gradient, 1e-5)
      })
    }
  })
  it("wants its own distribution where all likelihoods are equal", () => {
    const frame = Frame.append(
      Frame.append(
        Frame.append(Rows.frame(), Reading(2), { nll: new Float32Array(12).fill(2) }),
        { drawn: Draw(2, 1).drawn },
        { drawn: Int32Array.from({ length: 12 }, (_, i) => i % 2) }
      ),
      Candidates(2),
      {
        docs: Int32Array.from({ length: 12 }, (_, i) => i % 2),
        docScore: Float32Array.from({ length: 12 }, (_, i) => i % 2)
      }
    )
    const { target } = Rows.blocks(Effect.runSync(posterior(2, 2, 0.1, 0.5).run(frame)))
    row(target, 0).forEach((share, i) => assert.closeTo(share, [1, Math.E ** 2][i]! / (1 + Math.E ** 2), 1e-6))
  })
  it("wants the passages without which the answer is less likely", () => {
    const frame = Frame.append(Rows.frame(), Leaving(2), {
      nllWithout: Float32Array.from({ length: 12 }, (_, i) => i % 2 === 0 ? 1 : 3)
    })
    const { target } = Rows.blocks(Effect.runSync(loop(2, 0.5).run(frame)))
    row(target, 0).forEach((share, i) => assert.closeTo(share, [1, Math.E ** 4][i]! / (1 + Math.E ** 4), 1e-6))
  })
  it("wants the passages that are attended to", () => {
    const frame = Frame.append(Rows.frame(), Attention(2), {
      attention: Float32Array.from({ length: 12 }, (_, i) => i % 2 === 0 ? 0.5 : 0.25)
    })
    const { target } = Rows.blocks(Effect.runSync(adist(2, 0.125).run(frame)))
    row(target, 0).forEach((share, i) => assert.closeTo(share, [Math.E ** 2, 1][i]! / (1 + Math.E ** 2), 1e-6))
  })
  it("tells the logarithms of likelihoods over a temperature, as shares", () => {
    const frame = Frame.append(Rows.frame(), Reading(2), {
      nll: Float32Array.from({ length: 12 }, (_, i) => i % 2 === 0 ? Math.LN2 : 2 * Math.LN2)
    })
    const { logTarget } = Rows.blocks(Effect.runSync(replug(2, 0.125).run(frame)))
    row(logTarget, 0).forEach((log, i) => assert.closeTo(log, [0, -2][i]! - Math.log1p(Math.exp(-2)), 1e-6))
  })
  it("wants the gold passage where it was drawn, and nothing where it was not", () => {
    const gold = questions.map((q) => Number(q.gold[0]!.slice(1)))
    const drawn = Int32Array.from(gold.flatMap((g, r) => r === 0 ? [4, 7, 8] : r === 1 ? [g, g, 8] : [7, g, 8]))
    const frame = Frame.append(Rows.frame(), { drawn: Draw(3, 1).drawn }, { drawn })
    const { target } = Rows.blocks(Effect.runSync(goldTarget(3).run(frame)))
    assert.deepStrictEqual([row(target, 0), row(target, 1), row(target, 2)], [[0, 0, 0], [0.5, 0.5, 0], [0, 1, 0]])
  })
})
