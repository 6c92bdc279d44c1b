/** Saving models: what is saved is what is loaded, and a folder appears whole or not at all. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { type Options, save } from "../../../src/runtime/models/export/folder.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"

const options: Options = { dtype: "auto", maxShardSize: 2000, card: "A card.\n" }
const saving = (from: string, out: string, own: Partial<Options> = {}) =>
  save(from, out, { ...options, ...own }).pipe(Effect.provide(cpu({ threads: 1 })))

/** Model folders with weights. */
const folders = Tiny.weighted
const contents = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "base64")]))
const tensors = (folder: string) =>
  Effect.map(
    Effect.forEach(
      readdirSync(folder).filter((name) => name.endsWith(".safetensors")),
      (name) => Safetensors.read(join(folder, name))
    ),
    (files) => new Map(files.flatMap((file) => [...file]))
  )

describe("saving", () => {
  for (const dtype of ["float32", "float16", "bfloat16"] as const) {
    it.live(`in ${dtype}, loading and saving again makes the same bytes`, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* folders
        const [first, second] = [join(folder, "first"), join(folder, "second")]
        const told = yield* saving(join(folder, "reader"), first, { dtype })
        assert.deepStrictEqual(told.files, readdirSync(first).toSorted())
        assert.isAbove(told.files.filter((name) => name.endsWith(".safetensors")).length, 2)
        yield* saving(first, second)
        assert.deepStrictEqual(contents(second), contents(first))
        const [given, saved] = [yield* tensors(join(folder, "reader")), yield* tensors(first)]
        assert.sameMembers([...saved.keys()], [...given.keys()])
        const near = { float32: 0, float16: 2 ** -11, bfloat16: 2 ** -8 }[dtype]
        for (const [name, { data, shape }] of given) {
          assert.deepStrictEqual(saved.get(name)!.shape, shape)
          data.forEach((x, i) =>
            assert.isAtMost(Math.abs(saved.get(name)!.data[i]! - x), near * Math.abs(x) + 1e-7 * near)
          )
        }
      })))
  }
  it.live("tells what the folder's config does not: the architecture, and how to generate", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folders
      for (const part of ["reader", "retriever"]) yield* saving(join(folder, part), join(folder, `${part}-saved`))
      const json = (...path: ReadonlyArray<string>) =>
        JSON.parse(readFileSync(join(folder, ...path), "utf8")) as Record<string, unknown>
      assert.deepInclude(json("reader-saved", "config.json"), {
        architectures: ["LlamaForCausalLM"],
        model_type: "llama",
        dtype: "float32",
        tie_word_embeddings: true,
        hidden_size: Tiny.decoderConfig.hidden_size
      })
      assert.deepStrictEqual(json("reader-saved", "generation_config.json"), {
        _from_model_config: true,
        bos_token_id: 2,
        eos_token_id: 3
      })
      assert.deepInclude(json("retriever-saved", "config.json"), { architectures: ["HF_ColBERT"], model_type: "bert" })
      assert.isFalse(existsSync(join(folder, "retriever-saved", "generation_config.json")))
    })))
  it.live("that fails leaves nothing where the model would be", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folders
      const file = join(folder, "reader", "model.safetensors")
      const stored = new Map(yield* Safetensors.read(file))
      const [[name, { data, shape }]] = [...stored].slice(-1) as [[string, Safetensors.StoredTensor]]
      writeFileSync(file, Safetensors.encode(stored.set(name, { shape, data: data.fill(1e5) })))
      const out = join(folder, "out")
      const error = yield* Effect.flip(saving(join(folder, "reader"), out, { dtype: "float16" }))
      assert.include(
        error.message,
        `tensor ${name}: 100000 is beyond the range of float16; save as bfloat16 or float32`
      )
      assert.isFalse(existsSync(out) || existsSync(`${out}.partial`))
      yield* saving(join(folder, "reader"), out, { dtype: "bfloat16" })
      assert.isFalse(existsSync(`${out}.partial`))
    })))
  it.live("is refused over another folder, and without weights", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folders
      const error = yield* Effect.flip(saving(join(folder, "reader"), join(folder, "retriever")))
      assert.match(error.message, /retriever: is there already; choose another folder/)
      const bare = yield* Tiny.folder
      const none = yield* Effect.flip(saving(join(bare, "reader"), join(bare, "out")))
      assert.match(none.message, /reader: has no weights to save/)
    })))
})
