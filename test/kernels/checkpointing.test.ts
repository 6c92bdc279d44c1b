/** Gradient checkpointing: the same gradients, from what was kept alone. */
import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { add, mul, sigmoid, tanh } from "../../src/kernels/op/elementwise.ts"
import { After, Saved, saved } from "../../src/kernels/op/scheduling.ts"
import type { Optimizer } from "../../src/kernels/optim/Optimizer.ts"
import { type Apply, input, scalar, type Tensor, topological } from "../../src/kernels/Tensor.ts"
import { drawn, steps } from "../support/steps.ts"

/** Leaves the gradient where the next weights would be. */
const bare: Optimizer = {
  slots: [],
  scalars: [],
  at: () => ({}),
  update: (_, gradient) => ({ weight: gradient, slots: {} })
}

const applications = (outputs: ReadonlyArray<Tensor>): ReadonlyArray<Apply> =>
  topological(outputs).filter((t) => t._tag === "Apply")

/** x, then n layers tanh(w x) + x, each of whose inputs is saved. */
const chain = (n: number) => {
  const weights = Array.from({ length: n }, (_, i) => input(`w${i}`, [3]))
  const inner: Array<Tensor> = []
  const last = weights.reduce<Tensor>((x, w) => {
    const kept = saved(x)
    const y = tanh(mul(w, kept))
    inner.push(y)
    return add(y, kept)
  }, input("x", [3]))
  return { weights, inner, loss: sumAll(sigmoid(last)) }
}

describe("gradient checkpointing", () => {
  const [plain, again] = [steps(bare, 1e30), steps(bare, 1e30, true)]
  for (const [name, [graph, batch]] of Object.entries(plain)) {
    it(`yields the same loss and gradients, to the bit: ${name}`, () => {
      const feeds = { ...batch, ...drawn(graph, "weights", 0.6) }
      const outputs = Object.keys(graph.outputs)
      const [kept, computed] = [graph, again[name]![0]].map((g) => interpret(outputs.map((o) => g.outputs[o]!), feeds))
      outputs.forEach((output, i) => assert.deepStrictEqual(computed![i], kept![i], output))
      const layers = (g: typeof graph) => applications(Object.values(g.outputs)).filter((t) => t.op === After).length
      assert.strictEqual(layers(graph), 0)
      assert.isAbove(layers(again[name]![0]), 0)
    })
  }
  it("reads nothing of the forward pass but what is saved, and what comes after that", () => {
    const { inner, loss, weights } = chain(4)
    const forward = new Set(topological([loss]))
    const backward = applications(grad(loss, weights, { checkpointing: true })).filter((t) => !forward.has(t))
    const readers = (t: Tensor) => backward.filter(({ inputs }) => inputs.includes(t)).length
    assert.deepStrictEqual(inner.map((y) => readers(y) > 0), [false, false, false, true])
    const plain = applications(grad(loss, weights)).filter((t) => !forward.has(t))
    assert.isTrue(inner.every((y) => plain.some(({ inputs }) => inputs.includes(y))))
  })
  it("computes a layer again only when the gradients of the next are there", () => {
    const { loss, weights } = chain(4)
    const gradients = grad(loss, weights, { checkpointing: true })
    const forward = new Set(topological([loss]))
    for (const layer of [0, 1, 2]) {
      const own = new Set(topological([gradients[layer]!]))
      const waits = [...own].filter((t): t is Apply => t._tag === "Apply" && t.op === After)
      assert.strictEqual(waits.length, 3 - layer)
      assert.isTrue(own.has(gradients[layer + 1]!), `layer ${layer}`)
      assert.isTrue(waits.every(({ inputs: [kept] }) => forward.has(kept!) && (kept as Apply).op === Saved))
    }
  })
  it("takes several chains, and a saved expression that two of them read", () => {
    const [x, w] = [input("x", [3]), input("w", [3])]
    const root = saved(mul(x, w))
    const [left, right] = [saved(tanh(mul(root, w))), saved(sigmoid(mul(root, root)))]
    const loss = sumAll(mul(add(mul(left, w), right), root))
    const feeds = { x: Nd.fromArray([3], [0.3, -1, 2]), w: Nd.fromArray([3], [1.5, 0.2, -0.7]) }
    const [kept] = interpret(grad(loss, [w]), feeds)
    const [computed] = interpret(grad(loss, [w], { checkpointing: true }), feeds)
    kept!.data.forEach((g, i) => assert.closeTo(computed!.data[i]!, g, 1e-14))
  })
  it("changes nothing where nothing is saved", () => {
    const w = input("w", [])
    assert.deepStrictEqual(
      grad(mul(tanh(w), scalar(2)), [w], { checkpointing: true }),
      grad(mul(tanh(w), scalar(2)), [w])
    )
  })
})
