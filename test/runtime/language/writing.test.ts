/** What a language model writes: answers, explanations, and options taken from what it wrote. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import * as languageModel from "../../../src/runtime/language/languageModel.ts"
import { LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import type { AnswerOptions } from "../../../src/stages/answer.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const asked: Reading.Asked = {
  questions: Tiny.questions.map((q) => q.question),
  options: Tiny.questions.map((q) => q.options),
  context: Int32Array.from(Tiny.questions.flatMap((_, q) => [q, q + 1]))
}
const free: Reading.Asked = { ...asked, options: asked.questions.map(() => []) }
const one = (all: Reading.Asked, q: number): Reading.Asked => ({
  questions: [all.questions[q]!],
  options: [all.options[q]!],
  context: all.context.slice(2 * q, 2 * q + 2)
})

/** With the tiny reader under the settings, and a `generation_config.json` where one is given. */
const onTiny = <A, E>(effect: Effect.Effect<A, E, LanguageModel>, overrides: Raw = {}, generation?: object) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* Tiny.weighted
    const config = yield* Tiny.settings(folder, overrides)
    const path = join(folder, "reader", "generation_config.json")
    if (generation) yield* fs.writeFileString(path, JSON.stringify(generation))
    return yield* effect.pipe(
      Effect.provide(languageModel.readOnly(ofReader(config)).pipe(Layer.provide(Tiny.surroundings)))
    )
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const short: AnswerOptions = { ...Reading.defaults, max_new_tokens: 6 }
const texts = (what: Parameters<typeof Reading.written>[0], o: Partial<AnswerOptions> = {}) =>
  Reading.written(what, { ...short, ...o })
const answer = (what: Reading.Asked, o: Partial<AnswerOptions> = {}) => Reading.answered(what, { ...short, ...o })

