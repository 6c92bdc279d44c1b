/** Update and answer: what the learners are told, and what comes back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { text, textOf } from "../../src/domain/Content.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { Candidates, Draw, Preference, Target } from "../../src/domain/tables.ts"
import { DeadGradient } from "../../src/runtime/ports/Learning.ts"
import { RetrieverError, RetrieverLearner, type RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"
import { answer } from "../../src/stages/answer.ts"
import * as Pipelines from "../../src/stages/pipelines.ts"
import { byPairs, byTarget, update } from "../../src/stages/update.ts"
import * as Fakes from "../support/fakes.ts"
import * as Reading from "../support/reading.ts"
import * as Rows from "../support/rows.ts"
import { questions } from "../support/tiny.ts"

const row = <A>(block: ArrayLike<A>, r: number) => Rows.rowOfBlock(block, 6, r)
const numbers = (width: number, from: number) => Int32Array.from({ length: 6 * width }, (_, i) => from + i % 7)

const drawn = Frame.append(Rows.frame(), Draw(3, 2), {
  drawn: numbers(3, 0),
  extremes: numbers(2, 3),
  context: numbers(2, 1)
})
const prompting = { ...Reading.defaults, answer_format: "text" } as const
const study = {
  n: 5,
  m: 3,
  c: 2,
  sampling: "weighted",
  context: "sampled",
  temperature: 1,
  seed: 5,
  ties: "skip",
  mean: "pairs",
  rerank: true,
  temperatureGold: 0.1,
  temperatureScore: 1,
  ...prompting
} as const

describe("update", () => {
  it.effect("teaches by pairs: the drawn, beside them the extremes, and the reader its passages", () => {
    const { calls, layer } = Fakes.ports(Rows.texts)
    const preference = Float32Array.from({ length: 54 }, (_, i) => i / 54)
    return Effect.gen(function*() {
      const rows = Frame.append(drawn, Preference(3), { preference })
      const learned = Rows.blocks(yield* update(byPairs(3, 2, prompting)).run(rows))
      const [lesson] = calls.retrieverLessons
      assert.deepStrictEqual(lesson!.queries, Frame.column(rows, "query").map((query) => [text(query)]))
      const { drawn: some, extremes } = Rows.blocks(drawn)
      questions.forEach((_, r) => assert.deepStrictEqual(row(lesson!.docs, r), [...row(some, r), ...row(extremes, r)]))
      assert.deepStrictEqual(lesson!.objective, { _tag: "Pairwise", m: 3, weights: preference })
      const context = Rows.blocks(drawn).context
      const [asked, options] = [questions.map((q) => q.question), questions.map((q) => q.options)]
      const answers = questions.map((q) => q.answer)
      assert.deepStrictEqual(calls.readerLessons, [
        Reading.lessonOf({ questions: asked, options, answers, context }, prompting)
      ])
      assert.include(calls.readerLessons[0]!.prompts[0]!.map(({ content }) => textOf(content)).join(""), Rows.texts[1]!)
      assert.strictEqual(learned.retrieverLoss.length, 6)
      assert.isTrue(learned.readerLoss.every((loss) => loss > 0 && loss <= 1))
    }).pipe(Effect.provide(layer))
  })
  it.effect("teaches the reader explanations after answers, where there are any and the settings ask for them", () => {
    const { calls, layer } = Fakes.ports(Rows.texts)
    return Effect.gen(function*() {
      const records = questions.map((q, i) => i === 2 ? q : Object.assign({}, q, { explanation: `Since ${i}.` }))
      const rows = Frame.append(Rows.frame(3, records), { ...Draw(3, 2), ...Target(3) }, {
        drawn: numbers(3, 0),
        extremes: numbers(2, 3),
        context: numbers(2, 1),
        target: new Float32Array(18)
      })
      const said = questions.map((q) => ` ${q.answer}`)
      yield* update(byTarget(3, 2, prompting)).run(rows)
      yield* update(byTarget(3, 2, { ...prompting, rationale_target: "\nWhy: {explanation}" })).run(rows)
      const [bare, explained] = calls.readerLessons
      assert.deepStrictEqual(bare!.continuations, said)
      assert.deepStrictEqual(explained!.continuations, said.map((own, i) => i === 2 ? own : `${own}\nWhy: Since ${i}.`))
      assert.deepStrictEqual(explained!.prompts, bare!.prompts)
    }).pipe(Effect.provide(layer))
  })
  it.effect("teaches by target: the drawn alone", () => {
    const { calls, layer } = Fakes.ports(Rows.texts)
    const target = Float32Array.from({ length: 18 }, (_, i) => i % 3 === 0 ? 1 : 0)
    return Effect.gen(function*() {
      yield* update(byTarget(3, 2, prompting)).run(Frame.append(drawn, Target(3), { target }))
      assert.deepStrictEqual(calls.retrieverLessons, [{
        queries: questions.map((q) => [text(q.question)]),
        docs: Rows.blocks(drawn).drawn,
        objective: { _tag: "Listwise", target }
      }])
    }).pipe(Effect.provide(layer))
  })
})

describe("a training step", () => {
  it.effect("learns: the loss of the same questions falls", () =>
    Effect.gen(function*() {
      const { learn } = Pipelines.goldSupervised(study)
      const loss = (rows: Float32Array) => rows.reduce((a, b) => a + b) / rows.length
      const first = Rows.blocks(yield* learn(Rows.frame())).retrieverLoss
      for (let i = 0; i < 3; i++) yield* learn(Rows.frame())
      const last = Rows.blocks(yield* learn(Rows.frame())).retrieverLoss
      assert.isBelow(loss(last), 0.5 * loss(first))
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
  const ranked = {
    distilled: Pipelines.distilled,
    marginal: Pipelines.marginal,
    leavingOneOut: Pipelines.leavingOneOut
  }
  for (const [name, pipeline] of Object.entries(ranked)) {
    it.effect(`gives the retriever a distribution over the drawn passages, and the reader its context: ${name}`, () => {
      const { calls, layer } = Fakes.ports(Rows.texts)
      return Effect.gen(function*() {
        yield* pipeline(study).learn(Rows.frame())
        const [{ docs, objective }] = calls.retrieverLessons as unknown as readonly [RetrieverLesson]
        assert.strictEqual(docs.length, 6 * study.m)
        if (objective._tag !== "Listwise") assert.fail(objective._tag)
        for (let r = 0; r < 6; r++) assert.closeTo(row(objective.target, r).reduce((a, b) => a + b), 1, 1e-5)
        assert.strictEqual(calls.readerLessons.length, 1)
      }).pipe(Effect.provide(layer))
    })
  }
  it.effect("gathers the norms of both learners, and learns nothing", () => {
    const { calls, layer } = Fakes.ports(Rows.texts)
    return Effect.gen(function*() {
      const norms = yield* Pipelines.llmRanked(study).gate(Rows.frame())
      assert.deepStrictEqual([...norms], [["retriever words", 3], ["reader pages", 6]])
      assert.deepStrictEqual([calls.readerLessons.length, calls.retrieverLessons.length], [0, 0])
    }).pipe(Effect.provide(layer))
  })
  it.effect("does not begin where a group would not learn", () => {
    const reason = new DeadGradient({ groups: ["retriever linear"], batches: 1 })
    const dead = Layer.succeed(RetrieverLearner, {
      groups: [],
      learn: () => Effect.die("learned"),
      gate: () => Effect.fail(new RetrieverError({ reason }))
    })
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Pipelines.llmRanked(study).gate(Rows.frame()))
      assert.include(error.message, "retriever linear would not learn")
    }).pipe(Effect.provide(Layer.merge(Fakes.ports(Rows.texts).layer, dead)))
  })
})

describe("answer", () => {
  it.effect("reads the best passages, the best last, and gives the reader's choice", () =>
    Effect.gen(function*() {
      const gold = questions.map((q) => Number(q.gold[0]!.slice(1)))
      const docs = Int32Array.from(gold.flatMap((doc) => [doc, 4, 7, 9]))
      const found = Frame.append(Rows.frame(), Candidates(4), { docs, docScore: new Float32Array(24) })
      const { prediction, predictionIndex, support } = Rows.blocks(yield* answer(4, 3, prompting).run(found))
      gold.forEach((doc, r) => assert.deepStrictEqual(row(support, r), [7, 4, doc]))
      assert.deepStrictEqual([...predictionIndex], questions.map((q) => q.answerIndex))
      assert.deepStrictEqual([...prediction], questions.map((q) => q.answer))
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
  it.effect("gives the reader the gold passage where asked to", () =>
    Effect.gen(function*() {
      const { predictionIndex } = Rows.blocks(yield* Pipelines.answerGold(3, prompting).stage.run(Rows.frame()))
      assert.deepStrictEqual([...predictionIndex], questions.map((q) => q.answerIndex))
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
})
