/** A reader whose frozen weights are a GGUF file's blocks, taken over: what it computes, holds and tells, and how it goes on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { join } from "node:path"
import { readerOf } from "../../../src/domain/settings/models.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import { dequantise } from "../../../src/kernels/quantise.ts"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import * as Gguf from "../../../src/runtime/files/gguf/read.ts"
import * as ReaderFolder from "../../../src/runtime/language/folder.ts"
import * as languageModel from "../../../src/runtime/language/languageModel.ts"
import { load } from "../../../src/runtime/models/load.ts"
import { loraOf } from "../../../src/runtime/models/lora.ts"
import { quantisationOf } from "../../../src/runtime/models/quantisation.ts"
import { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { noRetrieval, ofReader } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import { fileOf } from "../../support/ggufReader.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const [MATRICES, EMBEDDING, HEAD] = [14, "model.embed_tokens.weight", "lm_head.weight"]

const nll = Reading.nll(Reading.judged)
const settings = (file: string, overrides: Raw) =>
  Tiny.settings(join(file, ".."), { reader_name_or_path: file, max_length: 400, mode: "no_retrieval", ...overrides })
const reading = Effect.fnUntraced(function*(file: string, overrides: Raw) {
  const config = yield* settings(file, { lora_r: 2, ...overrides })
  return languageModel.readOnly(ofReader(config)).pipe(Layer.provide(Tiny.surroundings))
})
const learning = Effect.fnUntraced(function*(file: string, overrides: Raw) {
  const config = yield* settings(file, { lora_r: 2, lora_dropout: 0, ...overrides })
  return noRetrieval(config).pipe(Layer.provideMerge(Disk.layer(config)), Layer.provideMerge(Tiny.surroundings))
})

/** The likelihoods of a file's reader, and what was told while it was loaded. */
const seen = Effect.fnUntraced(function*(file: string, overrides: Raw) {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
  const values = yield* Effect.flatMap(reading(file, overrides), (layer) => Effect.provide(nll, layer, { local: true }))
    .pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Info"))
  return { values, told: lines.filter((line) => line.startsWith(file)).map((line) => line.slice(file.length + 2)) }
})
const off = (a: Float32Array, b: Float32Array) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)

/** An adapter's reader with its weights. */
const loaded = Effect.fnUntraced(function*(file: string, overrides: Raw) {
  const config = yield* settings(file, { lora_r: 2, ...overrides })
  const [model, opened] = [readerOf(config), yield* ReaderFolder.open(file, ofReader(config).prompting)]
  return yield* load(opened, causalLm, {
    seed: 1,
    lora: loraOf(model),
    learns: () => true,
    slots: [],
    quantisation: quantisationOf(model),
    task: "CAUSAL_LM"
  }).pipe(Effect.provide(Tiny.core))
})

