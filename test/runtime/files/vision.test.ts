import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { divisionOf } from "../../../src/domain/pictures/parts.ts"
import { shapedSize } from "../../../src/domain/pictures/preprocess.ts"
import { filters } from "../../../src/domain/pictures/resample.ts"
import { decodePictureModel } from "../../../src/runtime/files/vision/config.ts"
import { ofPictureModel } from "../../../src/runtime/files/vision/naming.ts"
import { decodePreprocessor, preparedSize } from "../../../src/runtime/files/vision/preprocessor.ts"

const clip = { image_processor_type: "CLIPImageProcessor" }
const refused = (json: object) => Effect.map(Effect.flip(decodePreprocessor(json)), ({ message }) => message)

describe("preprocessor_config.json", () => {
  it.effect("of old files means what that of new ones does", () =>
    Effect.gen(function*() {
      const old = {
        feature_extractor_type: "CLIPFeatureExtractor",
        size: 224,
        crop_size: 224,
        resample: 3,
        do_resize: true
      }
      assert.deepStrictEqual(yield* decodePreprocessor(old), yield* decodePreprocessor(clip))
      const vit = yield* decodePreprocessor({ feature_extractor_type: "ViTFeatureExtractor", size: 224, resample: 2 })
      assert.deepStrictEqual(vit, yield* decodePreprocessor({ image_processor_type: "ViTImageProcessorFast" }))
      assert.deepStrictEqual(preparedSize(vit), { width: 224, height: 224 })
    }))
  it.effect("has each family's defaults where it is silent", () =>
    Effect.gen(function*() {
      const of = (type: string) => decodePreprocessor({ image_processor_type: `${type}ImageProcessor` })
      assert.strictEqual((yield* of("ViT")).filter, "bilinear")
      assert.strictEqual((yield* of("Siglip")).filter, "bicubic")
      assert.deepStrictEqual((yield* of("Bit")).crop, { width: 224, height: 224 })
      assert.strictEqual((yield* of("CLIP")).scale, 1 / 255)
      assert.deepStrictEqual((yield* of("CLIP")).normalise?.mean, [0.48145466, 0.4578275, 0.40821073])
      assert.strictEqual((yield* of("Llava")).square, undefined)
    }))
  it.effect("of SmolVLM is two sizes, on white, or one and squares of it", () =>
    Effect.gen(function*() {
      const smol = {
        image_processor_type: "SmolVLMImageProcessor",
        size: { longest_edge: 2048 },
        max_image_size: { longest_edge: 512 },
        do_image_splitting: false
      }
      const p = yield* decodePreprocessor(smol)
      assert.deepStrictEqual(p.sizes, [{ longest: 2048 }, { width: 512, height: 512 }])
      assert.deepStrictEqual([p.alpha, p.filter], ["white", "lanczos"])
      assert.isUndefined(p.split)
      const split = yield* decodePreprocessor({ ...smol, do_image_splitting: null })
      assert.deepStrictEqual([split.sizes, split.split], [[{ longest: 2048 }], 512])
      const sized = (width: number, height: number) => {
        const { columns, rows } = divisionOf({ width, height }, split)
        return [shapedSize({ width, height }, split), [rows, columns]]
      }
      assert.deepStrictEqual(sized(300, 200), [{ width: 2048, height: 1536 }, [3, 4]])
      assert.deepStrictEqual(sized(10, 2000), [{ width: 512, height: 2048 }, [4, 1]])
      const small = yield* decodePreprocessor({ ...smol, size: { longest_edge: 512 }, do_image_splitting: true })
      assert.deepStrictEqual(divisionOf({ width: 9, height: 9 }, small), { rows: 0, columns: 0 })
      assert.match(
        yield* refused({ ...smol, max_image_size: { height: 3, width: 4 }, do_image_splitting: true }),
        /max_image_size 3 × 4 is not square/
      )
    }))
  it.effect("is refused where it asks for what is not done", () =>
    Effect.gen(function*() {
      assert.match(
        yield* refused({}),
        /image_processor_type "?"? ?is not one of ViT, CLIP, Siglip, Bit, Llava, Idefics3/
      )
      assert.match(
        yield* refused({ image_processor_type: "DetrImageProcessor" }),
        /image_processor_type Detr is not one of/
      )
      assert.match(yield* refused({ ...clip, do_pad: true }), /do_pad is not known of CLIP's image processor/)
      assert.match(yield* refused({ ...clip, resample: filters.length }), /resample/)
      assert.match(yield* refused({ ...clip, image_std: [1, 0, 1] }), /image_std is to be positive/)
      assert.match(yield* refused({ ...clip, image_mean: [1, 0] }), /image_mean/)
      assert.match(yield* refused({ ...clip, size: { longest_edge: 3 } }), /which only Idefics3's processors do/)
      assert.match(yield* refused({ ...clip, size: { longest_edge: 3, shortest_edge: 2 } }), /size is to be a number/)
      assert.match(yield* refused({ ...clip, crop_size: { shortest_edge: 2 } }), /crop_size is to be a number/)
      const vit = { image_processor_type: "ViTImageProcessor" }
      assert.match(yield* refused({ ...vit, size: { shortest_edge: 3 } }), /which only CLIP's kin do/)
      assert.match(yield* refused({ ...vit, do_center_crop: true }), /do_center_crop is not known of ViT's/)
    }))
})

const problem = (json: object) => Effect.map(Effect.flip(decodePictureModel(json)), ({ message }) => message)

describe("config.json of an encoder of pictures", () => {
  it.effect("has the defaults of transformers, as files of the hub leave them out", () =>
    Effect.gen(function*() {
      const { image, text, vision } = yield* decodePictureModel({ model_type: "clip" })
      assert.deepStrictEqual(image, { width: 224, height: 224 })
      assert.deepStrictEqual(vision.positions, [7, 7])
      assert.deepStrictEqual([vision.hidden_size, vision.hidden_act, vision.projection_dim], [768, "quick_gelu", 512])
      assert.deepInclude(text, { hidden_size: 512, num_attention_heads: 8, end: 49_407 })
      const old = yield* decodePictureModel({ model_type: "clip", text_config: { eos_token_id: 2 } })
      assert.deepInclude(old.text, { end: "greatest" })
      const siglip = yield* decodePictureModel({ model_type: "siglip" })
      assert.deepStrictEqual(siglip.vision.positions, [14, 14])
      assert.deepStrictEqual([siglip.text?.vocab_size, siglip.text?.max_position_embeddings], [32_000, 64])
      const dino = yield* decodePictureModel({ model_type: "dinov2", image_size: 518 })
      assert.deepStrictEqual(dino.vision.positions, [37, 37])
      assert.strictEqual(dino.vision.intermediate_size, 3072)
    }))
  it.effect("has DINOv2's gated width in eights", () =>
    Effect.gen(function*() {
      const giant = { model_type: "dinov2", hidden_size: 1536, num_attention_heads: 24, use_swiglu_ffn: true }
      assert.strictEqual((yield* decodePictureModel(giant)).vision.intermediate_size, 4096)
    }))
  it.effect("is refused with the part and the key that are at fault", () =>
    Effect.gen(function*() {
      assert.match(
        yield* problem({ model_type: "clip", vision_config: { num_channels: 1 } }),
        /^vision_config\.num_channels 1 are not/
      )
      assert.match(
        yield* problem({ model_type: "clip", text_config: { hidden_act: "mish" } }),
        /^text_config\.hidden_act mish/
      )
      assert.match(
        yield* problem({ model_type: "vit", hidden_size: 10 }),
        /hidden_size 10 is no multiple of num_attention_heads 12/
      )
      assert.match(yield* problem({ model_type: "vit", patch_size: [16, 8] }), /patch_size 16 × 8 is not square/)
      assert.match(yield* problem({ model_type: "vit", image_size: 8 }), /image_size is less than patch_size/)
      assert.match(
        yield* problem({ model_type: "siglip", vision_config: { vision_use_head: false } }),
        /vision_use_head is false/
      )
      assert.match(
        yield* problem({ model_type: "siglip", text_config: { projection_size: 5 } }),
        /projection_size 5 is not the size/
      )
      assert.match(yield* problem({ model_type: "siglip2" }), /model_type siglip2 is not one of/)
    }))
})

describe("names of tensors", () => {
  it("may have the model's prefix, and lack what a bare tower lacks", () => {
    const vit = ofPictureModel("vit")
    assert.strictEqual(vit("vit.encoder.layer.0.layernorm_before.weight"), "encoder.layer.0.layernorm_before.weight")
    assert.strictEqual(vit("classifier.weight"), undefined)
    assert.strictEqual(vit("pooler.dense.weight"), undefined)
    assert.strictEqual(ofPictureModel("vit", { pooler: true })("pooler.dense.weight"), "pooler.dense.weight")
    const clipName = ofPictureModel("clip_vision_model")
    assert.strictEqual(clipName("embeddings.class_embedding"), "vision_model.embeddings.class_embedding")
    assert.strictEqual(clipName("clip.text_model.final_layer_norm.bias"), "text_model.final_layer_norm.bias")
    assert.strictEqual(clipName("text_model.embeddings.position_ids"), undefined)
    assert.strictEqual(clipName("logit_scale"), "logit_scale")
    assert.strictEqual(ofPictureModel("siglip_vision_model")("head.probe"), "vision_model.head.probe")
  })
})
