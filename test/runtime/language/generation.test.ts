import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import * as Key from "../../../src/domain/Key.ts"
import type { DecoderConfig } from "../../../src/kernels/nn/decoder.ts"
import { cpu, reference, simulated } from "../../../src/runtime/engine/providers.ts"
import { generate, type GenerationOptions, type Prompt } from "../../../src/runtime/language/generation/generate.ts"
import type { Token } from "../../../src/runtime/ports/LanguageModel.ts"
import { config, generator, greedy, logitsAfter } from "../../support/decoders.ts"

const prompt = (ids: ReadonlyArray<number>): Prompt => ({ ids, key: Key.fold(Key.make(7), ids.join()) })

const collect = (
  model: Effect.Success<ReturnType<typeof generator>>,
  prompts: ReadonlyArray<Prompt>,
  o: GenerationOptions
) =>
  Effect.map(
    Stream.runCollect(generate(model.generator, prompts, o)),
    (tokens) => prompts.map((_, row) => tokens.filter((t) => t.row === row))
  )

const idsOf = (tokens: ReadonlyArray<Token>) => tokens.map(({ id }) => id)

/** Greedy, everything computed anew for each token. */
const plainly = Effect.fnUntraced(function*(
  model: Effect.Success<ReturnType<typeof generator>>,
  { ids }: Prompt,
  count: number
) {
  const text = [...ids]
  while (text.length < ids.length + count) {
    const logits = yield* logitsAfter(model, text)
    text.push(logits.indexOf(Math.max(...logits)))
  }
  return text.slice(ids.length)
})

/** What Gemma 3 has more than others. */
const third = {
  post_norms: true,
  query_pre_attn_scalar: 3,
  local_rope_parameters: { rope_type: "default", rope_theta: 10 }
} as const
const typesFrom = (first: number, layers: number) =>
  Array.from({ length: layers }, (_, i) => i >= first ? "sliding_attention" as const : "full_attention" as const)

const configs: fc.Arbitrary<DecoderConfig> = fc.record({
  layers: fc.integer({ min: 1, max: 2 }),
  heads: fc.constantFrom([2, 1], [4, 2], [2, 2]),
  tie: fc.boolean(),
  window: fc.constantFrom(undefined, 3, 5),
  from: fc.integer({ min: 0, max: 1 }),
  norm: fc.boolean(),
  gemma3: fc.boolean()
}).map(({ from, gemma3, heads, layers, norm, tie, window }) =>
  Object.assign(
    window ? { sliding_window: window, layer_types: typesFrom(from, layers) } : {},
    gemma3 ? third : {},
    config,
    {
      num_hidden_layers: layers,
      num_attention_heads: heads[0]!,
      num_key_value_heads: heads[1]!,
      tie_word_embeddings: tie,
      qk_norm: norm
    }
  )
)
const prompts = fc.array(fc.array(fc.nat(30), { minLength: 1, maxLength: 11 }).map(prompt), {
  minLength: 1,
  maxLength: 4
})

const providers: ReadonlyArray<readonly [string, typeof reference, number]> = [
  ["cpu", cpu({ threads: 1 }), 12],
  ["a device that keeps its cache", Layer.orDie(simulated), 6],
  ["reference", reference, 2]
]

