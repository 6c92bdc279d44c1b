/** A reader on quantised weights (`quantization`): as it is loaded, learns, goes on, judges and writes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import { readerOf } from "../../../src/domain/settings/models.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import { flatten } from "../../../src/kernels/nn/Module.ts"
import { arraysOf, elementsOf } from "../../../src/kernels/nn/quantised.ts"
import { readQuantised } from "../../../src/kernels/onnx/readQuantised.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import { quantise } from "../../../src/kernels/quantise.ts"
import { type Tensor, topological } from "../../../src/kernels/Tensor.ts"
import { Session } from "../../../src/runtime/engine/Session.ts"
import { asInputs } from "../../../src/runtime/engine/Weights.ts"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import { decodeDecoder } from "../../../src/runtime/files/config/decoder.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { generation } from "../../../src/runtime/language/generation/graphs.ts"
import * as Graphs from "../../../src/runtime/language/graphs.ts"
import * as languageModel from "../../../src/runtime/language/languageModel.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import * as Model from "../../../src/runtime/models/load.ts"
import { isLora, loraOf } from "../../../src/runtime/models/lora.ts"
import { quantisationOf, ruleOf } from "../../../src/runtime/models/quantisation.ts"
import { Checkpoints } from "../../../src/runtime/ports/Checkpoints.ts"
import { LanguageModel, LanguageModelLearner } from "../../../src/runtime/ports/LanguageModel.ts"
import { noRetrieval, ofReader } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

const nll = Reading.nll(Reading.judged)
const lora: Raw = { lora_r: 2, lora_dropout: 0, modules_to_save: ["norm"] }
const forms = [
  { quantization: "int8", quantization_block_size: 32, near: 0.01 },
  { quantization: "int4", quantization_block_size: 32, near: 0.3 },
  { quantization: "int4", quantization_block_size: 128, near: 0.4 }
] as const

/** The reader, with what learns of it. */
const loaded = Effect.fnUntraced(function*(folder: string, overrides: Raw, learns = true) {
  const model = readerOf(yield* Tiny.settings(folder, { ...lora, ...overrides }))
  const opened = yield* ModelFolder.open(join(folder, "reader"), decodeDecoder)
  const options = {
    seed: 1,
    lora: learns ? loraOf(model) : undefined,
    learns: () => learns,
    slots: [],
    quantisation: quantisationOf(model),
    task: "CAUSAL_LM"
  } as const
  return yield* Model.load(opened, causalLm, options).pipe(Effect.provide(Tiny.core))
})

/** A trainable reader with checkpoints on the disk. */
const learning = Effect.fnUntraced(function*(folder: string, overrides: Raw) {
  const config = yield* Tiny.settings(folder, { ...lora, mode: "no_retrieval", ...overrides })
  return noRetrieval(config).pipe(Layer.provideMerge(Disk.layer(config)), Layer.provideMerge(Tiny.surroundings))
})
const reading = Effect.fnUntraced(function*(folder: string, overrides: Raw) {
  const config = yield* Tiny.settings(folder, { ...lora, ...overrides })
  return languageModel.readOnly(ofReader(config)).pipe(Layer.provide(Tiny.surroundings))
})
const teach = Effect.fnUntraced(function*(times: number) {
  const losses: Array<number> = []
  for (let i = 0; i < times; i++) {
    const own = yield* (yield* LanguageModelLearner).learn(Reading.lessonOf(Reading.judged))
    losses.push(own.reduce((a, b) => a + b) / own.length)
  }
  return losses
})
const near = (got: Float32Array, want: Float32Array, by: number) =>
  want.forEach((x, i) => assert.closeTo(got[i]!, x, by * Math.max(1, Math.abs(x))))

