/** What the reader writes: answers, explanations, and options taken from what it wrote. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import * as reader from "../../../src/runtime/language/reader.ts"
import { Reader, ReaderLearner, textsOf, type ToWrite } from "../../../src/runtime/ports/Reader.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import * as Memory from "../../support/memory.ts"
import * as Tiny from "../../support/tiny.ts"

const asked: ToWrite = {
  questions: Tiny.questions.map((q) => q.question),
  options: Tiny.questions.map((q) => q.options),
  context: Int32Array.from(Tiny.questions.flatMap((_, q) => [q, q + 1]))
}
const free: ToWrite = { ...asked, options: asked.questions.map(() => []) }
const one = (all: ToWrite, q: number): ToWrite => ({
  questions: [all.questions[q]!],
  options: [all.options[q]!],
  context: all.context.slice(2 * q, 2 * q + 2)
})

/** With the tiny reader under the settings, and a `generation_config.json` where one is given. */
const onTiny = <A, E>(effect: Effect.Effect<A, E, Reader>, overrides: Raw = {}, generation?: object) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* Tiny.weighted
    const config = yield* Tiny.settings(folder, { max_new_tokens: 6, ...overrides })
    const path = join(folder, "reader", "generation_config.json")
    if (generation) yield* fs.writeFileString(path, JSON.stringify(generation))
    return yield* effect.pipe(Effect.provide(reader.readOnly(ofReader(config)).pipe(Layer.provide(Tiny.surroundings))))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const texts = (what: ToWrite) => Effect.flatMap(Reader, (r) => textsOf(r.write(what), what.questions.length))

describe("a reader that writes", () => {
  it.live("gives free answers as it writes them, the same alone as among others", () =>
    onTiny(Effect.gen(function*() {
      const { answer } = yield* Reader
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
        const { answer } = yield* Reader
        const said = yield* texts(asked)
        const word = (text: string) => text.match(/[A-Za-z]{3,}/g)!.at(-1)!
        const options = said.map((text, q) => q % 2 === 0 ? ["unsaid", word(text)] : ["unsaid", "nor this"])
        const { indices, texts: given, written } = yield* answer({ ...asked, options })
        assert.deepStrictEqual(written, said)
        assert.deepStrictEqual([...indices], said.map((_, q) => q % 2 === 0 ? 1 : -1))
        assert.deepStrictEqual(given, said.map((text, q) => q % 2 === 0 ? word(text) : text))
      }),
      { answer_by: "generation", max_new_tokens: 12, options_in_prompt: false, answer_format: "text" }
    ))
  it.live("explains the answer it is given, after a prompt of its own", () =>
    onTiny(
      Effect.gen(function*() {
        const [first, second] = [asked.options.map((o) => o[0]!), asked.options.map((o) => o[1]!)]
        const reasons = yield* texts({ ...asked, explain: first })
        assert.notDeepEqual(reasons, yield* texts(asked))
        assert.notDeepEqual(reasons, yield* texts({ ...asked, explain: second }))
        const tokens = yield* Stream.runCollect((yield* Reader).write({ ...one(asked, 0), explain: [first[0]!] }))
        assert.strictEqual(tokens.length, 9)
      }),
      { rationale_prompt: " Reference", rationale_max_new_tokens: 9 }
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
      const long = { max_new_tokens: 24 }
      const plain = yield* onTiny(texts(free), long)
      assert.isTrue(plain.some((text) => new Set(pairs(text)).size < pairs(text).length))
      const folder = { no_repeat_ngram_size: 2, eos_token_id: 3 }
      const distinct = yield* onTiny(texts(free), long, folder)
      assert.isTrue(distinct.every((text) => new Set(pairs(text)).size === pairs(text).length))
      assert.deepStrictEqual(yield* onTiny(texts(free), { ...long, no_repeat_ngram_size: 2 }), distinct)
      assert.deepStrictEqual(yield* onTiny(texts(free), { ...long, no_repeat_ngram_size: 0 }, folder), plain)
    }))
  it.live("refuses to write where the folder asks for what is not known, but scores", () =>
    Effect.gen(function*() {
      const folder = { num_beams: 4, eos_token_id: 3 }
      const error = yield* Effect.flip(onTiny(texts(free), {}, folder))
      assert.match(String(error), /generation_config\.json: num_beams 4: how tokens are chosen so is not known here/)
      const scored = Effect.flatMap(Reader, ({ answer }) => answer(asked))
      assert.deepStrictEqual(yield* onTiny(scored, {}, folder), yield* onTiny(scored))
    }))
  it.live("leaves questions that are too long unanswered where they may be, and the others as they are", () =>
    Effect.gen(function*() {
      const long = { ...asked, questions: asked.questions.map((text, q) => q % 2 === 0 ? text.repeat(40) : text) }
      const both = Effect.gen(function*() {
        const { answer } = yield* Reader
        const scored = yield* answer(long)
        const explained = yield* texts({ ...long, explain: scored.texts })
        return { scored, written: yield* texts({ ...long, options: free.options }), explained }
      })
      const skip = { excess_length: "skip", rationale_prompt: " Reference", rationale_max_new_tokens: 9 }
      const { explained, scored, written } = yield* onTiny(both, skip)
      const whole = yield* onTiny(Effect.flatMap(Reader, ({ answer }) => answer(asked)))
      for (const q of asked.questions.keys()) {
        const isLong = q % 2 === 0
        assert.strictEqual(scored.indices[q], isLong ? -1 : whole.indices[q])
        assert.strictEqual(scored.texts[q] === "", isLong)
        assert.strictEqual(written[q] === "", isLong)
        assert.strictEqual(explained[q] === "", isLong)
      }
      assert.match(String(yield* Effect.flip(onTiny(both, { excess_length: "raise" }))), /max_length is 160/)
      const cut = yield* onTiny(both, { ...skip, excess_length: "truncate" })
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
        const config = yield* Tiny.settings(folder, { max_new_tokens: 6, learning_rate: 0.1, ...own })
        const around = Layer.merge(Tiny.surroundings, Memory.checkpoints().layer)
        const before = yield* texts(free).pipe(
          Effect.provide(reader.readOnly(ofReader(config)).pipe(Layer.provide(around)))
        )
        yield* Effect.gen(function*() {
          if (!("torch_dtype" in own)) assert.deepStrictEqual(yield* texts(free), before)
          const { learn } = yield* ReaderLearner
          const answers = Tiny.questions.map((q) => q.answer)
          for (let i = 0; i < 4; i++) yield* learn({ ...asked, answers })
          const after = yield* texts(free)
          assert.notDeepEqual(after, before)
          assert.deepStrictEqual(yield* texts(free), after)
        }).pipe(Effect.provide(reader.trainable(ofReader(config)).pipe(Layer.provide(around))))
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  }
})
