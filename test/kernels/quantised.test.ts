/** Modules with quantised matrices: what they mean, and how the matrices are read. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { activations } from "../../src/kernels/cost.ts"
import { grad } from "../../src/kernels/grad.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { embedding, linear, rmsNorm } from "../../src/kernels/nn/layers.ts"
import { bind, flatten, inputs, module } from "../../src/kernels/nn/Module.ts"
import { arraysOf, elementsOf, quantised } from "../../src/kernels/nn/quantised.ts"
import { encode, type Graph } from "../../src/kernels/onnx/encode.ts"
import { readQuantised } from "../../src/kernels/onnx/readQuantised.ts"
import { cpu as onCpu, cuda } from "../../src/kernels/onnx/target.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul, tanh } from "../../src/kernels/op/elementwise.ts"
import { Dequantise, QuantisedMatMul, QuantisedRows } from "../../src/kernels/op/quantised.ts"
import { After } from "../../src/kernels/op/scheduling.ts"
import { type Blocks, eachOf, quantise } from "../../src/kernels/quantise.ts"
import { type Apply, input, ShapeError, type Target, type Tensor, topological } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { meaningOf } from "./meaning.ts"

const [embed, first, second, norm] = [
  embedding(7, 20, 1),
  linear(20, 32, 1, true),
  linear(32, 20, 1),
  rmsNorm(20, 1e-6)
]
const params = { embed: embed.params, norm: norm.params, first: first.params, second: second.params }
/** A table, two maps, one of them with a bias, and a norm; the table is a map too, as where embeddings are tied. */
const base = module(params, (p, ids: Tensor) => {
  const hidden = tanh(first.apply(p.first, norm.apply(p.norm, embed.apply(p.embed, ids))))
  return linear(20, 7, 1).apply(p.embed, second.apply(p.second, hidden))
})
const flat = flatten(params)
const values = new Map(
  [...flat].map(([path, { shape }], k) => [
    path,
    Float32Array.from({ length: Nd.size(shape) }, (_, i) => 0.3 * Math.sin(1 + 3 * i + 5 * k))
  ])
)
const ids = input("ids", [4], "int32")
const places = Int32Array.of(0, 6, 3, 3)
const learns = ["first.bias", "norm.weight"]
const forms = [
  { bits: 4, size: 16 },
  { bits: 8, size: 32 },
  { bits: 4, size: 16, shifted: true }
] as const satisfies ReadonlyArray<Blocks>
const title = ({ bits, shifted = false }: Blocks) => `${bits} bits${shifted ? ", shifted" : ""}`
const chosen = (blocks: Blocks) => (_: string, { shape }: { readonly shape: ReadonlyArray<number> }) =>
  shape.length === 2 ? blocks : undefined

/** The module's values, and the gradients of what learns, through all of its matrices. */
const graph = (model: typeof base) => {
  const weights = inputs(model.params)
  const y = model.apply(bind(model.params, (path) => weights.get(path)!), ids)
  const gradients = grad(sumAll(mul(y, y)), learns.map((path) => weights.get(path)!))
  const outputs: Record<string, Tensor> = { y, ...Object.fromEntries(gradients.map((t, i) => [`g${i}`, t])) }
  return { name: "quantised", inputs: { ...Object.fromEntries(weights), ids }, outputs }
}
const matrix = (path: string, blocks: Blocks) => {
  const made = quantise(values.get(path)!, flat.get(path)!.shape[1]!, blocks, "asymmetric")
  return blocks.shifted ? { ...made, offsets: made.scales.map((scale, i) => scale * Math.sin(i)) } : made
}
const isMatrix = (path: string) => flat.get(path)!.shape.length === 2
const packed = (blocks: Blocks) =>
  new Map(
    [...values].flatMap(([path, data]) =>
      isMatrix(path) ? arraysOf(path, matrix(path, blocks)) : [[path, data] as const]
    )
  )
/** The rounded matrix in float64. */
const whole = (path: string, blocks: Blocks): Float64Array => {
  const [rows, columns] = flat.get(path)!.shape as [number, number]
  const data = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    eachOf(matrix(path, blocks), row, columns, blocks, (value, column) => data[row * columns + column] = value)
  }
  return data
}
const rounded = (blocks: Blocks) =>
  new Map([...values].map(([path, data]) => [
    path,
    isMatrix(path) ? whole(path, blocks) : data
  ]))

const meant = (made: ReturnType<typeof graph>, weights: ReadonlyMap<string, ArrayLike<number>>) =>
  meaningOf(made, new Map([...weights, ["ids", places]]))
const near = (got: ArrayLike<number>, want: Nd.NdArray, tolerance: number) =>
  want.data.forEach((x, i) => assert.closeTo(got[i]!, x, tolerance * Math.max(1, Math.abs(x))))

