/** The ONNX form of checkpoints of every architecture: what it computes is what transformers does. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as ort from "onnxruntime-node"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as OnnxFolder from "../../src/runtime/models/export/onnx.ts"
import * as Golden from "./golden.ts"

const folders = join(import.meta.dirname, "architectures")
const closeness = { tolerance: 1e-5 }
/** Their angles follow the length of what is read, so that a text in two parts is another text. */
const byLength = /dynamic|longrope/

const int64 = ({ data, shape }: Pick<Safetensors.StoredTensor, "data" | "shape">): ort.Tensor =>
  new ort.Tensor("int64", BigInt64Array.from([...data], BigInt), shape)
const filled = (shape: ReadonlyArray<number>, f: (i: number) => number) =>
  int64({ shape, data: Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => f(i)) })

/** Columns from..to-1 of [b, n]. */
const columns = ({ data, shape: [b, n] }: Safetensors.StoredTensor, from: number, to: number) =>
  int64({
    shape: [b!, to - from],
    data: Float32Array.from({ length: b! * (to - from) }, (_, i) =>
      data[Math.floor(i / (to - from)) * n! + from + i % (to - from)]!)
  })

const run = (session: ort.InferenceSession, feeds: Readonly<Record<string, ort.Tensor>>) =>
  Effect.promise(() => session.run(feeds))

/** All tokens at once, and in two parts. */
const decodes = Effect.fnUntraced(
  function*(session: ort.InferenceSession, name: string, tensors: Safetensors.StoredTensors) {
    const names = session.inputNames.filter((input) => input.startsWith("past_key_values"))
    const emptyOf = (input: string, b: number): ort.Tensor => {
      const shape = session.inputMetadata.find((meta) => meta.name === input) as {
        readonly shape: ReadonlyArray<number | string>
      }
      assert.deepStrictEqual([shape.shape[0], shape.shape[2]], ["batch_size", "past_sequence_length"])
      return new ort.Tensor("float32", [], [b, Number(shape.shape[1]), 0, Number(shape.shape[3])])
    }
    for (const length of new Set([...tensors.keys()].map((key) => key.split("/")[0]!))) {
      const [ids, logits] = [tensors.get(`${length}/ids`)!, tensors.get(`${length}/logits`)!]
      const [b, n] = ids.shape as [number, number]
      const part = (from: number, to: number, past: Readonly<Record<string, ort.Tensor>>) =>
        run(session, {
          input_ids: columns(ids, from, to),
          attention_mask: filled([b, to], () => 1),
          position_ids: filled([b, to - from], (i) => from + i % (to - from)),
          ...past
        })
      const empty = Object.fromEntries(names.map((input) => [input, emptyOf(input, b)]))
      const whole = yield* part(0, n, empty)
      Golden.close(whole["logits"]!.data as Float32Array, logits.data, `${name} of ${length} tokens`, closeness)
      if (byLength.test(name)) continue
      const first = yield* part(0, n - 2, empty)
      const past = names.map((input) => [input, first[input.replace("past_key_values", "present")]!] as const)
      const { logits: rest } = yield* part(n - 2, n, Object.fromEntries(past))
      const width = rest!.dims[2]! * 2
      for (let r = 0; r < b; r++) {
        const want = logits.data.subarray((r + 1) * n * width / 2 - width, (r + 1) * n * width / 2)
        const got = (rest!.data as Float32Array).subarray(r * width, (r + 1) * width)
        Golden.close(got, want, `${name}, the last two of ${length} tokens`, closeness)
      }
    }
  }
)

const unit = (x: Float32Array, width: number): Float32Array =>
  x.map((value, i) =>
    value / Math.hypot(...x.subarray(Math.floor(i / width) * width, (Math.floor(i / width) + 1) * width))
  )

const encodes = Effect.fnUntraced(
  function*(session: ort.InferenceSession, name: string, tensors: Safetensors.StoredTensors) {
    const [ids, mask, vectors] = ["ids", "mask", "vectors"].map((key) => tensors.get(key)!)
    const { last_hidden_state, token_embeddings } = yield* run(session, {
      input_ids: int64(ids!),
      attention_mask: int64(mask!)
    })
    const got = token_embeddings?.data as Float32Array | undefined
    const hidden = unit(last_hidden_state!.data as Float32Array, last_hidden_state!.dims[2]!)
    Golden.close(got ?? hidden, vectors!.data, name, closeness)
  }
)

describe("the ONNX form of a checkpoint of transformers", () => {
  it.live("is not made of DeBERTa", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(OnnxFolder.add(join(folders, "deberta-v2")))
      assert.match(message, /config\.json, model_type: deberta-v2 has no ONNX form .*; Optimum exports it/)
      assert.isFalse(existsSync(join(folders, "deberta-v2", "onnx")))
    }).pipe(Effect.provide(NodeFileSystem.layer)))
  for (const name of readdirSync(folders).toSorted().filter((own) => !own.startsWith("deberta"))) {
    it.live(`computes what it does there: ${name}`, () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const folder = join(yield* fs.makeTempDirectoryScoped({ prefix: "onnx-" }), name)
        yield* fs.copy(join(folders, name), folder)
        const { kind } = yield* OnnxFolder.add(folder)
        const tensors = yield* Safetensors.read(join(folder, "expected.safetensors"))
        const session = yield* Effect.promise(() => ort.InferenceSession.create(join(folder, "onnx", "model.onnx")))
        yield* (kind === "encoder" ? encodes(session, name, tensors) : decodes(session, name, tensors))
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  }
})
