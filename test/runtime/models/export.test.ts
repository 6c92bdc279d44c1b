/** Exported graphs on ONNX Runtime itself, fed as other tools feed them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { join } from "node:path"
import * as ort from "onnxruntime-node"
import * as Key from "../../../src/domain/Key.ts"
import { interpret } from "../../../src/kernels/interpret.ts"
import * as Nd from "../../../src/kernels/NdArray.ts"
import { colbert, type EncoderConfig } from "../../../src/kernels/nn/colbert.ts"
import type { DecoderConfig } from "../../../src/kernels/nn/decoder.ts"
import { bind, flatten } from "../../../src/kernels/nn/Module.ts"
import { appended, encode } from "../../../src/kernels/onnx/encode.ts"
import { input } from "../../../src/kernels/Tensor.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import type { Session } from "../../../src/runtime/engine/Session.ts"
import { decoder, encoder, type Exported } from "../../../src/runtime/models/export/graphs.ts"
import * as OnnxFolder from "../../../src/runtime/models/export/onnx.ts"
import { initialise } from "../../../src/runtime/models/initialise.ts"
import { config, generator, logitsAfter } from "../../support/decoders.ts"
import * as Tiny from "../../support/tiny.ts"

/** A session of the model with its weights in it. */
const load = ({ graph, options, params }: Exported, weights: ReadonlyMap<string, Float32Array>) => {
  const model = encode(graph, { ...options, weights: new Map([...params.keys()].map((path) => [path, undefined])) })
  const parts = [...params].flatMap(([path, { shape }]) => [
    appended(path, { dtype: "float32", shape }),
    new Uint8Array(weights.get(path)!.buffer)
  ])
  return ort.InferenceSession.create(Buffer.concat([model, ...parts]))
}

const int64 = (rows: ReadonlyArray<ReadonlyArray<number>>) =>
  new ort.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length])

const close = (got: ArrayLike<number>, want: ArrayLike<number>, what: string) => {
  assert.strictEqual(got.length, want.length, what)
  Array.from(want, (x, i) => assert.closeTo(got[i]!, x, 1e-4, `${what}, ${i}`))
}

const row = (t: ort.Tensor, b: number, n: number): Float32Array => {
  const [_, length, width] = t.dims as [number, number, number]
  return (t.data as Float32Array).slice((b * length + n) * width, (b * length + n + 1) * width)
}

/** Positions of tokens, as transformers.js counts them: over the mask, and 1 where it is 0. */
const positionsOf = (mask: ReadonlyArray<ReadonlyArray<number>>, from = 0) =>
  mask.map((own) => own.map((m, i) => m === 0 ? 1 : own.slice(0, i).reduce((a, b) => a + b, 0)).slice(from))

const texts = [[5, 6, 7], [9, 8, 7, 6, 5], [3]]
const next = [4, 11, 12]

const holds = (c: DecoderConfig, side: "left" | "right") =>
  Effect.gen(function*() {
    const model = yield* generator(c, true)
    const session = yield* Effect.promise(() =>
      load(decoder(c), new Map(Object.entries(model.weights).map(([n, a]) => [n.slice(6), a])))
    )
    const names = session.inputNames.filter((name) => name.startsWith("past_key_values"))
    assert.strictEqual(names.length, 2 * c.num_hidden_layers)
    const padded = (text: ReadonlyArray<number>, with_: number): ReadonlyArray<number> => {
      const padding = Array<number>(5 - text.length).fill(with_)
      return side === "left" ? [...padding, ...text] : [...text, ...padding]
    }
    const mask = texts.map((text) => padded(text.map(() => 1), 0))
    const shape = [3, c.num_key_value_heads, 0, c.hidden_size / c.num_attention_heads]
    const empty = Object.fromEntries(names.map((name) => [name, new ort.Tensor("float32", new Float32Array(0), shape)]))
    const first = yield* Effect.promise(() =>
      session.run({
        input_ids: int64(texts.map((text) => padded(text, 0))),
        attention_mask: int64(mask),
        position_ids: int64(positionsOf(mask)),
        ...empty
      })
    )
    for (const [b, text] of texts.entries()) {
      for (const [i] of text.entries()) {
        const want = yield* logitsAfter(model, text.slice(0, i + 1))
        close(row(first["logits"]!, b, side === "left" ? 5 - text.length + i : i), want, `row ${b}, token ${i}`)
      }
    }
    const longer = mask.map((own) => own.concat(1))
    const past = Object.fromEntries(names.map((name) => [name, first[name.replace("past_key_values", "present")]!]))
    const second = yield* Effect.promise(() =>
      session.run({
        input_ids: int64(next.map((id) => [id])),
        attention_mask: int64(longer),
        position_ids: int64(positionsOf(longer, 5)),
        ...past
      })
    )
    assert.deepStrictEqual([...second["present.0.key"]!.dims], shape.with(2, 6))
    for (const [b, text] of texts.entries()) {
      close(row(second["logits"]!, b, 0), yield* logitsAfter(model, [...text, next[b]!]), `row ${b}, next token`)
    }
  }).pipe(Effect.scoped, Effect.provide(cpu({ threads: 1 })))

const bert: EncoderConfig = {
  model_type: "bert",
  vocab_size: 31,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0.1,
  initializer_range: 0.5,
  dim: 6
}

