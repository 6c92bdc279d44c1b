/** Which parts of a reader of pictures its model has beside the language model, and which parts are trained. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import type { Pictures } from "../../domain/settings/pictures.ts"
import { causalLm, type Decoder } from "../../kernels/nn/decoder.ts"
import { flatten } from "../../kernels/nn/Module.ts"
import { reader, type ReaderNames } from "../../kernels/nn/pictures/reader.ts"
import { connector, features } from "../../kernels/nn/pictures/reading.ts"
import { FileError } from "../files/disk.ts"
import type { Adapter } from "../files/peft.ts"
import { ofDecoder, twinsOf } from "../files/stateDict.ts"
import type { PicturesConfig, ReaderConfig } from "../files/vision/reader.ts"
import { ofReader, partOf, type ReaderPart, readerTwins } from "../files/vision/readerNames.ts"
import { loraOf, type LoraSettings, savedBy } from "../models/lora.ts"

/** What of a folder is the model's own to apply, and to train or adapt. */
export interface OwnParts {
  /** In the model beside the language model; the tower takes the connector with it, through which its gradient comes. */
  readonly own: ReadonlyArray<"connector" | "tower">
  readonly trained: ReadonlyArray<ReaderPart>
  /** The part of a parameter. */
  readonly part: (path: string) => ReaderPart
  /** Settings of adapters, by whole paths in a model that reads pictures; without them, parameters are trained themselves. */
  readonly lora: LoraSettings | undefined
}

/** What is opened of a folder. */
interface Opened {
  readonly folder: string
  readonly config: ReaderConfig
  readonly adapter: Adapter | undefined
  readonly pictures: { readonly pictures: PicturesConfig; readonly names: ReaderNames } | undefined
}

/** The settings of what is trained. */
interface Asked {
  readonly model: ModelSettings
  readonly pictures?: Partial<Pictures> | undefined
}

/** The parameters of a tower that are used, and the names of those that are not. */
export const towerOf = (pictures: PicturesConfig, names: ReaderNames) => {
  const { all, params } = features(pictures.features, names.tower)
  const used = flatten(params)
  return { used, idle: [...flatten(all).keys()].filter((path) => !used.has(path)) }
}

/** What is trained, and what an adapter has, is a part of the model; fails if there is no tower to train. */
export const ownParts = Effect.fnUntraced(
  function*({ adapter, folder, pictures: seen }: Opened, { model, pictures }: Asked, learns: boolean) {
    const [lora, { train_projector = false, train_tower = false }] = [loraOf(model), pictures ?? {}]
    if (!seen) {
      if (!learns || !train_tower) return { own: [], trained: ["language"], part: () => "language", lora } as OwnParts
      const reason = "train_tower: the reader reads texts alone, and has no tower that looks at pictures"
      return yield* new FileError({ path: join(folder, modelFiles.config), place: "", reason })
    }
    const part = partOf(seen.names)
    const has = (own: ReaderPart) => [...adapter?.tensors.keys() ?? []].some((path) => part(path) === own)
    const params = flatten(connector(seen.pictures.connector, seen.names.connector).params)
    const saved = lora?.modules_to_save.some((name) => savedBy(name, params).length > 0) ?? false
    const projects = train_projector || saved || has("connector")
    const tower = has("tower") || (learns && train_tower)
    const more = train_projector ? [seen.names.connector.replace(/\.$/, "")] : []
    const trained = ["language", ...(projects ? ["connector"] : []), ...(train_tower ? ["tower"] : [])]
    return {
      own: [
        ...(tower || has("connector") || (learns && projects) ? ["connector"] : []),
        ...(tower ? ["tower"] : [])
      ],
      trained,
      part,
      lora: lora && {
        ...lora,
        paths: true,
        modules_to_save: [...lora.modules_to_save, ...more],
        within: (path: string) => trained.includes(part(path))
      }
    } as OwnParts
  }
)

/** How tensors map to parameters of the decoder, and of its own parts of a reader. */
export const loadingOf = (config: ReaderConfig, seen: Opened["pictures"], own: OwnParts["own"]) => {
  const tied = config.tie_word_embeddings
  if (!seen) return { naming: ofDecoder(config), twins: twinsOf(config) }
  const idle = new Set(towerOf(seen.pictures, seen.names).idle)
  const naming = ofReader({ names: seen.names, parts: ["language", ...own], tied })
  return {
    naming: (stored: string) => idle.has(stored) ? undefined : naming(stored),
    twins: readerTwins(seen.names, tied)
  }
}

/** A model that reads pictures with its own parts of it, or a decoder alone. */
export const building = (seen: Opened["pictures"], own: OwnParts["own"]) => (c: ReaderConfig): Decoder => {
  if (!seen) return causalLm(c)
  const { connector, features } = seen.pictures
  return reader(
    c,
    seen.names,
    own.includes("connector") ? connector : undefined,
    own.includes("tower") ? features : undefined
  )
}

/** Fails if a tower that is to be trained has nothing that is: adapters of other modules alone. */
export const towerLearns = (
  { folder }: Opened,
  { model }: Asked,
  { own, part, trained }: OwnParts,
  trainable: ReadonlyArray<string>
): Effect.Effect<void, FileError> => {
  if (!own.includes("tower") || !trained.includes("tower")) return Effect.void
  if (trainable.some((path) => part(path) === "tower")) return Effect.void
  const reason =
    `train_tower: none of the tower's modules is in ${model.prefix}lora_target_modules or ${model.prefix}modules_to_save`
  return Effect.fail(new FileError({ path: join(folder, modelFiles.config), place: "", reason }))
}
