/** Our reader as a writer: what is written in a batch. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { join } from "node:path"
import { readOnly } from "../../../src/runtime/language/languageModel.ts"
import * as Local from "../../../src/runtime/language/local.ts"
import { Writer, type WriteRequest } from "../../../src/runtime/ports/Writer.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Tiny from "../../support/tiny.ts"

const asked = (text: string, max_tokens = 6, sample = 0): WriteRequest => ({
  turns: [{ role: "user", text }],
  max_tokens,
  sample
})
const requests = [
  asked("which gene"),
  asked("copper in the liver of the eye"),
  asked("long fingers", 3),
  asked("red eye ".repeat(400)),
  asked("which gene", 6, 1),
  asked("title")
]

/** The outcome of each request, made at the same time by a writer of this batch size; and the batches that its model saw. */
const outcomes = Effect.fnUntraced(function*(batch: number) {
  const folder = yield* Tiny.weighted
  const settings = ofReader(yield* Tiny.settings(folder, { max_length: 64, do_sample: true, excess_length: "raise" }))
  const model = yield* Local.identityOf(join(folder, "reader"))
  const local = { name: "tiny", identity: { model }, seed: 3, batch, cache: join(folder, `${batch}`), token_budget: 0 }
  return yield* Effect.forEach(
    requests,
    (request) => Effect.flatMap(Writer, ({ write }) => Effect.result(write(request))),
    { concurrency: "unbounded" }
  ).pipe(
    Effect.provide(Local.layer(local).pipe(Layer.provide(readOnly(settings)), Layer.provide(Tiny.surroundings)))
  )
})

describe("a reader as a writer", () => {
  it.live("writes the same in any batch, and fails only what cannot be written", () =>
    Effect.gen(function*() {
      const [alone, together] = yield* Effect.all([outcomes(1), outcomes(4)])
      const texts = alone.map((one) => Result.isSuccess(one) ? one.success.text : undefined)
      assert.deepStrictEqual(together.map((one) => Result.isSuccess(one) ? one.success.text : undefined), texts)
      assert.deepStrictEqual(texts.map((text) => text === undefined), requests.map((_, i) => i === 3))
      assert.notStrictEqual(texts[0], texts[4])
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)), 60_000)
})
