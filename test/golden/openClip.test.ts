/** Encoders of pictures and texts as open_clip publishes them: the vectors and gradients that it computes. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { preprocess } from "../../src/domain/pictures/preprocess.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import type { Bound, Params } from "../../src/kernels/nn/Module.ts"
import { reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { add, mul } from "../../src/kernels/op/elementwise.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { readJson } from "../../src/runtime/files/model.ts"
import * as TensorFile from "../../src/runtime/files/safetensors/read.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { joined } from "../../src/runtime/files/vision/fused.ts"
import { ofPictureModel } from "../../src/runtime/files/vision/naming.ts"
import { read } from "../../src/runtime/pictures/decode.ts"
import { make } from "../../src/runtime/pictures/encoder.ts"
import { open } from "../../src/runtime/pictures/folder.ts"
import { changed } from "../support/files.ts"
import { warned } from "../support/warnings.ts"
import { compare, type Computed } from "./compared.ts"
import { close } from "./golden.ts"
import { patchesOf } from "./patches.ts"

const folderOf = (name: string) => join(import.meta.dirname, "openClip", name)
const surroundings = Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)
const files = ["rgb.png", "gray.jpg", "wide.jpg", "turned-1.jpg"]
const words = ["abed  cab", "A BAD DEED", "bead", "dabbed a decade, added a cab and bade a bee accede to each"]
const within = { tolerance: 1e-5 }

/** Gradients of queries, keys and values as those of three parameters. */
const apart = (expected: Safetensors.StoredTensors): Safetensors.StoredTensors =>
  new Map([...expected].flatMap(([name, tensor]) => {
    if (!/^gradient\/.*\.qkv\./.test(name)) return [[name, tensor] as const]
    const third = tensor.data.length / 3
    const [rows, ...rest] = tensor.shape
    return ["q", "k", "v"].map((part, i) =>
      [
        name.replace(".qkv.", `.${part}_proj.`),
        { shape: [rows! / 3, ...rest], data: tensor.data.slice(i * third, (i + 1) * third) }
      ] as const
    )
  }))

const real = ({ data, shape }: Safetensors.StoredTensor): Tensor => constant(Nd.fromArray(shape, data))

const config = (part: "vision_cfg" | "text_cfg" | "preprocess_cfg", change: object) =>
  Effect.map(readJson(join(folderOf("biomed"), "open_clip_config.json")), (json) => {
    const { model_cfg, preprocess_cfg } = json as Record<string, Record<string, object>>
    return {
      "open_clip_config.json": part === "preprocess_cfg"
        ? { preprocess_cfg: { ...preprocess_cfg, ...change } }
        : { model_cfg: { ...model_cfg, [part]: { ...model_cfg![part], ...change } } }
    }
  })
const refusal = (changes: Readonly<Record<string, object | null>>, name = "biomed") =>
  Effect.flatMap(changed(folderOf(name), changes), (folder) => Effect.flip(open(folder))).pipe(
    Effect.map(({ message }) => message),
    Effect.scoped
  )

