/** Laws of the merge methods, on tensors made by chance. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Dtype, type Parameters, rounded } from "../../../src/runtime/models/merging/group.ts"
import { drawing } from "../../../src/runtime/models/merging/merge.ts"
import { methods } from "../../../src/runtime/models/merging/methods.ts"

/** Of three decimals: nothing so small that the types would lose it. */
const float = fc.integer({ min: -4000, max: 4000 }).map((x) => x / 1000)
/** Rows, columns and tensors of this shape. */
const tensors = (count: number) =>
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 2, max: 9 })).chain(([rows, columns]) =>
    fc.record({
      shape: fc.constant([rows, columns]),
      all: fc.array(fc.array(float, { minLength: rows * columns, maxLength: rows * columns }), {
        minLength: count,
        maxLength: count
      })
    })
  )
const dtypes = fc.constantFrom<Dtype>("float32", "bfloat16", "float16")

interface Given {
  readonly shape: ReadonlyArray<number>
  readonly models: ReadonlyArray<ReadonlyArray<number>>
  readonly base?: ReadonlyArray<number>
  readonly own?: ReadonlyArray<Parameters>
  readonly shared?: Parameters
  readonly dtype?: Dtype
}

const defaults = (kinds: (typeof methods)[string]["own"]): Parameters =>
  Object.fromEntries(
    Object.entries(kinds).flatMap(([key, { default: value }]) =>
      value === undefined || value === null ? [] : [[key, value]]
    )
  )

/** A merge with the parameters' defaults, weights of one, and `t` of a half. */
const merge = (name: string, { base, dtype = "float32", models, own = [], shape, shared = {} }: Given) => {
  const method = methods[name]!
  const round = rounded(dtype)
  const draw = drawing(3)
  const input = (values: ReadonlyArray<number>, k: number, isBase: boolean) => ({
    values: Float32Array.from(values, round),
    isBase,
    parameters: { weight: 1, ...defaults(method.own), ...own[k] },
    uniform: draw(String(k), "tensor")
  })
  const inputs = models.map((values, k) => input(values, k, false))
  return method.merge({
    shape,
    dtype,
    inputs: base ? [input(base, -1, true), ...inputs] : inputs,
    shared: { t: 0.5, ...defaults(method.shared), ...shared }
  })
}

const rounds = (values: ReadonlyArray<number>, dtype: Dtype = "float32") => Float32Array.from(values, rounded(dtype))
const close = (got: Float32Array, want: Float32Array, near: number) =>
  got.forEach((x, i) => assert.closeTo(x, want[i]!, near * (1 + Math.abs(want[i]!)), `element ${i}`))

describe("a model merged with itself is the model", () => {
  for (const [name, method] of Object.entries(methods)) {
    it(name, () =>
      fc.assert(fc.property(tensors(1), dtypes, ({ all: [model], shape }, dtype) => {
        const count = Math.min(2, method.models[1])
        const models = Array.from({ length: count }, () => model!)
        const given = { shape, models, dtype, ...(method.base === "required" ? { base: model! } : {}) }
        const near = { float32: 2e-6, float16: 4e-3, bfloat16: 3e-2 }[dtype]
        close(merge(name, given), rounds(model!, dtype), near)
      })))
  }
})

describe("weights of 1 and 0 give the first model", () => {
  const own = [{ weight: 1 }, { weight: 0 }]
  it("linear, exactly", () =>
    fc.assert(fc.property(tensors(2), dtypes, ({ all, shape }, dtype) => {
      close(merge("linear", { shape, models: all, own, dtype }), rounds(all[0]!, dtype), 0)
    })))
  for (
    const name of ["task_arithmetic", "ties", "dare_linear", "dare_ties", "breadcrumbs", "della_linear", "nuslerp"]
  ) {
    it(name, () =>
      fc.assert(fc.property(tensors(3), ({ all: [base, ...models], shape }) => {
        close(merge(name, { shape, base: base!, models, own }), rounds(models[0]!), 5e-6)
      })))
  }
})

