/** Work and memory by shapes, against what is written down for linear maps, attention, adapters and whole decoders. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { activations, flops } from "../../src/kernels/cost.ts"
import { grad } from "../../src/kernels/grad.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { adapt } from "../../src/kernels/nn/lora.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { all } from "../../src/kernels/op/all.ts"
import { attend, attendCausal } from "../../src/kernels/op/attend.ts"
import { reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { affine, matmul } from "../../src/kernels/op/contract.ts"
import { add, exp, neg } from "../../src/kernels/op/elementwise.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import { input, type Tensor } from "../../src/kernels/Tensor.ts"
import * as Graphs from "../../src/runtime/language/graphs.ts"
import { config } from "../support/decoders.ts"

const graphOf = (...outputs: ReadonlyArray<Tensor>) => ({
  name: "test",
  inputs: {},
  outputs: Object.fromEntries(outputs.map((t, i) => [`y${i}`, t]))
})
/** Of the value, and of the value and its gradients. */
const both = (y: Tensor, wrt: ReadonlyArray<Tensor>) => [
  flops(graphOf(y)),
  flops(graphOf(y, ...grad(sumAll(exp(y)), wrt)))
]
const size = fc.integer({ min: 1, max: 200 })

describe("work", () => {
  it("of a linear map is 2·n·in·out, and as much for each gradient", () =>
    fc.assert(fc.property(size, size, size, (n, from, to) => {
      const [x, w, b] = [input("x", [n, from]), input("w", [to, from]), input("b", [to])]
      const one = 2 * n * from * to
      assert.deepStrictEqual(both(affine(x, w, b), [x, w, b]), [one, 3 * one])
      assert.deepStrictEqual(both(matmul(x, w, false, true), [w]), [one, 2 * one])
      const stacked = matmul(input("a", [5, n, from]), input("c", [5, from, to]))
      assert.strictEqual(flops(graphOf(stacked)), 5 * one)
    })))
  it("of attention is two products, and four for its gradients, which share the scores", () =>
    fc.assert(fc.property(size, size, fc.integer({ min: 1, max: 8 }), (n, s, d) => {
      const [q, k, v] = [input("q", [2, 4, n, d]), input("k", [2, 2, s, d]), input("v", [2, 2, s, d])]
      const product = 2 * 2 * 4 * n * s * d
      assert.deepStrictEqual(both(attend(q, k, v, input("bias", [n, s])), [q, k, v]), [2 * product, 6 * product])
    })))
  it("of causal attention leaves out what no block of queries sees", () => {
    const [q, k, v] = ["q", "k", "v"].map((name) => input(name, [1, 2, 320, 8])) as [Tensor, Tensor, Tensor]
    const seen = 80 * (80 + 160 + 240 + 320)
    const found = flops(graphOf(attendCausal(q, k, v, input("bias", [1, 1, 320, 320]))))
    assert.strictEqual(found, 2 * 2 * 2 * seen * 8)
  })
  it("of equal expressions counts once", () => {
    const [x, w] = [input("x", [3, 4]), input("w", [4, 5])]
    assert.strictEqual(flops(graphOf(matmul(x, w), exp(matmul(x, w)))), 2 * 3 * 4 * 5)
  })
})

const shape = { rows: 3, length: 40, supervised: 7 }
const tokens = shape.rows * shape.length
const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })
const { hidden_size: h, intermediate_size: i, num_attention_heads: heads, num_key_value_heads: groups } = config
const keys = h / heads * groups
const learn = (
  decoder: ReturnType<typeof causalLm>,
  group: (path: string) => string | undefined,
  checkpointing = false
) => Graphs.learn(decoder, { shape, shifted: false, optimizer, maxGradNorm: 1, group, checkpointing })

