/** What our models compute, beside what a reference file says, with the gradient of every parameter. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { grad } from "../../src/kernels/grad.ts"
import { bind, type Bound, inputs, type Params } from "../../src/kernels/nn/Module.ts"
import type { Tensor } from "../../src/kernels/Tensor.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import type * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import type { Naming } from "../../src/runtime/files/weights.ts"
import * as Golden from "./golden.ts"

const closeness = { tolerance: 1e-5 }

/** The tensors whose names start with a prefix, without it. */
export const underOf = (tensors: Safetensors.StoredTensors) => (prefix: string): Safetensors.StoredTensors =>
  new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]))

export interface Computed {
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly loss: Tensor
}

/**
 * Compares outputs by name and the gradients of the loss by the names that the checkpoint gives its parameters: those of all that
 * `learns`.
 */
export const compare = Effect.fnUntraced(function*(
  what: string,
  params: Params,
  weights: ReadonlyMap<string, Float32Array>,
  compute: (bound: Bound<Params>) => Computed,
  expected: Safetensors.StoredTensors,
  naming: Naming,
  learns: (path: string) => boolean = () => true
) {
  const session = yield* Session
  const given = inputs(params)
  const { loss, outputs } = compute(bind(params, (path) => given.get(path)!))
  const paths = [...given.keys()]
  const gradients = grad(loss, [...given.values()]).map((g, i) => [`gradient/${paths[i]}`, g] as const)
  const program = yield* session.compile<string, string>({
    name: what,
    inputs: Object.fromEntries(given),
    outputs: { ...outputs, ...Object.fromEntries(gradients) }
  })
  const got = yield* program.run(Object.fromEntries(weights))
  for (const name of Object.keys(outputs)) {
    Golden.close(got[name]!, expected.get(name)!.data, `${what} ${name}`, closeness)
  }
  const wanted = [...underOf(expected)("gradient/")].map(([name, { data }]) => [naming(name), data] as const)
  const norm = Math.hypot(...wanted.flatMap(([_, data]) => [...data]))
  for (const [path, data] of wanted) {
    if (path === undefined) continue
    assert.include(paths, path)
    Golden.close(got[`gradient/${path}`]!, data, `${what} gradient of ${path}`, { ...closeness, tiny: 1e-7 * norm })
  }
  assert.isAtLeast(
    wanted.length,
    paths.filter(learns).length - 3,
    "gradients of all but what the loss does not depend on"
  )
})