describe("task vectors without common elements", () => {
  const disjoint = tensors(3).map(({ all: [base, ...models], shape }) => ({
    shape,
    base: base!,
    models: models.map((model, k) => model.map((x, i) => i % 2 === k ? x : base![i]!))
  }))
  it("are each added whole by ties, normalised", () =>
    fc.assert(
      fc.property(
        disjoint,
        fc.tuple(fc.double({ min: 0.1, max: 3, noNaN: true }), fc.double({ min: 0.1, max: 3, noNaN: true })),
        (given, [a, b]) => {
          const want = given.base.map((_, i) => given.models[i % 2]![i]!)
          close(merge("ties", { ...given, own: [{ weight: a }, { weight: b }] }), rounds(want), 1e-6)
        }
      )
    ))
  it("are each weighted by ties that is not", () =>
    fc.assert(fc.property(disjoint, (given) => {
      const weights = [0.25, 2]
      const want = given.base.map((x, i) => x + weights[i % 2]! * (given.models[i % 2]![i]! - x))
      const own = weights.map((weight) => ({ weight }))
      close(merge("ties", { ...given, own, shared: { normalize: false } }), rounds(want), 2e-6)
    })))
})

it("slerp and nuslerp begin at the first model and end at the second", () =>
  fc.assert(fc.property(tensors(2), ({ all: [base, other], shape }) => {
    const slerp = (t: number) => merge("slerp", { shape, base: base!, models: [other!], shared: { t } })
    close(slerp(0), rounds(base!), 1e-6)
    close(slerp(1), rounds(other!), 1e-6)
    const own = [{ weight: 0 }, { weight: 1 }]
    close(merge("nuslerp", { shape, models: [base!, other!], own }), rounds(other!), 1e-6)
  })))

describe("the order of the models does not matter", () => {
  const own = [{ weight: 0.6 }, { weight: 0.3 }, { weight: 0.1 }]
  for (
    const name of [
      "linear",
      "task_arithmetic",
      "ties",
      "breadcrumbs_ties",
      "model_stock",
      "karcher",
      "multislerp",
      "sce"
    ]
  ) {
    it(name, () =>
      fc.assert(fc.property(tensors(4), ({ all: [base, ...models], shape }) => {
        // Vectors that nearly cancel have no direction that rounding would leave alone.
        fc.pre(name !== "karcher" && name !== "multislerp" || models.every((m) => Math.hypot(...m) > 0.5))
        const given = { shape, ...(methods[name]!.base === "required" ? { base: base! } : {}) }
        const ahead = merge(name, { ...given, models, own })
        const back = merge(name, { ...given, models: models.toReversed(), own: own.toReversed() })
        const signs = (i: number) => models.reduce((s, m, k) => s + own[k]!.weight * (m[i]! - base![i]!), 0)
        const settled = ahead.map((x, i) => Math.abs(signs(i)) < 1e-5 && /ties|sce/.test(name) ? back[i]! : x)
        if (name === "karcher" || name === "multislerp" || name === "model_stock" || name === "sce") {
          close(settled, back, 1e-2)
        } else close(settled, back, 1e-5)
      })))
  }
})

it("linear and normalised ties are the same under all weights times a number", () =>
  fc.assert(fc.property(tensors(3), fc.constantFrom(0.25, 0.5, 2, 8), ({ all: [base, ...models], shape }, factor) => {
    const own = [{ weight: 0.7 }, { weight: 0.2 }]
    const more = own.map(({ weight }) => ({ weight: weight * factor }))
    for (const name of ["linear", "ties"]) {
      const given = { shape, models, ...(name === "ties" ? { base: base! } : {}) }
      close(merge(name, { ...given, own: more }), merge(name, { ...given, own }), 1e-6)
    }
  })))

it("random masks keep the share they are asked for, and depend on seed, model and tensor alone", () => {
  const count = (of: (i: number) => number) =>
    Array.from({ length: 1e4 }, (_, i) => of(i)).filter((u) => u < 0.3).length
  const draw = drawing(1)
  assert.closeTo(count(draw("a", "x")), 3000, 150)
  const first = (of: (i: number) => number) => [0, 1, 2, 3].map(of)
  assert.deepStrictEqual(first(draw("a", "x")), first(drawing(1)("a", "x")))
  for (const other of [draw("b", "x"), draw("a", "y"), drawing(2)("a", "x")]) {
    assert.notDeepEqual(first(other), first(draw("a", "x")))
  }
  // Read out of order, the numbers are the same.
  const [forth, back] = [draw("a", "x"), draw("a", "x")]
  assert.deepStrictEqual([0, 1, 2, 3].map(forth), [3, 2, 1, 0].map(back).toReversed())
})