describe("a reader that writes", () => {
  it.live("gives free answers as it writes them, the same alone as among others", () =>
    onTiny(Effect.gen(function*() {
      const written = yield* texts(free)
      const { indices, texts: given, written: beside } = yield* answer(free)
      assert.deepStrictEqual(given, written)
      assert.isTrue(indices.every((i) => i === -1))
      assert.isTrue(beside.every((text) => text === ""))
      assert.isAbove(new Set(written).size, 3)
      for (const q of asked.questions.keys()) assert.deepStrictEqual(yield* texts(one(free, q)), [written[q]])
    })))
  it.live("takes the option from what it wrote, where the settings say so", () =>
    onTiny(
      Effect.gen(function*() {
        const o = {
          answer_by: "generation",
          max_new_tokens: 12,
          options_in_prompt: false,
          answer_format: "text"
        } as const
        const said = yield* texts(asked, o)
        const word = (text: string) => text.match(/[A-Za-z]{3,}/g)!.at(-1)!
        const options = said.map((text, q) => q % 2 === 0 ? ["unsaid", word(text)] : ["unsaid", "nor this"])
        const { indices, texts: given, written } = yield* answer({ ...asked, options }, o)
        assert.deepStrictEqual(written, said)
        assert.deepStrictEqual([...indices], said.map((_, q) => q % 2 === 0 ? 1 : -1))
        assert.deepStrictEqual(given, said.map((text, q) => q % 2 === 0 ? word(text) : text))
      })
    ))
  it.live("explains the answer it is given, after a prompt of its own", () =>
    onTiny(
      Effect.gen(function*() {
        const [first, second] = [asked.options.map((o) => o[0]!), asked.options.map((o) => o[1]!)]
        const o = { ...short, rationale_prompt: " Reference", rationale_max_new_tokens: 9 }
        const reasons = yield* texts({ ...asked, explain: first }, o)
        assert.notDeepEqual(reasons, yield* texts(asked))
        assert.notDeepEqual(reasons, yield* texts({ ...asked, explain: second }, o))
        const tokens = yield* Stream.runCollect(yield* Reading.tokensOf({ ...one(asked, 0), explain: [first[0]!] }, o))
        assert.strictEqual(tokens.length, 9)
      })
    ))
  it.live("writes as the model's folder says, and as the settings say where they do", () =>
    Effect.gen(function*() {
      const folder = { do_sample: true, temperature: 3, top_k: 0, eos_token_id: [3, 4], bos_token_id: 2 }
      const plain = yield* onTiny(texts(free))
      const drawn = yield* onTiny(texts(free), {}, folder)
      assert.notDeepEqual(drawn, plain)
      assert.deepStrictEqual(yield* onTiny(texts(free), {}, folder), drawn)
      assert.notDeepEqual(yield* onTiny(texts(free), { seed: 43 }, folder), drawn)
      assert.deepStrictEqual(yield* onTiny(texts(free), { do_sample: false }, folder), plain)
    }))
  it.live("draws another text under another key, the same under the same", () =>
    Effect.gen(function*() {
      const drawn = (key?: string) =>
        onTiny(
          Effect.flatMap(LanguageModel, (model) =>
            Stream.runCollect(
              model.write(Reading.promptsOf(one(free, 0)), { max_new_tokens: 6, ...(key === undefined ? {} : { key }) })
            )),
          { do_sample: true, temperature: 3 }
        )
      const texts = (yield* Effect.forEach([undefined, "", "2", "2"], drawn)).map((all) => all.map(({ id }) => id))
      assert.deepStrictEqual([texts[0], texts[2]], [texts[1], texts[3]])
      assert.notDeepEqual(texts[0], texts[2])
    }))
  it.live("ends at a stop string, which is no part of the text", () =>
    Effect.gen(function*() {
      const [whole] = yield* onTiny(texts(one(free, 0)))
      const stop = whole!.slice(2, 4)
      const [cut] = yield* onTiny(texts(one(free, 0)), { stop_strings: [stop] })
      assert.strictEqual(cut, whole!.slice(0, whole!.indexOf(stop)).trim())
    }))
  it.live("writes by the rules of the settings or of the folder: no pair of words twice, no end too early", () =>
    Effect.gen(function*() {
      const pairs = (text: string) => text.split(" ").slice(1).map((word, i) => `${text.split(" ")[i]} ${word}`)
      const long = texts(free, { max_new_tokens: 24 })
      const plain = yield* onTiny(long)
      assert.isTrue(plain.some((text) => new Set(pairs(text)).size < pairs(text).length))
      const folder = { no_repeat_ngram_size: 2, eos_token_id: 3 }
      const distinct = yield* onTiny(long, {}, folder)
      assert.isTrue(distinct.every((text) => new Set(pairs(text)).size === pairs(text).length))
      assert.deepStrictEqual(yield* onTiny(long, { no_repeat_ngram_size: 2 }), distinct)
      assert.deepStrictEqual(yield* onTiny(long, { no_repeat_ngram_size: 0 }, folder), plain)
    }))
  it.live("refuses to write where the folder asks for what is not known, but scores", () =>
    Effect.gen(function*() {
      const folder = { num_beams: 4, eos_token_id: 3 }
      const error = yield* Effect.flip(onTiny(texts(free), {}, folder))
      assert.match(String(error), /generation_config\.json: num_beams 4: how tokens are chosen so is not known here/)
      const scored = answer(asked)
      assert.deepStrictEqual(yield* onTiny(scored, {}, folder), yield* onTiny(scored))
    }))
  it.live("leaves questions that are too long unanswered where they may be, and the others as they are", () =>
    Effect.gen(function*() {
      const long = { ...asked, questions: asked.questions.map((text, q) => q % 2 === 0 ? text.repeat(40) : text) }
      const both = (excess_length: "raise" | "skip" | "truncate") =>
        Effect.gen(function*() {
          const o = { excess_length, rationale_prompt: " Reference", rationale_max_new_tokens: 9 }
          const scored = yield* answer(long, o)
          return { scored, written: yield* texts({ ...long, options: free.options }, o), explained: scored.explained }
        })
      const { explained, scored, written } = yield* onTiny(both("skip"), { excess_length: "skip" })
      const whole = yield* onTiny(answer(asked))
      for (const q of asked.questions.keys()) {
        const isLong = q % 2 === 0
        assert.strictEqual(scored.indices[q], isLong ? -1 : whole.indices[q])
        assert.strictEqual(scored.texts[q] === "", isLong)
        assert.strictEqual(written[q] === "", isLong)
        assert.strictEqual(explained[q] === "", isLong)
      }
      assert.match(String(yield* Effect.flip(onTiny(both("raise"), { excess_length: "raise" }))), /max_length is 160/)
      const cut = yield* onTiny(both("truncate"), { excess_length: "truncate" })
      assert.isTrue(cut.scored.indices.every((i) => i >= 0) && cut.written.every((text) => text !== ""))
    }))
  it.live("refuses a generation_config.json that is none, naming the file and the key", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(onTiny(texts(free), {}, { top_k: "many" }))
      assert.match(String(error), /generation_config\.json.*top_k/s)
    }))
  for (const own of [{}, { lora_r: 2 }, { lora_r: 2, torch_dtype: "float16" }]) {
    it.live(`writes with the weights it has while it learns ${JSON.stringify(own)}`, () =>
      Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const config = yield* Tiny.settings(folder, { learning_rate: 0.1, ...own })
        const around = Layer.merge(Tiny.surroundings, Memory.checkpoints().layer)
        const before = yield* texts(free).pipe(
          Effect.provide(languageModel.readOnly(ofReader(config)).pipe(Layer.provide(around)))
        )
        yield* Effect.gen(function*() {
          if (!("torch_dtype" in own)) assert.deepStrictEqual(yield* texts(free), before)
          const { learn } = yield* LanguageModelLearner
          const answers = Tiny.questions.map((q) => q.answer)
          for (let i = 0; i < 4; i++) yield* learn(Reading.lessonOf({ ...asked, answers }))
          const after = yield* texts(free)
          assert.notDeepEqual(after, before)
          assert.deepStrictEqual(yield* texts(free), after)
        }).pipe(Effect.provide(languageModel.trainable(ofReader(config)).pipe(Layer.provide(around))))
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  }
})
