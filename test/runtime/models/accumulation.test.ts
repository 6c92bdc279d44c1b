/** Gradients added up over parts of a batch, against those of the whole batch, in both models. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { cpu, reference } from "../../../src/runtime/engine/providers.ts"
import type { Session } from "../../../src/runtime/engine/Session.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import type { Objective } from "../../../src/runtime/ports/Retriever.ts"
import { RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { preferences } from "../../../src/stages/score.ts"
import { joint } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const questions = Tiny.questions.map((q) => q.question)
const nll = Float32Array.from(questions.flatMap((_, q) => [q % 3, 1, (q + 1) % 3]))
const objectives: Readonly<Record<string, Objective>> = {
  pairs: {
    _tag: "Pairwise",
    m: 3,
    weights: Float32Array.from(
      questions.flatMap((_, q) => [...preferences(nll.subarray(3 * q, 3 * q + 3), { ties: "skip", mean: "pairs" })])
    )
  },
  target: {
    _tag: "Listwise",
    target: Float32Array.from(questions.flatMap((_, q) => q % 2 ? [1, 0, 0] : [0, 0.5, 0.5]))
  }
}
const retrieverLesson = (objective: Objective) => ({
  queries: questions.map((question) => [text(question)]),
  docs: Int32Array.from(questions.flatMap((_, q) => [q, q + 1, q + 2])),
  objective
})
const readerLesson = Reading.lessonOf({
  questions,
  options: Tiny.questions.map((q) => q.options),
  answers: Tiny.questions.map((q) => q.answer),
  context: Int32Array.from(questions.flatMap((_, q) => [q, q + 1]))
})

/** Model folders whose dropout, which goes by the place in a batch, is off. */
const folder = Effect.tap(Tiny.folder, (made) =>
  Effect.sync(() => {
    const off = { hidden_dropout_prob: 0, vocab_size: 200 }
    writeFileSync(join(made, "retriever", "config.json"), JSON.stringify({ ...Tiny.encoderConfig, ...off }))
    writeFileSync(join(made, "reader", "config.json"), JSON.stringify({ ...Tiny.decoderConfig, ...off }))
  }))

/** Updates that go by the size of a gradient, not by its sign, which rounding turns where it is next to nothing. */
const smooth: Raw = { adam_epsilon: 0.1, learning_rate: 0.1, lr_retriever: 0.1 }

interface Case {
  readonly session: Layer.Layer<Session>
  readonly objective: Objective
  readonly steps: ReadonlyArray<number>
  readonly updates: number
}
/** The interpreter is slow, but rounds only what it keeps: its second update is as near as its first. */
const cases: Readonly<Record<string, Case>> = {
  "by pairs on cpu": { session: cpu({ threads: 1 }), objective: objectives["pairs"]!, steps: [2, 3, 4, 9], updates: 1 },
  "by target on cpu": { session: cpu({ threads: 1 }), objective: objectives["target"]!, steps: [3], updates: 1 },
  "by pairs on reference": { session: reference, objective: objectives["pairs"]!, steps: [3], updates: 2 }
}

/** Losses and weights after some updates of both models, and the gradient norms before. */
const learned = Effect.fnUntraced(function*(made: string, { objective, session, updates }: Case, overrides: Raw) {
  const { layer, parts } = Memory.checkpoints()
  const config = yield* Tiny.settings(made, { temperature_score: 1, ...smooth, ...overrides })
  return yield* Effect.gen(function*() {
    const [retriever, reader] = [yield* RetrieverLearner, yield* LanguageModelLearner]
    const lesson = retrieverLesson(objective)
    const norms = [...(yield* retriever.gate(lesson)), ...(yield* reader.gate(readerLesson))]
    const losses: Array<number> = []
    for (let i = 0; i < updates; i++) {
      losses.push(...(yield* retriever.learn(lesson)), ...(yield* reader.learn(readerLesson)))
    }
    /** By name: which model is there first depends on whose files are read first. */
    const weights = new Map(
      [...parts].flatMap(([name, part]) =>
        [...part.save().weights].map(([path, { data }]) => [`${name}, ${path}`, data] as const)
      )
    )
    return { norms, losses, weights }
  }).pipe(
    Effect.provide(
      joint(config).pipe(Layer.provide(layer), Layer.provide(session), Layer.provide(Tiny.surroundings)),
      { local: true }
    )
  )
})

describe("gradient accumulation", () => {
  for (const [name, one] of Object.entries(cases)) {
    it.live(`learns in parts what the whole batch does: ${name}`, () =>
      onDisk(Effect.gen(function*() {
        const made = yield* folder
        const whole = yield* learned(made, one, {})
        for (const steps of one.steps) {
          const parts = yield* learned(made, one, { gradient_accumulation_steps: steps })
          const near = (got: number, want: number, what: string) =>
            assert.closeTo(got, want, 1e-6 * Math.max(1, Math.abs(want)), `${what} in ${steps}`)
          assert.deepStrictEqual(parts.norms.map(([group]) => group), whole.norms.map(([group]) => group))
          whole.norms.forEach(([group, norm], i) => near(parts.norms[i]![1], norm, group))
          whole.losses.forEach((loss, i) => near(parts.losses[i]!, loss, `loss ${i}`))
          assert.sameMembers([...parts.weights.keys()], [...whole.weights.keys()])
          for (const [name, data] of whole.weights) {
            const got = parts.weights.get(name)!
            data.forEach((x, j) => near(got[j]!, x, name))
          }
        }
      })), 120_000)
  }
})
