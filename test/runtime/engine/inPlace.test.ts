/** Sums and updates written in place, against the same programs with arrays of their own: not a bit differs. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Key from "../../../src/domain/Key.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import type { Graph } from "../../../src/kernels/onnx/encode.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import { names } from "../../../src/kernels/Step.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { allocate, type Data, Session } from "../../../src/runtime/engine/Session.ts"
import { lesson } from "../../../src/runtime/language/graphs.ts"

/** How often; more where a machine is to be tried: `ROUNDS=500 npx vitest run test/runtime/engine/inPlace.test.ts`. */
const ROUNDS = Number(process.env["ROUNDS"] ?? 4)

const VOCABULARY = 60
const decoder = (hidden_size: number) =>
  causalLm({
    vocab_size: VOCABULARY,
    hidden_size,
    intermediate_size: hidden_size + 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-6,
    rope_parameters: { rope_type: "default", rope_theta: 100 },
    tie_word_embeddings: true,
    hidden_dropout_prob: 0.1,
    initializer_range: 0.3
  })

/** Numbers for every input of a graph, drawn by key; moments of squares are not negative. */
const feedsOf = (graph: Graph, key: Key.Key): Record<string, Data> =>
  Object.fromEntries(
    Object.entries(graph.inputs).map(([name, { type }]) => {
      const own = Key.fold(key, name)
      const data = allocate(type.dtype, type.shape.reduce((a, b) => a * b, 1))
      const most = name === "rows" ? 16 : VOCABULARY
      for (let i = 0; i < data.length; i++) {
        if (type.dtype === "int32") data[i] = name === "branches" ? 0 : Key.integer(own, i, most)
        else data[i] = name.includes("_sq/") ? Key.uniform(own, i) : 0.3 * Key.normal(own, i)
      }
      return [name, data]
    })
  )

/** Runs a graph with its `next/...` outputs in its inputs, and with arrays of their own: round by round the same. */
const same = Effect.fnUntraced(function*(graph: Graph, rounds: number) {
  const program = yield* (yield* Session).compile<string, string>(graph)
  const written = Object.keys(graph.inputs).filter((name) => names.next(name) in graph.outputs)
  assert.isNotEmpty(written)
  for (let round = 0; round < rounds; round++) {
    const key = Key.make(round)
    const apart = yield* program.run(feedsOf(graph, key))
    const feeds = feedsOf(graph, key)
    const into = Object.fromEntries(written.map((name) => [names.next(name), feeds[name]!]))
    const inPlace = yield* program.run(feeds, into)
    for (const [output, data] of Object.entries(apart)) {
      const wrong = data.findIndex((x, i) => !Object.is(x, inPlace[output]![i]))
      assert.strictEqual(wrong, -1, `${graph.name}, round ${round}, ${output}[${wrong}]`)
    }
  }
})

describe("what is written in place", () => {
  for (const threads of [1, 2]) {
    for (const hidden of [8, 32, 64]) {
      it.live(`is what it is elsewhere: ${hidden} wide, ${threads} threads`, () =>
        Effect.gen(function*() {
          const shape = { rows: 2, length: 8, supervised: 5 }
          const { part, update } = lesson(decoder(hidden), {
            shape,
            shifted: false,
            group: () => "all",
            optimizer: adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 }),
            maxGradNorm: 1
          })
          for (const graph of [part(), ...update()]) yield* same(graph, ROUNDS)
        }).pipe(Effect.scoped, Effect.provide(cpu({ threads }))), 60_000 + 1_000 * ROUNDS)
    }
  }
})
