/** The folder of a dense retriever: late interaction over token vectors, or one vector per text. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { type Retrieval, retrieval } from "../../domain/settings/retrieval.ts"
import { aboutOf } from "../../domain/settings/setting.ts"
import { colbert, type Encoder, vectorSize } from "../../kernels/nn/colbert.ts"
import { isDecoder } from "../files/config/decoder.ts"
import { isObject, type Json } from "../files/config/keys.ts"
import type { FileError } from "../files/disk.ts"
import { exists, readJson } from "../files/model.ts"
import { modulesOf } from "../files/sentence/modules.ts"
import * as ModelFolder from "../models/folder.ts"
import * as Model from "../models/load.ts"
import * as Colbert from "./colbert/folder.ts"
import { isColbert } from "./colbert/metadata.ts"
import * as ColbertText from "./colbert/text.ts"
import type { Lengths, Texts } from "./dense/texts.ts"
import * as Single from "./single/folder.ts"

/** The settings that say how a folder is read. */
export type FolderSettings = Colbert.FolderSettings & Single.FolderSettings & Pick<Retrieval, "retriever_type">

/** A retriever's folder: its texts as tokens, its module, and how it is saved. */
export interface Opened {
  readonly text: Texts
  readonly lengths: Lengths
  /** Size of a vector. */
  readonly dim: number
  /** Whether a text has one vector, instead of one for each of its tokens. */
  readonly pools: boolean
  /** Whether a prompt before texts names the task (`retrieval_task`). */
  readonly instructed: boolean
  /** Whether the folder is an adapter's. */
  readonly adapted: boolean
  /** The files of a copy of the model, beside its weights. */
  readonly files: ReadonlyArray<readonly [name: string, text: string]>
  readonly load: (
    options: Model.LoadOptions
  ) => Effect.Effect<Model.Loaded<unknown, Encoder>, Model.LoadError, Model.Surroundings | Scope.Scope>
}

const json = Effect.fnUntraced(function*(path: string) {
  const found = (yield* exists(path)) ? yield* readJson(path) : {}
  return (isObject(found) ? found : {}) as Json
})

/**
 * What a folder is without being told: late interaction, if it has ColBERT's or PyLate's metadata or states the size of token
 * vectors; a single vector, if it is a decoder, or pools by its `modules.json` while `dim` asks for no token vectors.
 */
const typeOf = Effect.fnUntraced(function*(name: string, settings: FolderSettings) {
  if (settings.retriever_type !== "auto") return settings.retriever_type
  const { folder, given } = yield* ModelFolder.resolve(name)
  const config = yield* json(join(folder, modelFiles.config))
  if (isDecoder(config)) return "single_vector"
  /** DistilBERT's `dim` is the size of its hidden states. */
  const statesSize = typeof config["dim"] === "number" && config["model_type"] !== "distilbert"
  if (statesSize || (yield* isColbert(given)) || (yield* isColbert(folder))) return "colbert"
  const modules = (yield* modulesOf(given)) ?? (yield* modulesOf(folder))
  if (!modules?.some(({ kind }) => kind === "Pooling")) return "colbert"
  if (settings.dim !== aboutOf(retrieval.dim).default) return "colbert"
  yield* Effect.logInfo(
    `${name}: a text has one vector, as ${modelFiles.modules} says; retriever_type: colbert is for late interaction`
  )
  return "single_vector"
})

const lateInteraction = Effect.fnUntraced(function*(name: string, settings: FolderSettings) {
  const opened = yield* Colbert.open(name, settings)
  const { adapter, config, files, lengths, marks, tokenizer } = opened
  return {
    text: ColbertText.make(tokenizer, marks, lengths),
    lengths,
    dim: vectorSize(config),
    pools: false,
    instructed: false,
    adapted: adapter !== undefined,
    files,
    load: (options) => Model.load(opened, colbert, options)
  } satisfies Opened as Opened
})

/** Opens a retriever's folder under the settings. */
export const open = Effect.fnUntraced(function*(name: string, settings: FolderSettings) {
  const type = yield* typeOf(name, settings)
  const opened: Effect.Effect<Opened, FileError, FileSystem.FileSystem> = type === "colbert"
    ? lateInteraction(name, settings)
    : Single.open(name, settings)
  return yield* opened
})
