/** From files of pictures and from texts to vectors, by folders alone; what does not fit is named. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { read } from "../../../src/runtime/pictures/decode.ts"
import { type EncoderSettings, make } from "../../../src/runtime/pictures/encoder.ts"
import { open } from "../../../src/runtime/pictures/folder.ts"
import { close } from "../../golden/golden.ts"
import { changed } from "../../support/files.ts"

const golden = join(import.meta.dirname, "../../golden")
const folderOf = (name: string) => join(golden, "vision", name)
const surroundings = Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)
const files = ["rgb.png", "gray.jpg", "wide.jpg", "turned-1.jpg"]
const words = ["abed  cab", "A BAD DEED", "bead", "dabbed a decade, added a cab and bade a bee accede to each"]

const pictures = Effect.forEach(
  files,
  (name) => Effect.map(read(join(golden, "pictures", name)), ({ picture }) => ({ name, picture }))
)

/** How each folder's vectors were made, where not by its defaults. */
const settings: Readonly<Record<string, EncoderSettings>> = {
  "vit-pooler": { pooler: true },
  "vit-larger": { interpolate: true }
}
const names = [
  "clip",
  "clip-greatest",
  "clip-vision",
  "dinov2",
  "siglip",
  "siglip-vision",
  "vit",
  "vit-larger",
  "vit-pooler",
  "vit-wide"
]

const refusal = (name: string, changes: Readonly<Record<string, object | null>>, given: EncoderSettings = {}) =>
  Effect.flatMap(changed(folderOf(name), changes), (folder) => Effect.flip(open(folder, given))).pipe(
    Effect.map(({ message }) => message),
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer)
  )

describe("an encoder of pictures", () => {
  for (const name of names) {
    it.live(`gives the vectors of transformers: ${name}`, () =>
      Effect.gen(function*() {
        const expected = yield* Safetensors.read(join(folderOf(name), "expected.safetensors"))
        const encoder = yield* make(folderOf(name), { batch: 3, ...settings[name] })
        const close5 = (got: ArrayLike<number>, key: string) =>
          close(got, expected.get(key)!.data, `${name} ${key}`, { tolerance: 1e-5 })
        close5(yield* encoder.pictures(yield* pictures), "files")
        assert.strictEqual(encoder.texts !== undefined, expected.has("words"))
        if (!encoder.texts) return
        const { cut, vectors } = yield* encoder.texts(words)
        close5(vectors, "words")
        assert.strictEqual(cut, 1)
        assert.strictEqual(vectors.length, words.length * encoder.size)
      }).pipe(Effect.scoped, Effect.provide(surroundings)))
  }
  it.live("of nothing gives nothing, and of a thin picture does not fill the memory", () =>
    Effect.gen(function*() {
      const encoder = yield* make(folderOf("clip"), { max_pixels: 10_000 })
      assert.strictEqual((yield* encoder.pictures([])).length, 0)
      const picture = { width: 9000, height: 1, channels: 3, data: new Uint8Array(27_000) } as const
      const error = yield* Effect.flip(encoder.pictures([{ name: "thin.png", picture }]))
      assert.strictEqual(
        error.message,
        "thin.png: of 9000 × 1 pixels would be resized to 1296000, more than max_pixels (10000)"
      )
    }).pipe(Effect.scoped, Effect.provide(surroundings)))
  it.live("has a hash of all that its vectors depend on", () =>
    Effect.gen(function*() {
      const hashOf = (folder: string, given = {}) => Effect.map(open(folder, given), ({ hash }) => hash)
      const first = yield* hashOf(folderOf("vit"))
      assert.strictEqual(yield* hashOf(yield* changed(folderOf("vit"), {})), first)
      const other = yield* changed(folderOf("vit"), { "preprocessor_config.json": { resample: 3 } })
      assert.notStrictEqual(yield* hashOf(other), first)
      assert.notStrictEqual(yield* hashOf(folderOf("vit"), { pooler: true }), first)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})

const [config, preprocessor] = ["config.json", "preprocessor_config.json"]
const cases: ReadonlyArray<readonly [what: string, message: Effect.Effect<string, unknown>, pattern: RegExp]> = [
  [
    "pictures of another size than the positions",
    refusal("vit", { [preprocessor]: { size: { height: 16, width: 12 } } }),
    /preprocessor_config\.json: makes pictures of 16 × 12 pixels, and the model's positions are those of 12 × 12; interpolate/
  ],
  [
    "pictures of no fixed size",
    refusal("dinov2", { [preprocessor]: { do_center_crop: false } }),
    /leaves pictures of different sizes/
  ],
  [
    "pictures smaller than a patch",
    refusal("dinov2", { [preprocessor]: { crop_size: 3 } }),
    /makes pictures of 3 × 3 pixels, of which a patch \(4\) has more/
  ],
  [
    "a folder without a preprocessor",
    refusal("vit", { [preprocessor]: null }),
    /preprocessor_config\.json: there is no such/
  ],
  ["a pooler of another family", refusal("clip", {}, { pooler: true }), /has no pooler, which only a ViT has/],
  [
    "missing and unknown tensors, each by its name",
    refusal("vit", { [config]: { model_type: "dinov2", mlp_ratio: 1.5 } }),
    /encoder\.layer\.0\.norm1\.weight \[16\] is missing.*and \d+ more/
  ],
  [
    "tensors of another shape",
    refusal("dinov2", { [config]: { image_size: 24 } }),
    /embeddings\.position_embeddings is \[1,26,16\], not \[1,37,16\]/
  ],
  [
    "biases that the config has not",
    refusal("vit", { [config]: { qkv_bias: false } }),
    /encoder\.layer\.0\.attention\.attention\.query\.bias \[16\] is unknown to this architecture/
  ],
  [
    "an end of texts that is not where vectors are",
    refusal("clip", {
      [config]: {
        text_config: {
          hidden_size: 8,
          intermediate_size: 20,
          num_hidden_layers: 2,
          num_attention_heads: 2,
          vocab_size: 40,
          max_position_embeddings: 10,
          eos_token_id: 7
        }
      }
    }),
    /tokenizer\.json: puts 39 after a text, and config\.json has the vector at 7, eos_token_id/
  ],
  [
    "no padding for SigLIP",
    refusal("siglip", { "tokenizer_config.json": { pad_token: null } }),
    /has no pad_token/
  ],
  [
    "a model of texts",
    refusal("vit", { [config]: { model_type: "bert" } }),
    /model_type bert is not one of clip, siglip, vit/
  ]
]

describe("an encoder of pictures refuses", () => {
  for (const [what, message, pattern] of cases) {
    it.effect(what, () => Effect.map(message, (told) => assert.match(told, pattern)))
  }
})
