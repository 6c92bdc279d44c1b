/** Several steps in one program: bit by bit what as many programs of one step make. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { interpret } from "../../../src/kernels/interpret.ts"
import * as Nd from "../../../src/kernels/NdArray.ts"
import type { Graph } from "../../../src/kernels/onnx/encode.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import type { GradScaler } from "../../../src/kernels/optim/gradScaler.ts"
import { repeated } from "../../../src/kernels/repeat.ts"
import { names } from "../../../src/kernels/Step.ts"
import { cpu, webgpu } from "../../../src/runtime/engine/providers.ts"
import { allocate, type Data, type Feeds, Session } from "../../../src/runtime/engine/Session.ts"
import { unavailable } from "../../support/providers.ts"
import { drawn, isParam, steps, type Values } from "../../support/steps.ts"

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-3 })
const K = 3

const asData = (tensor: Graph["inputs"][string], values: ArrayLike<number>): Data => {
  const data = allocate(tensor.type.dtype, values.length)
  data.set(values)
  return data
}

/** What step `k` has of its own: another key and other rates each time. */
const ownOf = (graph: Graph, batch: Values, k: number): Feeds<string> => {
  const rates = optimizer.at(k + 1, { learningRate: (t) => 0.02 / t, weightDecay: 0.1 })
  const scalars = Object.entries(rates).map(([name, value]) => [names.scalar(name, "all"), Nd.scalar(value)] as const)
  const given: Values = { ...batch, key: Nd.scalar(batch["key"]!.data[0]! + k), ...Object.fromEntries(scalars) }
  return Object.fromEntries(
    Object.entries(graph.inputs).filter(([name]) => name in given).map((
      [name, t]
    ) => [name, asData(t, given[name]!.data)])
  )
}

/** The first of three steps is skipped at this scale, and those after it grow it. */
const scaler: GradScaler = {
  init_scale: 2 ** 20,
  growth_factor: 2,
  backoff_factor: 2 ** -16,
  growth_interval: 1,
  min_scale: 1
}

