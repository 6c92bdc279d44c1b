/** `generation_config.json`: what of it is done, what is refused, what is passed over. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import * as GenerationConfig from "../../../src/runtime/files/config/generation.ts"
import * as Decoding from "../../../src/runtime/language/generation/decoding.ts"
import { refusal } from "../../../src/runtime/language/generation/writing.ts"
import { decode } from "../../../src/systems/jmlr/settings.ts"
import { folderOf, onDisk } from "../../support/files.ts"
import { warned } from "../../support/warnings.ts"

const settings = (own: Raw = {}) =>
  Effect.runSync(decode("test", {
    output_dir: "o",
    passages_file: "p",
    retriever_name_or_path: "r",
    reader_name_or_path: "r",
    ...own
  }))
const read = Effect.fnUntraced(function*(json: object, config: object = {}) {
  const folder = yield* folderOf({
    "config.json": JSON.stringify(config),
    "generation_config.json": JSON.stringify(json)
  })
  return yield* warned(GenerationConfig.read(folder))
})

const neutral: Raw = {
  num_beams: 1,
  num_beam_groups: 1,
  penalty_alpha: 0,
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  guidance_scale: 1,
  token_healing: false,
  forced_eos_token_id: null,
  sequence_bias: null,
  cache_implementation: "hybrid",
  max_length: 4096,
  pad_token_id: 0,
  bos_token_id: [1],
  length_penalty: 2,
  transformers_version: "5"
}
const refused: Raw = {
  num_beams: 4,
  num_beam_groups: 2,
  penalty_alpha: 0.6,
  encoder_repetition_penalty: 1.2,
  encoder_no_repeat_ngram_size: 3,
  guidance_scale: 1.5,
  token_healing: true,
  forced_eos_token_id: 2,
  sequence_bias: [[[3], -1]],
  exponential_decay_length_penalty: [10, 1.1],
  watermarking_config: { bias: 2 },
  max_time: 1,
  dola_layers: "low",
  constraints: [1],
  force_words_ids: [[3]],
  cache_implementation: "quantized"
}
const drawing: Raw = { top_h: 0.5, typical_p: 0.9, epsilon_cutoff: 3e-4, eta_cutoff: 3e-4 }

describe("a generation config", () => {
  it.live("is the settings where they say something, else the folder, else Hugging Face's", () =>
    onDisk(Effect.gen(function*() {
      const { value } = yield* read({ temperature: 0.5, top_k: 3, min_p: 0.1, no_repeat_ngram_size: 2, min_length: 9 })
      const { do_sample, min_length, min_p, no_repeat_ngram_size, temperature, top_k, top_p } = Decoding.resolve(
        settings({ top_k: 7, no_repeat_ngram_size: 0 }),
        value
      )
      const found = [do_sample, temperature, top_k, top_p, min_p, no_repeat_ngram_size, min_length]
      assert.deepStrictEqual(found, [false, 0.5, 7, 1, 0.1, 0, 9])
    })))
  it.live("draws nothing at a temperature of 0, of the settings or of the folder", () =>
    onDisk(Effect.gen(function*() {
      const { value } = yield* read({ do_sample: true, temperature: 0 })
      assert.isFalse(Decoding.resolve(settings(), value).do_sample)
      assert.isTrue(Decoding.resolve(settings({ temperature: 0.7 }), value).do_sample)
      assert.isFalse(Decoding.resolve(settings({ temperature: 0, do_sample: true }), value).do_sample)
    })))
  it.live("takes the shortest text from min_new_tokens where both lengths are there", () =>
    onDisk(Effect.gen(function*() {
      const { value } = yield* read({ min_length: 9, min_new_tokens: 4 })
      const { min_length, min_new_tokens } = Decoding.resolve(settings(), value)
      assert.deepStrictEqual([min_length, min_new_tokens], [0, 4])
    })))
  it.live("is that of config.json where it has no file of its own", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "config.json": JSON.stringify({ num_beams: 3, top_k: 5, hidden_size: 8 }) })
      const { lines, value } = yield* warned(GenerationConfig.read(folder))
      assert.deepStrictEqual(lines, [])
      assert.strictEqual(Decoding.resolve(settings(), value).top_k, 5)
      assert.match(
        refusal(settings(), value)!.message,
        /config\.json: num_beams 3: how tokens are chosen so is not known/
      )
    })))
  it.live("with neutral values is no other way to write", () =>
    onDisk(Effect.gen(function*() {
      const { lines, value } = yield* read({ ...neutral, ...drawing })
      assert.deepStrictEqual([lines, refusal(settings(), value)], [[], undefined])
    })))
  for (const [key, own] of Object.entries(refused)) {
    it.live(`with ${key} ${JSON.stringify(own)} is refused by name where something is written`, () =>
      onDisk(Effect.gen(function*() {
        const { value } = yield* read({ ...neutral, [key]: own })
        assert.match(refusal(settings(), value)!.message, new RegExp(`generation_config\\.json: ${key} `))
      })))
  }
  for (const [key, own] of Object.entries(drawing)) {
    it.live(`with ${key} ${own} is refused by name where tokens are drawn`, () =>
      onDisk(Effect.gen(function*() {
        const { value } = yield* read({ [key]: own })
        assert.strictEqual(refusal(settings(), value), undefined)
        assert.match(refusal(settings({ do_sample: true }), value)!.reason, new RegExp(`^${key} `))
      })))
  }
  it.live("with keys that nobody knows tells them", () =>
    onDisk(Effect.gen(function*() {
      const { lines, value } = yield* read({ no_repeat_ngram: 2, constructor: 1, toString: 2 })
      assert.strictEqual(refusal(settings(), value), undefined)
      assert.match(
        lines.join(),
        /generation_config\.json: not known here, and passed over: no_repeat_ngram, constructor/
      )
    })))
  const wrong: ReadonlyArray<readonly [object, RegExp]> = [
    [{ temperature: -1 }, /^temperature: /],
    [{ top_p: 1.5 }, /^top_p: /],
    [{ top_k: -1 }, /^top_k: /],
    [{ min_p: 2 }, /^min_p: /],
    [{ repetition_penalty: 0 }, /^repetition_penalty: /],
    [{ eos_token_id: "2" }, /^eos_token_id: /],
    [{ eos_token_id: -2 }, /^eos_token_id: /],
    [{ suppress_tokens: [1.5] }, /^suppress_tokens\[0\]: /],
    [{ bad_words_ids: [[]] }, /^bad_words_ids\[0\]/],
    [{ stop_strings: [""] }, /^stop_strings/],
    [{ do_sample: "yes", top_p: "x" }, /do_sample: [^\n]*; top_p: /]
  ]
  for (const [json, reason] of wrong) {
    it.live(`${JSON.stringify(json)} is refused in one line`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(read(json))
        assert.match(error.reason, reason)
        assert.notInclude(error.message, "\n")
      })))
  }
})
