/** Several updates as one program, in both models: bit by bit those that are made one after the other. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { joint } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

/** Questions and passages of step `k`, `n` of them. */
const lessons = (k: number, n: number) => {
  const own = Array.from({ length: n }, (_, i) => (i + k) % Tiny.questions.length)
  const questions = own.map((q) => Tiny.questions[q]!.question)
  return {
    retriever: {
      queries: questions.map((question) => [text(question)]),
      docs: Int32Array.from(own.flatMap((q) => [q, q + 1, q + 2])),
      objective: { _tag: "Listwise", target: Float32Array.from(own.flatMap((q) => q % 2 ? [1, 0, 0] : [0, 0.5, 0.5])) }
    },
    reader: Reading.lessonOf({
      questions,
      options: own.map((q) => Tiny.questions[q]!.options),
      answers: own.map((q) => Tiny.questions[q]!.answer),
      context: Int32Array.from(own.flatMap((q) => [q, q + 1]))
    })
  } as const
}

/** Losses of three updates of both models, and what they leave. */
const learned = Effect.fnUntraced(function*(made: string, together: boolean, overrides: Raw, n: number) {
  const { layer, parts } = Memory.checkpoints()
  const config = yield* Tiny.settings(made, { temperature_score: 1, ...overrides })
  return yield* Effect.gen(function*() {
    const [retriever, reader] = [yield* RetrieverLearner, yield* LanguageModelLearner]
    const all = [0, 1, 2].map((k) => lessons(k, n))
    const losses = together
      ? [
        yield* retriever.learnSeveral!(all.map((one) => one.retriever)),
        yield* reader.learnSeveral!(all.map((one) => one.reader))
      ]
      : [
        yield* Effect.forEach(all, (one) => retriever.learn(one.retriever)),
        yield* Effect.forEach(all, (one) => reader.learn(one.reader))
      ]
    const state = [...parts].flatMap(([name, part]) =>
      [...part.save().weights, ...part.save().extra].map(([path, { data }]) => [`${name}, ${path}`, data] as const)
    )
    return { losses, state: new Map(state) }
  }).pipe(Effect.provide(
    joint(config).pipe(Layer.provide(layer), Layer.provide(cpu({ threads: 1 })), Layer.provide(Tiny.surroundings)),
    { local: true }
  ))
})

describe("several updates in one program", () => {
  const cases: Readonly<Record<string, Raw>> = {
    "all weights": {},
    "adapters on quantised weights": { lora_r: 2, quantization: "int4" },
    "adapters on weights of 16 bits": { lora_r: 2, torch_dtype: "bfloat16", lora_dropout: 0.2 }
  }
  for (const [name, overrides] of Object.entries(cases)) {
    it.live(`leave what single ones leave, and report it: ${name}`, () =>
      onDisk(Effect.gen(function*() {
        const made = yield* Tiny.weighted
        const [one, many] = [
          yield* learned(made, false, overrides, Tiny.questions.length),
          yield* learned(made, true, overrides, Tiny.questions.length)
        ]
        assert.deepStrictEqual(many.losses, one.losses)
        assert.deepStrictEqual(many.state, one.state)
        assert.notDeepEqual(one.losses[0]![0], one.losses[0]![1])
      })), 120_000)
  }
  it.live("are padded to one shape where they differ in length", () =>
    onDisk(Effect.gen(function*() {
      const made = yield* Tiny.weighted
      const [one, many] = [yield* learned(made, false, {}, 2), yield* learned(made, true, {}, 2)]
      one.losses.flat().forEach((own, i) => {
        const got = many.losses.flat()[i]!
        own.forEach((loss, j) => assert.closeTo(got[j]!, loss, 2e-5 * Math.max(1, Math.abs(loss))))
      })
    })), 120_000)
})
