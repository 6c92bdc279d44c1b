/** What does not learn does not move: not a byte of it. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import * as Modes from "../../../src/systems/jmlr/layers.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const [asked, options] = [Tiny.questions.map((q) => q.question), Tiny.questions.map((q) => q.options)]
const retrieverLesson = {
  queries: asked.map((question) => [text(question)]),
  docs: Int32Array.from(asked.flatMap((_, q) => [q, q + 1, q + 2])),
  objective: { _tag: "Listwise", target: Float32Array.from(asked.flatMap(() => [1, 0, 0])) }
} as const
const readerLesson = Reading.lessonOf({
  questions: asked,
  options,
  answers: Tiny.questions.map((q) => q.answer),
  context: Int32Array.from(asked.flatMap((_, q) => [q, q + 1]))
})
const teachRetriever = Effect.flatMap(RetrieverLearner, (r) => r.learn(retrieverLesson))
const teachReader = Effect.flatMap(LanguageModelLearner, (r) => r.learn(readerLesson))

type Lessons<E> = Effect.Effect<unknown, E, RetrieverLearner | LanguageModelLearner>

/** The parameters of both models that three rounds of `lessons` move in a mode, and all there are. */
const movedBy = <E>(mode: typeof Modes.joint | typeof Modes.frozenRag, lessons: Lessons<E>, overrides: Raw = {}) =>
  Effect.gen(function*() {
    const config = yield* Tiny.settings(yield* Tiny.folder, { temperature_score: 1, ...overrides })
    const memory = Memory.checkpoints()
    const surroundings = Layer.merge(memory.layer, Tiny.surroundings)
    const look = Effect.sync(() => ({ retriever: memory.hashes("retriever"), reader: memory.hashes("reader") }))
    return yield* Effect.gen(function*() {
      const before = yield* look
      for (let i = 0; i < 3; i++) yield* lessons
      const after = yield* look
      return {
        retriever: Memory.moved(before.retriever, after.retriever),
        reader: Memory.moved(before.reader, after.reader),
        all: { retriever: [...before.retriever.keys()], reader: [...before.reader.keys()] }
      }
    }).pipe(Effect.provide(mode(config).pipe(Layer.provide(surroundings))))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

describe("training", () => {
  it.live("the reader alone moves all of the reader and nothing of the retriever", () =>
    Effect.gen(function*() {
      const { all, reader, retriever } = yield* movedBy(Modes.joint, teachReader)
      assert.deepStrictEqual(reader, all.reader)
      assert.deepStrictEqual(retriever, [])
    }))
  it.live("the retriever alone moves all of the retriever and nothing of the reader", () =>
    Effect.gen(function*() {
      const { all, reader, retriever } = yield* movedBy(Modes.joint, teachRetriever)
      assert.deepStrictEqual(retriever, all.retriever)
      assert.deepStrictEqual(reader, [])
    }))
  it.live("a frozen retriever reports a loss and moves nothing", () =>
    Effect.gen(function*() {
      const { all, reader, retriever } = yield* movedBy(
        Modes.frozenRag,
        Effect.gen(function*() {
          const losses = yield* teachRetriever
          assert.isTrue(losses.every((loss) => loss > 0))
          yield* teachReader
        })
      )
      assert.deepStrictEqual(reader, all.reader)
      assert.deepStrictEqual(retriever, [])
    }))
  it.live("the embeddings alone moves the embeddings alone", () =>
    Effect.gen(function*() {
      const { all, retriever } = yield* movedBy(Modes.joint, teachRetriever, { retriever_trainable: "embeddings" })
      assert.deepStrictEqual(retriever, all.retriever.filter((path) => path.startsWith("bert.embeddings.")))
    }))
  it.live("is not begun by the gate", () =>
    Effect.gen(function*() {
      const { reader, retriever } = yield* movedBy(
        Modes.joint,
        Effect.gen(function*() {
          const norms = [
            ...yield* (yield* RetrieverLearner).gate(retrieverLesson),
            ...yield* (yield* LanguageModelLearner).gate(readerLesson)
          ]
          assert.isTrue(norms.every(([_, norm]) => norm > 0))
        })
      )
      assert.deepStrictEqual([...reader, ...retriever], [])
    }))
})
