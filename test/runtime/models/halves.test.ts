/** Both models with products in float16: near float32, and the loss scale in their checkpoints. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { text } from "../../../src/domain/Content.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import type { Part, Saved, Stored, Tensors } from "../../../src/runtime/ports/Checkpoints.ts"
import { type LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import type { LossScale } from "../../../src/runtime/ports/Learning.ts"
import { Retriever, RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { joint } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const { context: docs, questions } = Reading.judged
const queries = questions.map((question) => [text(question)])
const target = Float32Array.from(questions.flatMap((_, q) => q % 2 ? [1, 0] : [0.2, 0.8]))
const lessons = {
  retriever: { queries, docs, objective: { _tag: "Listwise", target } },
  reader: Reading.lessonOf(Reading.judged)
} as const

type Precision = "float32" | "float16"
type Parts = ReadonlyMap<string, Part>

/** Runs with both models, and the parts of their checkpoints. */
const withModels = Effect.fnUntraced(function*<A, E>(
  folder: string,
  precision: Precision,
  use: (parts: Parts) => Effect.Effect<A, E, Retriever | RetrieverLearner | LanguageModel | LanguageModelLearner>
) {
  const { layer, parts } = Memory.checkpoints()
  const config = yield* Tiny.settings(folder, {
    temperature_score: 1,
    adam_epsilon: 1e-3,
    learning_rate: 3e-3,
    lr_retriever: 3e-3
  })
  const session = cpu({ threads: 1, products: precision === "float16" ? precision : undefined })
  const models = joint(config).pipe(Layer.provide(layer), Layer.provide(session), Layer.provide(Tiny.surroundings))
  return yield* use(parts).pipe(Effect.provide(models, { local: true }))
})

const storedOf = (tensors: Tensors): Stored => ({
  path: "memory",
  names: [...tensors.keys()],
  read: (name) => Effect.succeed(tensors.get(name)!)
})
/** What a part saves, copied; with other tensors in its state. */
const savedOf = (part: Part, others: Tensors = new Map()): Saved => {
  const { base, counters, extra, weights } = structuredClone({ ...part.save(), files: [] })
  return { base, counters, weights: storedOf(weights), extra: storedOf(new Map([...extra, ...others])) }
}
const scaleIn = (part: Part): number | undefined => part.save().extra.get("scaler/scale")?.data[0]

const learn = Effect.gen(function*() {
  const retriever = yield* (yield* RetrieverLearner).learn(lessons.retriever)
  return [...retriever, ...(yield* (yield* LanguageModelLearner).learn(lessons.reader))]
})
const scales = Effect.gen(function*() {
  const own = [(yield* RetrieverLearner).lossScale, (yield* LanguageModelLearner).lossScale]
  return own.map((scale) => scale?.())
})

const both = (scale: LossScale) => [scale, scale]

const assertNear = (got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what: string) => {
  assert.strictEqual(got.length, want.length)
  for (let i = 0; i < want.length; i++) {
    assert.closeTo(got[i]!, want[i]!, tolerance * Math.max(1, Math.abs(want[i]!)), `${what} ${i}`)
  }
}

describe("models with products in float16", () => {
  it.live("have losses near those of float32 in all of several updates", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const losses = yield* withModels(folder, "float32", () => Effect.forEach(Array(6), () => learn))
      yield* withModels(folder, "float16", (parts) =>
        Effect.gen(function*() {
          /** A scale that fits: all updates are made. */
          const small: Tensors = new Map([["scaler/scale", { shape: [], data: Float32Array.of(64) }]])
          for (const part of parts.values()) yield* part.load(savedOf(part, small))
          for (const [k, want] of losses.entries()) assertNear(yield* learn, want, 2e-2, `update ${k + 1}, loss`)
          assert.deepStrictEqual(yield* scales, both({ scale: 64, skipped: 0 }))
        }))
      const [first, last] = [losses[0]!, losses[5]!].map((all) => all.reduce((a, b) => a + b))
      assert.isBelow(last!, 0.9 * first!)
    })), 60_000)
  it.live("score, judge, search and write as in float32", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const read = Effect.gen(function*() {
        const retriever = yield* Retriever
        yield* retriever.refresh
        const found = yield* retriever.search(queries, 5)
        const written = yield* Reading.written(Reading.judged)
        return [
          found.scores,
          yield* retriever.score(queries, docs),
          yield* Reading.nll(Reading.judged),
          written
        ] as const
      })
      const want = yield* withModels(folder, "float32", () => read)
      const got = yield* withModels(folder, "float16", () => read)
      for (const i of [0, 1, 2] as const) assertNear(got[i], want[i], 1e-2, `${i}:`)
      assert.notDeepEqual(got[2], want[2])
      assert.strictEqual(got[3].length, want[3].length)
    })), 60_000)
  it.live("skip updates until the scale fits, and keep it in their checkpoints", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      yield* withModels(folder, "float16", (parts) =>
        Effect.gen(function*() {
          const large: Tensors = new Map([["scaler/scale", { shape: [], data: Float32Array.of(2 ** 40) }]])
          for (const part of parts.values()) yield* part.load(savedOf(part, large))
          const weights = () => [...parts.keys()].map((name) => Memory.hashesOf(parts.get(name)!))
          const before = weights()
          for (let i = 0; i < 8; i++) yield* learn
          assert.deepStrictEqual(yield* scales, both({ scale: 2 ** 32, skipped: 8 }))
          assert.deepStrictEqual(weights(), before)
          for (let i = 0; i < 25; i++) yield* learn
          for (const scale of yield* scales) assert.isAbove(2 ** 20, scale!.scale)
          const kept = new Map([...parts].map(([name, part]) => [name, savedOf(part)]))
          const after = yield* Effect.forEach(Array(2), () => learn)
          const [last, said] = [weights(), yield* scales]
          assert.notDeepEqual(last, before)
          for (const [name, part] of parts) yield* part.load(kept.get(name)!)
          assert.deepStrictEqual(yield* Effect.forEach(Array(2), () => learn), after)
          assert.deepStrictEqual([weights(), yield* scales], [last, said])
        }))
    })), 60_000)
  it.live(
    "start with the first scale from a checkpoint of float32, whose own have none",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const kept = yield* withModels(folder, "float32", (parts) =>
          Effect.gen(function*() {
            yield* learn
            assert.deepStrictEqual(yield* scales, [undefined, undefined])
            for (const part of parts.values()) {
              assert.isUndefined(scaleIn(part))
              assert.deepStrictEqual(part.save().counters, {
                updates: 1,
                generation: part.save().counters["generation"]!
              })
            }
            return new Map([...parts].map(([name, part]) => [name, savedOf(part)]))
          }))
        yield* withModels(folder, "float16", (parts) =>
          Effect.gen(function*() {
            for (const [name, part] of parts) yield* part.load(kept.get(name)!)
            assert.deepStrictEqual([...parts.values()].map(scaleIn), [65536, 65536])
          }))
      })),
    60_000
  )
})
