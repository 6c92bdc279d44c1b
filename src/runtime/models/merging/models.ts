/** The models of a merge, opened: what their headers and configs say, and their tensors to be read one at a time. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { decodeDecoder } from "../../files/config/decoder.ts"
import { decodeEncoder } from "../../files/config/encoder.ts"
import { sha256 } from "../../files/disk.ts"
import { decodeFile, exists } from "../../files/model.ts"
import { encoderType, HEAD } from "../../files/stateDict.ts"
import { contents, filesIn } from "../export/folder.ts"

type Json = Readonly<Record<string, unknown>>

/** A model as a config names it: `model`, or `model+adapter` for an adapter on a base of one's choice. */
export interface Reference {
  readonly model: string
  readonly adapter?: string
}

/** Parses a model's name. A path that exists is taken whole, even with a plus sign in it. */
export const referenceOf = Effect.fnUntraced(function*(name: string) {
  const at = name.lastIndexOf("+")
  if (at <= 0 || at === name.length - 1 || (yield* exists(name))) return { model: name } as Reference
  return { model: name.slice(0, at), adapter: name.slice(at + 1) } as Reference
})

/** The layer of a tensor: "model.layers.", 3, ".mlp.up_proj.weight"; `undefined` of tensors outside the layers. */
export const layerOf = (name: string) => {
  const [, before, index, after] = /^(.*?\blayers?\.)(\d+)(\..+)$/.exec(name) ?? []
  return before === undefined ? undefined : { before, index: Number(index), after: after! }
}

/** The module that shares its weights with the embedding where they are tied. */
export const [LM_HEAD, EMBEDDING] = ["lm_head.weight", "model.embed_tokens.weight"] as const

/** Files that say how a retriever encodes texts: its prompts, pooling and lengths. */
export const encodingFiles: ReadonlyArray<string> = [
  modelFiles.colbert,
  modelFiles.lengths,
  modelFiles.pylate,
  modelFiles.modules
]

/** Opens a model until the scope ends; an adapter is folded into its base as tensors are read. */
export const open = Effect.fnUntraced(function*(name: string, { adapter, model }: Reference) {
  const found = yield* adapter === undefined ? contents(model) : contents(adapter, model)
  const { config, folders, tensors, unused } = found
  const encoder = encoderType(config["model_type"], found.names.has(HEAD))
  const path = join(folders.at(-1)!, modelFiles.config)
  const traits = (yield* encoder ? decodeFile(path, decodeEncoder) : decodeFile(path, decodeDecoder)) as object as Json
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  return {
    name,
    /** The folder of the weights last; before it, that of an adapter. */
    folders,
    /** `config.json`, with the vocabulary's size as it is with an adapter. */
    config,
    /** What the config says of the computation. */
    traits: { ...traits, model_type: String(traits["model_type"] ?? config["model_type"] ?? "llama") } as Json,
    layers: 1 + Math.max(-1, ...tensors.map((tensor) => layerOf(tensor.name)?.index ?? -1)),
    /** By our names. */
    tensors: byName,
    /** Whether the output head is the embedding. */
    tied: encoder === undefined && !byName.has(LM_HEAD),
    /** SHA-256 of those of `encodingFiles` that it has, by name. */
    encoding: new Map([...yield* filesIn(folders, encodingFiles)].map(([file, bytes]) => [file, sha256(bytes)])),
    unused
  }
})

/** A model that is open. */
export type Model = Effect.Success<ReturnType<typeof open>>
/** A tensor of a model. */
export type Stored = Model["tensors"] extends ReadonlyMap<string, infer T> ? T : never

/** A model's tensor by our name; of a tied head, the embedding. */
export const tensorOf = ({ tensors, tied }: Model, name: string): Stored | undefined =>
  tensors.get(name) ?? (tied && name === LM_HEAD ? tensors.get(EMBEDDING) : undefined)
