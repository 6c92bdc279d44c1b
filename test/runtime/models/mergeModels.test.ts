/** Merging model folders: retrievers and readers, adapters, what is written beside the weights, what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { stringify } from "yaml"
import { mergeModels } from "../../../src/programs/mergeModels.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { save } from "../../../src/runtime/models/export/folder.ts"
import * as Reporter from "../../../src/runtime/ports/Reporter.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"
import { warned } from "../../support/warnings.ts"

const golden = join(import.meta.dirname, "../../golden/merge")
const lora = join(import.meta.dirname, "../../golden/lora")
const json = (...path: ReadonlyArray<string>) => JSON.parse(readFileSync(join(...path), "utf8")) as Record<string, any>
const weights = (folder: string, name = "model.safetensors") => Safetensors.read(join(folder, name))

const run = (folder: string, config: object, seed = 0, out = "out") =>
  Effect.suspend(() => {
    const path = join(folder, `${out}.yaml`)
    writeFileSync(path, stringify(config))
    return mergeModels(path, join(folder, out), { maxShardSize: "5GB", seed })
  }).pipe(Effect.provide(Layer.merge(cpu({ threads: 1 }), Reporter.silent)))

/** Copies a folder, its tensors changed. */
const changed = Effect.fnUntraced(function*(from: string, to: string, f: (x: number, name: string) => number) {
  mkdirSync(to)
  for (const name of readdirSync(from)) {
    if (!name.endsWith(".safetensors")) writeFileSync(join(to, name), readFileSync(join(from, name)))
  }
  const tensors = [...yield* weights(from)].map(([name, { data, shape }]) =>
    [name, { shape, data: data.map((x) => f(x, name)) }] as const
  )
  writeFileSync(join(to, "model.safetensors"), Safetensors.encode(new Map(tensors)))
})

const entry = (model: string, parameters: object = { weight: 1 }) => ({ model, parameters })

