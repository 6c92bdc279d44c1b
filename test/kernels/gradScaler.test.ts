/** A step with a loss scale: its rule by hand, the same gradients, and nothing moved where they are not finite. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { normal } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul, sub } from "../../src/kernels/op/elementwise.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import { advanced, type GradScaler, gradScaler, initial, type ScalerState } from "../../src/kernels/optim/gradScaler.ts"
import { names, step, steps } from "../../src/kernels/Step.ts"
import { input, type Tensor } from "../../src/kernels/Tensor.ts"

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })

/** Σ (w - x)², minimised. */
const spec = (scaler?: GradScaler) => ({
  name: "squares",
  params: { w: normal([3], 1) },
  batch: { x: { dtype: "float32", shape: [3] } } as const,
  loss: ({ w }: { readonly w: Tensor }, { x }: { readonly x: Tensor }) => ({
    loss: sumAll(mul(sub(w, x), sub(w, x))),
    report: {}
  }),
  group: () => "all",
  optimizer,
  maxGradNorm: 0.5,
  scaler
})
const scalars = Object.fromEntries(
  Object.entries(optimizer.at(3, { learningRate: () => 0.1, weightDecay: 0.1 })).map(([name, value]) => [
    names.scalar(name, "all"),
    Nd.scalar(value)
  ])
)

type Feeds = Readonly<Record<string, Nd.NdArray>>
const run = ({ outputs }: ReturnType<typeof step>, feeds: Feeds): ReadonlyMap<string, ReadonlyArray<number>> => {
  const values = interpret(Object.values(outputs), feeds)
  return new Map(Object.keys(outputs).map((name, i) => [name, [...values[i]!.data]]))
}
const state = ({ growth_tracker, scale }: ScalerState<number>): Feeds => ({
  [names.scaler("scale")]: Nd.scalar(scale),
  [names.scaler("growth_tracker")]: Nd.scalar(growth_tracker)
})

/** The rule of PyTorch's `GradScaler.update`, as its documentation states it. */
const byHand = (s: GradScaler, { growth_tracker, scale }: ScalerState<number>, finite: boolean) => {
  if (!finite) return { scale: scale * s.backoff_factor, growth_tracker: 0 }
  if (growth_tracker + 1 < s.growth_interval) return { scale, growth_tracker: growth_tracker + 1 }
  return { scale: scale * s.growth_factor, growth_tracker: 0 }
}

describe("a loss scale", () => {
  it("grows after so many good updates, and backs off after each that is skipped", () => {
    const [scale, tracker, finite] = [input("scale", []), input("tracker", []), input("finite", [], "bool")]
    const settings = fc.record({
      init_scale: fc.constantFrom(1, 8, 65536),
      growth_factor: fc.constantFrom(2, 3),
      backoff_factor: fc.constantFrom(0.5, 0.25),
      growth_interval: fc.integer({ min: 1, max: 4 }),
      min_scale: fc.constant(1)
    })
    fc.assert(fc.property(settings, fc.array(fc.boolean(), { maxLength: 20 }), (s, updates) => {
      const next = advanced(s, { scale, growth_tracker: tracker }, finite)
      let [got, want] = [initial(s), initial(s)]
      for (const good of updates) {
        const feeds = { scale: Nd.scalar(got.scale), tracker: Nd.scalar(got.growth_tracker), finite: Nd.scalar(+good) }
        const [a, b] = interpret([next.scale, next.growth_tracker], feeds)
        got = { scale: a!.data[0]!, growth_tracker: b!.data[0]! }
        want = byHand(s, want, good)
        assert.deepStrictEqual(got, want)
      }
    }))
  })
  it("stays a number of float32, however often it grows", () => {
    const next = advanced({ ...gradScaler, growth_interval: 1 }, {
      scale: input("scale", []),
      growth_tracker: input("tracker", [])
    }, input("finite", [], "bool"))
    const feeds = { scale: Nd.scalar(2 ** 127), tracker: Nd.scalar(0), finite: Nd.scalar(1) }
    assert.strictEqual(interpret([next.scale], feeds)[0]!.data[0], 2 ** 127)
  })
})

