/** Asynchronous training: verdicts of a reader some updates ago. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Checkpoints from "../../src/runtime/files/checkpoints.ts"
import { trainable } from "../../src/runtime/language/languageModel.ts"
import { LanguageModel, LanguageModelLearner } from "../../src/runtime/ports/LanguageModel.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { answerOf, ask } from "../../src/stages/prompt.ts"
import { ofReader } from "../../src/systems/jmlr/layers.ts"
import { onDisk } from "../support/files.ts"
import { differences, straight } from "../support/finished.ts"
import * as Tiny from "../support/tiny.ts"

interface Row {
  readonly step: number
  readonly qid: string
  readonly drawn: unknown
  readonly nll: unknown
}
const rowsOf = (rows: ReadonlyArray<string>, step: number): ReadonlyArray<Row> =>
  rows.map((row) => JSON.parse(row) as Row).filter((row) => row.step === step)

describe("a reader that lags", () => {
  it.live(
    "by no step is that of joint training, to the byte; by some, from the second step on another",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const joint = yield* straight(folder, "weights")
        yield* straight(folder, "joint0")
        assert.deepStrictEqual(yield* differences(join(folder, "joint0-straight"), joint), [])
        const lagged = yield* straight(folder, "lagged")
        assert.deepStrictEqual(rowsOf(lagged.rows, 0), rowsOf(joint.rows, 0))
        const [late, now] = [rowsOf(lagged.rows, 1), rowsOf(joint.rows, 1)]
        /** What is found depends on the retriever alone, which has learned the same; what is said of it does not. */
        assert.deepStrictEqual(
          late.map(({ drawn, qid }) => ({ drawn, qid })),
          now.map(({ drawn, qid }) => ({ drawn, qid }))
        )
        assert.notDeepEqual(late.map(({ nll }) => nll), now.map(({ nll }) => nll))
      })),
    120_000
  )

  it.live("judges by the weights before the last step that lag + 1 divides", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const config = yield* Tiny.settings(folder, { output_dir: join(folder, "out"), learning_rate: 0.1 })
      const layer = trainable({ ...ofReader(config), lag: 2 }).pipe(
        Layer.provide(Checkpoints.layer(config)),
        Layer.provide(Layer.mergeAll(Tiny.corpusLayer, cpu({ threads: 1 }), silent))
      )
      yield* Effect.gen(function*() {
        const [model, learner] = [yield* LanguageModel, yield* LanguageModelLearner]
        const prompts = Tiny.questions.map((own) => ask(config, [{ text: Tiny.passages[0]!.text, image: "" }], own))
        const answers = Tiny.questions.map((own) => answerOf(config, own, own.answer))
        const now = model.nll(prompts, answers)
        const at = (step: number) =>
          Effect.flatMap(learner.earlier!(step), ({ attention, nll }) =>
            Effect.all([nll(prompts, answers), attention(prompts, answers)]))
        const learn = learner.learn({ prompts, continuations: answers })
        const first = yield* at(0)
        assert.deepStrictEqual(first[0], yield* now)
        yield* learn
        assert.deepStrictEqual(yield* at(1), first)
        assert.notDeepEqual(yield* now, first[0])
        yield* learn
        assert.deepStrictEqual(yield* at(2), first)
        yield* learn
        assert.deepStrictEqual((yield* at(3))[0], yield* now)
        assert.notDeepEqual((yield* at(3))[1], first[1])
        assert.match(String(yield* Effect.sandbox(at(7)).pipe(Effect.flip)), /before step 7 were not kept/)
      }).pipe(Effect.provide(layer))
    })), 60_000)
})