describe("a decoder", () => {
  const attention = 4 * shape.rows * heads * shape.length ** 2 * (h / heads)
  const [inward, onward] = [h * h + 2 * h * keys, h * h + 3 * h * i]
  const layer = 2 * tokens * (inward + onward) + attention
  /** The last goes on with the tokens whose next is predicted. */
  const last = 2 * tokens * inward + 2 * shape.supervised * onward + attention
  const head = 2 * shape.supervised * h * config.vocab_size
  const decoder = causalLm(config)
  const forward = (config.num_hidden_layers - 1) * layer + last + head

  it("takes 2 operations a weight and token forward, and 6 to learn", () => {
    assert.strictEqual(flops(Graphs.score(decoder, shape)), forward)
    assert.strictEqual(flops(learn(decoder, () => "all")), 3 * forward)
  })
  it("takes its layers once more with checkpointing, but for the last", () => {
    const again = flops(learn(decoder, () => "all", true)) - 3 * forward
    assert.isAtLeast(again, 0.7 * (config.num_hidden_layers - 1) * layer)
    assert.isAtMost(again, (config.num_hidden_layers - 1) * layer)
  })
  it("takes 4 a frozen weight and 6 a weight of its adapter", () => {
    const r = 2
    const targets = new Map([["model.layers.1.mlp.down_proj", { r, scaling: 1 }]])
    const adapted = adapt(decoder, { targets, dropout: 0 })
    const adapter = 2 * shape.supervised * r * (h + i)
    const found = flops(learn(adapted, (path) => path.includes(".lora_") ? "all" : undefined))
    /** Backward: through the head to the adapter; the last layer's input has no gradient, nor has the adapter's own. */
    const backward = head + adapter + 2 * shape.supervised * r * h
    assert.strictEqual(found, forward + adapter + backward)
  })
})

describe("memory of activations", () => {
  const x = input("x", [6, 4])
  const one = 6 * 4 * 4
  const given = () => true
  it("is that of an operation's result and of its operand, whatever the length of a chain", () => {
    const chain = Array.from({ length: 9 }).reduce<Tensor>((t) => exp(t), x)
    assert.strictEqual(activations(graphOf(chain)), 2 * one)
    assert.strictEqual(activations(graphOf(chain), given), 2 * one)
    assert.strictEqual(activations(graphOf(exp(exp(x))), given), one)
  })
  it("holds what is read later", () => {
    const [a, b] = [exp(x), neg(x)]
    assert.strictEqual(activations(graphOf(add(add(exp(a), exp(b)), add(a, b))), given), 4 * one)
  })
  it("is none for inputs, views and results that have memory already", () => {
    assert.strictEqual(activations(graphOf(reshape(x, [24])), given), 0)
    assert.strictEqual(activations(graphOf(exp(reshape(x, [24]))), given), 0)
    assert.strictEqual(activations(graphOf(exp(reshape(exp(x), [24]))), given), one)
  })
  it("holds a buffer while it waits for another result of its shape", () => {
    const [wide, tall] = [input("wide", [6, 40]), input("tall", [40, 6])]
    const twice = (t: Tensor) => sumAll(exp(exp(t)))
    const between = twice(add(tall, twice(wide)))
    const numbers = 100
    assert.approximately(activations(graphOf(between), given), 2 * 10 * one, numbers)
    assert.approximately(activations(graphOf(twice(add(wide, between))), given), 4 * 10 * one, numbers)
  })
  it("is less with checkpointing", () => {
    const deep = causalLm({ ...config, num_hidden_layers: 6 })
    const [plain, again] = [false, true].map((checkpointing) =>
      activations(learn(deep, () => "all", checkpointing), (name) => name.startsWith("next/"))
    )
    assert.isBelow(again!, 0.6 * plain!)
  })
  it("counts all that learns with its gradients", () => {
    const decoder = causalLm(config)
    const weights = [...flatten(decoder.params).values()].reduce((sum, { shape }) => sum + 4 * Nd.size(shape), 0)
    assert.isAbove(activations(learn(decoder, () => "all"), (name) => name.startsWith("next/")), weights)
  })
})

describe("a view", () => {
  for (const op of all.filter(({ view }) => view)) {
    it(`has its first operand's elements: ${op.name}`, () => {
      for (const { attrs, shapes } of op.law.cases) {
        const values = shapes.map((own) => Nd.make(own, (_, flat) => flat))
        const type = op.infer(shapes.map((own, n) => ({ shape: own, dtype: op.law.ranges[n]!.dtype })), attrs)
        assert.deepStrictEqual(op.evaluate(values, attrs, type).data, values[0]!.data)
      }
    })
  }
})
