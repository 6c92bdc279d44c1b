/** One update at a time: what moves, what is counted, and what happens where the loss is no number. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { flatten, normal } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul, sub } from "../../src/kernels/op/elementwise.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import { step } from "../../src/kernels/Step.ts"
import * as Learner from "../../src/runtime/engine/Learner.ts"
import { cached } from "../../src/runtime/engine/Programs.ts"
import { reference } from "../../src/runtime/engine/providers.ts"
import type { Session } from "../../src/runtime/engine/Session.ts"
import * as Weights from "../../src/runtime/engine/Weights.ts"

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })
const tree = { w: normal([2], 1), frozen: normal([2], 1) }
const group = (path: string) => path === "w" ? "decay" : undefined

/** A learner of Σ (w - x)², and its weights. */
const learner = Effect.gen(function*() {
  const params = flatten(tree)
  const initial = new Map([["w", Float32Array.of(1, 2)], ["frozen", Float32Array.of(3, 4)]])
  const own = new Map([...initial].map(([path, values]) => [path, values.slice()]))
  const weights = Weights.make(params, ["w"], optimizer.slots, own)
  const compile = yield* cached((_: [number]) =>
    step({
      name: "squares",
      params: tree,
      batch: { x: { dtype: "float32", shape: [2] } },
      loss: ({ w }, { x }) => ({ loss: sumAll(mul(sub(w, x), sub(w, x))), report: {} }),
      group,
      optimizer,
      maxGradNorm: 1
    })
  )
  const groups = { decay: { learningRate: () => 0.1, weightDecay: 0 } }
  return { weights, initial, learner: Learner.make({ name: "squares", weights, optimizer, groups, compile }) }
})
const scoped = <A, E>(effect: Effect.Effect<A, E, Session | Scope>): Effect.Effect<A, E> =>
  effect.pipe(Effect.scoped, Effect.provide(reference))

const batch = { x: Float32Array.of(0, 5) }

describe("a learner", () => {
  it.effect("moves what learns, and counts", () =>
    scoped(Effect.gen(function*() {
      const { initial, learner: one, weights } = yield* learner
      yield* one.learn([0], batch)
      yield* one.learn([0], batch)
      assert.strictEqual(one.updates(), 2)
      assert.isBelow(weights.parameters().get("w")![0]!, 1)
      assert.isAbove(weights.parameters().get("w")![1]!, 2)
      assert.deepStrictEqual(weights.parameters().get("frozen"), initial.get("frozen"))
    })))
  it.effect("keeps its weights, its moments and its count where the loss is no number, and says so", () =>
    scoped(Effect.gen(function*() {
      const { learner: one, weights } = yield* learner
      yield* one.learn([0], batch)
      const before = [weights.parameters(), weights.state()]
      const error = yield* Effect.flip(one.learn([0], { x: Float32Array.of(NaN, 0) }))
      assert.match(error.message, /^squares diverged in update 2: loss NaN.*Lower the learning rate/)
      assert.deepStrictEqual([weights.parameters(), weights.state()], before)
      assert.strictEqual(one.updates(), 1)
    })))
  it.effect("goes on as if it had never stopped, from its weights, moments and count", () =>
    scoped(Effect.gen(function*() {
      const straight = yield* learner
      for (let i = 0; i < 4; i++) yield* straight.learner.learn([0], batch)
      const [before, after] = [yield* learner, yield* learner]
      for (let i = 0; i < 2; i++) yield* before.learner.learn([0], batch)
      after.weights.restore(new Map([...before.weights.parameters(), ...before.weights.state()]))
      after.learner.resume(before.learner.updates())
      for (let i = 0; i < 2; i++) yield* after.learner.learn([0], batch)
      assert.deepStrictEqual(after.weights.parameters(), straight.weights.parameters())
      assert.deepStrictEqual(after.weights.state(), straight.weights.state())
    })))
  it.effect("tells the gradient of each parameter without a step", () =>
    scoped(Effect.gen(function*() {
      const { initial, learner: one, weights } = yield* learner
      assert.deepStrictEqual([...yield* one.probe([0], batch)], [["w", 4 + 36]])
      assert.deepStrictEqual(weights.parameters(), initial)
      assert.strictEqual(one.updates(), 0)
    })))
})
