/** Learning with products in float16: what is skipped, what moves, and what is carried over. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as fc from "fast-check"
import { flatten, normal } from "../../../src/kernels/nn/Module.ts"
import { sumAll } from "../../../src/kernels/op/broadcast.ts"
import { matmul } from "../../../src/kernels/op/contract.ts"
import { mul, sub } from "../../../src/kernels/op/elementwise.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import { type GradScaler, gradScaler } from "../../../src/kernels/optim/gradScaler.ts"
import { names, steps } from "../../../src/kernels/Step.ts"
import * as Learner from "../../../src/runtime/engine/Learner.ts"
import { cpu, simulating } from "../../../src/runtime/engine/providers.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"
import * as Weights from "../../../src/runtime/engine/Weights.ts"

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })
const tree = { w: normal([2, 2], 1), v: normal([2, 2], 1) }
/** A negative zero and the smallest normal number are kept, too. */
const initial = { w: [0.5, -0.25, -0, 2 ** -126], v: [0.1, -0.2, 0.3, 0.4] }

interface Options {
  readonly few?: number | undefined
  readonly scaler?: Partial<GradScaler>
}

/** A learner of Σ (x w v - y)², and its weights; more than `few` of those are written over. */
const regression = Effect.fnUntraced(function*({ few, scaler: own }: Options = {}) {
  const { kept } = yield* Session
  const values = new Map(Object.entries(initial).map(([path, value]) => [path, Float32Array.from(value)]))
  const weights = Weights.make(flatten(tree), ["w", "v"], optimizer.slots, values, {
    kept,
    ...(few === undefined ? {} : { few })
  })
  const scaler = { ...gradScaler, ...own }
  const lesson = ([rows]: [number]) =>
    steps({
      name: "regression",
      params: tree,
      batch: { x: { dtype: "float32", shape: [rows, 2] }, y: { dtype: "float32", shape: [rows, 2] } },
      loss: ({ v, w }, { x, y }) => {
        const error = sub(matmul(matmul(x, w), v), y)
        return { loss: sumAll(mul(error, error)), report: {} }
      },
      group: () => "all",
      optimizer,
      maxGradNorm: 1,
      scaler
    })
  const groups = { all: { learningRate: () => 0.05, weightDecay: 0.01 } }
  const learner = yield* Learner.make({ name: "regression", weights, optimizer, groups, scaler, lesson })
  return { weights, learner }
})
const part = (x: ReadonlyArray<number>, y: ReadonlyArray<number>): Learner.Part<[number]> => ({
  key: [x.length / 2],
  batch: { x: Float32Array.from(x), y: Float32Array.from(y) }
})
const lessons = Array.from(
  { length: 12 },
  (_, k) => part([1, Math.sin(k), Math.cos(k), -1], [2 + Math.sin(3 * k), 1, 0.5, Math.cos(2 * k)])
)

type Made = Effect.Success<ReturnType<typeof regression>>
/** Bytes of the weights and slots. */
const bytes = ({ weights }: Made) =>
  [...weights.current()].map(([name, { buffer, byteLength, byteOffset }]) =>
    `${name} ${Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("hex")}`
  )
const all = (made: Made) => ({ ...made.learner.progress(), bytes: bytes(made) })
const scaleOf = ({ learner }: Made) => learner.progress().scaling[names.scaler("scale")]![0]

