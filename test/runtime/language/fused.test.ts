/** Texts that several prompts write together: against recomputing everything, in any batch, and JOMED's numbers. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import * as Key from "../../../src/domain/Key.ts"
import { fusionWeights } from "../../../src/domain/verdicts/fusion.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { fusedLogits, generateFused } from "../../../src/runtime/language/generation/fused.ts"
import { generate, type GenerationOptions } from "../../../src/runtime/language/generation/generate.ts"
import type { Fusion, Token } from "../../../src/runtime/ports/LanguageModel.ts"
import { config, generator, greedy, logitsAfter } from "../../support/decoders.ts"

type Model = Effect.Success<ReturnType<typeof generator>>
type Ids = ReadonlyArray<number>
const prompt = (ids: Ids) => ({ ids, key: Key.fold(Key.make(7), ids.join()) })
const idsOf = (tokens: ReadonlyArray<Token>, text: number) =>
  tokens.filter(({ row }) => row === text).map(({ id }) => id)
const collect = (model: Model, prompts: ReadonlyArray<Ids>, fusion: Fusion, o: GenerationOptions) =>
  Stream.runCollect(generateFused(model.generator, prompts.map(prompt), fusion, o))

/** The fused text of some prompts, everything computed anew for each token. */
const plainly = Effect.fnUntraced(function*(
  model: Model,
  prompts: ReadonlyArray<Ids>,
  weights: ReadonlyArray<number>,
  by: Fusion["by"],
  count: number
) {
  const own = prompts.map((ids) => [...ids])
  const text: Array<number> = []
  while (text.length < count) {
    const logits = yield* Effect.forEach(own, (ids) => logitsAfter(model, ids))
    const sums = Array.from(logits[0]!, (_, id) => logits.reduce((sum, one, k) => sum + weights[k]! * one[id]!, 0))
    const id = sums.indexOf(Math.max(...sums))
    text.push(id)
    own.forEach((ids, k) => ids.push(by === "lockstep" ? id : logits[k]!.indexOf(Math.max(...logits[k]!))))
  }
  return text
})

const some = <A>(own: fc.Arbitrary<A>, maxLength: number) => fc.array(own, { minLength: 1, maxLength })
const groups = some(some(fc.record({ ids: some(fc.nat(30), 9), weight: fc.integer({ min: 1, max: 20 }) }), 3), 3)
const modes = ["lockstep", "positions"] as const

describe("fused generation", () => {
  it("has the weighted sums of JOMED's example", () => {
    const weights = fusionWeights([[0.8, 0.6], [0.31, 0.3]])
    const rows = [[3, 1, 0], [0, 2, 1], [1, 1.5, 0], [0.2, 2.5, 0.1]].map((own) => Float32Array.from(own))
    const sums = fusedLogits(rows, weights)
    for (const [i, known] of [1.119185, 1.728888, 0.233684].entries()) assert.closeTo(sums[i]!, known, 1e-6)
    const barred = [Float32Array.of(5, 1), Float32Array.of(-Infinity, 1)]
    assert.deepStrictEqual([...fusedLogits(barred, [1, 0])], [5, 1], "of weight 0 counts for nothing")
    assert.deepStrictEqual([...fusedLogits(barred, [0.5, 0.5])], [-Infinity, 1])
  })
  it.live("gives the tokens that recomputing everything gives, in any batch", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(groups, fc.constantFrom(...modes), (asked, by) =>
          Effect.gen(function*() {
            const model = yield* generator(config, true)
            const members = asked.flatMap((own, text) => own.map((one) => ({ ...one, text })))
            const fusion = {
              texts: members.map(({ text }) => text),
              weights: members.map(({ weight }) => weight / 20),
              by
            }
            const got = yield* collect(model, members.map(({ ids }) => ids), fusion, { ...greedy, max_new_tokens: 4 })
            for (const [text, own] of asked.entries()) {
              const weights = own.map(({ weight }) => weight / 20)
              const known = yield* plainly(model, own.map(({ ids }) => ids), weights, by, 4)
              assert.deepStrictEqual(idsOf(got, text), known, `text ${text}`)
            }
          }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 })), Effect.runPromise)),
        { numRuns: 5, seed: 5 }
      )
    ))
  it.live("is equal on the first token, and to plain generation of one prompt", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, true)
      const prompts = [[1, 2, 3], [9, 8, 7, 6, 5], [5]]
      const of = (by: Fusion["by"], weights: ReadonlyArray<number>) =>
        collect(model, prompts, { texts: [0, 0, 0], weights, by }, { ...greedy, max_new_tokens: 5 })
      const [lockstep, positions] = [yield* of("lockstep", [0.3, 0.3, 0.4]), yield* of("positions", [0.3, 0.3, 0.4])]
      assert.strictEqual(lockstep[0]!.id, positions[0]!.id)
      assert.strictEqual(lockstep.length, 5)
      const alone = yield* Stream.runCollect(
        generate(model.generator, [prompt(prompts[1]!)], { ...greedy, max_new_tokens: 5 })
      )
      for (const by of modes) {
        const own = yield* of(by, [0, 1, 0])
        assert.deepStrictEqual(own.map(({ id, text }) => [id, text]), alone.map(({ id, text }) => [id, text]), by)
        assert.deepStrictEqual(yield* of(by, [0, 0, 0]), [], "nothing is written where nothing has weight")
      }
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
  it.live("ends at an eos token of the text, or with the last of its prompts", () =>
    Effect.gen(function*() {
      const model = yield* generator(config, true)
      const prompts = [[1, 2, 3], [9, 8, 7, 6, 5]]
      const run = (by: Fusion["by"], eos: Ids) =>
        collect(model, prompts, { texts: [0, 0], weights: [0.6, 0.4], by }, {
          ...greedy,
          max_new_tokens: 6,
          eos: new Set(eos)
        })
      const free = yield* run("lockstep", [])
      assert.deepStrictEqual([free.length, free.at(-1)!.finish], [6, "length"])
      const [, second] = free
      const first = free.findIndex(({ id }) => id === second!.id)
      const ended = yield* run("lockstep", [second!.id])
      assert.deepStrictEqual([ended.length, ended.at(-1)!.finish], [first + 1, "eos"])
      /** What each prompt writes first ends both. */
      const firsts = yield* Effect.forEach(prompts, (ids) =>
        Effect.map(logitsAfter(model, ids), (own) => own.indexOf(Math.max(...own))))
      const [last] = (yield* run("positions", firsts)).slice(-1)
      assert.strictEqual(last!.finish, "eos")
      assert.strictEqual((yield* run("positions", firsts)).length, 1)
    }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 }))))
})
