/** Folders of encoders of pictures and texts as open_clip publishes them: BiomedCLIP's. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { flatten, type Params } from "../../kernels/nn/Module.ts"
import { decodeEncoder } from "../files/config/encoder.ts"
import { type BadConfig, isObject } from "../files/config/keys.ts"
import { decodeFile, exists, FileError, hashFile, readJson } from "../files/disk.ts"
import * as TensorFile from "../files/safetensors/read.ts"
import type { PictureConfig } from "../files/vision/config.ts"
import { split } from "../files/vision/fused.ts"
import { ofPictureModel } from "../files/vision/naming.ts"
import { configOf, decodeOpenClip, preparationOf } from "../files/vision/openClip.ts"
import * as WeightFiles from "../files/weights.ts"

/** The pickle beside which, or in whose place, open_clip publishes safetensors. */
const PICKLE = "open_clip_pytorch_model.bin"

/** The type that a folder's own config names; `undefined` without one. */
const typeOf = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.config)
  const json = (yield* exists(path)) ? yield* readJson(path) : undefined
  return isObject(json) ? json["model_type"] : undefined
})

/** Whether a folder is read as open_clip's: those of transformers may have its file, too. */
export const isIn = Effect.fnUntraced(function*(folder: string) {
  if (!(yield* exists(join(folder, modelFiles.openClip)))) return false
  const type = yield* typeOf(folder)
  return type === undefined || type === "bert"
})

const sourcesIn = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.openClipWeights)
  if (yield* exists(path)) {
    const file = yield* TensorFile.open(path)
    return split(new Map([...file.entries].map(([name, { shape }]) => [name, { file, name, shape }])))
  }
  const pickled = yield* exists(join(folder, PICKLE))
  const reason = pickled
    ? `is not there, and ${PICKLE} is a pickle, which is not read; write it once in Python: safetensors.torch.save_file(`
      + `torch.load("${PICKLE}", weights_only=True), "${modelFiles.openClipWeights}")`
    : "is not there"
  return yield* new FileError({ path, place: "", reason })
})

/** BERT's own config, where it lies beside open_clip's, and its padding id. */
const bertIn = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.config)
  if (!(yield* exists(path))) return { pad: 0 }
  const json = yield* readJson(path)
  const found = yield* decodeFile(path, (own) => decodeEncoder(own, path))
  if (found.model_type !== "bert") {
    return yield* new FileError({
      path,
      place: "model_type",
      reason: `${found.model_type} is no text encoder here; bert is`
    })
  }
  const pad = isObject(json) ? json["pad_token_id"] : undefined
  return { given: found, pad: typeof pad === "number" ? pad : 0 }
})

/** What a folder of open_clip says, and how its weights are read. */
export const read = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.openClip)
  const file = yield* decodeFile(path, (json) => decodeOpenClip(json, path))
  const { given, pad } = yield* bertIn(folder)
  const shapes = yield* Effect.scoped(
    Effect.map(sourcesIn(folder), (sources) => new Map([...sources].map(([name, { shape }]) => [name, shape])))
  )
  const named = new Map([...shapes].flatMap(([name, shape]) => {
    const own = ofPictureModel("timm_vit")(name)
    return own === undefined ? [] : [[own, shape] as const]
  }))
  const found: PictureConfig = yield* configOf(file, named, pad, given).pipe(
    Effect.mapError(({ problems }: BadConfig) => new FileError({ path, place: "", reason: problems.join("; ") }))
  )
  if (given === undefined) {
    yield* Effect.logInfo(
      `${folder}: no ${modelFiles.config} says what ${file.text.hf_model_name} is: sizes are those of its weights, heads have 64 numbers, `
        + "and the rest is as in BERT"
    )
  }
  return {
    found,
    path,
    preprocessing: preparationOf(file),
    fingerprint: hashFile(join(folder, modelFiles.openClipWeights)),
    weights: (params: Params) =>
      Effect.scoped(Effect.flatMap(sourcesIn(folder), (sources) =>
        WeightFiles.load(folder, flatten(params), sources, {
          naming: ofPictureModel("timm_vit"),
          dispensable: () => false
        }))) as Effect.Effect<
          ReadonlyMap<string, Float32Array>,
          FileError,
          Effect.Services<ReturnType<typeof sourcesIn>>
        >
  }
})
