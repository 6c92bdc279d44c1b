/** A module with adapters: what it computes, what it learns, and what its frozen weights cost. */
import { assert, describe, it } from "@effect/vitest"
import * as Key from "../../src/domain/Key.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { embedding, linear } from "../../src/kernels/nn/layers.ts"
import { adapt, type Lora } from "../../src/kernels/nn/lora.ts"
import { bind, flatten, inputs, module } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul, sub, tanh } from "../../src/kernels/op/elementwise.ts"
import type { Optimizer } from "../../src/kernels/optim/Optimizer.ts"
import { names, step } from "../../src/kernels/Step.ts"
import { input, type Tensor, topological } from "../../src/kernels/Tensor.ts"

const [words, size, hidden, out, rows, rank] = [11, 5, 7, 3, 4, 2]

/** tanh(embed(ids) W₁ᵀ + b) W₂ᵀ, twice the first map within a list. */
const plain = () => {
  const embed = embedding(words, size, 1)
  const [first, second] = [linear(size, hidden, 1, true), linear(hidden, out, 1)]
  const params = { embed: embed.params, layers: { "0": first.params }, head: second.params }
  return module(
    params,
    (p, { ids }: { readonly ids: Tensor; readonly key?: Tensor | undefined }) =>
      second.apply(p.head, tanh(first.apply(p.layers["0"], embed.apply(p.embed, ids))))
  )
}
const lora: Lora = {
  targets: new Map([
    ["embed", { r: rank, scaling: 3 }],
    ["layers.0", { r: 1, scaling: 0.5 }],
    ["head", { r: rank, scaling: 2 }]
  ]),
  dropout: 0.25
}

const ids = input("ids", [rows], "int32")
const at = Nd.fromArray([rows], [3, 9, 3, 0])
const drawn = (params: ReadonlyMap<string, { readonly shape: ReadonlyArray<number> }>) =>
  Object.fromEntries([...params].map(([path, { shape }]) => {
    const key = Key.fold(Key.make(3), path)
    return [path, Nd.make(shape, (_, i) => 0.5 * Key.normal(key, i))]
  }))

type Matrix = ReadonlyArray<ReadonlyArray<number>>
const matrix = ({ data, shape: [n, m] }: Nd.NdArray): Matrix =>
  Array.from({ length: n! }, (_, i) => [...data.subarray(i * m!, (i + 1) * m!)])
const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!))
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)))
const plus = (a: Matrix, b: Matrix, s: number): Matrix => a.map((row, i) => row.map((x, j) => x + s * b[i]![j]!))

describe("a module with adapters", () => {
  const base = plain()
  const adapted = adapt(base, lora)

  it("has theirs beside its own parameters, named as PEFT names them", () => {
    const own = new Map([...flatten(adapted.params)].map(([path, p]) => [path, p.shape.join("x")]))
    assert.deepStrictEqual([...own].filter(([path]) => !flatten(base.params).has(path)), [
      ["embed.lora_embedding_A", `${rank}x${words}`],
      ["embed.lora_embedding_B", `${size}x${rank}`],
      ["layers.0.lora_A.weight", `1x${size}`],
      ["layers.0.lora_B.weight", `${hidden}x1`],
      ["head.lora_A.weight", `${rank}x${hidden}`],
      ["head.lora_B.weight", `${out}x${rank}`]
    ])
  })

  it("computes what the module does with s B A added to its weights", () => {
    const values = drawn(flatten(adapted.params))
    const weightOf = (path: string) => matrix(values[`${path}.weight`]!)
    const low = (path: string) => times(weightOf(`${path}.lora_B`), weightOf(`${path}.lora_A`))
    const look = times(matrix(values["embed.lora_embedding_B"]!), matrix(values["embed.lora_embedding_A"]!))
    const table = plus(weightOf("embed"), transposed(look), 3)
    const found = [...at.data].map((id) => table[id]!)
    const bias = [...values["layers.0.bias"]!.data]
    const inner = times(found, transposed(plus(weightOf("layers.0"), low("layers.0"), 0.5)))
    const want = times(
      inner.map((row) => row.map((x, j) => Math.tanh(x + bias[j]!))),
      transposed(plus(weightOf("head"), low("head"), 2))
    )
    const params = inputs(adapted.params)
    const got = interpret([adapted.apply(bind(adapted.params, (path) => params.get(path)!), { ids })], {
      ...values,
      ids: at
    })
    want.flat().forEach((x, i) => assert.closeTo(got[0]!.data[i]!, x, 1e-12))
  })

  it("drops the inputs of A alone, each adapter's own, and only where there is a key", () => {
    const params = inputs(adapted.params)
    const apply = (key?: Tensor) => adapted.apply(bind(adapted.params, (path) => params.get(path)!), { ids, key })
    const count = (t: Tensor) =>
      topological([t]).flatMap((x) => x._tag === "Apply" && x.op.name === "Dropout" ? [x] : [])
    assert.deepStrictEqual(count(apply()), [])
    const sites = count(apply(input("key", [], "int32"))).map(({ attrs, inputs }) => [attrs, inputs[0]!.type.shape])
    assert.deepStrictEqual(sites, [
      [{ rate: 0.25, site: 65537 }, [rows, size]],
      [{ rate: 0.25, site: 65538 }, [rows, hidden]]
    ])
  })
})

