/** Heads that copy layers, as model folders of their own: encoders of pictures in Hugging Face's layout. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { flatten } from "../../../kernels/nn/Module.ts"
import type { VisionFamily } from "../../../kernels/nn/pictures/vision.ts"
import { FileError, makeFolder, readJson, readText, replace } from "../../files/disk.ts"
import * as Safetensors from "../../files/safetensors/write.ts"
import { vacant } from "../../models/export/folder.ts"
import type { Opened as Encoder } from "../../pictures/folder.ts"
import * as Heads from "./heads.ts"

type Json = Readonly<Record<string, unknown>>

/** The classes of towers in transformers. */
const classes: Readonly<Record<VisionFamily, string>> = {
  clip_vision_model: "CLIPVisionModelWithProjection",
  siglip_vision_model: "SiglipVisionModel",
  vit: "ViTModel",
  dinov2: "Dinov2Model"
}

/** The config of an encoder's tower by itself. */
const configOf = (json: Json, { model_type, projection_dim }: Encoder["vision"]): Json => ({
  ...(json["vision_config"] as Json | undefined ?? json),
  architectures: [classes[model_type]],
  model_type,
  ...(model_type === "clip_vision_model" ? { projection_dim } : {})
})

const text = (json: Json): Uint8Array => new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`)

/** The tensors of a head's encoder: its own, and those of the layers before it, which are the frozen encoder's. */
const tensorsOf = ({ model: { image }, weights }: Encoder, { weights: heads }: Heads.Opened, space: Heads.Space) =>
  new Map([...flatten(image.params)].map(([path, { shape }]) => {
    const data = (heads.get(`${space}.${path}`) ?? weights.get(path)!) as Float32Array
    return [path, { shape, data }] as const
  }))

/**
 * Writes the heads of a folder that are copies of layers to `out`, which must be new: `image/` and `text/`, each an encoder of
 * pictures whose vector of a picture q is H(q). An adapter is no encoder by itself; a folder of adapters alone is refused.
 */
export const save = Effect.fn("saveHeads")(function*(name: string, out: string) {
  yield* vacant(out)
  const opened = yield* Heads.openSaved(name)
  const encoder = opened.frozen.opened
  const copies = [...opened.heads].filter(([, { kind }]) => kind.kind !== "adapter").map(([space]) => space)
  if (encoder === undefined || copies.length === 0) {
    const reason = "has adapters alone, which are no encoders by themselves: the folder is used as it is"
    return yield* new FileError({ path: name, place: "", reason })
  }
  const config = (yield* readJson(join(encoder.folder, modelFiles.config))) as Json
  const preprocessor = join(encoder.folder, modelFiles.preprocessor)
  const files: Array<string> = []
  for (const space of copies) {
    const folder = join(out, space)
    yield* makeFolder(folder)
    yield* Safetensors.write(join(folder, modelFiles.weights), tensorsOf(encoder, opened, space), { format: "pt" })
    yield* replace(join(folder, modelFiles.config), text(configOf(config, encoder.vision)))
    yield* replace(join(folder, modelFiles.preprocessor), new TextEncoder().encode(yield* readText(preprocessor)))
    files.push(...[modelFiles.config, modelFiles.weights, modelFiles.preprocessor].map((own) => join(space, own)))
  }
  return { folder: out, files }
}, Effect.scoped)
