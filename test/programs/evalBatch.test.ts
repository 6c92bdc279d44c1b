/** Questions per batch of evaluation, as set or as memory has it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { evalBatch, largest } from "../../src/programs/costs/evalBatch.ts"
import { evaluate } from "../../src/programs/evaluation/evaluate.ts"
import { footprint } from "../../src/runtime/language/generation/footprint.ts"
import { inference } from "../../src/systems/jmlr/layers.ts"
import { config as decoder } from "../support/decoders.ts"
import { onDisk } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"

describe("the estimated memory of generation", () => {
  it("is that of keys and values, twice, and of a step", () => {
    const { groups, layers, size } = cacheShape(decoder)
    const bytes = footprint(decoder, 200)
    for (const rows of [1, 2, 8]) {
      const cache = 2 * layers * rows * groups * 224 * size * 4
      assert.isAbove(bytes(rows), 2 * cache)
      assert.isBelow(bytes(rows), 2 * cache + rows * 64 * 1024)
    }
  })
})

describe("a batch of evaluation", () => {
  it("is the largest power of two that fits, if one question does", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 200_000 }), (each, room) => {
      const size = largest((questions) => questions * each, room)
      assert.isTrue([1, 2, 4, 8, 16, 32, 64, 128].includes(size))
      if (size > 1) assert.isAtMost(size * each, room)
      if (size < 128) assert.isAbove(2 * size * each, room)
    }))
  })
  it.live("is what the settings say, or auto", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const of = (per_device_eval_batch_size: number | "auto", mode = "joint") =>
        Effect.flatMap(Tiny.settings(folder, { per_device_eval_batch_size, mode }), evalBatch)
      assert.deepStrictEqual([yield* of(16), yield* of("auto"), yield* of("auto", "lexical")], [16, 128, 128])
    })))
  it.live("that is auto judges as any other", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const judged = Effect.fnUntraced(function*(per_device_eval_batch_size: number | "auto") {
        const config = yield* Tiny.settings(folder, { per_device_eval_batch_size })
        const layer = inference(config).pipe(Layer.provideMerge(Tiny.surroundings))
        return yield* evaluate(config, Tiny.questions, { read: true, task: "t" }).pipe(
          Effect.provide(layer, { local: true })
        )
      })
      assert.deepStrictEqual((yield* judged("auto")).judged, (yield* judged(4)).judged)
    })))
})
