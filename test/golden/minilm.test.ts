/** A pretrained encoder as it lies: needs its folder in MINILM (test/golden/README.md), and is skipped without it. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../../src/kernels/NdArray.ts"
import { bert, type BertConfig } from "../../src/kernels/nn/bert.ts"
import { bind, flatten, inputs, module } from "../../src/kernels/nn/Module.ts"
import { constant } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { decodeEncoder } from "../../src/runtime/files/config/encoder.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { ofEncoder } from "../../src/runtime/files/stateDict.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import * as Golden from "./golden.ts"

const folder = process.env["MINILM"] ?? ""

interface Described {
  readonly sentences: ReadonlyArray<string>
  readonly ids: ReadonlyArray<ReadonlyArray<number>>
}

const encoderOf = (config: BertConfig) => {
  const model = bert(config)
  return module({ bert: model.params }, (p, ids: ReadonlyArray<number>) =>
    model.apply(p.bert, {
      ids: constant(Nd.fromArray([1, ids.length], ids), "int32"),
      mask: constant(Nd.make([1, ids.length], () => 1), "bool")
    }))
}

/** The direction of the mean over tokens. */
const pooled = (hidden: Float32Array, size: number): Float64Array => {
  const sum = new Float64Array(size)
  hidden.forEach((value, i) => sum[i % size]! += value)
  const norm = Math.hypot(...sum)
  return sum.map((value) => value / norm)
}

it.live.skipIf(folder === "")("all-MiniLM-L6-v2 embeds as it does in transformers", () =>
  Effect.gen(function*() {
    const { ids, sentences } = JSON.parse(readFileSync(join(import.meta.dirname, "minilm.json"), "utf8")) as Described
    const expected = yield* Safetensors.read(join(import.meta.dirname, "minilm.safetensors"))
    const { config, tokenizer } = yield* ModelFolder.open(folder, decodeEncoder)
    const encoder = encoderOf(config as BertConfig)
    const params = flatten(encoder.params)
    const weights = yield* ModelFolder.weights(folder, params, 1, { naming: ofEncoder("bert") })
    const session = yield* Session
    for (const [i, sentence] of sentences.entries()) {
      const own: ReadonlyArray<number> = [tokenizer.id("[CLS]")!, ...tokenizer.encode(sentence), tokenizer.id("[SEP]")!]
      assert.deepStrictEqual([...own], [...ids[i]!])
      const given = inputs(encoder.params)
      const hidden = encoder.apply(bind(encoder.params, (path) => given.get(path)!), own)
      const program = yield* session.compile<string, string>({
        name: sentence,
        inputs: Object.fromEntries(given),
        outputs: { hidden }
      })
      const got = (yield* program.run(Object.fromEntries(weights)))["hidden"] as Float32Array
      if (i === 0) Golden.close(got, expected.get("tokens")!.data, "tokens", { tolerance: 1e-5 })
      const vector = pooled(got, config.hidden_size)
      const wanted = expected.get("vectors")!.data.subarray(i * config.hidden_size)
      assert.isAbove(vector.reduce((sum, value, j) => sum + value * wanted[j]!, 0), 0.999999, sentence)
    }
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))), 60_000)