const stateOf = (graph: Graph): Feeds<string> => {
  const scale = { [names.scaler("scale")]: Nd.scalar(scaler.init_scale) }
  const weights: Values = { ...drawn(graph, "weights", 0.6), ...scale }
  const carried = Object.entries(graph.inputs).filter(([name]) => isParam(name) || /^(slot|scaler)\//.test(name))
  return Object.fromEntries(
    carried.map(([name, t]) => [name, asData(t, weights[name]?.data ?? new Float32Array(Nd.size(t.type.shape)))])
  )
}

/** Arrays one after the other. */
const stacked = (turns: ReadonlyArray<Feeds<string>>): Feeds<string> =>
  Object.fromEntries(
    Object.entries(turns[0]!).map(([name, first]) => {
      const all = new (first.constructor as new(n: number) => Data)(turns.length * first.length)
      turns.forEach((turn, k) => all.set(turn[name]!, k * first.length))
      return [name, all]
    })
  )

const isNext = (output: string) => output.startsWith(names.next(""))

/** Single steps one after the other, and as many in one program: what the latter yields, and should. */
const both = Effect.fnUntraced(function*(graph: Graph, batch: Values) {
  const session = yield* Session
  const [one, many] = [yield* session.compile(graph), yield* session.compile(repeated(graph, K))]
  const own = Array.from({ length: K }, (_, k) => ownOf(graph, batch, k))
  const state: Record<string, Data> = { ...stateOf(graph) }
  const reports: Array<Feeds<string>> = []
  for (const given of own) {
    const results = yield* one.run({ ...state, ...given })
    for (const [output, data] of Object.entries(results)) {
      if (isNext(output)) state[output.slice(names.next("").length)] = data
    }
    reports.push(Object.fromEntries(Object.entries(results).filter(([output]) => !isNext(output))))
  }
  const results = yield* many.run({ ...stateOf(graph), ...stacked(own) })
  const next = Object.entries(state).map(([name, data]) => [names.next(name), data] as const)
  const want: Feeds<string> = { ...stacked(reports), ...Object.fromEntries(next) }
  return { reports, results, want }
})

describe("several steps in one program", () => {
  const all = { ...steps(optimizer, 1) }
  const again = Object.entries(steps(optimizer, 1, true)).map(([name, one]) => [`${name}, checkpointed`, one] as const)
  for (const [name, [graph, batch]] of [...Object.entries(all), ...again]) {
    it.live(`leave the bytes of single ones: ${name}`, () =>
      Effect.gen(function*() {
        const { results, want, reports } = yield* both(graph, batch)
        for (const [output, got] of Object.entries(results)) {
          assert.deepStrictEqual(Buffer.from(got.buffer), Buffer.from(want[output]!.buffer), output)
        }
        assert.notDeepEqual(reports[0], reports[1])
      }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  }
  for (const [name, [graph, batch]] of Object.entries(steps(optimizer, 1, false, scaler))) {
    it.live(`leave the bytes of single ones, of which one is skipped in float16: ${name}`, () =>
      Effect.gen(function*() {
        const { results, want } = yield* both(graph, batch)
        for (const [output, got] of Object.entries(results)) {
          assert.deepStrictEqual(Buffer.from(got.buffer), Buffer.from(want[output]!.buffer), output)
        }
        assert.deepStrictEqual(results["skipped"], Float32Array.of(1, 0, 0))
        assert.deepStrictEqual(results["lossScale"], Float32Array.of(16, 32, 64))
      }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1, products: "float16" }))))
  }
  it("mean what single ones mean", () => {
    const [graph, batch] = steps(optimizer, 1)["the reader"]!
    const real = (feeds: Feeds<string>, inputs: Graph["inputs"]) =>
      Object.fromEntries(Object.entries(feeds).map(([n, data]) => [n, Nd.fromArray(inputs[n]!.type.shape, data)]))
    const many = repeated(graph, K)
    const own = Array.from({ length: K }, (_, k) => ownOf(graph, batch, k))
    const start = real(stateOf(graph), graph.inputs)
    const got = interpret([many.outputs["loss"]!], { ...start, ...real(stacked(own), many.inputs) })[0]!
    let state = start
    const outputs = Object.entries(graph.outputs)
    const losses = own.map((given) => {
      const values = interpret(outputs.map(([_, t]) => t), { ...state, ...real(given, graph.inputs) })
      const named = new Map(outputs.map(([n], i) => [n, values[i]!]))
      state = {
        ...state,
        ...Object.fromEntries([...named].filter(([n]) => isNext(n)).map(([n, v]) => [n.slice(5), v]))
      }
      return named.get("loss")!.data[0]!
    })
    assert.deepStrictEqual([...got.data], losses)
  })
})

const missing = await unavailable(webgpu)
describe("several steps on webgpu", () => {
  if (missing !== undefined) return it.skip(`are not run: ${missing}`, () => assert.fail("not run"))
  for (const name of ["the retriever by pairs", "the reader"]) {
    it.live(`leave weights there between them, and make what single ones make: ${name}`, () =>
      Effect.gen(function*() {
        const [graph, batch] = steps(optimizer, 1)[name]!
        const { results, want } = yield* both(graph, batch).pipe(Effect.provide(webgpu))
        const onCpu = yield* both(graph, batch).pipe(Effect.provide(cpu({ threads: 1 })))
        for (const [output, got] of Object.entries(results)) {
          assert.deepStrictEqual(got, want[output], output)
          const there = onCpu.want[output]!
          got.forEach((x, i) => assert.closeTo(x, there[i]!, 1e-4 * Math.max(1, Math.abs(there[i]!)), output))
        }
      }).pipe(Effect.scoped), 60_000)
  }
})