describe("a folder of open_clip", () => {
  for (const name of ["biomed", "config"]) {
    it.live(`gives the vectors of open_clip: ${name}`, () =>
      Effect.gen(function*() {
        const expected = yield* Safetensors.read(join(folderOf(name), "expected.safetensors"))
        const encoder = yield* make(folderOf(name), { batch: 3 })
        const pictures = yield* Effect.forEach(
          files,
          (file) =>
            Effect.map(read(join(import.meta.dirname, "pictures", file)), ({ picture }) => ({ name: file, picture }))
        )
        const prepared = pictures.flatMap(({ picture }) => [...preprocess(picture, encoder.opened.preprocessing).data])
        close(prepared, expected.get("prepared")!.data, `${name} prepared`, { tolerance: 1e-6 })
        close(yield* encoder.pictures(pictures), expected.get("files")!.data, `${name} files`, within)
        const { cut, vectors } = yield* encoder.texts!(words)
        close(vectors, expected.get("words")!.data, `${name} words`, within)
        assert.strictEqual(cut, 1)
      }).pipe(Effect.scoped, Effect.provide(surroundings)))
  }
  it.live("computes of pixels and ids, with the gradient of every parameter, what open_clip does", () =>
    Effect.gen(function*() {
      const expected = yield* Safetensors.read(join(folderOf("config"), "expected.safetensors"))
      const { model, vision, weights } = yield* open(folderOf("config"))
      const weighed = (vectors: Tensor, probe: string) => reshape(sumAll(mul(vectors, real(expected.get(probe)!))), [])
      const compute = (bound: Bound<Params>): Computed => {
        const image = model.image.apply(bound, patchesOf(expected.get("pixels")!, vision.patch_size))
        const { data, shape } = expected.get("ids")!
        const text = model.text!.apply(bound, constant(Nd.fromArray(shape, data), "int32"))
        return { outputs: { image, text }, loss: add(weighed(image, "image_probe"), weighed(text, "text_probe")) }
      }
      yield* compare("open_clip", model.params, weights, compute, apart(expected), ofPictureModel("timm_vit"))
    }).pipe(Effect.scoped, Effect.provide(surroundings)))
  it.live("has its tensors under open_clip's names again", () =>
    Effect.gen(function*() {
      const stored = yield* TensorFile.open(join(folderOf("biomed"), "open_clip_model.safetensors"))
      const { model, weights } = yield* open(folderOf("biomed"))
      assert.isTrue(weights.has("visual.trunk.blocks.1.attn.k_proj.weight"))
      const shaped = new Map([...weights].map(([name, data]) => {
        const node = name.split(".").reduce<unknown>(
          (own, part) => (own as Record<string, unknown>)[part],
          model.params
        )
        return [name, { shape: (node as { readonly shape: ReadonlyArray<number> }).shape, data }] as const
      }))
      const again = joined(shaped)
      assert.sameMembers([...again.keys()], [...stored.entries.keys()])
      for (const [name, { shape }] of stored.entries) {
        const { data } = yield* stored.read(name)
        assert.deepStrictEqual(again.get(name)!.shape, shape, name)
        assert.deepStrictEqual(again.get(name)!.data, data, name)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  it.live("takes sizes of tensors where no config tells them, and says so; another file of weights is another encoder", () =>
    Effect.gen(function*() {
      const told = yield* warned(open(folderOf("biomed")), "Info")
      assert.match(told.lines.join(), /no config.json says what microsoft\/BiomedNLP.* heads have 64 numbers/)
      const { vision } = told.value
      assert.deepInclude(vision, {
        hidden_size: 128,
        num_attention_heads: 2,
        num_hidden_layers: 2,
        intermediate_size: 32
      })
      const same = yield* open(yield* changed(folderOf("biomed"), {}))
      assert.strictEqual(same.hash, told.value.hash)
      const other = yield* open(
        yield* changed(folderOf("biomed"), yield* config("preprocess_cfg", { interpolation: "bilinear" }))
      )
      assert.notStrictEqual(other.hash, same.hash)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  it.live("is refused by name where it is another kind of model", () =>
    Effect.gen(function*() {
      const cases = [
        [
          yield* config("vision_cfg", { timm_model_name: "resnet50" }),
          /timm_model_name resnet50 is not one of vit_tiny/
        ],
        [
          yield* config("vision_cfg", { timm_model_name: undefined }),
          /those of a timm_model_name and an hf_model_name are read/
        ],
        [
          yield* config("vision_cfg", { timm_model_name: "vit_base_patch6_12" }),
          /is not of the patches of the weights \(4\)/
        ],
        [yield* config("vision_cfg", { timm_pool: "avg" }), /timm_pool avg is not one of/],
        [yield* config("vision_cfg", { image_size: 16 }), /pos_embed is \[1,10,128\], not \[1,17,128\]/],
        [
          yield* config("text_cfg", { hf_pooler_type: "mean_pooler" }),
          /hf_pooler_type mean_pooler is not one of cls_last/
        ],
        [
          yield* config("text_cfg", { context_length: 99 }),
          /context_length 99 exceeds the text encoder's 24 positions/
        ],
        [
          yield* config("text_cfg", { tokenizer_kwargs: { clean: "canonicalize" } }),
          /tokenizer_kwargs.clean canonicalize/
        ],
        [
          yield* config("preprocess_cfg", { resize_mode: "longest" }),
          /resize_mode longest is not one of shortest, squash/
        ],
        [{ "open_clip_model.safetensors": null }, /open_clip_model.safetensors: is not there/],
        [{ "tokenizer.json": null }, /tokenizer.json/]
      ] as const
      for (const [changes, why] of cases) assert.match(yield* refusal(changes), why)
      assert.match(
        yield* refusal({ "config.json": null }, "config"),
        /the text encoder's 16 numbers are not heads of 64; put the config.json of microsoft\/BiomedNLP.* beside/
      )
      assert.match(
        yield* refusal({ "config.json": { pad_token_id: 3 } }, "config"),
        /pads with 0, and the text encoder looks away from 3/
      )
    }).pipe(Effect.provide(NodeFileSystem.layer)))
  it.live("of a pickle alone says what to do", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* changed(folderOf("biomed"), { "open_clip_model.safetensors": null })
      yield* fs.writeFileString(join(folder, "open_clip_pytorch_model.bin"), "")
      const { message } = yield* Effect.flip(open(folder))
      assert.match(
        message,
        /open_clip_pytorch_model.bin is a pickle, which is not read; write it once in Python: safetensors/
      )
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})
