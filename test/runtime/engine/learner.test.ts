/** One update at a time: what moves, what is counted, and what happens where the loss is no number. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { firstInfinite } from "../../../src/kernels/finite.ts"
import { flatten, normal } from "../../../src/kernels/nn/Module.ts"
import { sumAll } from "../../../src/kernels/op/broadcast.ts"
import { mul, sub } from "../../../src/kernels/op/elementwise.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import { steps } from "../../../src/kernels/Step.ts"
import * as Learner from "../../../src/runtime/engine/Learner.ts"
import { cpu, reference, simulated } from "../../../src/runtime/engine/providers.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"
import * as Weights from "../../../src/runtime/engine/Weights.ts"
import { smallDevice } from "../../support/smallDevice.ts"

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })
const tree = { w: normal([2], 1), frozen: normal([2], 1) }
const group = (path: string) => path === "w" ? "decay" : undefined

/** A learner of Σ (w - x)² over rows x of a batch, and its weights; more than `few` of those are written over. */
const squares = Effect.fnUntraced(function*(few?: number, rate = 0.1, weightDecay = 0) {
  const { kept } = yield* Session
  const params = flatten(tree)
  const initial = new Map([["w", Float32Array.of(1, 2)], ["frozen", Float32Array.of(3, 4)]])
  const own = new Map([...initial].map(([path, values]) => [path, values.slice()]))
  const weights = Weights.make(params, ["w"], optimizer.slots, own, { kept, ...(few === undefined ? {} : { few }) })
  const lesson = ([rows]: [number]) =>
    steps({
      name: "squares",
      params: tree,
      batch: { x: { dtype: "float32", shape: [rows, 2] } },
      loss: ({ w }, { x }) => ({ loss: sumAll(mul(sub(w, x), sub(w, x))), report: {} }),
      group,
      optimizer,
      maxGradNorm: 1
    })
  const groups = { decay: { learningRate: () => rate, weightDecay } }
  const made = yield* Learner.make({ name: "squares", weights, optimizer, groups, lesson })
  return { weights, initial, learner: made }
})

const rows = (...x: ReadonlyArray<number>): Learner.Part<[number]> => ({
  key: [x.length / 2],
  batch: { x: Float32Array.from(x) }
})
const batch = [rows(0, 5)]