const numbers = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 3, maxLength: 3 })
const moments = fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 3, maxLength: 3 })
const feedsOf = (w: ReadonlyArray<number>, m: ReadonlyArray<number>, v: ReadonlyArray<number>): Feeds => ({
  ...scalars,
  [names.param("w")]: Nd.fromArray([3], w),
  [names.slot("exp_avg", "w")]: Nd.fromArray([3], m),
  [names.slot("exp_avg_sq", "w")]: Nd.fromArray([3], v)
})
const carried = [names.param("w"), names.slot("exp_avg", "w"), names.slot("exp_avg_sq", "w")]

describe("a step with a loss scale", () => {
  const [plain, scaled] = [step(spec()), step(spec(gradScaler))]
  it("makes the updates of one without", () => {
    fc.assert(fc.property(numbers, numbers, moments, numbers, fc.integer({ min: 0, max: 30 }), (w, m, v, x, power) => {
      const feeds = { ...feedsOf(w, m, v), x: Nd.fromArray([3], x) }
      const got = run(scaled, { ...feeds, ...state({ scale: 2 ** power, growth_tracker: 5 }) })
      for (const [name, want] of run(plain, feeds)) assert.deepStrictEqual(got.get(name), want, name)
      assert.deepStrictEqual([got.get("skipped"), got.get("lossScale")], [[0], [2 ** power]])
      assert.deepStrictEqual(got.get(names.next(names.scaler("growth_tracker"))), [6])
    }))
  })
  it("leaves weights and moments as they are where a gradient is not finite", () => {
    const bad = fc.constantFrom(NaN, Infinity, -Infinity)
    fc.assert(fc.property(numbers, numbers, moments, bad, fc.nat({ max: 2 }), (w, m, v, value, at) => {
      const feeds: Feeds = { ...feedsOf(w, m, v), x: Nd.fromArray([3], [1, 2, 3].with(at, value)) }
      const got = run(scaled, { ...feeds, ...state({ scale: 8, growth_tracker: 5 }) })
      for (const name of carried) assert.deepStrictEqual(got.get(names.next(name)), [...feeds[name]!.data], name)
      assert.deepStrictEqual([got.get("skipped"), got.get("lossScale")], [[1], [4]])
      assert.deepStrictEqual(got.get(names.next(names.scaler("growth_tracker"))), [0])
    }))
  })
  it("divides by it before gradients are added up, so that norm and update are those without", () => {
    const { norm, part, update } = steps(spec(gradScaler))
    const sum = Nd.fromArray([3], [10, 20, 30])
    const own: Feeds = {
      [names.param("w")]: Nd.fromArray([3], [1, 2, 3]),
      [names.sum("w")]: sum,
      x: Nd.fromArray([3], [0, 0, 0]),
      ...state({ scale: 1024, growth_tracker: 0 })
    }
    assert.deepStrictEqual(run(part(), own).get(names.next(names.sum("w"))), [12, 24, 36])
    assert.notProperty(part().inputs, names.scaler("growth_tracker"))
    assert.deepStrictEqual(run(norm(), own).get("skipped"), [0])
    assert.deepStrictEqual(
      run(norm(), { ...own, [names.sum("w")]: Nd.fromArray([3], [0, NaN, 0]) }).get("lossScale"),
      [512]
    )
    assert.deepStrictEqual(
      update().map(({ inputs }) => Object.keys(inputs)),
      steps(spec()).update().map(({ inputs }) => Object.keys(inputs))
    )
  })
})

describe("a step without a loss scale", () => {
  it("has nothing of it", () => {
    const { inputs, outputs } = step(spec())
    assert.deepStrictEqual(
      [...Object.keys(inputs), ...Object.keys(outputs)].filter((n) => /scaler|skipped|lossScale/.test(n)),
      []
    )
  })
})
