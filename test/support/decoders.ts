/** Decoders of a few thousand weights, and their texts by the plainest way: everything computed anew for each token. */
import * as Effect from "effect/Effect"
import * as Key from "../../src/domain/Key.ts"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { causalLm, type DecoderConfig } from "../../src/kernels/nn/decoder.ts"
import { entering, flatten } from "../../src/kernels/nn/Module.ts"
import { names as stepNames } from "../../src/kernels/Step.ts"
import { type Input, input } from "../../src/kernels/Tensor.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { asInputs } from "../../src/runtime/engine/Weights.ts"
import { unconstrained } from "../../src/runtime/language/generation/constraints.ts"
import { batches, type GenerationOptions, type Generator } from "../../src/runtime/language/generation/generate.ts"
import { generation } from "../../src/runtime/language/generation/graphs.ts"
import * as Sampling from "../../src/runtime/language/generation/sampling.ts"
import { initialise } from "../../src/runtime/models/initialise.ts"

export const config: DecoderConfig = {
  vocab_size: 31,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 10000 },
  tie_word_embeddings: true,
  hidden_dropout_prob: 0,
  initializer_range: 0.5
}

export const greedy: GenerationOptions = {
  ...unconstrained,
  ...Sampling.greedy,
  max_new_tokens: 12,
  eos: new Set(),
  stop_strings: []
}

/** A decoder with weights of its own, ready to generate; tokens are written as numbers between spaces. */
export const generator = Effect.fnUntraced(function*(c: DecoderConfig, fixed: boolean, seed = 1) {
  const session = yield* Session
  const decoder = causalLm(c)
  const weights = asInputs(initialise(flatten(decoder.params), Key.make(seed)))
  const program = yield* session.open(generation(c, decoder), fixed ? weights : {})
  const made: Generator = {
    program,
    cache: cacheShape(c),
    kept: session.kept,
    weights: () => fixed ? {} : weights,
    padding: 0,
    decode: (ids) => ids.join(" "),
    ...batches("decoder")
  }
  return { decoder, generator: made, weights }
})

/** The logits after a text, without a cache. */
export const logitsAfter = Effect.fnUntraced(function*(
  { decoder, weights }: Effect.Success<ReturnType<typeof generator>>,
  ids: ReadonlyArray<number>
) {
  const session = yield* Session
  const length = ids.length
  const names = ["ids", "positions", "branches"] as const
  const [tokens, positions, branches] = names.map((name) => input(name, [1, length], "int32")) as [Input, Input, Input]
  const weighed = entering(decoder.params, stepNames.param)
  const logits = decoder.apply(weighed.bound, { ids: tokens, positions, branches })
  const inputs = { ...weighed.inputs, ids: tokens, positions, branches }
  const program = yield* session.compile({ name: "plain", inputs, outputs: { logits } })
  const feeds = { ids: Int32Array.from(ids), positions: Int32Array.from(ids.keys()), branches: new Int32Array(length) }
  return (yield* program.run({ ...weights, ...feeds })).logits.slice(-logits.type.shape[1]!) as Float32Array
}, Effect.scoped)
