/** Stages of retrievers with several heads: what each finds, what the reader learns of it, and one answer from several readings. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Batches from "../../src/datasets/batches.ts"
import { textOf } from "../../src/domain/Content.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { Candidates } from "../../src/domain/tables.ts"
import { LanguageModel, LanguageModelLearner, learnsNothing, none } from "../../src/runtime/ports/LanguageModel.ts"
import { Retriever, RetrieverLearner } from "../../src/runtime/ports/Retriever.ts"
import { answeredByHeads, byPassage, retrieveEach, taughtByPairs } from "../../src/stages/heads.ts"
import { retrieve } from "../../src/stages/retrieve.ts"
import { update } from "../../src/stages/update.ts"
import { corpusOf } from "../support/pictures.ts"
import { defaults } from "../support/reading.ts"
import * as Rows from "../support/rows.ts"

const o = { ...defaults, options_in_prompt: false, answer_format: "text" } as const
const records = ["a", "b"].map((id) => ({
  id,
  question: `Which is it? ${id}`,
  options: ["no", "yes"],
  answer: "yes",
  answerIndex: 1,
  gold: [],
  group: `group ${id}`,
  type: "",
  image: `picture ${id}`
}))
const frame = Batches.frame(records, 0, { row: () => -1 })
const passages = ["no no", "yes", "no", "yes yes"].map((text, i) => ({ id: `p${i}`, text, image: `picture ${i}` }))

/** Two heads: the first finds passages 0 and 1, the second 1 and 3; what they were asked is kept. */
const heads = (asked: Array<unknown> = []) =>
  Layer.succeed(Retriever, {
    search: (queries, k, groups) =>
      Effect.sync(() => {
        asked.push(["search", queries, k, groups])
        return { docs: Int32Array.of(0, 1, 0, 1), scores: Float32Array.of(0.9, 0.8, 0.9, 0.8) }
      }),
    searchEach: (queries, k, groups) =>
      Effect.sync(() => {
        asked.push(["searchEach", queries, k, groups])
        return {
          docs: Int32Array.of(0, 1, 1, 3, 0, 1, 1, -1),
          scores: Float32Array.of(0.8, 0.4, 0.3, 0.3, 0.8, 0.4, 0.3, -Infinity)
        }
      }),
    score: (_, docs) => Effect.succeed(new Float32Array(docs.length)),
    refresh: Effect.succeed(0)
  })
const two = { heads: 2, k: 2, exclude: true }
/** An option is as likely as its passage has it. */
const copying = Layer.succeed(LanguageModel, {
  ...Effect.runSync(Effect.provide(LanguageModel, none)),
  rank: (prompts, said) =>
    Effect.succeed(prompts.map((chat, p) => {
      const words = textOf(chat[0]!.content).split(/\W+/)
      return Float32Array.from(said[p]!, (text) => -2 * words.filter((word) => word === text.trim()).length)
    }))
})

describe("retrieval", () => {
  it.effect("asks with picture, words and group; without exclusion, without group", () => {
    const asked: Array<unknown> = []
    const queries = records.map(({ image, question }) => [
      { _tag: "Image", image },
      { _tag: "Text", text: question }
    ])
    return Effect.gen(function*() {
      yield* retrieveEach(two).run(frame)
      yield* retrieve({ n: 2, rerank: false, exclude: true }).run(frame)
      yield* retrieve({ n: 2, rerank: false }).run(frame)
      assert.deepStrictEqual(asked, [
        ["searchEach", queries, 2, ["group a", "group b"]],
        ["search", queries, 2, ["group a", "group b"]],
        ["search", queries, 2, undefined]
      ])
    }).pipe(Effect.provide(heads(asked)))
  })
})

describe("pairs", () => {
  const layer = Layer.mergeAll(heads(), corpusOf(passages))
  it.effect("are the question with each passage that there is, and the answer", () =>
    Effect.gen(function*() {
      const found = yield* retrieveEach(two).run(frame)
      const { reader: { continuations, prompts }, rowOf } = yield* byPassage(4, o).lessons(found)
      assert.deepStrictEqual(rowOf, [0, 0, 0, 0, 1, 1, 1])
      const shown = [0, 1, 1, 3, 0, 1, 1].map((doc) => passages[doc]!.text)
      prompts.forEach((chat, i) => {
        const text = textOf(chat[0]!.content)
        assert.isTrue(text.includes(shown[i]!) && text.includes(records[rowOf![i]!]!.question), text)
      })
      assert.strictEqual(new Set(continuations).size, 1)
    }).pipe(Effect.provide(layer)))
  it.effect("have the loss of their mean", () =>
    Effect.gen(function*() {
      const learns = Layer.succeed(LanguageModelLearner, {
        ...Effect.runSync(Effect.provide(LanguageModelLearner, learnsNothing)),
        learn: ({ prompts }) => Effect.succeed(Float32Array.from(prompts, (_, i) => i))
      })
      const still = Layer.succeed(RetrieverLearner, {
        groups: [],
        learn: ({ queries }) => Effect.succeed(new Float32Array(queries.length)),
        gate: () => Effect.succeed(new Map())
      })
      const around = Layer.mergeAll(layer, learns, still, none)
      const { readerLoss, retrieverLoss } = Rows.blocks(
        yield* Effect.provide(taughtByPairs({ ...two, ...o }).learn(frame), around)
      )
      assert.deepStrictEqual([[...readerLoss], [...retrieverLoss]], [[1.5, 5], [0, 0]])
      const bare = Frame.append(frame, Candidates(1), { docs: Int32Array.of(-1, 2), docScore: new Float32Array(2) })
      const learned = yield* Effect.provide(update(byPassage(1, o)).run(bare), around)
      assert.deepStrictEqual([...Frame.column(learned, "readerLoss")], [0, 0])
    }))
})

describe("an answer by heads", () => {
  it.effect("is fused from each passage read alone, as columns and as events", () =>
    Effect.gen(function*() {
      const { stage, tell } = answeredByHeads({ ...two, ...o, fusion: "lockstep", options: 3 })
      const answered = yield* stage.run(frame)
      const { docWeight, fusedScores, predictionIndex, verdicts } = Rows.blocks(answered)
      assert.deepStrictEqual([...verdicts], [0, 1, 1, 1, 0, 1, 1, -1])
      assert.strictEqual(fusedScores.length, 2 * 3)
      /** softmax of (.8/.8, .4/.8, .3/.3, .3/.3); passage 0 says "no" twice, the others "yes" once or twice. */
      const weights = [1, 0.5, 1, 1].map((w) => Math.exp(w))
      const total = weights.reduce((a, b) => a + b)
      weights.forEach((w, i) => assert.closeTo(docWeight[i]!, w / total, 1e-6))
      assert.deepStrictEqual([...predictionIndex], [1, 0])
      const { events, support } = yield* tell(frame)
      const told = yield* Stream.runCollect(events)
      assert.deepStrictEqual(told.map((event) => event._tag === "Chosen" && event.chosen.text), ["yes", "no"])
      assert.deepStrictEqual([...support], [...Rows.blocks(answered).support])
    }).pipe(Effect.provide(Layer.mergeAll(heads(), corpusOf(passages), copying))))
})
