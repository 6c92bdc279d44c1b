/** Gradients are expressions too; a training step is one closed graph from weights and batch to new weights. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Key from "../src/domain/Key.ts"
import { grad } from "../src/kernels/grad.ts"
import { interpret } from "../src/kernels/interpret.ts"
import * as Nd from "../src/kernels/NdArray.ts"
import { flatten, module, normal, zeros } from "../src/kernels/nn/Module.ts"
import { sumAll } from "../src/kernels/op/broadcast.ts"
import { affine } from "../src/kernels/op/contract.ts"
import { mul, scale, sub, tanh } from "../src/kernels/op/elementwise.ts"
import { adamw } from "../src/kernels/optim/adamw.ts"
import { show } from "../src/kernels/show.ts"
import { steps } from "../src/kernels/Step.ts"
import { input, type Tensor } from "../src/kernels/Tensor.ts"
import * as Learner from "../src/runtime/engine/Learner.ts"
import { reference } from "../src/runtime/engine/providers.ts"
import * as Weights from "../src/runtime/engine/Weights.ts"

const x = input("x", [3])
const loss = sumAll(mul(x, tanh(x)))
const [slope] = grad(loss, [x])

/** Central differences of the loss, to check the gradient. */
const at = [-1, 0.5, 2]
const lossAt = (values: ReadonlyArray<number>) => interpret([loss], { x: Nd.fromArray([3], values) })[0]!.data[0]!
const differences = at.map((v, i) => (lossAt(at.with(i, v + 1e-5)) - lossAt(at.with(i, v - 1e-5))) / 2e-5)

/** Fits a line to points of y = 3x - 1 with AdamW. */
const line = module(
  { weight: normal([1, 1], 1), bias: zeros(1) },
  (p, points: Tensor) => affine(points, p.weight, p.bias)
)
const points = [8, 1] as const
const batch = { x: { dtype: "float32", shape: points }, y: { dtype: "float32", shape: points } } as const
const optimizer = adamw({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8 })
const lesson = steps({
  name: "line",
  params: line.params,
  batch,
  loss: (params, { x, y }) => {
    const error = sub(line.apply(params, x), y)
    return { loss: scale(sumAll(mul(error, error)), 1 / 8), report: {} }
  },
  group: () => "all",
  optimizer,
  maxGradNorm: 10
})
const graph = lesson.whole()

const digits = (values: Iterable<number>, n = 4): string => [...values].map((v) => v.toFixed(n)).join("  ")

const program = Effect.gen(function*() {
  yield* Console.log(show([loss, slope!]))
  yield* Console.log(`\ngradient:     ${digits(interpret([slope!], { x: Nd.fromArray([3], at) })[0]!.data)}`)
  yield* Console.log(`differences:  ${digits(differences)}`)

  yield* Console.log(`\nthe step takes   ${Object.keys(graph.inputs).join("\n                 ")}`)
  yield* Console.log(`and yields       ${Object.keys(graph.outputs).join("\n                 ")}\n`)

  const initial = new Map([["weight", Float32Array.of(Key.normal(Key.make(1), 0))], ["bias", Float32Array.of(0)]])
  const weights = Weights.make(flatten(line.params), ["weight", "bias"], optimizer.slots, initial)
  const groups = { all: { learningRate: () => 0.1, weightDecay: 0 } }
  const learner = yield* Learner.make({ name: "line", weights, optimizer, groups, lesson: () => lesson })
  const inputs = Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1)
  const data = { x: inputs, y: inputs.map((v) => 3 * v - 1) }
  for (let update = 1; update <= 100; update++) {
    const [report] = yield* learner.learn([{ key: [], batch: data }])
    if (update === 1 || update % 25 === 0) {
      const [weight, bias] = ["weight", "bias"].map((path) => weights.parameters().get(path)![0]!)
      yield* Console.log(
        `update ${update}  loss ${digits(report!["loss"]!, 3)}  weight ${digits([weight!], 2)}  bias ${
          digits([bias!], 2)
        }`
      )
    }
  }
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(reference)))
