/** A metered session: what is counted, as of which phase, and that programs run as they would without it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { affine } from "../../../src/kernels/op/contract.ts"
import { exp } from "../../../src/kernels/op/elementwise.ts"
import { input } from "../../../src/kernels/Tensor.ts"
import { Meter, transient } from "../../../src/runtime/engine/Meter.ts"
import { cached } from "../../../src/runtime/engine/Programs.ts"
import { reference } from "../../../src/runtime/engine/providers.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"

const graph = (n: number) => {
  const [x, w, b] = [input("x", [n, 3]), input("w", [2, 3]), input("b", [2])]
  return { name: `map ${n}x3`, inputs: { x, w, b }, outputs: { y: exp(affine(x, w, b)) } }
}
const feeds = (n: number) => ({
  x: new Float32Array(n * 3).fill(0.5),
  w: new Float32Array(6).fill(1),
  b: new Float32Array(2)
})

describe("a meter", () => {
  it.live("counts the runs of each kind of program by phase", () => {
    const meter = new Meter()
    return Effect.gen(function*() {
      const session = yield* Session
      const [small, large] = [yield* session.compile(graph(2)), yield* session.compile(graph(5))]
      const into = { y: new Float32Array(4) }
      assert.strictEqual((yield* meter.during("first")(small.run(feeds(2), into))).y, into.y)
      assert.approximately(into.y[3]!, Math.exp(1.5), 1e-6)
      yield* meter.during("second")(Effect.all([small.run(feeds(2)), large.run(feeds(5)), large.run(feeds(5))]))
      const told = meter.used.map((
        { calls, flops, phase, program, results }
      ) => [phase, program, calls, flops, results])
      assert.deepStrictEqual(told, [["first", "map", 1, 24, 16], ["second", "map", 3, 24 + 60 + 60, 16 + 40 + 40]])
      assert.isTrue(meter.used.every(({ seconds }) => seconds > 0))
      assert.deepStrictEqual(meter.largest, { program: "map 5x3", bytes: transient(graph(5), () => false) })
    }).pipe(Effect.scoped, Effect.provide(reference), Effect.withTracer(meter.tracer))
  })
  it.live("counts the programs of an open graph, and a run that fails", () => {
    const meter = new Meter()
    return Effect.gen(function*() {
      const { w, b, x } = feeds(4)
      const at = yield* (yield* Session).open({ sizes: ["n"], at: ({ n }) => graph(n) as never }, { w, b })
      yield* at({ n: 4 }).run({ x })
      const failed = yield* Effect.flip(at({ n: 3 }).run({ x }))
      assert.match(failed.message, /input x has 12 elements/)
      assert.deepStrictEqual(meter.used.map(({ calls, flops }) => [calls, flops]), [[2, 48 + 36]])
    }).pipe(Effect.scoped, Effect.provide(reference), Effect.withTracer(meter.tracer))
  })
  it.live("tells the phases of fibers apart, and of programs that they compile together", () => {
    const meter = new Meter()
    return Effect.gen(function*() {
      const run = yield* cached(([n]: [number]) => graph(n))
      const phase = (name: string, sizes: ReadonlyArray<number>) =>
        meter.during(name)(Effect.forEach(sizes, (n) => Effect.andThen(Effect.yieldNow, run([n], feeds(n)))))
      yield* Effect.all([phase("first", [2, 5, 2]), phase("second", [5, 2])], { concurrency: "unbounded" })
      assert.deepStrictEqual(meter.used.map(({ calls, phase }) => [phase, calls]).toSorted(), [["first", 3], [
        "second",
        2
      ]])
      assert.isAbove(meter.compiled("first") + meter.compiled("second"), 0)
      assert.strictEqual(meter.compiled(""), 0)
    }).pipe(Effect.scoped, Effect.provide(reference), Effect.withTracer(meter.tracer))
  })
  it("holds at least a copy of every result", () => {
    assert.strictEqual(transient(graph(5), () => true), 40)
    assert.strictEqual(transient(graph(5), () => false), 80)
  })
})
