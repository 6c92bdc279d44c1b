/** Tensors taken together: the same numbers as one by one. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../src/domain/Key.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import { grouped, joined, parted } from "../../src/kernels/joined.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { type Bound, normal } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { add, mul, sub } from "../../src/kernels/op/elementwise.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import * as GradScaler from "../../src/kernels/optim/gradScaler.ts"
import { step } from "../../src/kernels/Step.ts"
import { input, scalar, type Tensor } from "../../src/kernels/Tensor.ts"

const shapes = fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }), { minLength: 1, maxLength: 5 })

describe("tensors taken together", () => {
  it("are what they were, once taken apart", () => {
    fc.assert(fc.property(shapes, (all) => {
      const inputs = all.map((shape, i) => input(`x${i}`, shape))
      const values = all.map((shape, i) => Nd.make(shape, (_, k) => 10 * i + k))
      const feeds = Object.fromEntries(values.map((value, i) => [`x${i}`, value]))
      assert.deepStrictEqual(interpret(parted(joined(inputs), inputs), feeds), values)
    }))
  })
  it("are in consecutive groups, each as large as is allowed or of one", () => {
    fc.assert(fc.property(fc.array(fc.nat(9)), fc.nat(20), (sizes, most) => {
      const groups = grouped(sizes, (size) => size, most)
      const sum = (group: ReadonlyArray<number>) => group.reduce((a, b) => a + b, 0)
      assert.deepStrictEqual(groups.flat(), sizes)
      groups.forEach((group, i) => {
        assert.isTrue(group.length > 0 && (group.length === 1 || sum(group) <= most))
        const next = groups[i + 1]
        if (next) assert.isAbove(sum(group) + next[0]!, most)
      })
    }))
  })
})

const parameters = { a: [2, 3], b: [4], c: [], d: [3, 1], e: [2] } as const
const group = (path: string) => path === "e" ? undefined : path === "b" ? "no_decay" : "decay"

/** A step on Σ (w - x)³ of all weights, of which one is frozen. */
const graph = (most: number, scaler: GradScaler.GradScaler | undefined) =>
  step({
    name: "cubes",
    params: Object.fromEntries(Object.entries(parameters).map(([name, shape]) => [name, normal(shape, 1)])),
    batch: { x: { dtype: "float32", shape: [] } },
    loss: (bound: Bound<Record<string, ReturnType<typeof normal>>>, { x }) => {
      const cube = (w: Tensor) => sumAll(mul(mul(sub(w, x), sub(w, x)), sub(w, x)))
      return { loss: Object.values<Tensor>(bound).map(cube).reduce((a, b) => add(a, b), scalar(0)), report: {} }
    },
    group,
    optimizer: adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 }),
    maxGradNorm: 1,
    scaler
  }, most)

describe("weights updated together", () => {
  for (
    const [name, scaler, x] of [["without a loss scale", undefined, 1], ["with one", GradScaler.gradScaler, 1], [
      "skipped",
      GradScaler.gradScaler,
      Infinity
    ]] as const
  ) {
    it(`have the numbers of those updated one by one, ${name}`, () => {
      fc.assert(
        fc.property(fc.nat(16), fc.nat(99), (most, seed) => {
          const one = graph(0, scaler)
          const feeds = Object.fromEntries(
            Object.entries<Tensor>(one.inputs).map(([name, t]) => {
              const key = Key.fold(Key.make(seed), name)
              const drawn = Nd.make(t.type.shape, (_, i) => Math.abs(Key.normal(key, i)))
              return [name, name === "x" ? Nd.scalar(x) : drawn]
            })
          )
          const valuesOf = ({ outputs }: typeof one) => {
            const all = Object.entries<Tensor>(outputs).toSorted(([a], [b]) => a < b ? -1 : 1)
            const values = interpret(all.map(([_, t]) => t), feeds)
            return all.map(([name], i) => [name, values[i]])
          }
          assert.deepStrictEqual(valuesOf(graph(most, scaler)), valuesOf(one))
        }),
        { numRuns: 30 }
      )
    })
  }
})