describe("a GGUF file's blocks", { timeout: 120_000 }, () => {
  const kept = [["Q8_0", "int8", "8 bits"], ["Q4_0", "int4", "4 and 8 bits"], ["Q4_0", "int8", "4 and 8 bits"]] as const
  for (const [type, quantization, bits] of kept) {
    it.live(`are taken over: ${type} with ${quantization} reads as its float32 values do, and tells so`, () =>
      onDisk(Effect.gen(function*() {
        const file = yield* fileOf(type)
        const [wide, own] = [yield* seen(file, {}), yield* seen(file, { quantization })]
        assert.isAtMost(off(own.values, wide.values), 2e-5)
        assert.isAbove(off(wide.values, wide.values.map(() => 0)), 1)
        assert.lengthOf(own.told, 1)
        assert.match(
          own.told[0]!,
          new RegExp(`^15 frozen matrices in ${bits} \\(blocks of 32\\), .* all are as the file has`)
        )
      })))
  }
  it.live("that do not fit are quantised anew, told with their type and the largest error", () =>
    onDisk(Effect.gen(function*() {
      const whole = yield* fileOf("Q8_0")
      const wide = yield* seen(whole, {})
      const narrow = yield* seen(whole, { quantization: "int4" })
      assert.isAbove(off(narrow.values, wide.values), 1e-3)
      const anew = (bits: string, types: string) =>
        new RegExp(
          `^15 frozen matrices in ${bits}, .* all are quantised anew from ${types}; the largest error is 0\\.0\\d+, in model`
        )
      assert.match(narrow.told[0]!, anew("4 bits \\(blocks of 32\\)", "Q8_0"))
      const large = { quantization: "int4", quantization_block_size: 128 }
      assert.match(
        (yield* seen(yield* fileOf("Q4_0"), large)).told[0]!,
        anew("4 and 8 bits \\(blocks of 128\\)", "Q4_0, Q8_0")
      )
      assert.match(
        (yield* seen(yield* fileOf("F32"), large)).told[0]!,
        /^15 frozen matrices in 4 bits .*; the largest error/
      )
    })))
  it.live("that are widened to float32 are told with their sizes, and the setting that keeps them", () =>
    onDisk(Effect.gen(function*() {
      const [{ told: four }, { told: eight }, { told: none }] = [
        yield* seen(yield* fileOf("Q4_0"), {}),
        yield* seen(yield* fileOf("Q8_0"), {}),
        yield* seen(yield* fileOf("F16"), {})
      ] as const
      assert.match(
        four.join(),
        /^15 matrices \(Q4_0, Q8_0\) are widened to float32, from [\d.]+ KiB to [\d.]+ KiB; quantization: int4 keeps/
      )
      assert.match(eight.join(), /^15 matrices \(Q8_0\) are widened to float32, .*; quantization: int8 keeps/)
      assert.deepStrictEqual(none, [])
    })))
  it.live("are the weights' parts, as small as they were: also where a tied embedding or head is trained", () =>
    onDisk(Effect.gen(function*() {
      const file = yield* fileOf("Q4_0")
      const opened = yield* Gguf.open(file)
      const { data: table } = yield* opened.read("token_embd.weight")
      const headOf = (values: ReadonlyMap<string, unknown>, path: string) =>
        dequantise(
          {
            quants: values.get(`${path}.quants`) as Uint8Array,
            scales: values.get(`${path}.scales`) as Float32Array,
            zeros: values.get(`${path}.zeros`) as Uint8Array
          },
          32,
          { bits: 8, size: 32 }
        )
      for (
        const [saved, whole, packed] of [[[], [], [EMBEDDING, HEAD]], [["embed_tokens"], [EMBEDDING], [HEAD]], [
          ["lm_head"],
          [HEAD],
          [EMBEDDING]
        ]] as const
      ) {
        const { weights } = yield* loaded(file, { quantization: "int4", modules_to_save: saved })
        const values = weights.parameters()
        for (const path of whole) assert.deepStrictEqual(values.get(path), table, path)
        for (const path of packed) assert.strictEqual(off(headOf(values, path), table), 0, path)
        const bytes = [
          ...new Set([...values].filter(([path]) => /(quants|scales|zeros)$/.test(path)).map(([, own]) => own))
        ]
          .reduce((sum, { byteLength }) => sum + byteLength, 0)
        const blocks = [...opened.tensors.values()].filter(({ shape }) => shape.length === 2).reduce(
          (sum, own) => sum + own.bytes,
          0
        )
        assert.isBelow(bytes, 1.2 * blocks)
      }
      const quants = [...(yield* loaded(file, { quantization: "int4" })).weights.params.keys()].filter((path) =>
        path.endsWith(".quants")
      )
      assert.lengthOf(quants, MATRICES + 2)
    })))
  it.live("are a base that an adapter learns on; a run goes on bit by bit, and its adapter is read on the same blocks", () =>
    onDisk(Effect.gen(function*() {
      const file = yield* fileOf("Q4_0")
      const own: Raw = { quantization: "int4" }
      const teach = Effect.gen(function*() {
        const learner = yield* LanguageModelLearner
        return [
          ...yield* learner.learn(Reading.lessonOf(Reading.judged)),
          ...yield* learner.learn(Reading.lessonOf(Reading.judged))
        ]
      })
      const made = yield* Effect.gen(function*() {
        const losses = yield* teach
        const path = yield* (yield* Checkpoints).save({ step: 2, run: {} })
        return { losses, path, between: yield* nll, more: yield* teach }
      }).pipe(Effect.provide(yield* learning(file, own), { local: true }))
      const again = yield* Effect.gen(function*() {
        yield* (yield* Checkpoints).restore({})
        return { between: yield* nll, more: yield* teach }
      }).pipe(Effect.provide(yield* learning(file, own), { local: true }))
      assert.deepStrictEqual(again, { between: made.between, more: made.more })
      const adapter = { ...own, reader_name_or_path: join(made.path, "reader") }
      const read = yield* Effect.provide(nll, yield* reading(file, adapter), { local: true })
      assert.isAtMost(off(read, made.between), 2e-5)
    })))
})
