/** A step's graph against the arithmetic of its optimiser, written out for one parameter at a time. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { normal } from "../../src/kernels/nn/Module.ts"
import { expand, sumAll } from "../../src/kernels/op/broadcast.ts"
import { add, mul, sub } from "../../src/kernels/op/elementwise.ts"
import { less, where } from "../../src/kernels/op/select.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import { learningRate, type Schedule } from "../../src/kernels/optim/Optimizer.ts"
import { names, step, steps } from "../../src/kernels/Step.ts"
import { input, scalar } from "../../src/kernels/Tensor.ts"

const config = { beta1: 0.9, beta2: 0.95, epsilon: 1e-5 }
const optimizer = adamw(config)
const rate = (t: number): number => 0.1 / t
const groups = {
  decay: { learningRate: rate, weightDecay: 0.1 },
  no_decay: { learningRate: rate, weightDecay: 0 }
} as const
const group: Readonly<Record<string, keyof typeof groups>> = { a: "decay", b: "no_decay" }

/** Loss Σ (a - x)² + Σ (b - x)² + Σ c; c is frozen. */
const graph = (maxGradNorm: number) =>
  step({
    name: "squares",
    params: { a: normal([2], 1), b: normal([2], 1), c: normal([2], 1) },
    batch: { x: { dtype: "float32", shape: [2] } },
    loss: ({ a, b, c }, { x }) => {
      const square = (p: typeof a) => sumAll(mul(sub(p, x), sub(p, x)))
      return { loss: add(add(square(a), square(b)), sumAll(c)), report: {} }
    },
    group: (path) => group[path],
    optimizer,
    maxGradNorm
  })

type Values = Record<string, Nd.NdArray>

/** The state after some steps of the graph. */
const byGraph = (maxGradNorm: number, start: Values, batches: ReadonlyArray<ReadonlyArray<number>>): Values => {
  const { inputs, outputs } = graph(maxGradNorm)
  const next = Object.keys(outputs).filter((name) => name.startsWith("next/"))
  let state: Values = Object.fromEntries(
    Object.keys(inputs).map((name) => [name, start[name] ?? Nd.fromArray([2], [0, 0])])
  )
  batches.forEach((x, i) => {
    const scalars = Object.entries(groups).flatMap(([name, settings]) =>
      Object.entries(optimizer.at(i + 1, settings)).map(([s, v]) => [names.scalar(s, name), Nd.scalar(v)] as const)
    )
    state = { ...state, ...Object.fromEntries(scalars), x: Nd.fromArray([2], x) }
    const values = interpret(next.map((name) => outputs[name]!), state)
    state = { ...state, ...Object.fromEntries(next.map((name, k) => [name.slice("next/".length), values[k]!])) }
  })
  return state
}

/** PyTorch's `clip_grad_norm_` and `AdamW`, as their documentation states them. */
const byHand = (most: number, start: Values, batches: ReadonlyArray<ReadonlyArray<number>>) => {
  const w = { a: [...start["param/a"]!.data], b: [...start["param/b"]!.data] }
  const m = { a: [0, 0], b: [0, 0] }
  const v = { a: [0, 0], b: [0, 0] }
  batches.forEach((x, i) => {
    const t = i + 1
    const g = { a: w.a.map((p, j) => 2 * (p - x[j]!)), b: w.b.map((p, j) => 2 * (p - x[j]!)) }
    const norm = Math.sqrt([...g.a, ...g.b].reduce((sum, y) => sum + y * y, 0))
    const clip = Math.min(1, most / (norm + 1e-6))
    for (const p of ["a", "b"] as const) {
      for (const j of [0, 1]) {
        const gradient = clip * g[p][j]!
        w[p][j] = w[p][j]! - rate(t) * groups[group[p]!].weightDecay * w[p][j]!
        m[p][j] = config.beta1 * m[p][j]! + (1 - config.beta1) * gradient
        v[p][j] = config.beta2 * v[p][j]! + (1 - config.beta2) * gradient ** 2
        const [mean, square] = [m[p][j]! / (1 - config.beta1 ** t), v[p][j]! / (1 - config.beta2 ** t)]
        w[p][j] = w[p][j]! - rate(t) * mean / (Math.sqrt(square) + config.epsilon)
      }
    }
  })
  return { w, m, v }
}

const pair = fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true }))