const cases = [
  ["in two copies", undefined, cpu({ threads: 1, products: "float16" })],
  ["written over", 0, cpu({ threads: 1, products: "float16" })],
  ["kept on a device", undefined, simulating("float16")]
] as const
for (const [how, few, session] of cases) {
  const halves = <A, E>(effect: Effect.Effect<A, E, Session | Scope>) =>
    effect.pipe(Effect.scoped, Effect.provide(session))

  describe(`learning in float16, weights ${how}`, () => {
    it.effect("skips updates whose gradients overflow, changing no weight, until the scale fits them", () =>
      halves(Effect.gen(function*() {
        const made = yield* regression({ few, scaler: { init_scale: 2 ** 30 } })
        const before = bytes(made)
        let [skips, scale] = [0, 2 ** 30]
        for (;;) {
          yield* made.learner.learn([lessons[0]!])
          if (made.learner.progress().skipped === skips) break
          assert.deepStrictEqual(bytes(made), before)
          assert.strictEqual(scaleOf(made), scale /= 2)
          skips++
        }
        assert.isAbove(skips, 10)
        assert.isBelow(skips, 20)
        assert.strictEqual(scaleOf(made), scale)
        assert.notDeepEqual(bytes(made), before)
        assert.strictEqual(made.learner.updates(), skips + 1)
      })))
    it.effect("skips an update of several parts as a whole", () =>
      halves(Effect.gen(function*() {
        const made = yield* regression({ few, scaler: { init_scale: 256 } })
        const before = bytes(made)
        yield* made.learner.learn([lessons[0]!, part([300, 1, 300, -1], [-300, 0, 9, 8]), lessons[1]!])
        assert.deepStrictEqual(bytes(made), before)
        assert.deepInclude(made.learner.progress(), { updates: 1, skipped: 1 })
        yield* made.learner.learn(lessons.slice(0, 3))
        assert.notDeepEqual(bytes(made), before)
        assert.deepInclude(made.learner.progress(), { updates: 2, skipped: 1 })
      })))
    it.effect("grows the scale after so many good updates", () =>
      halves(Effect.gen(function*() {
        const made = yield* regression({ few, scaler: { init_scale: 4, growth_interval: 3 } })
        const scales: Array<number | undefined> = []
        for (const lesson of lessons.slice(0, 7)) {
          yield* made.learner.learn([lesson])
          scales.push(scaleOf(made))
        }
        assert.deepStrictEqual(scales, [4, 4, 8, 8, 8, 16, 16])
        assert.strictEqual(made.learner.progress().skipped, 0)
      })))
    it.effect("has diverged once the scale is below its minimum, by name, and moves nothing", () =>
      halves(Effect.gen(function*() {
        const made = yield* regression({ few, scaler: { init_scale: 4 } })
        const before = bytes(made)
        /** Finite in float32; its product with the weights is not in float16. */
        const huge = part([6e4, 6e4, 6e4, -6e4], [0, 0, 0, 0])
        yield* made.learner.learn([huge])
        yield* made.learner.learn([huge])
        const error = yield* Effect.flip(made.learner.learn([huge]))
        assert.strictEqual(error._tag, "Diverged")
        assert.match(
          error.message,
          /^regression diverged in update 3: gradients are not finite in float16 at any loss scale down to 1; bfloat16/
        )
        const several = yield* Effect.flip(made.learner.learnSeveral([lessons[0]!, huge, huge]))
        assert.match(several.message, /^regression diverged in update 4: gradients are not finite/)
        assert.deepStrictEqual(bytes(made), before)
        assert.deepInclude(made.learner.progress(), { updates: 2, skipped: 2 })
        assert.strictEqual(scaleOf(made), 1)
      })))
    it.effect("makes several updates in one program as it makes them one by one, with skips and growth among them", () =>
      halves(Effect.gen(function*() {
        const one = yield* regression({ few, scaler: { init_scale: 2 ** 17, growth_interval: 2 } })
        const many = yield* regression({ few, scaler: { init_scale: 2 ** 17, growth_interval: 2 } })
        /** One program for one update, too: parts are added up in another order. */
        const reports = yield* Effect.forEach(lessons, (own) => one.learner.learnSeveral([own]))
        const told = [
          ...(yield* many.learner.learnSeveral(lessons.slice(0, 5))),
          ...(yield* many.learner.learnSeveral(lessons.slice(5)))
        ]
        assert.deepStrictEqual(told, reports.flat())
        assert.deepStrictEqual(all(many), all(one))
        const { skipped, updates } = one.learner.progress()
        assert.isAbove(skipped, 0)
        assert.isAbove(updates - skipped, 2)
      })))
    it.effect("goes on as if it had never stopped, wherever it stops", () =>
      halves(Effect.gen(function*() {
        const options: Options = {
          ...(few === undefined ? {} : { few }),
          scaler: { init_scale: 2 ** 17, growth_interval: 2 }
        }
        const straight = yield* regression(options)
        const states = [all(straight)]
        for (const lesson of lessons) {
          yield* straight.learner.learn([lesson])
          states.push(all(straight))
        }
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.nat({ max: lessons.length }), (stop) =>
              Effect.runPromise(halves(Effect.gen(function*() {
                const [before, after] = [yield* regression(options), yield* regression(options)]
                for (const lesson of lessons.slice(0, stop)) yield* before.learner.learn([lesson])
                assert.deepStrictEqual(all(before), states[stop])
                after.weights.restore(new Map([...before.weights.parameters(), ...before.weights.state()]))
                after.learner.resume(structuredClone(before.learner.progress()))
                for (const lesson of lessons.slice(stop)) yield* after.learner.learn([lesson])
                assert.deepStrictEqual(all(after), states.at(-1))
              })))),
            { numRuns: 5 }
          )
        )
      })))
    it.effect("finds gradients at the scale that updates would come to, and moves nothing", () =>
      halves(Effect.gen(function*() {
        const made = yield* regression({ few, scaler: { init_scale: 2 ** 30 } })
        const fits = yield* regression({ few, scaler: { init_scale: 64 } })
        const before = all(made)
        const [got, want] = [yield* made.learner.probe([lessons[0]!]), yield* fits.learner.probe([lessons[0]!])]
        for (const [path, square] of want) assert.closeTo(got.get(path)!, square, 1e-2 * square, path)
        assert.deepStrictEqual(all(made), before)
      })))
  })
}

describe("learning without a loss scale", () => {
  it.effect("resumes from progress with one, without it", () =>
    Effect.gen(function*() {
      const weights = Weights.make(flatten({}), [], [], new Map())
      const learner = yield* Learner.make({
        name: "none",
        weights,
        optimizer,
        groups: {},
        lesson: () =>
          steps({
            name: "none",
            params: {},
            batch: {},
            loss: () => {
              throw new Error("not asked")
            },
            group: () => undefined,
            optimizer,
            maxGradNorm: 1
          })
      })
      learner.resume({ updates: 7, skipped: 2, scaling: { [names.scaler("scale")]: Float32Array.of(8) } })
      assert.deepStrictEqual(learner.progress(), { updates: 7, skipped: 2, scaling: {} })
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
})