describe("merging", () => {
  it.live("a ColBERT folder keeps its head, its metadata and its name for other tools", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const [a, b] = [join(folder, "retriever"), join(folder, "b")]
      writeFileSync(join(a, "artifact.metadata"), JSON.stringify({ dim: 8, query_maxlen: 32, doc_maxlen: 64 }))
      yield* changed(a, b, (x) => x + 1)
      const told = yield* run(folder, { merge_method: "linear", models: [entry(a), entry(b, { weight: 3 })] })
      const [before, after] = [yield* weights(a), yield* weights(told.folder)]
      assert.sameMembers([...after.keys()], [...before.keys()])
      assert.isTrue(after.has("linear.weight"))
      for (const [name, { data }] of before) {
        data.forEach((x, i) => assert.closeTo(after.get(name)!.data[i]!, x + 0.75, 1e-6))
      }
      assert.deepStrictEqual(json(told.folder, "artifact.metadata"), json(a, "artifact.metadata"))
      assert.deepStrictEqual({ ...json(told.folder, "config.json"), dtype: undefined }, {
        ...json(a, "config.json"),
        dtype: undefined
      })
      assert.deepStrictEqual(told.files, readdirSync(told.folder).toSorted())
    })))
  it.live("a sentence-transformers folder keeps its modules, and a dense layer its folder", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const make = Effect.fnUntraced(function*(name: string, by: number) {
        const own = join(folder, name)
        yield* changed(join(folder, "retriever"), own, (x) => x + by)
        const tensors = new Map(yield* weights(own))
        const head = tensors.get("linear.weight")!
        tensors.delete("linear.weight")
        writeFileSync(join(own, "model.safetensors"), Safetensors.encode(tensors))
        for (const module of ["1_Pooling", "2_Dense"]) mkdirSync(join(own, module))
        writeFileSync(join(own, "2_Dense", "model.safetensors"), Safetensors.encode(new Map([["linear.weight", head]])))
        writeFileSync(
          join(own, "2_Dense", "config.json"),
          JSON.stringify({ in_features: 16, out_features: 8, bias: false })
        )
        writeFileSync(join(own, "1_Pooling", "config.json"), "{}")
        const kinds = [["", "Transformer"], ["1_Pooling", "Pooling"], ["2_Dense", "Dense"]]
        writeFileSync(join(own, "modules.json"), JSON.stringify(kinds.map(([path, type]) => ({ path, type }))))
        return own
      })
      const [a, b] = [yield* make("a", 0), yield* make("b", 1)]
      const told = yield* run(folder, {
        merge_method: "slerp",
        base_model: a,
        models: [{ model: b }],
        parameters: { t: 1 }
      })
      assert.includeMembers([...told.files], [
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors"
      ])
      const [got, want] = [
        yield* weights(told.folder, "2_Dense/model.safetensors"),
        yield* weights(b, "2_Dense/model.safetensors")
      ]
      got.get("linear.weight")!.data.forEach((x, i) => assert.closeTo(x, want.get("linear.weight")!.data[i]!, 1e-6))
    })))
  it.live("tells where models state otherwise, or alone, how texts are encoded", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const [a, b, c] = [join(folder, "retriever"), join(folder, "b"), join(folder, "c")]
      const stated = (query_maxlen: number) => JSON.stringify({ dim: 8, query_maxlen, doc_maxlen: 64 })
      for (const other of [b, c]) yield* changed(a, other, (x) => x + 1)
      const toldOf = (base: string, other: string, out: string) =>
        warned(run(folder, { merge_method: "linear", models: [entry(base), entry(other)] }, 0, out))
      assert.deepStrictEqual((yield* toldOf(a, b, "none")).lines, [])
      writeFileSync(join(b, "artifact.metadata"), stated(32))
      const { lines: [lost, ...more] } = yield* toldOf(a, b, "lost")
      assert.deepStrictEqual(more, [])
      assert.include(lost, `${a} has no artifact.metadata`)
      assert.include(lost, b)
      assert.isFalse(existsSync(join(folder, "lost", "artifact.metadata")))
      writeFileSync(join(c, "artifact.metadata"), stated(16))
      const other = yield* toldOf(b, c, "other")
      assert.deepStrictEqual(other.lines, [
        `artifact.metadata differs in ${c}; the merged model encodes texts as that of ${b} says`
      ])
      writeFileSync(join(c, "artifact.metadata"), stated(32))
      assert.deepStrictEqual((yield* toldOf(b, c, "same")).lines, [])
    })))
  it.live("adapters are folded on the way, on their own base or on one that is named", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.folder
      const options = { dtype: "auto", maxShardSize: 5e9, card: "" } as const
      const { folder: alone } = yield* save(join(lora, "llama-peft"), join(folder, "alone"), options).pipe(
        Effect.provide(cpu({ threads: 1 }))
      )
      const merged = yield* weights(alone)
      const own = yield* run(
        folder,
        { merge_method: "passthrough", models: [{ model: join(lora, "llama-peft") }] },
        0,
        "own"
      )
      const named = `${join(lora, "llama")}+${join(lora, "llama-peft")}`
      const other = yield* run(folder, { merge_method: "passthrough", models: [{ model: named }] }, 0, "named")
      for (const { folder: out } of [own, other]) {
        const got = yield* weights(out)
        for (const [name, { data }] of merged) {
          data.forEach((x, i) => assert.strictEqual(got.get(name)!.data[i]!, x, name))
        }
      }
    })))
  it.live("the card holds the recipe, and the config is kept to the byte", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.folder
      const config = {
        merge_method: "dare_ties",
        base_model: join(golden, "base"),
        models: [entry(join(golden, "a"), { weight: 1, density: 0.5 })]
      }
      const told = yield* run(folder, config, 7)
      const text = readFileSync(join(folder, "out.yaml"), "utf8")
      assert.strictEqual(readFileSync(join(told.folder, "mergekit_config.yml"), "utf8"), text)
      const card = readFileSync(join(told.folder, "README.md"), "utf8")
      for (const part of [text.trim(), "DARE TIES", "under seed 7", "SHA-256"]) assert.include(card, part)
    })))
  it.live("the same seed draws the same masks, another one others", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.folder
      const config = {
        merge_method: "dare_linear",
        base_model: join(golden, "base"),
        models: [entry(join(golden, "a"), { weight: 1, density: 0.5 })]
      }
      const bytes = Effect.fnUntraced(function*(seed: number, out: string) {
        const told = yield* run(folder, config, seed, out)
        return readFileSync(join(told.folder, "model.safetensors"), "base64")
      })
      const first = yield* bytes(1, "first")
      assert.strictEqual(yield* bytes(1, "again"), first)
      assert.notStrictEqual(yield* bytes(2, "other"), first)
    })))
})

