/** A tensor is an expression: it can be printed, interpreted in float64, and run by ONNX Runtime. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { interpret } from "../src/kernels/interpret.ts"
import * as Nd from "../src/kernels/NdArray.ts"
import { encode } from "../src/kernels/onnx/encode.ts"
import { sum } from "../src/kernels/op/broadcast.ts"
import { matmul } from "../src/kernels/op/contract.ts"
import { mul } from "../src/kernels/op/elementwise.ts"
import { softmax } from "../src/kernels/op/normalise.ts"
import { show } from "../src/kernels/show.ts"
import { input } from "../src/kernels/Tensor.ts"
import { cpu } from "../src/runtime/engine/providers.ts"
import { Session } from "../src/runtime/engine/Session.ts"

/** Expected relevance of three passages for each of two questions: Σ_j softmax(q Pᵀ / 2)_j r_j. */
const [questions, passages, relevance] = [
  input("questions", [2, 4]),
  input("passages", [3, 4]),
  input("relevance", [3])
]
const weights = softmax(matmul(questions, passages, false, true, 0.5))
const expected = sum(mul(weights, relevance), [-1])

const values = {
  questions: [1, 0, 2, 0, 0, 3, 0, 1],
  passages: [1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1],
  relevance: [1, 0, 0.5]
}
const graph = { name: "expected", inputs: { questions, passages, relevance }, outputs: { expected } }

/** The values as arrays with the shapes of their inputs. */
const feeds = Object.fromEntries(
  Object.entries(values).map(([name, v]) => [name, Nd.fromArray(graph.inputs[name as "questions"].type.shape, v)])
)

const program = Effect.gen(function*() {
  yield* Console.log(show([expected]))
  const [meaning] = interpret([expected], feeds)
  yield* Console.log(`\nin float64:       ${[...meaning!.data].map((x) => x.toFixed(6)).join("  ")}`)

  const session = yield* Session
  const { run } = yield* session.compile(graph)
  const results = yield* run({
    questions: Float32Array.from(values.questions),
    passages: Float32Array.from(values.passages),
    relevance: Float32Array.from(values.relevance)
  })
  yield* Console.log(`on ONNX Runtime:  ${[...results.expected].map((x) => x.toFixed(6)).join("  ")}`)
  yield* Console.log(`as ONNX:          ${encode(graph).length} bytes`)

  const misfit = Effect.try({ try: () => matmul(questions, passages), catch: String })
  yield* Console.log(`\n${yield* Effect.flip(misfit)}`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
