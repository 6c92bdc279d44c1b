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
import { LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { Retriever, RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { frozenRag, inference, joint } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import { type Seen, smallDevice } from "../../support/smallDevice.ts"
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
    ].map((numbers) => [...numbers])
  }
})

const near = (got: ReadonlyArray<number>, want: ReadonlyArray<number>, what: string) => {
  assert.strictEqual(got.length, want.length, what)
  want.forEach((x, i) => assert.closeTo(got[i]!, x, 2e-6 * Math.max(1, Math.abs(x)), `${what}, ${i}`))
}

const most = (seen: ReadonlyArray<Seen>, kind: RegExp) =>
  Math.max(...seen.filter(({ program }) => kind.test(program)).map(({ bytes }) => bytes))

describe("both models on a device of little memory", () => {
  const answering = Effect.fnUntraced(function*(made: string, capacity: number, warnings: Array<string>) {
    const { layer, seen } = smallDevice(capacity)
    const config = yield* Tiny.settings(made)
    const session = Layer.mergeAll(Tiny.surroundings, layer)
    const result = yield* said.pipe(
      Effect.provide(inference(config).pipe(Layer.provide(session)), { local: true }),
      heard(warnings)
    )
    return { result, seen }
  })

  it.live("say what they say where there is plenty", () =>
    onDisk(Effect.gen(function*() {
      const made = yield* Tiny.weighted
      const plenty = yield* answering(made, Infinity, [])
      const whole = most(plenty.seen, /./)
      /** The least that a single row of every program takes. */
      const least = yield* leastOf((capacity) => Effect.exit(answering(made, capacity, [])), whole)
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.integer({ min: least, max: whole }), async (capacity) => {
            const warnings: Array<string> = []
            const run = onDisk(answering(made, capacity, warnings))
            const { result, seen } = await Effect.runPromise(run)
            assert.deepStrictEqual([result.docs, result.texts], [plenty.result.docs, plenty.result.texts])
            plenty.result.numbers.forEach((want, i) => near(result.numbers[i]!, want, `result ${i}`))
            const refused = seen.filter(({ fits }) => !fits)
            assert.isAtLeast(warnings.length, refused.length > 0 ? 1 : 0)
            assert.isAtMost(refused.length, 50)
          }),
          { numRuns: 6, examples: [[least], [whole]] }
        )
      )
      const error = yield* Effect.flip(answering(made, Math.floor(least / 4), []))
      assert.match(error.message, /ran out of memory for \d+\.\d MiB: .*use shorter texts/)
    })), 300_000)
})

/** The least capacity with which a run succeeds, to a hundredth. */
const leastOf = Effect.fnUntraced(function*<A, E, R>(
  run: (capacity: number) => Effect.Effect<{ readonly _tag: "Success" | "Failure" }, E, R>,
  whole: number
) {
  let [fails, works] = [0, whole]
  while (works - fails > whole / 100) {
    const middle = Math.floor((fails + works) / 2)
    if ((yield* run(middle))._tag === "Success") works = middle
    else fails = middle
  }
  return works
})
