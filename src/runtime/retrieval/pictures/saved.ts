/** Heads that copy layers, as model folders of their own: encoders of pictures in the layout of the frozen one, transformers' or open_clip's. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { flatten } from "../../../kernels/nn/Module.ts"
import type { VisionFamily } from "../../../kernels/nn/pictures/vision.ts"
import { exists, FileError, makeFolder, readJson, readText, replace } from "../../files/disk.ts"
import * as Safetensors from "../../files/safetensors/write.ts"
import { joined } from "../../files/vision/fused.ts"
import { vacant } from "../../models/export/folder.ts"
import type { Opened as Encoder } from "../../pictures/folder.ts"
import * as Heads from "./heads.ts"

type Json = Readonly<Record<string, unknown>>

/** The classes of towers in transformers. */
const classes: Readonly<Record<Exclude<VisionFamily, "timm_vit">, string>> = {
  clip_vision_model: "CLIPVisionModelWithProjection",
  siglip_vision_model: "SiglipVisionModel",
  vit: "ViTModel",
  dinov2: "Dinov2Model"
}

/** The config of an encoder's tower by itself. */
const configOf = (json: Json, model_type: keyof typeof classes, projection_dim: number): Json => ({
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

/** Files of open_clip's folders beside the weights. */
const beside = [
  modelFiles.openClip,
  modelFiles.config,
  modelFiles.tokenizer,
  modelFiles.tokenizerConfig,
  modelFiles.specialTokens
]

/** Writes a head as transformers has a tower by itself; tells the files. */
const asTower = Effect.fnUntraced(function*(encoder: Encoder, tensors: Safetensors.StoredTensors, folder: string) {
  const { model_type, projection_dim } = encoder.vision
  const config = (yield* readJson(join(encoder.folder, modelFiles.config))) as Json
  const preprocessor = yield* readText(join(encoder.folder, modelFiles.preprocessor))
  yield* Safetensors.write(join(folder, modelFiles.weights), tensors, { format: "pt" })
  const own = configOf(config, model_type as keyof typeof classes, projection_dim)
  yield* replace(join(folder, modelFiles.config), text(own))
  yield* replace(join(folder, modelFiles.preprocessor), new TextEncoder().encode(preprocessor))
  return [modelFiles.config, modelFiles.weights, modelFiles.preprocessor]
})

/** Writes a head as open_clip has both encoders, of which that of texts is the frozen one; tells the files. */
const asOpenClip = Effect.fnUntraced(function*(encoder: Encoder, tensors: Safetensors.StoredTensors, folder: string) {
  const rest = [...flatten(encoder.model.params)].flatMap(([path, { shape }]) =>
    tensors.has(path) ? [] : [[path, { shape, data: encoder.weights.get(path)! }] as const]
  )
  const all = joined(new Map([...tensors, ...rest]))
  yield* Safetensors.write(join(folder, modelFiles.openClipWeights), all, { format: "pt" })
  const present = yield* Effect.filter(beside, (name) => exists(join(encoder.folder, name)))
  for (const name of present) {
    yield* replace(join(folder, name), new TextEncoder().encode(yield* readText(join(encoder.folder, name))))
  }
  return [modelFiles.openClipWeights, ...present]
})

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
  const write = encoder.vision.model_type === "timm_vit" ? asOpenClip : asTower
  const files: Array<string> = []
  for (const space of copies) {
    const folder = join(out, space)
    yield* makeFolder(folder)
    const names = yield* write(encoder, tensorsOf(encoder, opened, space), folder)
    files.push(...names.map((own) => join(space, own)))
  }
  return { folder: out, files }
}, Effect.scoped)
