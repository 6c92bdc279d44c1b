/** Both models on a device of little memory: the results of the whole batch, whatever it was cut into. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { simulated } from "../../../src/runtime/engine/providers.ts"
import { LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { Retriever, RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { frozenRag, inference, joint } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import { type DeviceOptions, type Seen, smallDevice } from "../../support/smallDevice.ts"
import * as Tiny from "../../support/tiny.ts"
import { heard } from "../../support/warnings.ts"

const questions = Tiny.questions.map((q) => q.question)
const queries = questions.map((question) => [text(question)])
const options = Tiny.questions.map((q) => q.options)
const everyDoc = Int32Array.from(questions.flatMap(() => Tiny.passages.map((_, doc) => doc)))
const asked = { questions, options, context: Int32Array.from(questions.flatMap((_, q) => [q, q + 1])) }
const answers = Tiny.questions.map((q) => q.answer)
const lesson = Reading.lessonOf({ ...asked, answers })
const retrieverLesson = {
  queries,
  docs: Int32Array.from(questions.flatMap((_, q) => [q, q + 1, q + 2])),
  objective: {
    _tag: "Listwise",
    target: Float32Array.from(questions.flatMap((_, q) => q % 2 ? [1, 0, 0] : [0, 0.5, 0.5]))
  }
} as const

/** What the models say of everything they can be asked. */
const said = Effect.gen(function*() {
  const [retriever, model] = [yield* Retriever, yield* LanguageModel]
  const found = yield* retriever.search(queries, 5)
  const writing = model.write(Reading.promptsOf(asked), { max_new_tokens: 6 })
  const tokens = yield* Stream.runCollect(writing)
  return {
    docs: [...found.docs],
    texts: questions.map((_, row) => tokens.filter((token) => token.row === row).map(({ id }) => id)),
    numbers: [
      found.scores,
      yield* retriever.score(queries, everyDoc),
      yield* retriever.score(queries.slice(0, 1), everyDoc.slice(0, Tiny.passages.length)),
      yield* model.nll(lesson.prompts, lesson.continuations),
      ...(yield* model.rank(Reading.promptsOf(asked), options, "sum"))
    ].map((numbers) => Array.from(numbers))
  }
})

const near = (got: ReadonlyArray<number>, want: ReadonlyArray<number>, what: string) => {
  assert.strictEqual(got.length, want.length, what)
  want.forEach((x, i) => assert.closeTo(got[i]!, x, 2e-6 * Math.max(1, Math.abs(x)), `${what}, ${i}`))
}

const most = (seen: ReadonlyArray<Seen>, kind: RegExp) =>
  Math.max(...seen.filter(({ program }) => kind.test(program)).map(({ bytes }) => bytes))

/** The least capacity with which a run succeeds, to a quarter. */
const leastOf = Effect.fnUntraced(function*<E, R>(
  run: (capacity: number) => Effect.Effect<{ readonly _tag: "Success" | "Failure" }, E, R>,
  whole: number
) {
  let [fails, works] = [0, whole]
  while (works - fails > works / 4) {
    const middle = Math.floor((fails + works) / 2)
    if ((yield* run(middle))._tag === "Success") works = middle
    else fails = middle
  }
  return works
})

/** Programs whose rows can be divided. */
const kinds = [
  ["retriever.encode", /^retriever\.encode/],
  ["retriever.search", /^retriever\.search/],
  ["retriever.score", /^retriever\.score/],
  ["reader.score", /^reader\.score/],
  ["reader.generate", /^reader\.generate/],
  ["reader.generate", /^reader\.generate/, simulated]
] as const

describe("both models on a device of little memory", () => {
  const answering = Effect.fnUntraced(function*(
    made: string,
    options: DeviceOptions,
    capacity: number,
    warnings: Array<string> = []
  ) {
    const { layer, seen } = smallDevice(capacity, options)
    const config = yield* Tiny.settings(made)
    const session = Layer.mergeAll(Tiny.surroundings, layer)
    const result = yield* said.pipe(
      Effect.provide(inference(config).pipe(Layer.provide(session)), { local: true }),
      heard(warnings)
    )
    return { result, seen }
  })

  it.live.each(kinds)(
    "say what they say where there is plenty, if it ends in %s",
    ([kind, only, provider]) =>
      onDisk(Effect.gen(function*() {
        const device = { only, ...(provider ? { provider } : {}) }
        const made = yield* Tiny.weighted
        const plenty = yield* answering(made, device, Infinity)
        const whole = most(plenty.seen, only)
        const least = yield* leastOf((capacity) => Effect.exit(answering(made, device, capacity)), whole)
        assert.isBelow(least, whole / 2)
        const compare = async (capacity: number) => {
          const warnings: Array<string> = []
          const { result, seen } = await Effect.runPromise(onDisk(answering(made, device, capacity, warnings)))
          assert.deepStrictEqual([result.docs, result.texts], [plenty.result.docs, plenty.result.texts])
          plenty.result.numbers.forEach((want, i) => near(result.numbers[i]!, want, `result ${i}`))
          const refused = seen.filter(({ fits }) => !fits)
          assert.strictEqual(warnings.length > 0, capacity < whole)
          assert.isTrue(warnings.every((line) => line.startsWith(`${kind}: memory does not hold`)))
          /** Halving 64 rows down to one, of two sorts of them; a run may be refused once more when idle programs went. */
          assert.isAtMost(warnings.length, 2 * 6)
          assert.isAtMost(refused.length, 2 * warnings.length)
        }
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.integer({ min: least, max: whole }), compare),
            { numRuns: 3, examples: [[least], [whole]] }
          )
        )
        const error = yield* Effect.flip(answering(made, device, Math.floor(least / 2)))
        assert.match(
          error.message,
          new RegExp(`^Program ${kind} .*ran out of memory for \\d+\\.\\d MiB: .*use shorter texts`)
        )
      })),
    300_000
  )
})

