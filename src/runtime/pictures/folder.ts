/** A model folder of an encoder of pictures: its config, how pictures are prepared, its tokenizer, its weights. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import type { Size } from "../../domain/pictures/Picture.ts"
import type { Preprocessing } from "../../domain/pictures/preprocess.ts"
import { flatten, type Params } from "../../kernels/nn/Module.ts"
import { type PictureModel, pictureModel } from "../../kernels/nn/pictures/pictureModel.ts"
import { type VisionConfig, visionSize } from "../../kernels/nn/pictures/vision.ts"
import { decodeFile, FileError, sha256Of } from "../files/disk.ts"
import { decodePictureModel, gridOf, type PictureConfig } from "../files/vision/config.ts"
import { ofPictureModel } from "../files/vision/naming.ts"
import { preparedSize } from "../files/vision/preprocessor.ts"
import * as Processor from "../files/vision/processor.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Budget from "../models/memoryBudget.ts"
import * as Tokenizer from "../tokenizers/tokenizer.ts"
import * as OpenClip from "./openClip.ts"
import { type TextRows, textsOf } from "./texts.ts"

/** How a folder is read. */
export interface FolderSettings {
  /** Whether a ViT's vector is its pooler's, and not its class token's. */
  readonly pooler?: boolean
  /** Whether pictures may have another size than positions were learned on, which are then interpolated; DINOv2's always are. */
  readonly interpolate?: boolean
}

/** An encoder's folder, read. */
export interface Opened {
  readonly folder: string
  readonly vision: VisionConfig
  readonly preprocessing: Preprocessing
  /** Size of all pictures after preparation. */
  readonly prepared: Size
  readonly model: PictureModel
  /** Numbers of a vector. */
  readonly size: number
  /** Values of all parameters, by path. */
  readonly weights: ReadonlyMap<string, Float32Array>
  /** Texts as tokens, where the model encodes them. */
  readonly texts: ((texts: ReadonlyArray<string>) => TextRows) | undefined
  /** SHA-256 of all that a picture's vector depends on: the weights, and how it is prepared. */
  readonly hash: string
}

const by = ({ height, width }: Size): string => `${height} × ${width}`

/** The size that pictures are prepared to, which must be that of the positions unless these are interpolated. */
const sizeFor = Effect.fnUntraced(function*(
  path: string,
  preprocessing: Preprocessing,
  { image, vision }: PictureConfig,
  { interpolate = false }: FolderSettings
) {
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  if (preprocessing.split !== undefined) {
    return yield* fail("divides pictures (do_image_splitting), of which each is to be one vector; set it to false")
  }
  const size = preparedSize(preprocessing)
  if (size === undefined) {
    return yield* fail("leaves pictures of different sizes; give size a height and a width, or a crop")
  }
  if (Math.min(size.height, size.width) < vision.patch_size) {
    return yield* fail(`makes pictures of ${by(size)} pixels, of which a patch (${vision.patch_size}) has more`)
  }
  if (by(size) === by(image) || interpolate || vision.model_type === "dinov2") return size
  return yield* fail(
    `makes pictures of ${by(size)} pixels, and the model's positions are those of ${
      by(image)
    }; interpolate, or change size`
  )
})

/** What a folder of transformers says, and how its weights are read: each tensor that is missing, unknown or of another shape is named. */
const transformers = Effect.fnUntraced(function*(folder: string, pooler: boolean) {
  const config = join(folder, modelFiles.config)
  const found = yield* decodeFile(config, (json) => decodePictureModel(json, config))
  const { path, preprocessing } = yield* Processor.read(folder)
  const naming = ofPictureModel(found.vision.model_type, { pooler })
  return {
    found,
    path,
    preprocessing,
    fingerprint: ModelFolder.fingerprint(folder),
    weights: (params: Params) => ModelFolder.weights(folder, flatten(params), 0, { naming })
  }
})

/** Refuses a model that is larger than the memory. */
const fits = (folder: string, vision: VisionConfig, params: Params) =>
  Budget.fits({ folder, sizes: { ...vision }, params: flatten(params), trainable: () => false, slots: 0 })

const located = Effect.fnUntraced(function*(name: string) {
  const { adapter, folder } = yield* ModelFolder.resolve(name)
  if (adapter === undefined) return folder
  const reason = "is an adapter, which encoders of pictures do not take yet; merge it with its base first"
  return yield* new FileError({ path: adapter.folder, place: "", reason })
})

/** Opens a folder; fails with `FileError` if a file is invalid, or files do not fit each other. */
export const open = Effect.fnUntraced(function*(name: string, settings: FolderSettings = {}) {
  const folder = yield* located(name)
  const pooler = settings.pooler ?? false
  const own = (yield* OpenClip.isIn(folder)) ? yield* OpenClip.read(folder) : yield* transformers(folder, pooler)
  const { found, path, preprocessing } = own
  if (pooler && found.vision.model_type !== "vit") {
    const reason = "has no pooler, which only a ViT has"
    return yield* new FileError({ path: join(folder, modelFiles.config), place: "", reason })
  }
  const prepared = yield* sizeFor(path, preprocessing, found, settings)
  const vision = { ...found.vision, pooler, patches: gridOf(prepared, found.vision.patch_size) }
  const model = pictureModel({ ...found, vision })
  yield* fits(folder, vision, model.params)
  const weights = yield* own.weights(model.params)
  const texts = found.text && (yield* textsOf(found.text, yield* Tokenizer.load(folder)))
  const fingerprint = (yield* own.fingerprint) ?? ""
  return {
    folder,
    vision,
    preprocessing,
    prepared,
    model,
    size: visionSize(vision),
    weights,
    texts,
    hash: sha256Of([fingerprint, JSON.stringify(preprocessing), JSON.stringify(vision)])
  } satisfies Opened as Opened
})
