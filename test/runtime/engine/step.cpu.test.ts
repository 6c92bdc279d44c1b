/** A whole step on ONNX Runtime against its meaning: losses, norms, weights and moments. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { interpret } from "../../../src/kernels/interpret.ts"
import * as Nd from "../../../src/kernels/NdArray.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import { gradScaler } from "../../../src/kernels/optim/gradScaler.ts"
import { names } from "../../../src/kernels/Step.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { allocate, Session } from "../../../src/runtime/engine/Session.ts"
import { drawn, steps, type Values } from "../../support/steps.ts"

/** Float32 against float64, after a few hundred operations. */
const TOLERANCE = 1e-5

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-3 })
const scalars: Values = Object.fromEntries(
  Object.entries(optimizer.at(3, { learningRate: () => 0.01, weightDecay: 0.1 })).map(([name, value]) => [
    names.scalar(name, "all"),
    Nd.scalar(value)
  ])
)

/** The same steps, with layers computed again in the backward pass. */
const again = Object.fromEntries(
  Object.entries(steps(optimizer, 1, true)).map(([name, one]) => [`${name}, checkpointed`, one])
)

/** The same with a loss scale. */
const scaled = Object.fromEntries(
  Object.entries(steps(optimizer, 1, false, gradScaler)).map(([name, one]) => [`${name}, loss scaled`, one])
)

describe("a whole step on cpu", () => {
  for (const [name, [graph, batch]] of Object.entries({ ...steps(optimizer, 1), ...again, ...scaled })) {
    it.live(`does what it means: ${name}`, () =>
      Effect.gen(function*() {
        const program = yield* (yield* Session).compile(graph)
        const given: Values = { ...batch, ...scalars, ...drawn(graph, "weights", 0.6) }
        const feeds = Object.fromEntries(
          Object.entries(graph.inputs).map(([input, { type }]) => {
            const value = given[input] ?? Nd.make(type.shape, (_, i) => 0.01 + 0.001 * (i % 7))
            const data = allocate(type.dtype, value.data.length)
            data.set(value.data)
            return [input, { value: { shape: type.shape, data: Float64Array.from(data) }, data }]
          })
        )
        const results = yield* program.run(Object.fromEntries(Object.entries(feeds).map(([k, { data }]) => [k, data])))
        const meanings = interpret(
          Object.values(graph.outputs),
          Object.fromEntries(Object.entries(feeds).map(([k, { value }]) => [k, value]))
        )
        Object.keys(graph.outputs).forEach((output, i) => {
          const [got, want] = [results[output]!, meanings[i]!.data]
          want.forEach((x, j) => assert.closeTo(got[j]!, x, TOLERANCE * Math.max(1, Math.abs(x)), `${output}[${j}]`))
        })
        assert.isAbove(meanings[Object.keys(graph.outputs).indexOf("gradNorm")]!.data[0]!, 0.01)
      }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  }
})