describe("a step", () => {
  it("is AdamW's, with the gradients of all parameters clipped together", () => {
    const runs = fc.array(pair, { minLength: 1, maxLength: 4 })
    fc.assert(fc.property(pair, pair, runs, fc.constantFrom(0.5, 3, 1e9), (a, b, batches, most) => {
      const start = { "param/a": Nd.fromArray([2], a), "param/b": Nd.fromArray([2], b) }
      const [got, want] = [byGraph(most, start, batches), byHand(most, start, batches)]
      for (const p of ["a", "b"] as const) {
        for (const j of [0, 1]) {
          assert.closeTo(got[`param/${p}`]!.data[j]!, want.w[p][j]!, 1e-9)
          assert.closeTo(got[`slot/exp_avg/${p}`]!.data[j]!, want.m[p][j]!, 1e-9)
          assert.closeTo(got[`slot/exp_avg_sq/${p}`]!.data[j]!, want.v[p][j]!, 1e-9)
        }
      }
    }))
  })
  it("has no output for what is frozen, and tells the norm before clipping", () => {
    const { inputs, outputs } = graph(0.5)
    assert.notProperty(outputs, "next/param/c")
    assert.notProperty(inputs, "slot/exp_avg/c")
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, Nd.make(t.type.shape, () => 1)]))
    const values = interpret([outputs["gradNorm"]!, outputs["gradSquares"]!, outputs["loss"]!], {
      ...feeds,
      x: Nd.fromArray([2], [0, 3])
    })
    assert.closeTo(values[0]!.data[0]!, Math.sqrt(2 * (4 + 16)), 1e-12)
    assert.deepStrictEqual(values.slice(1).map((v) => v.data.join()), ["20,20", "12"])
  })
})

describe("grad", () => {
  const x = input("x", [2, 3])
  it("adds up the gradients of every use", () => {
    const [g] = interpret(grad(sumAll(add(mul(x, x), mul(x, expand(scalar(3), [2, 3])))), [x]), {
      x: Nd.make([2, 3], (_, i) => i)
    })
    assert.deepStrictEqual([...g!.data], [3, 5, 7, 9, 11, 13])
  })
  it("is zero where the loss does not reach, or reaches by a comparison alone", () => {
    const [y, chosen] = [input("y", [3]), where(less(x, scalar(1)), scalar(2), scalar(5))]
    const feeds = { x: Nd.make([2, 3], () => 0.5), y: Nd.make([3], () => 1) }
    const values = interpret(grad(sumAll(chosen), [x, y]), feeds)
    assert.deepStrictEqual(values.map((v) => [v.shape, [...v.data]]), [[[2, 3], Array(6).fill(0)], [[3], [0, 0, 0]]])
  })
  it("is of a scalar", () => assert.throws(() => grad(x, [x]), "the loss is not a scalar"))
})

describe("the update of sums", () => {
  it("is made by programs of some weights each, in order, every weight once", () => {
    const millions = { a: 1, b: 2, frozen: 3, c: 2, d: 9, e: 1, f: 3 }
    const { update } = steps({
      name: "large",
      params: Object.fromEntries(Object.entries(millions).map(([path, m]) => [path, normal([m, 1e6], 1)])),
      batch: {},
      loss: () => ({ loss: scalar(0), report: {} }),
      group: (path) => path === "frozen" ? undefined : "decay",
      optimizer,
      maxGradNorm: 1
    })
    const moved = update().map(({ outputs }) =>
      Object.keys(outputs).flatMap((name) => /^next\/param\/(.*)$/.exec(name)?.[1] ?? [])
    )
    assert.deepStrictEqual(moved, [["a", "b"], ["c"], ["d"], ["e", "f"]])
  })
})

describe("a learning rate", () => {
  const schedule: Schedule = { type: "cosine", peak: 2, totalSteps: 110, warmupSteps: 10, finalRatio: 0.1 }
  it("rises in a line, then falls as the schedule says", () => {
    const cosine = learningRate(schedule)
    assert.deepStrictEqual([cosine(1), cosine(5), cosine(10)], [0.2, 1, 2])
    for (const t of [11, 35, 60, 85, 110]) {
      const progress = (t - 10) / 100
      assert.closeTo(cosine(t), 2 * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress))), 1e-12)
    }
    assert.closeTo(cosine(110), 0.2, 1e-12)
    assert.closeTo(cosine(500), 0.2, 1e-12)
    const linear = learningRate({ ...schedule, type: "linear" })
    assert.closeTo(linear(60), 2 * (1 - 0.9 / 2), 1e-12)
    assert.strictEqual(learningRate({ ...schedule, type: "constant" })(99), 2)
    assert.strictEqual(learningRate({ ...schedule, warmupSteps: 0, type: "constant" })(1), 2)
  })
})