describe("quantised matrices", () => {
  for (const blocks of forms) {
    const made = graph(quantised(base, chosen(blocks)))
    const want = meant(graph(base), rounded(blocks))
    it(`are those of the module, rounded, and so are the gradients through them: ${title(blocks)}`, () => {
      meant(made, packed(blocks)).forEach((got, i) => near(got.data, want[i]!, 1e-12))
      assert.notDeepEqual(want, meant(graph(base), values))
    })
    it(`are the same after they are read directly: ${title(blocks)}`, () => {
      const read = { ...made, outputs: Object.fromEntries(readQuantised(Object.values(made.outputs)).entries()) }
      meant(read, packed(blocks)).forEach((got, i) => near(got.data, want[i]!, 1e-12))
    })
    for (const fixed of [false, true]) {
      it.live(`mean the same on cpu${fixed ? ", as part of the program" : ""}: ${title(blocks)}`, () =>
        Effect.gen(function*() {
          const own = Object.fromEntries(packed(blocks))
          const session = yield* Session
          const program = fixed
            ? (yield* session.open({ sizes: [], at: () => made }, own))({})
            : yield* session.compile<string, string>(made)
          const got = yield* program.run({ ...(fixed ? {} : own), ids: places })
          Object.keys(made.outputs).forEach((name, i) => near(got[name] as Float32Array, want[i]!, 1e-5))
        }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
    }
  }

  const made = graph(quantised(base, chosen(forms[0])))
  const matrices = new Set([...flat].filter(([path]) => isMatrix(path)).map(([, { shape }]) => shape.join()))
  /** What reads them: how often each op, and which expressions are float32 copies of whole matrices. */
  const readers = (outputs: ReadonlyArray<Tensor>) => {
    const all = topological(readQuantised(outputs)).filter((t): t is Apply => t._tag === "Apply")
    const wide = all.filter(({ op, type }) =>
      type.dtype === "float32" && matrices.has(type.shape.join()) && (op === QuantisedRows || op === Dequantise)
    )
    return { all, count: (op: Apply["op"]) => all.filter((t) => t.op === op).length, wide }
  }
  it("are never whole in float32 where nothing is learned", () => {
    const { count, wide } = readers([made.outputs["y"]!])
    assert.deepStrictEqual([wide.length, count(QuantisedMatMul), count(QuantisedRows), count(Dequantise)], [0, 3, 1, 0])
    const own = { ...made, outputs: { y: made.outputs["y"]! } }
    const all = new Map(Object.keys(own.inputs).map((location) => [location, { location, offset: 0 }]))
    const written = (target: Target, within = false) => {
      const weights = within ? new Map([...all].filter(([name]) => name !== "ids")) : new Map()
      const model = Buffer.from(encode(own, { target, weights })).toString("latin1")
      return ["MatMulNBits", "GatherBlockQuantized"].map((name) => model.split(name).length - 1)
    }
    assert.deepStrictEqual([written(cuda), written(onCpu), written(onCpu, true)], [[3, 1], [0, 0], [3, 0]])
  })
  it("are never whole in float32 but for a gradient, each once, where blocks are shifted", () => {
    const { outputs } = graph(quantised(base, chosen(forms[2])))
    const copies = (read: ReadonlyArray<Tensor>) =>
      readers(read).all.filter(({ type }) => type.dtype === "float32" && matrices.has(type.shape.join()))
    assert.deepStrictEqual(copies([outputs["y"]!]), [])
    assert.deepStrictEqual(copies(Object.values(outputs)).map(({ op }) => op), [
      QuantisedRows,
      QuantisedRows,
      QuantisedRows
    ])
  })
  it("are widened in the backward pass, each once and when the gradient is there", () => {
    const { all, wide } = readers(Object.values(made.outputs))
    assert.strictEqual(wide.length, 3)
    for (const t of wide) {
      const at = t.inputs[3] as Apply
      assert.strictEqual(at.op, After)
      assert.strictEqual(all.filter(({ inputs }) => inputs.includes(t)).length, 1)
    }
    assert.isBelow(activations({ ...made, outputs: { y: made.outputs["y"]! } }), activations(made))
  })
  it.live("are multiplied by operands rounded to 8 bits where the graph allows it, on the CPU and as part of it", () =>
    Effect.gen(function*() {
      for (const blocks of forms) {
        const [y, own] = [graph(quantised(base, chosen(blocks))), Object.fromEntries(packed(blocks))]
        const exact = { ...y, outputs: { y: y.outputs["y"]! } }
        const run = Effect.fnUntraced(function*(rounds: boolean) {
          const open = yield* (yield* Session).open({ sizes: [], at: () => ({ ...exact, rounds }) }, own)
          return (yield* open({}).run({ ids: places }))["y"] as Float32Array
        })
        const [kept, rounded] = [yield* run(false), yield* run(true)]
        near(rounded, Nd.fromArray([kept.length], kept), 0.02)
        assert.notDeepEqual(rounded, kept)
        const weights = new Map(Object.keys(own).map((location) => [location, { location, offset: 0 }]))
        const written = (graph: Graph, target: Target) =>
          Buffer.from(encode(graph, { target, weights })).toString("latin1").includes("accuracy_level")
        assert.deepStrictEqual(
          [
            written(exact, onCpu),
            written({ ...exact, rounds: true }, onCpu),
            written({ ...exact, rounds: true }, cuda)
          ],
          [false, true, false]
        )
      }
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it("leave other graphs as they are", () => {
    const outputs = Object.values(graph(base).outputs)
    assert.isTrue(readQuantised(outputs).every((t, i) => t === outputs[i]))
  })
  it("count as their elements", () => {
    const own = [...flatten(quantised(base, chosen(forms[0])).params).values()]
    const count = own.reduce((sum, param) => sum + elementsOf(param), 0)
    assert.strictEqual(count, [...flat.values()].reduce((sum, { shape }) => sum + Nd.size(shape), 0))
  })
  it("are refused in parts that do not fit", () => {
    const [q, s, z] = [input("q", [3, 2, 8], "uint8"), input("s", [3, 2]), input("z", [3, 2], "uint8")]
    assert.throws(
      () => Dequantise.infer([q.type, s.type, z.type], { bits: 4, size: 16, columns: 32 }),
      ShapeError,
      "not the parts uint8[3,2,8], float32[3,2], uint8[3,1] of 4 bits"
    )
    const right = [q.type, s.type, input("z", [3, 1], "uint8").type]
    const x = input("x", [2, 20]).type
    assert.throws(() => QuantisedMatMul.infer([x, ...right], { bits: 4, size: 16, columns: 32 }), ShapeError, "32")
  })
})