describe("a reader's frozen matrices", () => {
  for (const { quantization, quantization_block_size } of forms) {
    const form = { quantization, quantization_block_size }
    it.live(`are quantised as they are read, and nothing else is: ${JSON.stringify(form)}`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const blocks = quantisationOf(form)!
        for (const saved of [["norm"], ["norm", "embed_tokens"], ["norm", "lm_head"]]) {
          const own: Raw = { modules_to_save: saved }
          const [wide, narrow] = [yield* loaded(folder, own), yield* loaded(folder, { ...own, ...form })]
          const values = narrow.weights.parameters()
          for (const [path, data] of wide.weights.parameters()) {
            const { shape } = wide.weights.params.get(path)!
            if (shape.length === 1 || wide.weights.trainable.includes(path)) {
              assert.deepStrictEqual(values.get(path), data, path)
              continue
            }
            assert.isFalse(values.has(path), path)
            for (
              const [part, array] of arraysOf(path, quantise(data as Float32Array, shape[1]!, blocks, ruleOf(blocks)))
            ) {
              assert.deepStrictEqual(values.get(part), array, part)
            }
          }
          const parts = ["lm_head.weight.quants", "model.embed_tokens.weight.quants"].map((path) => values.get(path))
          assert.strictEqual(parts[0] !== undefined && parts[0] === parts[1], saved.length === 1)
          assert.deepStrictEqual(narrow.weights.trainable, wide.weights.trainable)
        }
      })))
  }
  it.live("are told: how many, their size before and after, and the largest error", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
      const { weights } = yield* loaded(folder, { quantization: "int4" }).pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "Info")
      )
      const whole = [...weights.params].filter(([path]) => path.endsWith(".quants")).length - 1
      const told = lines.find((line) => line.includes("frozen matrices"))!
      assert.match(
        told,
        /4 bits \(blocks of 32\), [\d.]+ KiB in float32 now [\d.]+ KiB; the largest error is 0\.\d+, in /
      )
      assert.include(told, `reader: ${whole} frozen matrices`)
    })))
  it.live("count as before, in fewer bytes", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const groups = (overrides: Raw) =>
        Effect.gen(function*() {
          return (yield* LanguageModelLearner).groups
        }).pipe(Effect.provide(Layer.unwrap(learning(folder, overrides)), { local: true }))
      const [wide, narrow] = [yield* groups({}), yield* groups({ quantization: "int8" })]
      const told = (all: typeof wide) => all.map(({ name, parameters }) => [name, parameters])
      assert.deepStrictEqual(told(narrow), told(wide))
      const bytes = (all: typeof wide) => all.filter((g) => !g.trainable).reduce((sum, g) => sum + g.bytes, 0)
      assert.isBelow(bytes(narrow), 0.6 * bytes(wide))
      const { params } = (yield* loaded(folder, { quantization: "int8" })).weights
      assert.isAbove([...params.values()].filter((param) => elementsOf(param) === 0).length, 0)
    })))
  it.live("are refused with values that are no numbers, by name", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const file = join(folder, "reader", "model.safetensors")
      const tensors = new Map(yield* Safetensors.read(file))
      const [path, one] = [...tensors].find(([name]) => name.endsWith("k_proj.weight"))!
      tensors.set(path, { ...one, data: Float32Array.from(one.data).fill(NaN, 2, 3) })
      writeFileSync(file, Safetensors.encode(tensors))
      const error = yield* Effect.flip(loaded(folder, { quantization: "int8" }))
      assert.strictEqual((error as { place?: string }).place, `tensor ${path}`)
      assert.match(error.message, /element 2 is NaN/)
    })))
  it.live("are no weights that are trained: these are refused", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const asked = yield* Effect.exit(Tiny.settings(folder, { quantization: "int4" }))
      assert.match(String(asked), /quantization \(int4\) with lora_r 0: the reader's own weights are trained/)
      const opened = yield* ModelFolder.open(join(folder, "reader"), decodeDecoder)
      const quantisation = { bits: 8, size: 32 } as const
      const options = {
        seed: 1,
        lora: undefined,
        learns: () => true,
        slots: [],
        task: "CAUSAL_LM",
        quantisation
      } as const
      const error = yield* Effect.flip(Model.load(opened, causalLm, options).pipe(Effect.provide(Tiny.core)))
      assert.match(error.message, /its weights are trained, and only frozen ones can be quantised/)
    })))
})

