/** The files of a processor: how pictures are prepared, and how many tokens stand for one in a text. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Preprocessing } from "../../../domain/pictures/preprocess.ts"
import { type BadConfig, Count, type Decode, isObject, keys, tell } from "../config/keys.ts"
import { FileError } from "../disk.ts"
import { decodeFile, exists, readJson } from "../model.ts"
import { decodePreprocessor } from "./preprocessor.ts"

const optional = Schema.optionalKey
const Keys = Schema.Struct({
  image_token: optional(Schema.String),
  patch_size: optional(Count),
  num_additional_image_tokens: optional(Schema.Natural),
  vision_feature_select_strategy: optional(Schema.Literals(["default", "full"])),
  image_seq_len: optional(Count)
})
/** What a processor's file says about tokens. */
export type ProcessorConfig = typeof Keys.Type

const idle = new Set([
  "processor_class",
  "auto_map",
  "image_processor",
  "video_processor",
  "tokenizer",
  "chat_template"
])

/** Decodes `processor_config.json` but for its image processor; tells keys that it does not know. */
export const decodeProcessor: Decode<ProcessorConfig> = Effect.fnUntraced(function*(json, path = modelFiles.processor) {
  const passed = Object.keys(isObject(json) ? json : {}).filter((key) => !(key in Keys.fields) && !idle.has(key))
  const found = yield* keys(Keys)(json)
  yield* tell(path, passed)
  return found
})

/** A processor's files, read. */
export interface Processor {
  /** The file that says how pictures are prepared. */
  readonly path: string
  readonly preprocessing: Preprocessing
  readonly config: ProcessorConfig
  /** The file that says how many tokens stand for a picture, where there is one. */
  readonly tokens: string | undefined
}

/** Reads a folder's `preprocessor_config.json`, or what `processor_config.json` has in its place. */
export const read = Effect.fnUntraced(function*(folder: string) {
  const [own, whole] = [join(folder, modelFiles.preprocessor), join(folder, modelFiles.processor)]
  const both = yield* exists(whole)
  const config: ProcessorConfig = both ? yield* decodeFile(whole, (json) => decodeProcessor(json, whole)) : {}
  const tokens = both ? whole : undefined
  if (yield* exists(own)) {
    const preprocessing = yield* decodeFile(own, (json) => decodePreprocessor(json, own))
    return { path: own, preprocessing, config, tokens } satisfies Processor as Processor
  }
  const json = both ? yield* readJson(whole) : undefined
  const within = isObject(json) ? json["image_processor"] : undefined
  if (within === undefined) {
    const reason =
      `there is no such file, nor an image_processor in ${modelFiles.processor}: nothing says how pictures are prepared`
    return yield* new FileError({ path: own, place: "", reason })
  }
  const preprocessing = yield* Effect.mapError(
    decodePreprocessor(within, whole),
    ({ problems }: BadConfig) => new FileError({ path: whole, place: "image_processor", reason: problems.join("; ") })
  )
  return { path: whole, preprocessing, config, tokens } satisfies Processor as Processor
})