describe("an exported decoder", () => {
  for (const side of ["left", "right"] as const) {
    it.live(`reads rows that are padded on the ${side}, then goes on from what it kept`, () => holds(config, side))
  }
  it.live("sees as far as its window", () =>
    holds({
      ...config,
      tie_word_embeddings: false,
      sliding_window: 3,
      layer_types: ["full_attention", "sliding_attention"]
    }, "left"))
})

describe("an exported encoder", () => {
  for (const dim of [6, 0]) {
    it(`gives hidden states${dim ? " and vectors" : ""} of any number of texts of any length`, async () => {
      const c = { ...bert, dim }
      const model = colbert(c)
      const weights = initialise(flatten(model.params), Key.make(2))
      const session = await load(encoder(c), weights)
      const ids = [[1, 2, 3, 4, 5, 6, 7], [9, 8, 7, 0, 0, 0, 0]]
      const mask = ids.map((own) => own.map((id) => id === 0 ? 0 : 1))
      const got = await session.run({ input_ids: int64(ids), attention_mask: int64(mask) })
      assert.deepStrictEqual(Object.keys(got), ["last_hidden_state", ...dim ? ["token_embeddings"] : []])
      const alone = await session.run({ input_ids: int64([ids[1]!.slice(0, 3)]), attention_mask: int64([[1, 1, 1]]) })
      for (const n of [0, 1, 2]) {
        close(row(got["last_hidden_state"]!, 1, n), row(alone["last_hidden_state"]!, 0, n), `token ${n}`)
      }
      if (dim === 0) return
      const [x, seen] = [input("x", [2, 7], "int32"), input("seen", [2, 7], "bool")]
      const bound = bind(model.params, (path, { shape }) => input(path, shape))
      const feeds = Object.fromEntries(
        [...weights].map(([path, data]) => [path, Nd.fromArray(flatten(model.params).get(path)!.shape, data)])
      )
      const [want] = interpret([model.apply(bound, { ids: x, mask: seen })], {
        ...feeds,
        x: Nd.fromArray([2, 7], ids.flat()),
        seen: Nd.fromArray([2, 7], mask.flat())
      })
      close(got["token_embeddings"]!.data as Float32Array, want!.data, "vectors")
    })
  }
})

/** The tiny system's folder, whose models have weights in files. */
const onTiny = <A, E>(check: (folder: string) => Effect.Effect<A, E, FileSystem.FileSystem | Session | Scope>) =>
  Effect.gen(function*() {
    const folder = yield* Tiny.folder
    yield* Tiny.writeWeights(folder)
    return yield* check(folder)
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)))

const run = (session: ort.InferenceSession, feeds: Readonly<Record<string, ort.Tensor>>) =>
  Effect.promise(() => session.run(feeds))

describe("a model folder's ONNX form", () => {
  it.live("is the same with the weights in the model and beside it, and tells transformers.js which", () =>
    onTiny((folder) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const reader = join(folder, "reader")
        const asked = () => {
          const past = ["key", "value"].map((kind) =>
            [`past_key_values.0.${kind}`, new ort.Tensor("float32", [], [1, 1, 0, 8])] as const
          )
          return {
            input_ids: int64([[5, 6, 7]]),
            attention_mask: int64([[1, 1, 1]]),
            position_ids: int64([[0, 1, 2]]),
            ...Object.fromEntries(past)
          }
        }
        const made = yield* OnnxFolder.add(reader)
        assert.deepStrictEqual(made, { folder: join(reader, "onnx"), kind: "decoder", files: ["model.onnx"] })
        const session = yield* Effect.promise(() => ort.InferenceSession.create(join(reader, "onnx", "model.onnx")))
        const { logits } = yield* run(session, asked())
        const again = yield* Effect.flip(OnnxFolder.add(reader))
        assert.match(again.message, /onnx: is there already/)
        yield* fs.remove(join(reader, "onnx"), { recursive: true })
        assert.deepStrictEqual((yield* OnnxFolder.add(reader, { most: 0 })).files, ["model.onnx", "model.onnx_data"])
        const split = yield* Effect.promise(() => ort.InferenceSession.create(join(reader, "onnx", "model.onnx")))
        assert.deepStrictEqual((yield* run(split, asked()))["logits"]!.data, logits!.data)
        const config = JSON.parse(yield* fs.readFileString(join(reader, "config.json"))) as Record<string, unknown>
        assert.deepInclude(config, {
          model_type: "llama",
          "transformers.js_config": { use_external_data_format: true }
        })
      })
    ))
  it.live("gives a retriever's vectors", () =>
    onTiny((folder) =>
      Effect.gen(function*() {
        const retriever = join(folder, "retriever")
        assert.deepInclude(yield* OnnxFolder.add(retriever), { kind: "encoder" })
        const session = yield* Effect.promise(() => ort.InferenceSession.create(join(retriever, "onnx", "model.onnx")))
        const got = yield* run(session, { input_ids: int64([[5, 6]]), attention_mask: int64([[1, 1]]) })
        assert.deepStrictEqual(Object.values(got).map((t) => t.dims), [[1, 2, 16], [1, 2, 8]])
      })
    ))
  it.live("is not made of a folder without weights, nor of one that is not there", () =>
    Effect.gen(function*() {
      const folder = yield* Tiny.folder
      assert.match((yield* Effect.flip(OnnxFolder.add(join(folder, "reader")))).message, /reader: has no weights/)
      assert.match((yield* Effect.flip(OnnxFolder.add(join(folder, "writer")))).message, /no such file/)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})
