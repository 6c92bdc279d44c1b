/** Shifted sparse attention, with grouped heads, padding and stretched positions, against PyTorch's float64 (shifted.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { grad } from "../../src/kernels/grad.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { bind, flatten } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { crossEntropy } from "../../src/kernels/op/normalise.ts"
import { input } from "../../src/kernels/Tensor.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import * as Golden from "./golden.ts"

interface Described {
  readonly models: Readonly<Record<string, any>>
  /** Token ids, as many a row, and how many of each row are no padding. */
  readonly ids: ReadonlyArray<ReadonlyArray<number>>
  readonly lengths: ReadonlyArray<number>
}
type Config = Parameters<typeof causalLm>[0]

/** The likelihood of every token after the first, and the gradient of their sum in every parameter. */
const graph = (config: Config, rows: number, length: number, supervised: number) => {
  const decoder = causalLm(config)
  const weights = new Map([...flatten(decoder.params)].map(([path, p]) => [path, input(path, p.shape)]))
  const shape = [rows, length]
  const batch = {
    ids: input("ids", shape, "int32"),
    positions: input("positions", shape, "int32"),
    branches: input("branches", shape, "int32"),
    rows: input("rows", [supervised], "int32")
  }
  const targets = input("targets", [supervised], "int32")
  const logits = decoder.apply(bind(decoder.params, (path) => weights.get(path)!), { ...batch, shifted: true })
  const nll = crossEntropy(logits, targets)
  const gradients = grad(sumAll(nll), [...weights.values()])
  return {
    name: "shifted",
    inputs: { ...Object.fromEntries(weights), ...batch, targets },
    outputs: { nll, ...Object.fromEntries([...weights.keys()].map((path, i) => [`gradient/${path}`, gradients[i]!])) }
  }
}

const feeds = ({ ids, lengths }: Described) => {
  const n = ids[0]!.length
  const supervised = lengths.flatMap((length, r) => Array.from({ length: length - 1 }, (_, i) => r * n + i))
  return {
    ids: Int32Array.from(ids.flat()),
    positions: Int32Array.from(ids.flat(), (_, i) => i % n),
    branches: Int32Array.from(ids.flat(), (_, i) => i % n < lengths[Math.floor(i / n)]! ? 0 : -1),
    rows: Int32Array.from(supervised),
    targets: Int32Array.from(supervised, (i) => ids.flat()[i + 1]!)
  }
}

/** transformers turns and normalises in float32, whatever the model's type. */
const closeness = { tolerance: 1e-5 }

const check = Effect.fnUntraced(function*(name: string) {
  const { described, under } = yield* Golden.read<Described>("shifted")
  const { rope_scaling, ...config } = described.models[name]
  const rope_parameters = { rope_type: "linear", rope_theta: config.rope_theta, factor: rope_scaling.factor } as const
  const batch = feeds(described)
  const own = { ...config, rope_parameters, hidden_dropout_prob: 0, initializer_range: 1 }
  const made = graph(own, described.ids.length, described.ids[0]!.length, batch.rows.length)
  const program = yield* (yield* Session).compile<string, string>(made)
  const weights = Object.fromEntries([...under(`${name}/initial/`)].map(([path, { data }]) => [path, data]))
  const { nll, ...gradients } = yield* program.run({ ...weights, ...batch })
  Golden.close(nll!, under(`${name}/`).get("nll")!.data, "likelihoods", closeness)
  for (const [path, { data }] of under(`${name}/gradient/`)) {
    Golden.close(gradients[`gradient/${path}`]!, data, path, closeness)
  }
})

describe("shifted sparse attention against PyTorch", () => {
  for (const { name: provider, session } of Golden.providers) {
    for (const name of ["grouped", "odd"]) {
      it.live(`${name} heads on ${provider}: likelihoods, and the gradient of every parameter`, () =>
        check(name).pipe(Effect.scoped, Effect.provide([session, NodeFileSystem.layer])))
    }
  }
})
