/** Numbers that are none, wherever they come up: an error that says where, never an answer or a ranking. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { save, savedTypes } from "../../../src/runtime/models/export/folder.ts"
import { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import { LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { Retriever, RetrieverLearner } from "../../../src/runtime/ports/Retriever.ts"
import { inference, joint } from "../../../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../../../src/systems/jmlr/settings.ts"
import { onDisk } from "../../support/files.ts"
import * as Memory from "../../support/memory.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const { context: docs, questions } = Reading.judged
const target = Float32Array.from(questions.flatMap(() => [1, 0]))
const queries = questions.map((question) => [text(question)])
const retrieverLesson = { queries, docs, objective: { _tag: "Listwise", target } } as const
const readerLesson = Reading.lessonOf(Reading.judged)

/** Model folders whose queries and keys are numbers, but the products of both are none. */
const spoilt = Effect.fnUntraced(function*(part: "retriever" | "reader") {
  const folder = yield* Effect.tap(Tiny.folder, Tiny.writeWeights)
  const file = join(folder, part, "model.safetensors")
  const tensors = new Map(yield* Safetensors.read(file))
  const large = [...tensors].filter(([name]) => /(query|key|q_proj|k_proj)\.weight$/.test(name))
  for (const [name, { data, shape }] of large) tensors.set(name, { shape, data: data.map((x) => 1e30 * x) })
  writeFileSync(file, Safetensors.encode(tensors))
  return folder
})

/** Why a use of the ports of a mode fails. */
const failure = Effect.fnUntraced(function*<A, E extends { readonly message: string }, R>(
  folder: string,
  mode: (c: JmlrConfig) => Layer.Layer<R, any, any>,
  use: Effect.Effect<A, E, R>,
  overrides: Raw = {}
) {
  const config = yield* Tiny.settings(folder, overrides)
  const layer = mode(config).pipe(
    Layer.provide(Memory.checkpoints().layer),
    Layer.provide(Tiny.surroundings)
  ) as Layer.Layer<R>
  return (yield* Effect.flip(use.pipe(Effect.provide(layer, { local: true })))).message
})

describe("a model whose weights are too large", () => {
  it.live("finds no passages, and says for which question or passage", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* spoilt("retriever")
      const building = yield* failure(folder, inference, Effect.flatMap(Retriever, (r) => r.refresh))
      assert.match(building, /^Program retriever.encode 64x\d+: element \d+ of vectors is NaN, for passage "p\d+"\. /)
      const scoring = yield* failure(folder, inference, Effect.flatMap(Retriever, (r) => r.score(queries, docs)))
      assert.match(scoring, /^Program retriever.score .* of scores is NaN\. .*use another checkpoint/)
      const frozen = Effect.flatMap(RetrieverLearner, (r) => r.learn(retrieverLesson))
      assert.match(yield* failure(folder, joint, frozen), /retriever diverged in update 1: loss NaN, gradient norm NaN/)
    })))
  for (const answer_by of ["likelihood", "generation"] as const) {
    it.live(`gives no answer: ${answer_by}`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* spoilt("reader")
        const answering = Reading.answered(Reading.judged, { ...Reading.defaults, answer_by })
        const said = yield* failure(folder, inference, answering)
        assert.match(said, /^Program (reader.score .* of nll|.* of logits) is (NaN|Infinity)/)
        const writing = Reading.written(Reading.judged)
        assert.match(yield* failure(folder, inference, writing), /of logits is (NaN|Infinity)/)
        const reading = Reading.nll(Reading.judged)
        assert.match(yield* failure(folder, inference, reading), /of nll is (NaN|Infinity)/)
      })))
  }
})

describe("a model that was trained until it diverged", () => {
  it.live("is told by name and update, whichever of its programs sees it", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.folder
      const retrieving = Effect.gen(function*() {
        for (let i = 0; i < 30; i++) {
          yield* (yield* Retriever).score(queries, docs)
          yield* (yield* RetrieverLearner).learn(retrieverLesson)
        }
      })
      const wild = { lr_retriever: 1e20, learning_rate: 1e20, warmup_steps: 0, weight_decay: 0 }
      const said = yield* failure(folder, joint, retrieving, wild)
      assert.match(said, /^retriever diverged in update \d+: .*(NaN|Infinity).*\. Lower the learning rate/)
      const reading = Effect.gen(function*() {
        for (let i = 0; i < 30; i++) {
          yield* Reading.answered(Reading.judged)
          yield* (yield* LanguageModelLearner).learn(readerLesson)
        }
      })
      const read = yield* failure(folder, joint, reading, wild)
      assert.match(read, /^reader diverged in update \d+: .*(NaN|Infinity).*\. Lower the learning rate/)
    })))
})

describe("an adapter whose factor is beyond all numbers", () => {
  it.live("is refused by name, to save and to use, and leaves nothing", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Effect.tap(Tiny.folder, Tiny.writeWeights)
      const config = yield* Tiny.settings(folder, { lora_r: 2 })
      const layer = joint(config).pipe(Layer.provideMerge(Disk.layer(config)), Layer.provideMerge(Tiny.surroundings))
      const path = yield* Effect.gen(function*() {
        yield* (yield* LanguageModelLearner).learn(readerLesson)
        yield* (yield* LanguageModelLearner).learn(readerLesson)
        return yield* (yield* Checkpoints).save({ step: 2, run: {} })
      }).pipe(Effect.provide(layer))
      const adapter = join(path, "reader")
      const file = join(adapter, "adapter_config.json")
      const told = JSON.parse(readFileSync(file, "utf8")) as object
      writeFileSync(file, JSON.stringify({ ...told, lora_alpha: 1e308 }))
      const why = /adapter_model.safetensors, merged into model\..*: element \d+ becomes (NaN|-?Infinity); .*lora_alpha/
      const out = join(folder, "merged")
      for (const dtype of savedTypes) {
        const merging = save(adapter, out, { dtype, maxShardSize: 1e9, card: "" })
        const error = yield* Effect.flip(merging.pipe(Effect.provide(cpu({ threads: 1 }))))
        assert.match(error.message, why)
        assert.isFalse(existsSync(out) || existsSync(`${out}.partial`))
      }
      const using = yield* Tiny.settings(folder, { reader_name_or_path: adapter })
      const built = Layer.build(inference(using).pipe(Layer.provide(Tiny.surroundings)))
      assert.match((yield* Effect.flip(Effect.scoped(built))).message, why)
    })))
})
