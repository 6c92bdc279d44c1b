/** Arrays that a device keeps have, once read, the values that they would have on the host. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { add, scale } from "../../../src/kernels/op/elementwise.ts"
import { input, scalar } from "../../../src/kernels/Tensor.ts"
import { cpu, simulated } from "../../../src/runtime/engine/providers.ts"
import { type Region, Session } from "../../../src/runtime/engine/Session.ts"

const [ROWS, WIDTH, ARRAYS] = [4, 6, 3]
const SIZE = ROWS * WIDTH

/** y ← x + z/2, then x ← y of the same run: any of the arrays may be the same. */
const graph = () => {
  const [x, z] = [input("x", [ROWS, WIDTH]), input("z", [ROWS, WIDTH])]
  const y = add(x, scale(z, 0.5))
  return { name: "halves", inputs: { x, z }, outputs: { y, w: add(y, scalar(1)) } }
}

const index = fc.integer({ min: 0, max: ARRAYS - 1 })
const region: fc.Arbitrary<Region> = fc.record({
  start: fc.integer({ min: 0, max: WIDTH - 1 }),
  length: fc.integer({ min: 1, max: WIDTH }),
  count: fc.integer({ min: 1, max: ROWS })
}).map(({ count, length, start }) => ({ start, length: Math.min(length, WIDTH - start), stride: WIDTH, count }))

/** A run from two arrays to two others; a change of an array on the host, all of it or a region; or a reading. */
const action = fc.oneof(
  fc.record({ from: fc.tuple(index, index), to: fc.uniqueArray(index, { minLength: 2, maxLength: 2 }) }),
  fc.record({ wrote: index, region: fc.option(region, { nil: undefined }), value: fc.integer({ min: -9, max: 9 }) }),
  fc.record({ read: index })
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

const after = Effect.fnUntraced(function*(actions: ReadonlyArray<Action>) {
  const { compile, kept } = yield* Session
  const program = yield* compile(graph())
  const arrays = Array.from({ length: ARRAYS }, (_, i) => new Float32Array(SIZE).fill(i + 1))
  kept.keep(arrays)
  for (const one of actions) {
    if ("from" in one) {
      const [x, z] = one.from.map((i) => arrays[i]!)
      const [y, w] = one.to.map((i) => arrays[i]!)
      yield* program.run({ x: x!, z: z! }, { y: y!, w: w! })
    } else if ("read" in one) {
      kept.read([arrays[one.read]!])
    } else {
      const array = arrays[one.wrote]!
      kept.read([array])
      const { count, length, start, stride } = one.region ?? { start: 0, length: SIZE, stride: SIZE, count: 1 }
      for (let r = 0; r < count; r++) array.fill(one.value, start + r * stride, start + r * stride + length)
      kept.wrote(array, one.region)
    }
  }
  kept.read(arrays)
  return arrays.map((array) => Array.from(array))
})

describe("arrays that a device keeps", () => {
  it.live(
    "have the values that they would have on the host, whatever happens to them",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.array(action, { maxLength: 12 }), (actions) =>
            Effect.gen(function*() {
              const host = yield* after(actions).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 })))
              const device = yield* after(actions).pipe(Effect.scoped, Effect.provide(simulated))
              assert.deepStrictEqual(device, host)
            }).pipe(Effect.runPromise)),
          { numRuns: 60, seed: 5 }
        )
      ),
    60_000
  )
  it.live("are arrays of the host as before once they are released", () =>
    Effect.gen(function*() {
      const { compile, kept } = yield* Session
      const program = yield* compile(graph())
      const [x, y] = [new Float32Array(SIZE).fill(2), new Float32Array(SIZE)]
      kept.keep([x, y])
      yield* program.run({ x, z: x }, { y })
      assert.strictEqual(y[0], 0, "the host's values are stale")
      kept.read([y])
      assert.strictEqual(y[0], 3)
      kept.release([x, y])
      x.fill(4)
      yield* program.run({ x, z: x }, { y })
      assert.strictEqual(y[0], 6)
    }).pipe(Effect.scoped, Effect.provide(simulated)))
})
