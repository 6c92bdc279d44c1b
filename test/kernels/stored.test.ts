/** Weights stored in 16 bits: what a module makes of them, and when they are widened. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { grad } from "../../src/kernels/grad.ts"
import { fromWords, type Half, toWords } from "../../src/kernels/half.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { embedding, linear, rmsNorm } from "../../src/kernels/nn/layers.ts"
import { bind, flatten, inputs, module } from "../../src/kernels/nn/Module.ts"
import { stored } from "../../src/kernels/nn/stored.ts"
import { late } from "../../src/kernels/onnx/lateWiden.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul, tanh } from "../../src/kernels/op/elementwise.ts"
import { Gather } from "../../src/kernels/op/gather.ts"
import { After } from "../../src/kernels/op/scheduling.ts"
import { Widen } from "../../src/kernels/op/widen.ts"
import { type Apply, input, type Tensor, topological } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { meaningOf } from "./meaning.ts"

const [embed, first, second, norm] = [embedding(7, 3, 1), linear(3, 4, 1), linear(4, 3, 1), rmsNorm(3, 1e-6)]
const params = { embed: embed.params, norm: norm.params, first: first.params, second: second.params }
/** A table, two maps and a norm; the table is a map too, as where embeddings are tied. */
const base = module(params, (p, ids: Tensor) => {
  const hidden = tanh(first.apply(p.first, norm.apply(p.norm, embed.apply(p.embed, ids))))
  return linear(3, 7, 1).apply(p.embed, second.apply(p.second, hidden))
})
const values = new Map(
  [...flatten(params)].map(([path, { shape }], k) => [
    path,
    Float32Array.from({ length: Nd.size(shape) }, (_, i) => Math.sin(1 + 3 * i + 5 * k))
  ])
)
const ids = input("ids", [4], "int32")
const learns = "second.weight"

/** The module's values, and the gradients of what learns and, for one, of what comes before it. */
const graph = (model: typeof base) => {
  const weights = inputs(model.params)
  const y = model.apply(bind(model.params, (path) => weights.get(path)!), ids)
  const [gradient] = grad(sumAll(mul(y, y)), [weights.get(learns)!])
  return { name: "stored", inputs: { ...Object.fromEntries(weights), ids }, outputs: { y, gradient: gradient! } }
}
const half = (type: Half) => graph(stored(base, (path) => path === learns ? undefined : type))
const rounded = (type: Half) =>
  new Map([...values].map(([path, data]) => [path, path === learns ? data : fromWords(toWords(data, type), type)]))
const words = (type: Half) =>
  new Map([...values].map(([path, data]) => [path, path === learns ? data : toWords(data, type)]))
const places = Int32Array.of(0, 6, 3, 3)

const meant = (made: ReturnType<typeof graph>, weights: ReadonlyMap<string, ArrayLike<number>>) =>
  meaningOf(made, new Map([...weights, ["ids", places]]))

describe("weights stored in 16 bits", () => {
  for (const type of ["float16", "bfloat16"] as const) {
    it(`are those of the module, rounded, and so are the gradients of the others: ${type}`, () => {
      assert.deepStrictEqual(meant(half(type), words(type)), meant(graph(base), rounded(type)))
      assert.notDeepEqual(meant(half(type), words(type)), meant(graph(base), values))
    })
    it.live(`mean the same on cpu: ${type}`, () =>
      Effect.gen(function*() {
        const program = yield* (yield* Session).compile<string, string>(half(type))
        const got = yield* program.run({ ...Object.fromEntries(words(type)), ids: places })
        const [y, gradient] = meant(graph(base), rounded(type))
        for (const [name, want] of Object.entries({ y, gradient })) {
          want!.data.forEach((x, i) => assert.closeTo(got[name]![i]!, x, 1e-5 * Math.max(1, Math.abs(x)), name))
        }
      }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  }
  it("are widened for each reader anew, after what it is to meet; of a table only the rows that are looked up", () => {
    const { outputs } = half("bfloat16")
    const before = Object.values(outputs)
    const made = topological(late(before)).filter((t): t is Apply => t._tag === "Apply")
    const matrices = made.filter((t) => t.op === Widen && t.type.shape.length > 1)
    const [rows, rest] = [matrices.filter(({ inputs: [x] }) => (x as Apply).op === Gather), matrices]
    assert.deepStrictEqual(rows.map((t) => t.type.shape), [[4, 3]])
    for (const t of rest.filter((one) => !rows.includes(one))) {
      assert.strictEqual((t.inputs[0] as Apply).op, After)
      assert.strictEqual(made.filter(({ inputs }) => inputs.includes(t)).length, 1)
    }
    /** The first map forward, the tied table forward and backward; nothing asks for what comes before `second`. */
    assert.strictEqual(rest.length - rows.length, 3)
  })
  it("leave other graphs as they are", () => {
    const outputs = Object.values(graph(base).outputs)
    assert.isTrue(late(outputs).every((t, i) => t === outputs[i]))
  })
  it("round to the nearest, and come back", () => {
    const numbers = Float32Array.of(0, 1, -1.5, 65504, 2 ** -24, 1 + 2 ** -11, 1 + 3 * 2 ** -11)
    assert.deepStrictEqual([...fromWords(toWords(numbers, "float16"), "float16")], [
      0,
      1,
      -1.5,
      65504,
      2 ** -24,
      1,
      1 + 2 ** -9
    ])
    const all = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i)
    for (const type of ["float16", "bfloat16"] as const) {
      const back = toWords(fromWords(all, type), type)
      const numbers = [...fromWords(all, type).entries()].filter(([_, x]) => !Number.isNaN(x))
      assert.isAbove(numbers.length, 60_000)
      assert.isTrue(numbers.every(([i]) => back[i] === i))
    }
  })
})
