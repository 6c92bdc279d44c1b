/** Frozen weights in 16 bits (`torch_dtype`), under adapters and in a retriever that is given. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import { readerOf } from "../../../src/domain/settings/models.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { fromWords, toWords } from "../../../src/kernels/half.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import { decodeDecoder } from "../../../src/runtime/files/config/decoder.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import * as Model from "../../../src/runtime/models/load.ts"
import { loraOf } from "../../../src/runtime/models/lora.ts"
import { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { Retriever } from "../../../src/runtime/ports/Retriever.ts"
import * as Modes from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const questions = Tiny.questions.map((q) => q.question)
const docs = Int32Array.from(questions.flatMap((_, q) => [q, q + 1]))
const lesson = {
  questions,
  options: Tiny.questions.map((q) => q.options),
  answers: Tiny.questions.map((q) => q.answer),
  context: docs
}
const judged = Reading.nll(lesson)
const scored = Effect.flatMap(Retriever, (r) => r.score(questions.map((question) => [text(question)]), docs))
const lora: Raw = { lora_r: 2, lora_dropout: 0, modules_to_save: ["norm"] }

const trainedFolder = Tiny.weighted
const running = Effect.fnUntraced(function*(mode: typeof Modes.frozenRag, folder: string, overrides: Raw) {
  const config = yield* Tiny.settings(folder, overrides)
  return mode(config).pipe(Layer.provideMerge(Disk.layer(config)), Layer.provideMerge(Tiny.surroundings))
})
const near = (got: Float32Array, want: Float32Array, by: number) =>
  want.forEach((x, i) => assert.closeTo(got[i]!, x, by * Math.max(1, Math.abs(x))))

/** The reader as it learns with an adapter. */
const loaded = Effect.fnUntraced(function*(folder: string, overrides: Raw, stored: "float16" | "bfloat16" | undefined) {
  const config = yield* Tiny.settings(folder, { ...lora, ...overrides })
  const opened = yield* ModelFolder.open(join(folder, "reader"), decodeDecoder)
  const options = {
    seed: 1,
    lora: loraOf(readerOf(config)),
    learns: () => true,
    slots: [],
    stored,
    task: "CAUSAL_LM"
  } as const
  const { weights } = yield* Model.load(opened, causalLm, options).pipe(Effect.provide(Tiny.core))
  return { values: weights.parameters(), learns: new Set(weights.trainable) }
})

describe("weights that do not learn", () => {
  for (const type of ["float16", "bfloat16"] as const) {
    it.live(`are kept as ${type}, rounded once, and those that learn as float32`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* trainedFolder
        for (const saved of [["norm"], ["norm", "embed_tokens"], ["norm", "lm_head"]]) {
          const own: Raw = { modules_to_save: saved }
          const [wide, narrow] = [yield* loaded(folder, own, undefined), yield* loaded(folder, own, type)]
          for (const [path, values] of wide.values) {
            const kept = narrow.values.get(path)!
            if (wide.learns.has(path)) assert.deepStrictEqual(kept, values, path)
            else assert.deepStrictEqual(kept, toWords(values as Float32Array, type), path)
          }
          const [head, table] = ["lm_head.weight", "model.embed_tokens.weight"].map((path) => narrow.values.get(path))
          assert.strictEqual(head === table, saved.length === 1)
        }
      })))
    it.live(`serve training in ${type} as they would in float32, nearly, and a run goes on with them`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* trainedFolder
        const study = Effect.gen(function*() {
          for (let i = 0; i < 3; i++) yield* (yield* LanguageModelLearner).learn(Reading.lessonOf(lesson))
          const path = yield* (yield* Checkpoints).save({ step: 3, run: {} })
          return { path, nll: yield* judged, scores: yield* scored }
        })
        const wide = yield* study.pipe(Effect.provide(yield* running(Modes.frozenRag, folder, lora), { local: true }))
        const own = { ...lora, torch_dtype: type, output_dir: join(folder, "other") }
        const narrow = yield* study.pipe(Effect.provide(yield* running(Modes.frozenRag, folder, own), { local: true }))
        near(narrow.nll, wide.nll, 0.05)
        near(narrow.scores, wide.scores, 0.05)
        assert.notDeepEqual(narrow.scores, wide.scores)
        const again = yield* Effect.gen(function*() {
          yield* (yield* Checkpoints).restore({})
          return { nll: yield* judged, scores: yield* scored }
        }).pipe(Effect.provide(yield* running(Modes.frozenRag, folder, own), { local: true }))
        assert.deepStrictEqual([again.nll, again.scores], [narrow.nll, narrow.scores])
        const [before, after] = [join(folder, "retriever"), join(narrow.path, "retriever")]
        const [given, kept] = [
          yield* Safetensors.read(join(before, "model.safetensors")),
          yield* Safetensors.read(join(after, "model.safetensors"))
        ]
        for (const [path, { data }] of given) {
          assert.deepStrictEqual(kept.get(path)!.data, fromWords(toWords(data, type), type), path)
        }
      })))
  }
  it.live("are refused where float16 cannot hold them, by name", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* trainedFolder
      const file = join(folder, "reader", "model.safetensors")
      const tensors = new Map(yield* Safetensors.read(file))
      const [path, one] = [...tensors][3]!
      tensors.set(path, { ...one, data: Float32Array.from(one.data).fill(7e4, 2, 3) })
      writeFileSync(file, Safetensors.encode(tensors))
      const error = yield* Effect.flip(loaded(folder, {}, "float16"))
      assert.strictEqual((error as { place?: string }).place, `tensor ${path}`)
      assert.match(error.message, /70000 is beyond the range of float16; set torch_dtype: bfloat16 or float32/)
      yield* loaded(folder, {}, "bfloat16")
    })))
})