const host = [reference, cpu({ threads: 1 })] as const
const cases = [
  ["in two copies", undefined, ...host],
  ["written over", 0, ...host],
  ["kept on a device", undefined, simulated, simulated]
] as const
for (const [how, few, exact, native] of cases) {
  const scoped = <A, E>(effect: Effect.Effect<A, E, Session | Scope>) =>
    effect.pipe(Effect.scoped, Effect.provide(exact))

  describe(`a learner whose weights are ${how}`, () => {
    const learner = squares(few)

    it.effect("moves what learns, and counts", () =>
      scoped(Effect.gen(function*() {
        const { initial, learner: one, weights } = yield* learner
        yield* one.learn(batch)
        yield* one.learn(batch)
        assert.strictEqual(one.updates(), 2)
        assert.isBelow(weights.parameters().get("w")![0]!, 1)
        assert.isAbove(weights.parameters().get("w")![1]!, 2)
        assert.deepStrictEqual(weights.parameters().get("frozen"), initial.get("frozen"))
      })))
    it.effect("makes several updates in one program as it makes them one by one", () =>
      Effect.gen(function*() {
        const [{ learner: one, weights }, { learner: many, weights: same }] = [yield* learner, yield* learner]
        const all = [rows(0, 5), rows(1, 1), rows(-2, 0.5)]
        const reports = yield* Effect.forEach(all, (own) => one.learn([own]))
        const told = yield* many.learnSeveral(all)
        yield* one.learn(batch)
        yield* many.learn(batch)
        assert.deepStrictEqual(told.map((t) => t["loss"]![0]), reports.map(([t]) => t!["loss"]![0]))
        assert.deepStrictEqual([same.parameters(), same.state()], [weights.parameters(), weights.state()])
        assert.strictEqual(many.updates(), 4)
      }).pipe(Effect.scoped, Effect.provide(native)))
    it.effect("makes none of several updates of which one has no number, and says which", () =>
      scoped(Effect.gen(function*() {
        const { learner: one, weights } = yield* learner
        yield* one.learn(batch)
        const before = [weights.parameters(), weights.state()]
        const error = yield* Effect.flip(one.learnSeveral([rows(0, 5), rows(NaN, 0), rows(0, 5)]))
        assert.match(error.message, /^squares diverged in update 3: loss NaN/)
        assert.deepStrictEqual([weights.parameters(), weights.state()], before)
        assert.strictEqual(one.updates(), 1)
      })))
    it.effect("keeps its weights, its moments and its count where the loss is no number, and says so", () =>
      scoped(Effect.gen(function*() {
        const { learner: one, weights } = yield* learner
        yield* one.learn(batch)
        const before = [weights.parameters(), weights.state()]
        const error = yield* Effect.flip(one.learn([rows(NaN, 0)]))
        assert.match(error.message, /^squares diverged in update 2: loss NaN.*Lower the learning rate/)
        assert.deepStrictEqual([weights.parameters(), weights.state()], before)
        assert.strictEqual(one.updates(), 1)
      })))
    it.effect("refuses weights that an update would make no numbers, by name", () =>
      scoped(Effect.gen(function*() {
        const { initial, learner: one, weights } = yield* squares(few, 0.1, 3e39)
        const whole = () => [...weights.current().values()].every((x) => firstInfinite(x as Float32Array) < 0)
        assert.isTrue(whole())
        const error = yield* Effect.flip(one.learn(batch))
        assert.match(
          error.message,
          /^squares diverged in update 1: element 1 of w becomes -Infinity\. Lower the learning/
        )
        assert.strictEqual(one.updates(), 0)
        /** What is written over is lost, and told of; two copies keep the last good one. */
        if (few === undefined) assert.deepStrictEqual(weights.parameters(), initial)
        else assert.isFalse(whole())
      })))
    it.effect("refuses scalars that are no numbers before anything moves", () =>
      scoped(Effect.gen(function*() {
        const { initial, learner: one, weights } = yield* squares(few, 0.1, 1e308)
        const error = yield* Effect.flip(one.learn(batch))
        assert.match(error.message, /^squares diverged in update 1: the optimiser's keep\/decay is -Infinity\. Lower/)
        assert.deepStrictEqual(weights.parameters(), initial)
      })))
    it.live("makes one update after the other for fibers that ask at once", () =>
      Effect.gen(function*() {
        const [one, other] = [yield* learner, yield* learner]
        const batches = [[rows(0, 5)], [rows(1, 1), rows(2, 2)], [rows(3, -1)], [rows(0.5, 0.5), rows(9, 9)]]
        yield* Effect.forEach(batches, (parts) => one.learner.learn(parts))
        const both = Effect.forEach(batches, (parts) => other.learner.learn(parts), { concurrency: "unbounded" })
        const probes = Effect.forEach(Array(5).keys(), () => other.learner.probe(batches[1]!), { concurrency: 5 })
        yield* Effect.all([both, probes], { concurrency: "unbounded" })
        assert.strictEqual(other.learner.updates(), 4)
        assert.deepStrictEqual(other.weights.parameters(), one.weights.parameters())
        assert.deepStrictEqual(other.weights.state(), one.weights.state())
      }).pipe(Effect.scoped, Effect.provide(native)))
    it.effect("goes on as if it had never stopped, from its weights, moments and count", () =>
      scoped(Effect.gen(function*() {
        const straight = yield* learner
        for (let i = 0; i < 4; i++) yield* straight.learner.learn(batch)
        const [before, after] = [yield* learner, yield* learner]
        for (let i = 0; i < 2; i++) yield* before.learner.learn(batch)
        after.weights.restore(new Map([...before.weights.parameters(), ...before.weights.state()]))
        after.learner.resume(before.learner.progress())
        for (let i = 0; i < 2; i++) yield* after.learner.learn(batch)
        assert.deepStrictEqual(after.weights.parameters(), straight.weights.parameters())
        assert.deepStrictEqual(after.weights.state(), straight.weights.state())
      })))
    it.effect("tells the gradient of each parameter without a step", () =>
      scoped(Effect.gen(function*() {
        const { initial, learner: one, weights } = yield* learner
        assert.deepStrictEqual([...yield* one.probe(batch)], [["w", 4 + 36]])
        assert.deepStrictEqual(weights.parameters(), initial)
        assert.strictEqual(one.updates(), 0)
      })))
    const parts = [rows(0, 5, 1, -1), rows(3, 2), rows(-4, 0.5)]
    const whole = [rows(0, 5, 1, -1, 3, 2, -4, 0.5)]
    for (const [provider, session] of Object.entries({ reference, cpu: cpu({ threads: 1 }) })) {
      it.live(`learns from a batch in parts what it learns from it at once: ${provider}`, () =>
        Effect.gen(function*() {
          const [one, other] = [yield* learner, yield* learner]
          for (let i = 0; i < 3; i++) {
            const [report] = yield* one.learner.learn(whole)
            const reports = yield* other.learner.learn(parts)
            assert.strictEqual(reports.length, 3)
            const loss = reports.reduce((sum, part) => sum + part["loss"]![0]!, 0)
            assert.closeTo(loss, report!["loss"]![0]!, 1e-6 * loss)
          }
          assert.strictEqual(other.learner.updates(), 3)
          const state = ({ weights }: typeof one) => new Map([...weights.parameters(), ...weights.state()])
          const got = state(other)
          for (const [name, want] of state(one)) {
            want.forEach((x, j) => assert.closeTo(got.get(name)![j]!, x, 1e-6 * Math.max(1, Math.abs(x)), name))
          }
          const [square] = [...(yield* one.learner.probe(whole)).values()]
          assert.closeTo([...(yield* other.learner.probe(parts)).values()][0]!, square!, 1e-5 * square!)
        }).pipe(Effect.scoped, Effect.provide(session)))
    }
    it.effect("keeps its weights where a part's loss is no number, and starts the next sum from nothing", () =>
      scoped(Effect.gen(function*() {
        const { learner: one, weights } = yield* learner
        const before = [weights.parameters(), weights.state()]
        yield* Effect.flip(one.learn([rows(1, 1), rows(NaN, 0)]))
        assert.deepStrictEqual([weights.parameters(), weights.state()], before)
        const { learner: fresh, weights: same } = yield* learner
        yield* one.learn(parts)
        yield* fresh.learn(parts)
        assert.deepStrictEqual(weights.parameters(), same.parameters())
      })))
  })
}

describe("an update whose memory runs out while it is applied", () => {
  it.effect("fails for good: no smaller batch helps, and weights that are overwritten may be new already", () =>
    Effect.gen(function*() {
      const { layer, seen } = smallDevice(0, { only: /, update / })
      const error = yield* squares(0).pipe(
        Effect.flatMap(({ learner }) => Effect.flip(learner.learn(batch))),
        Effect.scoped,
        Effect.provide(layer)
      )
      assert.strictEqual(error._tag === "SessionError" && error.reason._tag, "RunFailed")
      assert.match(error.message, /^Program squares, update 1 failed: Program squares, update 1 ran out of memory for/)
      assert.deepStrictEqual(seen.map(({ fits }) => fits), [true, true, false])
    }))
})
