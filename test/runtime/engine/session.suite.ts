/** What every execution provider owes: the meaning of each op and of its gradient, at the precision of its numbers. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Layer } from "effect/Layer"
import * as fc from "fast-check"
import { flops } from "../../../src/kernels/cost.ts"
import { grad } from "../../../src/kernels/grad.ts"
import { interpret } from "../../../src/kernels/interpret.ts"
import * as Nd from "../../../src/kernels/NdArray.ts"
import type { Graph } from "../../../src/kernels/onnx/encode.ts"
import { all } from "../../../src/kernels/op/all.ts"
import { reshape } from "../../../src/kernels/op/broadcast.ts"
import { matmul } from "../../../src/kernels/op/contract.ts"
import { add, float } from "../../../src/kernels/op/elementwise.ts"
import { slice } from "../../../src/kernels/op/gather.ts"
import { iota } from "../../../src/kernels/op/iota.ts"
import { type DType, input, type Op, type Tensor } from "../../../src/kernels/Tensor.ts"
import { allocate, type Data, Session } from "../../../src/runtime/engine/Session.ts"
import { operands } from "../../kernels/arbitrary.ts"
import { applied, type Case, feedsOf, probe } from "../../kernels/gradient.ts"

const toData = (dtype: DType, values: Nd.NdArray): Data => {
  const data = allocate(dtype, values.data.length)
  data.set(values.data)
  return data
}

/** The op's value and the gradients of a probe of it, as one graph. */
const judged = (op: Op<any>, law: Case): Graph => {
  const { inputs, output } = applied(op, law)
  const real = inputs.filter((t) => t.type.dtype === "float32")
  const gradients = output.type.dtype === "float32" ? grad(probe(output), real) : []
  const outputs: ReadonlyArray<Tensor> = [output, ...gradients]
  return {
    name: op.name,
    inputs: Object.fromEntries(inputs.map((t) => [t.name, t])),
    outputs: Object.fromEntries(outputs.map((t, i) => [`y${i}`, t]))
  }
}

/**
 * Greatest error of an element, relative to its size or 1, by the type of matrix products: sums of few products of
 * numbers up to 2, rounded before and after. Everything else is float32 (on the interpreter float64, rounded once).
 */
const tolerances = { float64: 1e-6, float32: 1e-5, float16: 1e-2, bfloat16: 8e-2 } as const
type Precision = keyof typeof tolerances

/** The tolerance for a graph: that of float32 if it has no matrix product, whatever their type. */
const toleranceOf = (graph: Graph, precision: Precision): number =>
  flops(graph) > 0 ? tolerances[precision] : Math.min(tolerances.float32, tolerances[precision])

const agree = Effect.fnUntraced(function*(op: Op<any>, law: Case, precision: Precision) {
  const session = yield* Session
  const graph = judged(op, law)
  const tolerance = toleranceOf(graph, precision)
  /** Words of 16 bits, and bytes, are weights that do not learn, everywhere they are used: they are fixed. */
  const words = Object.values<Tensor>(graph.inputs).some(({ type: { dtype } }) =>
    dtype === "uint16" || dtype === "uint8"
  )
  const compiled = words ? undefined : yield* session.compile(graph)
  for (const values of fc.sample(operands(op.law, law.shapes), { numRuns: 5, seed: 2 })) {
    const feeds = feedsOf(values)
    const entries = Object.entries<Tensor>(graph.inputs).map(([name, t]) => [name, toData(t.type.dtype, feeds[name]!)])
    const data: Readonly<Record<string, Data>> = Object.fromEntries(entries)
    const program = compiled ?? (yield* session.compile(graph, data))
    const results = yield* program.run(data)
    interpret(Object.values(graph.outputs), feeds).forEach((meaning, i) => {
      const got = results[`y${i}`]!
      assert.strictEqual(got.length, meaning.data.length)
      meaning.data.forEach((want, j) =>
        assert.closeTo(got[j]!, want, tolerance * Math.max(1, Math.abs(want)), `${op.name} y${i}[${j}]`)
      )
    })
  }
})

