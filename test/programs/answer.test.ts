/** Questions answered a batch at a time, on ports in memory. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { fromRecords } from "../../src/datasets/dataset.ts"
import type { Passage } from "../../src/domain/records/Records.ts"
import { answerAll } from "../../src/programs/answer.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import { supportOf } from "../../src/stages/answer.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"
import * as Fakes from "../support/fakes.ts"
import * as Tiny from "../support/tiny.ts"

/** The tiny questions, `size` at a time, over a corpus. */
const run = Effect.fnUntraced(
  function*(size: number, passages: ReadonlyArray<Passage> = Tiny.passages, questions = Tiny.questions) {
    const config = yield* decode("test", {
      output_dir: "run",
      passages_file: "p",
      retriever_name_or_path: "r",
      reader_name_or_path: "r",
      n_candidates: 5,
      retriever_n_context: 3,
      n_context: 3,
      per_device_eval_batch_size: size
    })
    const { calls, layer } = Fakes.ports(passages.map(({ text }) => text))
    const given = [Layer.succeed(Corpus, fromRecords(passages)), NodeFileSystem.layer, layer] as const
    const answered = yield* Stream.runCollect(answerAll(config, questions)).pipe(
      Effect.provide(Layer.mergeAll(...given), { local: true })
    )
    return { answered, searched: calls.searched.map((batch) => batch.length) }
  }
)

describe("questions", () => {
  it.live("are answered in order, whatever is asked at once, and no more than the settings say", () =>
    Effect.gen(function*() {
      const whole = yield* run(16)
      assert.deepStrictEqual(whole.answered.map(({ id }) => id), Tiny.questions.map(({ id }) => id))
      for (const [size, batches] of [[1, [1, 1, 1, 1, 1, 1]], [4, [4, 2]], [16, [6]]] as const) {
        const { answered, searched } = yield* run(size)
        assert.deepStrictEqual(answered, whole.answered)
        assert.deepStrictEqual(searched, [...batches])
      }
      assert.deepStrictEqual(yield* run(4, Tiny.passages, []), { answered: [], searched: [] })
    }))
  it.live("rest on each passage once, where there are fewer than the reader would take", () =>
    Effect.gen(function*() {
      for (const count of [1, 2, 3]) {
        const { answered } = yield* run(4, Tiny.passages.slice(0, count))
        const names = Tiny.passages.slice(0, count).map(({ id }) => id)
        for (const { passages } of answered) assert.deepStrictEqual(passages.map(({ id }) => id).toSorted(), names)
      }
    }))
})

describe("what an answer rests on", () => {
  it("is the best of its own candidates, best last, with none in front where there are too few", () => {
    const docs = Int32Array.of(7, 5, 3, 8, 6, 4)
    assert.deepStrictEqual([...supportOf(docs, 3, 2)], [5, 7, 6, 8])
    assert.deepStrictEqual([...supportOf(docs, 3, 4)], [-1, 3, 5, 7, -1, 4, 6, 8])
  })
})
