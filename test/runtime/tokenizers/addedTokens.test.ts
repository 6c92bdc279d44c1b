/** Adapters whose tokenizer has a token more than their base: tables in full, with a row for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { readerOf } from "../../../src/domain/settings/models.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import { names } from "../../../src/kernels/Step.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { decodeDecoder } from "../../../src/runtime/files/config/decoder.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { save } from "../../../src/runtime/models/export/folder.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import * as Model from "../../../src/runtime/models/load.ts"
import { loraOf } from "../../../src/runtime/models/lora.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"

const [EMBEDDING, HEAD] = ["model.embed_tokens.weight", "lm_head.weight"]
const lora: Raw = {
  lora_r: 2,
  lora_alpha: 4,
  lora_target_modules: ["q_proj"],
  modules_to_save: ["embed_tokens", "lm_head"]
}

/** An adapter on the tiny reader that has these tables in full, with a row more than the base; the rest of it is zero. */
const adapter = Effect.fnUntraced(function*(folder: string, tables: ReadonlyArray<string>) {
  const base = yield* Safetensors.read(join(folder, "reader", "model.safetensors"))
  const { data, shape: [rows, width] } = base.get(EMBEDDING)!
  const grown = { shape: [rows! + 1, width!], data: new Float32Array(data.length + width!).fill(0.25) }
  grown.data.set(data)
  const out = join(folder, "adapter")
  mkdirSync(out)
  const q = "model.layers.0.self_attn.q_proj"
  const matrices = [
    [`${q}.lora_A.weight`, { shape: [2, width!], data: new Float32Array(2 * width!) }],
    [`${q}.lora_B.weight`, { shape: [width!, 2], data: new Float32Array(2 * width!) }]
  ] as const
  const tensors = [...tables.map((name) => [name, grown] as const), ...matrices]
  writeFileSync(
    join(out, "adapter_model.safetensors"),
    Safetensors.encode(new Map(tensors.map(([name, tensor]) => [`base_model.model.${name}`, tensor])))
  )
  const modules_to_save = tables.map((name) => name.replace("model.", "").replace(".weight", ""))
  const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q_proj"], modules_to_save }
  writeFileSync(
    join(out, "adapter_config.json"),
    JSON.stringify({ ...config, base_model_name_or_path: join(folder, "reader") })
  )
  const tokenizer = JSON.parse(readFileSync(join(folder, "reader", "tokenizer.json"), "utf8")) as {
    added_tokens: Array<object>
  }
  const added = { id: rows, content: "<|more|>", special: true, single_word: false, lstrip: false, rstrip: false }
  tokenizer.added_tokens.push({ ...added, normalized: false })
  writeFileSync(join(out, "tokenizer.json"), JSON.stringify(tokenizer))
  return { out, rows: rows!, grown }
})

/** The reader of an adapter's folder, with the adapter folded in, or as it learns. */
const loaded = Effect.fnUntraced(function*(folder: string, given: string, learns: boolean) {
  const settings = yield* Tiny.settings(folder, learns ? lora : {})
  const opened = yield* ModelFolder.open(given, decodeDecoder)
  const { module, weights } = yield* Model.load(opened, causalLm, {
    seed: 1,
    lora: loraOf(readerOf(settings)),
    learns: () => learns,
    slots: [],
    task: "CAUSAL_LM"
  }).pipe(Effect.provide(Tiny.core))
  return { module, tokenizer: opened.tokenizer, of: (path: string) => weights.values()[names.param(path)]! }
})

describe("an adapter that added a token", () => {
  for (const learns of [false, true]) {
    it.live(`gives its base a row for it where it ${learns ? "learns" : "is read"}`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const { grown, out, rows } = yield* adapter(folder, [EMBEDDING, HEAD])
        const { of, tokenizer } = yield* loaded(folder, out, learns)
        for (const path of [EMBEDDING, HEAD]) assert.deepStrictEqual(of(path), grown.data)
        assert.strictEqual(tokenizer.id("<|more|>"), rows)
      })))
  }
  it.live("is merged with it: tables, vocab_size and tokenizer", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const { grown, out, rows } = yield* adapter(folder, [EMBEDDING, HEAD])
      const merged = join(folder, "merged")
      yield* save(out, merged, { dtype: "auto", maxShardSize: 1e9, card: "" }).pipe(Effect.provide(cpu({ threads: 1 })))
      const tensors = yield* Safetensors.read(join(merged, "model.safetensors"))
      for (const path of [EMBEDDING, HEAD]) assert.deepStrictEqual(tensors.get(path), grown)
      const config = JSON.parse(readFileSync(join(merged, "config.json"), "utf8")) as object
      assert.deepInclude(config, { vocab_size: rows + 1, tie_word_embeddings: false })
      const { of } = yield* loaded(folder, merged, false)
      assert.deepStrictEqual(of(EMBEDDING), grown.data)
    })))
  it.live("to its embeddings alone is refused: the head has none", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const { out } = yield* adapter(folder, [EMBEDDING])
      const read = yield* Effect.flip(loaded(folder, out, false))
      assert.match(
        read.message,
        /adapter_model\.safetensors: added tokens, for which it lacks lm_head\.weight \[\d+,\d+\]/
      )
      const options = { dtype: "auto", maxShardSize: 1e9, card: "" } as const
      const merging = save(out, join(folder, "merged"), options).pipe(Effect.provide(cpu({ threads: 1 })))
      assert.match((yield* Effect.flip(merging)).message, /added tokens to some modules alone/)
    })))
})