/** Model folders whose dropout, which goes by the place in a batch, is off. */
const folder = Effect.tap(Tiny.folder, (made) =>
  Effect.sync(() => {
    const off = { hidden_dropout_prob: 0, vocab_size: 200 }
    writeFileSync(join(made, "retriever", "config.json"), JSON.stringify({ ...Tiny.encoderConfig, ...off }))
    writeFileSync(join(made, "reader", "config.json"), JSON.stringify({ ...Tiny.decoderConfig, ...off }))
  }))

/** Updates that go by the size of a gradient, not by its sign, which rounding turns where it is next to nothing. */
const smooth: Raw = { temperature_score: 1, adam_epsilon: 0.1, learning_rate: 0.1, lr_retriever: 0.1 }

describe("updates on a device of little memory", () => {
  const learned = Effect.fnUntraced(function*(
    made: string,
    layers: typeof joint | typeof frozenRag,
    capacity: number,
    { only = /\.learn/, provider, several = false, ...overrides }: Raw & DeviceOptions & { readonly several?: boolean }
  ) {
    const { layer, seen } = smallDevice(capacity, { only, ...(provider ? { provider } : {}) })
    const checkpoints = Memory.checkpoints()
    const config = yield* Tiny.settings(made, { ...smooth, ...overrides })
    const session = Layer.mergeAll(Tiny.surroundings, layer, checkpoints.layer)
    const warnings: Array<string> = []
    const learning = Effect.gen(function*() {
      const [retriever, reader] = [yield* RetrieverLearner, yield* LanguageModelLearner]
      if (several) {
        const losses = [
          ...(yield* retriever.learnSeveral!([retrieverLesson, retrieverLesson])),
          ...(yield* reader.learnSeveral!([lesson, lesson]))
        ]
        return { norms: [], losses: losses.flatMap((own) => Array.from(own)) }
      }
      const norms = [...(yield* retriever.gate(retrieverLesson)), ...(yield* reader.gate(lesson))]
      const first = [...(yield* retriever.learn(retrieverLesson)), ...(yield* reader.learn(lesson))]
      const refused = seen.filter(({ fits }) => !fits).length
      const second = [...(yield* retriever.learn(retrieverLesson)), ...(yield* reader.learn(lesson))]
      assert.strictEqual(seen.filter(({ fits }) => !fits).length, refused, "the limit is remembered")
      return { norms: norms.map(([, norm]) => norm), losses: [...first, ...second] }
    })
    /** By name: which model is there first depends on whose files are read first. */
    const weights = () =>
      new Map(
        [...checkpoints.parts].flatMap(([name, part]) =>
          [...part.save().weights].map(([path, { data }]) => [`${name}, ${path}`, Array.from(data)] as const)
        )
      )
    const outcome = yield* Effect.map(learning, (told) => ({ ...told, weights: weights() })).pipe(
      Effect.provide(layers(config).pipe(Layer.provide(session)), { local: true }),
      heard(warnings)
    )
    return { ...outcome, warnings, seen }
  })

  const alike = (got: Effect.Success<ReturnType<typeof learned>>, want: typeof got) => {
    near(got.norms, want.norms, "norms")
    near(got.losses, want.losses, "losses")
    assert.sameMembers([...got.weights.keys()], [...want.weights.keys()])
    for (const [name, values] of want.weights) near(got.weights.get(name)!, values, name)
  }

  const kinds = [
    ["of both models", joint, undefined],
    ["beside a frozen retriever", frozenRag, undefined],
    ["of weights that stay on the device", joint, simulated]
  ] as const
  for (const [name, layers, provider] of kinds) {
    it.live(
      `${name} accumulate gradients over halves, and leave what the whole batch leaves`,
      () =>
        onDisk(Effect.gen(function*() {
          const made = yield* folder
          const device = provider ? { provider } : {}
          const plenty = yield* learned(made, layers, Infinity, device)
          for (const model of ["retriever", "reader"]) {
            const only = new RegExp(`^${model}\\.learn`)
            for (const share of [0.9, 0.6]) {
              const little = yield* learned(made, layers, Math.floor(share * most(plenty.seen, only)), {
                ...device,
                only
              })
              alike(little, plenty)
              assert.isTrue(
                little.warnings[0]!.startsWith(`${model}.learn: memory does not hold 6 questions at a time`)
              )
              const learns = layers === joint || model === "reader"
              const told = / with at most \d, their gradients accumulated: .*gradient_accumulation_steps$/
              assert.isTrue(little.warnings.every((line) => told.test(line) === learns))
            }
          }
        })),
      120_000
    )
  }
  it.live("of several steps in one run are made one by one", () =>
    onDisk(Effect.gen(function*() {
      const made = yield* folder
      const plenty = yield* learned(made, joint, Infinity, { steps_per_run: 2, several: true })
      const whole = Math.min(most(plenty.seen, /^retriever/), most(plenty.seen, /^reader/))
      const little = yield* learned(made, joint, Math.floor(0.6 * whole), { steps_per_run: 2, several: true })
      alike(little, plenty)
      assert.strictEqual(little.warnings.filter((line) => line.includes("going on with one at a time")).length, 2)
    })), 120_000)
  it.live("that hold no single question fail, and say what to do", () =>
    onDisk(Effect.gen(function*() {
      const error = yield* Effect.flip(learned(yield* folder, joint, 1000, {}))
      assert.match(error.message, /^Program retriever\.learn 1x.*ran out of memory.*gradient_checkpointing\.$/)
    })), 120_000)
})
