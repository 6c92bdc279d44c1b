/** Answered questions read again: in other orders of their options, and with and without each passage. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { textOf } from "../../src/domain/Content.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { Candidates } from "../../src/domain/tables.ts"
import { LanguageModel } from "../../src/runtime/ports/LanguageModel.ts"
import { answer } from "../../src/stages/answer.ts"
import { readInfluence, readOrders } from "../../src/stages/readAgain.ts"
import * as Fakes from "../support/fakes.ts"
import * as Asking from "../support/reading.ts"
import * as Rows from "../support/rows.ts"
import { questions } from "../support/tiny.ts"

const row = <A>(block: ArrayLike<A>, r: number, rows = 6) => Rows.rowOfBlock(block, rows, r)

/** The ports, with a reader whose likelihoods are those of `nll` for a prompt's text and a continuation. */
const reading = (nll: (prompt: string, said: string) => number) => {
  const read = { prompts: 0 }
  const layer = Layer.effect(
    LanguageModel,
    Effect.map(LanguageModel, (own) => ({
      ...own,
      rank: (prompts, continuations) =>
        Effect.sync(() => {
          read.prompts += prompts.length
          return prompts.map(([message], p) =>
            Float32Array.from(continuations[p]!, (said) => nll(textOf(message!.content), said))
          )
        })
    }))
  ).pipe(Layer.provideMerge(Fakes.ports(Rows.texts).layer))
  return { read, layer }
}

const found = (docs: ReadonlyArray<number>) =>
  Frame.append(Rows.frame(), Candidates(docs.length), {
    docs: Int32Array.from(questions.flatMap(() => docs)),
    docScore: new Float32Array(6 * docs.length)
  })

describe("readOrders", () => {
  it.effect("finds what depends on the place of an option", () => {
    // It always says A.
    const { layer, read } = reading((_, said) => said.trim() === "A" ? 0 : 1)
    return Effect.gen(function*() {
      const answered = yield* answer(2, 2, Asking.defaults).run(found([0, 1]))
      read.prompts = 0
      const { debiased, orderAnswers } = Rows.blocks(
        yield* readOrders(2, { count: 6, seed: 1 }, Asking.defaults).run(answered)
      )
      // Of two options both orders, of three and four six; the given one is known.
      assert.strictEqual(read.prompts, questions.reduce((sum, { options }) => sum + (options.length === 2 ? 1 : 5), 0))
      questions.forEach(({ options }, r) => {
        assert.strictEqual(orderAnswers[r]!.length, options.length === 2 ? 2 : 6)
        assert.isTrue(orderAnswers[r]![0] === 0 && new Set(orderAnswers[r]!).size > 1)
        if (options.length === 4) return
        // Over all orders no option is likelier.
        for (const p of debiased[r]!) assert.closeTo(p, 1 / options.length, 1e-6)
      })
    }).pipe(Effect.provide(layer))
  })
  it.effect("follows an option to its places", () => {
    const { layer } = reading((prompt, said) => {
      const letter = said.trim()
      return new RegExp(`^${letter}\\. G`, "m").test(prompt) ? 0.5 : 2
    })
    return Effect.gen(function*() {
      const answered = yield* answer(1, 1, Asking.defaults).run(found([0]))
      const { debiased, orderAnswers } = Rows.blocks(
        yield* readOrders(1, { count: 24, seed: 1 }, Asking.defaults).run(answered)
      )
      questions.forEach(({ options }, r) => {
        const weights = options.map((option) => Math.exp(option.startsWith("G") ? -0.5 : -2))
        const sum = weights.reduce((a, b) => a + b)
        weights.forEach((own, i) => assert.closeTo(debiased[r]![i]!, own / sum, 1e-6))
        for (const own of orderAnswers[r]!) assert.isTrue(options[own]!.startsWith("G") || r === 9)
      })
    }).pipe(Effect.provide(layer))
  })
  it.effect("leaves out what was not scored", () =>
    Effect.gen(function*() {
      const open = Rows.frame(3, questions.map((q) => Object.assign({}, q, { options: [], answerIndex: -1 })))
      const asked = Frame.append(open, Candidates(1), { docs: new Int32Array(6), docScore: new Float32Array(6) })
      const answered = yield* answer(1, 1, Asking.defaults).run(asked)
      const { debiased, orderAnswers } = Rows.blocks(
        yield* readOrders(1, { count: 6, seed: 1 }, Asking.defaults).run(answered)
      )
      assert.deepStrictEqual([debiased, orderAnswers].flat().map(({ length }) => length), Array(12).fill(0))
    }).pipe(Effect.provide(Fakes.ports(Rows.texts).layer)))
})

describe("readInfluence", () => {
  it.effect("reads with all passages, without any, with each and without each, equal prompts once", () => {
    // Each passage that is read counts by its own weight.
    const worth = (prompt: string) => Rows.texts.reduce((sum, text, i) => sum + (prompt.includes(text) ? 2 ** i : 0), 0)
    const { layer, read } = reading((prompt) => 1000 - worth(prompt))
    return Effect.gen(function*() {
      const answered = yield* answer(3, 3, Asking.defaults).run(found([2, 0, 5]))
      read.prompts = 0
      const blocks = Rows.blocks(yield* readInfluence(3, Asking.defaults).run(answered))
      assert.strictEqual(read.prompts, 6 * 8)
      for (let r = 0; r < 6; r++) {
        assert.deepStrictEqual(row(blocks.support, r), [5, 0, 2])
        assert.deepStrictEqual([blocks.nllAll[r], blocks.nllNone[r]], [1000 - 37, 1000])
        assert.deepStrictEqual(row(blocks.nllAlone, r), [1000 - 32, 1000 - 1, 1000 - 4])
        assert.deepStrictEqual(row(blocks.nllBut, r), [1000 - 5, 1000 - 36, 1000 - 33])
      }
      const lone = yield* answer(1, 2, Asking.defaults).run(found([3]))
      read.prompts = 0
      const one = Rows.blocks(yield* readInfluence(2, Asking.defaults).run(lone))
      assert.strictEqual(read.prompts, 6 * 2)
      assert.deepStrictEqual(row(one.nllAlone, 0), [Number.NaN, 1000 - 8])
      assert.deepStrictEqual(row(one.nllBut, 0), [Number.NaN, 1000])
    }).pipe(Effect.provide(layer))
  })
  it.effect("reads nothing of a question without a known answer", () => {
    const { layer, read } = reading(() => 1)
    return Effect.gen(function*() {
      const mute = Rows.frame(3, questions.map((q) => Object.assign({}, q, { answer: "", answerIndex: -1 })))
      const asked = Frame.append(mute, Candidates(1), { docs: new Int32Array(6), docScore: new Float32Array(6) })
      const answered = yield* answer(1, 1, Asking.defaults).run(asked)
      read.prompts = 0
      const { nllAll, nllAlone } = Rows.blocks(yield* readInfluence(1, Asking.defaults).run(answered))
      assert.strictEqual(read.prompts, 0)
      assert.isTrue([...nllAll, ...nllAlone].every(Number.isNaN))
    }).pipe(Effect.provide(layer))
  })
})
