/** Rows that share an index are all added, whatever the threads (docs/decisions/0006-scatter-elements.md). */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { scatterAdd } from "../../../src/kernels/op/gather.ts"
import { input } from "../../../src/kernels/Tensor.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"

/** Large enough for ONNX Runtime to divide among threads. */
const [count, width, rows] = [4096, 128, 2]
const [values, at] = [input("values", [count, width]), input("at", [count], "int32")]
const graph = { name: "scatter", inputs: { values, at }, outputs: { sums: scatterAdd(values, at, rows) } }

it.live("adds every row at an index that repeats", () =>
  Effect.gen(function*() {
    const { run } = yield* (yield* Session).compile(graph)
    const feeds = {
      values: new Float32Array(count * width).fill(1),
      at: Int32Array.from({ length: count }, (_, i) => i % 2)
    }
    for (let i = 0; i < 20; i++) {
      const { sums } = yield* run(feeds)
      assert.deepStrictEqual([...new Set(sums)], [count / rows])
    }
  }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 2 }))))