const descent: Optimizer = {
  slots: [],
  scalars: [],
  at: () => ({}),
  update: (weight, gradient) => ({ weight: sub(weight, gradient), slots: {} })
}
/** A step of which the adapters learn. */
const learning = () => {
  const { apply, params } = adapt(plain(), { ...lora, dropout: 0.25 })
  return step({
    name: "adapted",
    params,
    batch: { ids: { dtype: "int32", shape: [rows] }, key: { dtype: "int32", shape: [] } },
    loss: (p, { ids, key }) => {
      const y = apply(p, { ids, key })
      return { loss: sumAll(mul(y, y)), report: {} }
    },
    group: (path) => path.includes("lora_") ? "all" : undefined,
    optimizer: descent,
    maxGradNorm: 1e30
  })
}

describe("a step of adapters", () => {
  const graph = learning()
  const isParam = (name: string) => name.startsWith(names.param(""))
  const params = new Map(Object.entries(graph.inputs).filter(([name]) => isParam(name)).map(([n, t]) => [n, t.type]))
  const own = [...params.keys()].filter((name) => name.includes("lora_"))
  const values = { ...drawn(params), ids: at, key: Nd.scalar(12) }

  it("has the gradient of its loss, dropout and all", () => {
    const next = interpret(own.map((name) => graph.outputs[names.next(name)]!), values)
    const loss = (name: string, i: number, by: number) => {
      const moved = { ...values[name as keyof typeof values]!, data: values[name as keyof typeof values]!.data.slice() }
      moved.data[i]! += by
      return interpret([graph.outputs["loss"]!], { ...values, [name]: moved })[0]!.data[0]!
    }
    own.forEach((name, p) => {
      const before = values[name as keyof typeof values]!
      before.data.forEach((x, i) => {
        const slope = (loss(name, i, 1e-5) - loss(name, i, -1e-5)) / 2e-5
        assert.closeTo(x - next[p]!.data[i]!, slope, 1e-6 * Math.max(1, Math.abs(slope)), `${name} ${i}`)
      })
    })
  })

  it("writes what learns and nothing else, and makes nothing of a frozen weight's shape", () => {
    const written = Object.keys(graph.outputs).filter((name) => name.startsWith("next/"))
    assert.deepStrictEqual(written, own.map(names.next))
    const frozen = new Set(
      [...params].filter(([name]) => !own.includes(name) && !/bias/.test(name))
        .map(([, { shape }]) => shape.join())
    )
    assert.deepStrictEqual([...frozen], ["11,5", "7,5", "3,7"])
    const made = topological(Object.values(graph.outputs)).filter((t) => t._tag === "Apply")
    assert.deepStrictEqual(made.filter((t) => frozen.has(t.type.shape.join())).map((t) => t.op.name), [])
    assert.isAbove(made.length, 30)
  })
})