/** What is refused, and parts of the message. */
const refused: Readonly<Record<string, readonly [config: object, ...parts: ReadonlyArray<string>]>> = {
  "methods and keys that are not known": [
    { merge_method: "tie", modles: [], models: [entry("a")], chat_template: "auto", modules: {} },
    `"tie" is not known here, did you mean "ties"?`,
    `modles: is no key here, did you mean "models"?`,
    "chat_template: not supported here",
    "modules: not supported here"
  ],
  "parameters that no method has, and values of another type": [
    {
      merge_method: "ties",
      base_model: "b",
      models: [entry("a", { wieght: 1, density: "high", gamma: 1 })],
      parameters: { normalize: 3, rescale_norm: "l2" }
    },
    `wieght: no method has this parameter, did you mean "weight"?`,
    `"high" is no number`,
    "normalize: 3 is neither true nor false",
    "rescale_norm: no method"
  ],
  "too few and too many models": [
    { merge_method: "slerp", models: [entry("a", {}), entry("b", {}), entry("b", {})] },
    "base_model: slerp needs one",
    "slerp takes exactly 1 models, not 3",
    "b is listed twice"
  ],
  "both or neither of models and slices": [
    { merge_method: "linear" },
    "exactly one of models and slices is needed, and there is neither"
  ],
  "slices of unequal lengths": [
    {
      merge_method: "linear",
      slices: [{ sources: [{ model: "a", layer_range: [0, 2] }, { model: "b", layer_range: [0, 1] }] }]
    },
    "slices[0].sources: all must have the same number of layers"
  ],
  "weights that are missing": [
    { merge_method: "linear", models: [entry(join(golden, "a"), {}), entry(join(golden, "b"))] },
    "weight of",
    "is missing (",
    "and 29 more"
  ],
  "vocabularies of different sizes or orders": [
    { merge_method: "linear", models: ["a", "wide", "turned"].map((name) => entry(join(golden, name))) },
    "shapes differ: [12,8] in",
    "set tokenizer_source: union or base",
    `1 token differs: "kidney" (id 12, there absent)`,
    `"the" (absent, there id 3)`
  ],
  "other architectures": [
    { merge_method: "linear", models: [entry(join(golden, "a")), entry(join(lora, "llama"))] },
    "num_attention_heads is 4, in"
  ],
  "encoders with decoders": [{
    merge_method: "linear",
    models: [entry(join(golden, "a")), entry(join(lora, "colbert"))]
  }, `model_type is "bert"`],
  "weights that cancel": [{
    merge_method: "linear",
    models: [entry(join(golden, "a")), entry(join(golden, "b"), { weight: -1 })]
  }, "the weights sum to 0"],
  "probabilities beyond 0 and 1": [
    {
      merge_method: "della",
      base_model: join(golden, "base"),
      models: [entry(join(golden, "a"), { weight: 1, density: 0.9 })]
    },
    "density 0.9 with epsilon 0.15: both density ± epsilon must lie between 0 and 1"
  ],
  "layers that are not there": [
    { merge_method: "passthrough", slices: [{ sources: [{ model: join(golden, "a"), layer_range: [1, 9] }] }] },
    "has 3 layers, not 9"
  ]
}

describe("a merge is refused, and nothing written, for", () => {
  for (const [what, [config, ...parts]] of Object.entries(refused)) {
    it.live(what, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.folder
        const { message } = yield* Effect.flip(run(folder, config))
        for (const part of parts) assert.include(message, part)
        assert.isFalse(existsSync(join(folder, "out")) || existsSync(join(folder, "out.partial")))
      })))
  }
})