describe("generation", () => {
  for (const [name, layer, runs] of providers) {
    it.live(`gives the tokens that recomputing everything gives, in any batch, on ${name}`, () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(configs, prompts, fc.boolean(), fc.constantFrom(3, 4, 1024), (c, asked, fixed, piece) =>
            Effect.gen(function*() {
              const made = yield* generator(c, fixed)
              const model = { ...made, generator: { ...made.generator, piece } }
              const got = yield* collect(model, asked, { ...greedy, max_new_tokens: 6 })
              for (const [r, p] of asked.entries()) {
                assert.deepStrictEqual(idsOf(got[r]!), yield* plainly(model, p, 6), `row ${r}`)
              }
            }).pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)),
          { numRuns: runs, seed: 3 }
        )
      ))
  }
  it.live("draws the same tokens of a text in any batch, and others under another key", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, true)
      const asked = [[1, 2, 3], [9, 8, 7, 6, 5, 4, 3, 2, 1], [5], [1, 2, 3, 4]].map(prompt)
      const options = { ...greedy, do_sample: true, temperature: 2, top_k: 20, top_p: 0.95 }
      const together = (yield* collect(model, asked, options)).map(idsOf)
      const alone = yield* Effect.forEach(asked, (one) => collect(model, [one], options))
      const back = yield* collect(model, asked.toReversed(), options)
      assert.deepStrictEqual(alone.map(([tokens]) => idsOf(tokens!)), together)
      assert.deepStrictEqual(back.map(idsOf).toReversed(), together)
      const other = yield* collect(model, [{ ...asked[0]!, key: Key.make(8) }], options)
      assert.notDeepEqual(idsOf(other[0]!), together[0])
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it.live("reads prompts that are too long to be read at once", () =>
    Effect.gen(function*() {
      const model = yield* generator({ ...config, num_hidden_layers: 1 }, true)
      const asked = [2200, 5, 2100].map((n, r) => prompt(Array.from({ length: n }, (_, i) => (7 * i + r) % 31)))
      const options = { ...greedy, max_new_tokens: 3 }
      const together = (yield* collect(model, asked, options)).map(idsOf)
      const alone = yield* Effect.forEach(asked, (one) => collect(model, [one], options))
      assert.deepStrictEqual(together, alone.map(([tokens]) => idsOf(tokens!)))
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it.live("ends a text at its own end while the others go on", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, true)
      const asked = [[1, 2, 3], [4, 5], [6, 7, 8, 9, 10]].map(prompt)
      const whole = (yield* collect(model, asked, greedy)).map(idsOf)
      const eos = whole[1]![3]!
      const cut = yield* collect(model, asked, { ...greedy, eos: new Set([eos]) })
      cut.forEach((tokens, r) => {
        const at = whole[r]!.indexOf(eos)
        assert.deepStrictEqual(idsOf(tokens), at < 0 ? whole[r] : whole[r]!.slice(0, at + 1))
        assert.deepStrictEqual(
          tokens.map(({ finish }) => finish),
          tokens.map((_, i) => i < tokens.length - 1 ? undefined : at < 0 ? "length" : "eos")
        )
      })
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it.live("ends a text at a stop string that its tokens share", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, true)
      const [tokens] = yield* collect(model, [prompt([1, 2, 3])], greedy)
      const text = tokens!.map((t) => t.text).join("")
      assert.strictEqual(text, idsOf(tokens!).join(" "))
      const stop = text.slice(text.indexOf(" ") + 1, text.lastIndexOf(" ")).slice(0, 6)
      const [cut] = yield* collect(model, [prompt([1, 2, 3])], { ...greedy, stop_strings: ["never", stop] })
      assert.strictEqual(cut!.map((t) => t.text).join(""), text.slice(0, text.indexOf(stop)))
      assert.strictEqual(cut!.at(-1)!.finish, "stop")
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it.live("gives each token before the next is computed, and stops computing when nobody listens", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, true)
      let runs = 0
      const program: typeof model.generator.program = (sizes) => {
        const { graph, run } = model.generator.program(sizes)
        return {
          graph,
          run: (feeds, into) => Effect.suspend(() => run(feeds, into).pipe(Effect.tap(() => Effect.sync(() => runs++))))
        }
      }
      const tokens = generate({ ...model.generator, program }, [prompt([1, 2])], greedy)
      yield* Stream.runForEach(Stream.take(tokens, 3), () => Effect.sync(() => assert.isAtMost(runs, 3)))
      assert.strictEqual(runs, 3)
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it.live("fails by the program's name where logits are no numbers, or no token is left", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, false)
      const names = Object.keys(model.generator.weights()).filter((name) => name.endsWith("norm.weight"))
      const nothing = names.map((name) => [name, new Float32Array(16).fill(NaN)] as const)
      const weights = { ...model.generator.weights(), ...Object.fromEntries(nothing) }
      const broken = { ...model, generator: { ...model.generator, weights: () => weights } }
      const error = yield* Effect.flip(collect(broken, [prompt([1, 2])], greedy))
      assert.match(error.message, /^Program decoder\.generate [^:]+: element 0 of (logits|present) is NaN/)
      const all = { ...greedy, suppress_tokens: Array.from({ length: 31 }, (_, i) => i) }
      assert.match(
        (yield* Effect.flip(collect(model, [prompt([1, 2])], all))).message,
        /no token is left to go on with/
      )
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
})