/** What WebGPU refuses by name: bfloat16, and 4-bit rows of an odd number of blocks. */
export const refusedByWebgpu = (_: Op<any>, { attrs: { bits, columns, from, size } }: Case): boolean =>
  from === "bfloat16" || (bits === 4 && Math.ceil(columns / size) % 2 === 1)

/** `refused` are operations that a provider cannot have, and says so. */
export const suite = <E>(
  name: string,
  layer: Layer<Session, E>,
  precision: Precision,
  refused: (op: Op<any>, law: Case) => boolean = () => false
) =>
  describe(`Session on ${name}`, () => {
    for (const op of all) {
      for (const law of op.law.cases) {
        if (refused(op, law)) {
          it.live(`has no ${op.name} ${JSON.stringify(law)}, and says so`, () =>
            Effect.gen(function*() {
              const graph = judged(op, law)
              const x0 = new Uint16Array(Nd.size(law.shapes[0]!))
              const error = yield* Effect.flip(Effect.flatMap(Session, ({ compile }) => compile(graph, { x0 })))
              assert.match(error.message, /has no kernel for Cast of bfloat16|in an even number of blocks only/)
            }).pipe(Effect.scoped, Effect.provide(layer)))
          continue
        }
        it.live(`means what ${op.name} means, and its gradient ${JSON.stringify(law)}`, () =>
          agree(op, law, precision).pipe(Effect.scoped, Effect.provide(layer)))
      }
    }
    it.live("refuses data of the wrong size, naming the input", () =>
      Effect.gen(function*() {
        const session = yield* Session
        const op = all.find((o) => o.name === "Neg")!
        const program = yield* session.compile(judged(op, op.law.cases[0]!))
        const error = yield* Effect.flip(program.run({ x0: new Float32Array(5) }))
        assert.strictEqual(error.reason._tag, "RunFailed")
        assert.include(error.message, "input x0 has 5 elements, not 2x3")
      }).pipe(Effect.scoped, Effect.provide(layer)))
    it.live("runs one opened graph at any sizes, with what is fixed and without", () =>
      Effect.gen(function*() {
        const session = yield* Session
        const at = ({ batch, length }: { readonly batch: number; readonly length: number }): Graph => {
          const [x, w] = [input("x", [batch, length, 3]), input("w", [2, 3])]
          const rows = reshape(matmul(reshape(x, [-1, 3]), w, false, true), [batch, length, 2])
          const places = float(iota([1, length, 1], 1))
          return { name: "opened", inputs: { x, w }, outputs: { y: slice(add(rows, places), 2, 1, 2) } }
        }
        const family = { sizes: ["batch", "length"], at } as const
        const w = Float32Array.of(1, 2, 3, -1, 0.5, 2)
        for (const fixed of [{ w }, {}]) {
          const open = yield* session.open(family, fixed)
          for (const [batch, length] of [[2, 3], [1, 1], [3, 7]] as const) {
            const x = Float32Array.from({ length: batch * length * 3 }, (_, i) => Math.sin(i))
            const { y } = yield* open({ batch, length }).run({ x, ...("w" in fixed ? {} : { w }) })
            const feeds = { x: Nd.fromArray([batch, length, 3], x), w: Nd.fromArray([2, 3], w) }
            const [want] = interpret(Object.values(at({ batch, length }).outputs), feeds)
            assert.strictEqual(y!.length, want!.data.length)
            const tolerance = 10 * tolerances[precision]
            want!.data.forEach((value, i) => assert.closeTo(y![i]!, value, tolerance))
            const error = yield* Effect.flip(open({ batch: batch + 1, length }).run({ x, w }))
            assert.match(error.message, /input x has/)
          }
        }
      }).pipe(Effect.scoped, Effect.provide(layer)))
    it.live("writes into the arrays it is given", () =>
      Effect.gen(function*() {
        const session = yield* Session
        const op = all.find((o) => o.name === "Neg")!
        const program = yield* session.compile(judged(op, op.law.cases[0]!))
        const into = new Float32Array(6)
        const results = yield* program.run({ x0: Float32Array.of(1, 2, 3, 4, 5, 6) }, { y0: into })
        assert.strictEqual(results["y0"], into)
        assert.deepStrictEqual([...into], [-1, -2, -3, -4, -5, -6])
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