describe("a reader on quantised weights", () => {
  for (const { near: by, ...form } of forms) {
    it.live(
      `judges as on those of the folder, nearly, and learns; a run goes on bit by bit: ${JSON.stringify(form)}`,
      () =>
        onDisk(Effect.gen(function*() {
          const folder = yield* Tiny.weighted
          const wide = yield* nll.pipe(Effect.provide(yield* learning(folder, {}), { local: true }))
          const made = yield* Effect.gen(function*() {
            const before = yield* nll
            const losses = yield* teach(4)
            const path = yield* (yield* Checkpoints).save({ step: 4, run: {} })
            const between = yield* nll
            return { path, before, losses, between, more: yield* teach(2), after: yield* nll }
          }).pipe(Effect.provide(yield* learning(folder, form), { local: true }))
          near(made.before, wide, by)
          assert.notDeepEqual(made.before, wide)
          assert.isBelow(made.losses.at(-1)!, made.losses[0]!)
          const again = yield* Effect.gen(function*() {
            yield* (yield* Checkpoints).restore({})
            return { between: yield* nll, more: yield* teach(2), after: yield* nll }
          }).pipe(Effect.provide(yield* learning(folder, form), { local: true }))
          assert.deepStrictEqual(again, { between: made.between, more: made.more, after: made.after })

          const saved = join(made.path, "reader")
          const names = [...(yield* Safetensors.read(join(saved, "adapter_model.safetensors"))).keys()]
          assert.isTrue(names.every((name) => isLora(name) || name.includes("norm")), names.join())
          const own = { ...form, reader_name_or_path: saved }
          near(yield* nll.pipe(Effect.provide(yield* reading(folder, own), { local: true })), made.between, 1e-5)
        })),
      120_000
    )
    it.live(
      `writes what it would with the weights it has, and while it learns: ${JSON.stringify(form)}`,
      () =>
        onDisk(Effect.gen(function*() {
          const folder = yield* Tiny.weighted
          const texts = Reading.written(Reading.judged)
          const read = yield* texts.pipe(Effect.provide(yield* reading(folder, form), { local: true }))
          assert.isTrue(read.some((text) => text !== ""))
          yield* Effect.gen(function*() {
            assert.deepStrictEqual(yield* texts, read)
            yield* teach(4)
            assert.notDeepEqual(yield* texts, read)
          }).pipe(Effect.provide(yield* learning(folder, { ...form, learning_rate: 0.1 }), { local: true }))
        })),
      120_000
    )
  }
  it.live("judges in one program of all shapes as in one for each", () =>
    onDisk(
      Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        for (const { quantization, quantization_block_size } of forms) {
          const form = { quantization, quantization_block_size }
          const { config: { vocab_size }, module, weights } = yield* loaded(folder, form, false)
          const session = yield* Session
          const own = asInputs(weights.parameters())
          const open = yield* session.open(Graphs.scoring(module), own)
          for (const [rows, length, supervised] of [[1, 8, 8], [3, 8, 5], [2, 336, 64], [1, 672, 672]] as const) {
            const draw = (count: number, most: number) =>
              Int32Array.from({ length: count }, (_, i) => (5 * i + 3) % most)
            const data = {
              ids: draw(rows * length, vocab_size),
              positions: Int32Array.from({ length: rows * length }, (_, i) => i % length),
              branches: Int32Array.from({ length: rows * length }, (_, i) => i % length < length / 2 ? 0 : i % 3 - 1),
              rows: Int32Array.from({ length: supervised }, (_, i) => (7 * i + length / 4) % (rows * length)),
              targets: draw(supervised, vocab_size)
            }
            const shape = { rows, length, supervised }
            /** Without a choice of rows, the program predicts at all of them, in order. */
            const given = supervised === rows * length ? { ...data, rows: Int32Array.from(data.rows.keys()) } : data
            const each = yield* session.compile<string, string>(Graphs.score(module, shape))
            const { nll: want } = yield* each.run({ ...own, ...given })
            const { nll: got } = yield* open({ rows, quarter: length / 4, supervised, features: 0 }).run(given)
            near(got as Float32Array, want as Float32Array, 1e-5)
          }
        }
      }).pipe(Effect.scoped, Effect.provide(Tiny.core))
    ), 120_000)
  it.live(
    "judges texts with more supervised tokens than that program may hold as it does one by one",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const layer = yield* reading(folder, { quantization: "int4" })
        const prompts = Array.from(
          { length: 16 },
          (_, i) => [{ role: "user" as const, content: [text(`${i} fever and rash`)] }]
        )
        const continuations = prompts.map((_, i) => `${i} joints `.repeat(35))
        yield* Effect.gen(function*() {
          const reader = yield* LanguageModel
          const together = yield* reader.nll(prompts, continuations)
          const apart = yield* Effect.forEach(prompts, (prompt, i) => reader.nll([prompt], [continuations[i]!]))
          near(together, Float32Array.from(apart, ([nll]) => nll!), 1e-5)
        }).pipe(Effect.provide(layer, { local: true }))
      })),
    120_000
  )
  it.live("has no float32 copy of them in what judges and writes, and one at a time in what learns", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const { config, module } = yield* loaded(folder, { quantization: "int4" })
      const { params } = causalLm({ ...config, tie_word_embeddings: false })
      const matrices = new Set(
        [...flatten(params).values()].filter((p) => p.shape.length === 2).map((p) => p.shape.join())
      )
      const copies = (outputs: Readonly<Record<string, Tensor>>) =>
        topological(readQuantised(Object.values(outputs))).filter((t) =>
          t._tag === "Apply" && ["Dequantise", "QuantisedRows"].includes(t.op.name) && matrices.has(t.type.shape.join())
        )
      const shape = { rows: 3, length: 7, supervised: 5 }
      assert.deepStrictEqual(copies(Graphs.score(module, shape).outputs), [])
      assert.deepStrictEqual(
        copies(generation(config, module).at({ rows: 3, length: 7, slots: 16, features: 0 }).outputs),
        []
      )
      const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })
      const group = (path: string) => isLora(path) ? "decay" : undefined
      const lesson = Graphs.learn(module, { optimizer, maxGradNorm: 1, group, shape, shifted: false })
      const widened = copies(lesson.outputs)
      assert.isAbove(widened.length, 0)
      for (const t of widened) {
        assert.strictEqual(t._tag === "Apply" && t.inputs[3]!._tag === "Apply" && t.inputs[3]!.op.name, "After")
      }
    })))
})
