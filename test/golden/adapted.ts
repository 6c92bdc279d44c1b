/** The small models of `lora.py`, and what they compute here. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { grad, type GradOptions } from "../../src/kernels/grad.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { bind, inputs, type Module } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul, scale } from "../../src/kernels/op/elementwise.ts"
import { gather } from "../../src/kernels/op/gather.ts"
import { crossEntropy } from "../../src/kernels/op/normalise.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import type { Arrays } from "../../src/runtime/engine/Weights.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../src/runtime/files/config/encoder.ts"
import type { Decode } from "../../src/runtime/files/config/keys.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import * as Model from "../../src/runtime/models/load.ts"

/** From the root of the repository, as the adapters name their bases. */
export const pathOf = (folder: string): string => join("test", "golden", "lora", folder)

const [rows, length] = [2, 7]
const tokens = [2, 5, 9, 14, 20, 7, 3, 2, 21, 8, 8, 1, 11, 3]
const block = (f: (i: number) => number, dtype: "int32" | "bool" = "int32"): Tensor =>
  constant(Nd.make([rows, length], (_, i) => f(i)), dtype)
const list = (values: ReadonlyArray<number>): Tensor => constant(Nd.fromArray([values.length], values), "int32")
const ids = block((i) => tokens[i]!)

export interface Subject {
  readonly decode: Decode<any>
  readonly build: (config: any) => Module<any, [any], Tensor>
  readonly task: "CAUSAL_LM" | "FEATURE_EXTRACTION"
  readonly input: object
  /** The loss of `lora.py`. */
  readonly loss: (output: Tensor) => Tensor
}

const decoder: Subject = {
  decode: decodeDecoder,
  build: causalLm,
  task: "CAUSAL_LM",
  input: { ids, positions: block((i) => i % length), branches: block(() => 0) },
  loss: (logits) => {
    const predicting = tokens.flatMap((_, i) => i % length < length - 1 ? [i] : [])
    const nll = crossEntropy(gather(logits, list(predicting)), list(predicting.map((i) => tokens[i + 1]!)))
    return scale(sumAll(nll), 1 / predicting.length)
  }
}
const encoder: Subject = {
  decode: decodeEncoder,
  build: colbert,
  task: "FEATURE_EXTRACTION",
  input: { ids, mask: block(() => 1, "bool") },
  loss: (vectors) => {
    const { shape } = vectors.type
    return sumAll(mul(vectors, constant(Nd.make(shape, (_, i) => Math.sin(i / Nd.size(shape))))))
  }
}
export const subjects: Readonly<Record<string, Subject>> = { llama: decoder, tied: decoder, colbert: encoder }

/** The model of a folder, for inference or as `options` say. */
export const load = ({ build, decode, task }: Subject, folder: string, options: Partial<Model.LoadOptions> = {}) =>
  Effect.flatMap(
    ModelFolder.open<any>(pathOf(folder), decode),
    (opened) =>
      Model.load(opened, build, { seed: 1, lora: undefined, learns: () => false, slots: [], task, ...options })
  )

/** The output on the tokens, and the gradients of the loss in the given parameters. */
export const computed = Effect.fnUntraced(function*(
  { input, loss }: Subject,
  module: Module<any, [any], Tensor>,
  weights: Arrays,
  wanted: ReadonlyArray<string> = [],
  options: GradOptions = {}
) {
  const params = inputs(module.params)
  const output = module.apply(bind(module.params, (path) => params.get(path)!), input)
  const gradients = grad(loss(output), wanted.map((path) => params.get(path)!), options)
  const program = yield* (yield* Session).compile<string, string>({
    name: "adapted",
    inputs: Object.fromEntries(params),
    outputs: { output, ...Object.fromEntries(wanted.map((path, i) => [`gradient/${path}`, gradients[i]!])) }
  })
  return yield* program.run(Object.fromEntries(weights))
})
