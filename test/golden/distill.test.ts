/** What a reader teaches by its attention, and REPLUG's divergence, against transformers and PyTorch in float64 (distill.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import { reverseDivergence } from "../../src/kernels/loss/rank.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { names } from "../../src/kernels/Step.ts"
import { input } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeFile } from "../../src/runtime/files/disk.ts"
import { ofDecoder } from "../../src/runtime/files/stateDict.ts"
import * as Graphs from "../../src/runtime/language/graphs.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { logLikelihoods } from "../../src/stages/score.ts"
import * as Golden from "./golden.ts"

type Rows = ReadonlyArray<ReadonlyArray<number>>
interface Described {
  readonly attention: ReadonlyArray<{ name: string; ids: Rows; parts: Rows; at: Rows; mass: Rows }>
  readonly replug: ReadonlyArray<{
    readonly scores: ReadonlyArray<number>
    readonly nll: ReadonlyArray<number>
    readonly gamma: number
    readonly beta: number
    readonly logTarget: ReadonlyArray<number>
    readonly loss: number
    readonly gradient: ReadonlyArray<number>
  }>
}
const described = JSON.parse(readFileSync(join(import.meta.dirname, "distill.json"), "utf8")) as Described

const attends = Effect.fnUntraced(function*({ at, ids, mass, name, parts }: Described["attention"][number]) {
  const folder = join(import.meta.dirname, "architectures", name)
  const config = yield* decodeFile(join(folder, "config.json"), decodeDecoder)
  const decoder = causalLm(config)
  const weights = yield* ModelFolder.weights(folder, flatten(decoder.params), 1, { naming: ofDecoder(config) })
  const [rows, length, watched] = [ids.length, ids[0]!.length, at[0]!.length]
  const graph = Graphs.attention(decoder, config, { rows, length, watched, parts: mass[0]!.length })
  const program = yield* (yield* Session).compile<string, string>(graph)
  const got = yield* program.run({
    ...Object.fromEntries([...weights].map(([path, values]) => [names.param(path), values])),
    ids: Int32Array.from(ids.flat()),
    positions: Int32Array.from(ids.flat(), (_, i) => i % length),
    branches: new Int32Array(rows * length),
    parts: Int32Array.from(parts.flat()),
    at: Int32Array.from(at.flat()),
    weights: new Float32Array(rows * watched).fill(1 / watched)
  })
  Golden.close(got["mass"]!, mass.flat(), `attention of ${name}`, { tolerance: 1e-5 })
})

describe("the attention to parts of a prompt", () => {
  for (const one of described.attention) {
    it.live(`is transformers', weighed by the norms of the values: ${one.name}`, () =>
      attends(one).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))
  }
})

describe("REPLUG's divergence", () => {
  for (const [i, { beta, gamma, gradient, logTarget, loss, nll, scores }] of described.replug.entries()) {
    it(`has PyTorch's target, loss and gradient: case ${i}`, () => {
      const m = scores.length
      const [s, t] = [input("s", [1, m]), input("t", [1, m])]
      const value = reverseDivergence(s, t, gamma)
      const feeds = { s: Nd.fromArray([1, m], scores), t: Nd.fromArray([1, m], logTarget) }
      const [got, slope] = interpret([value, ...grad(sumAll(value), [s])], feeds)
      assert.closeTo(got!.data[0]!, loss, 1e-9 * Math.max(1, loss))
      const most = Math.max(1, ...gradient.map(Math.abs))
      gradient.forEach((want, k) => assert.closeTo(slope!.data[k]!, want, 1e-9 * most))
      const ours = logLikelihoods(Float32Array.from(nll), m, beta)
      logTarget.forEach((want, k) => assert.closeTo(ours[k]!, want, 1e-6 * Math.max(1, Math.abs(want))))
    })
  }
})
