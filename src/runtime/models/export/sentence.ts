/** What sentence-transformers' folders have beside their transformer, as it is saved with a model. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { attendingAs } from "../../files/config/decoder.ts"
import { isObject, type Json } from "../../files/config/keys.ts"
import { exists, readBytes, readJson } from "../../files/model.ts"
import * as Modules from "../../files/sentence/modules.ts"
import { ofDecoder, ofEncoder } from "../../files/stateDict.ts"
import type { Naming } from "../../files/weights.ts"

/** The modules of a single-vector retriever: those of the first folder that lists some. */
export interface Sentence {
  readonly modules: ReadonlyArray<Modules.Module>
  /** Whether tokens see those after them, where the folder says so beside `config.json`. */
  readonly bidirectional: boolean | undefined
}

/** The modules of a single-vector retriever in these folders, an adapter's first; `undefined` for any other model. */
export const sentenceOf = Effect.fnUntraced(function*(folders: ReadonlyArray<string>) {
  for (const folder of folders) {
    if (yield* exists(join(folder, modelFiles.colbert))) return undefined
    const modules = yield* Modules.modulesOf(folder)
    if (modules === undefined) continue
    if (!modules.some(({ kind }) => kind === "Pooling")) return undefined
    const path = join(folder, modelFiles.lengths)
    const json = (yield* exists(path)) ? yield* readJson(path) : {}
    const args = isObject(json) && isObject(json["config_args"]) ? json["config_args"] : {}
    const causal = args["is_causal"]
    return { modules, bidirectional: typeof causal === "boolean" ? !causal : undefined } satisfies Sentence as Sentence
  }
  return undefined
})

/** The files of the modules and their list, each from the first folder that has it. */
export const filesOf = Effect.fnUntraced(function*({ modules }: Sentence, folders: ReadonlyArray<string>) {
  const configs = modules.filter(({ path }) => path !== "").map(({ path }) => `${path}/${modelFiles.config}`)
  const names = [modelFiles.modules, modelFiles.lengths, modelFiles.pylate, ...configs]
  const found = new Map<string, Uint8Array>()
  for (const name of names) {
    for (const folder of folders) {
      if (found.has(name) || !(yield* exists(join(folder, name)))) continue
      found.set(name, yield* readBytes(join(folder, name)))
    }
  }
  return found as ReadonlyMap<string, Uint8Array>
})

/** Names of tensors, those of dense layers as they are; an output head is no part of the model. */
export const namingOf = (encoder: Parameters<typeof ofEncoder>[0] | undefined): Naming => {
  const own = encoder === undefined ? ofDecoder({ tie_word_embeddings: true }) : ofEncoder(encoder)
  return (stored) => /^\d+_Dense\./.test(stored) ? stored : own(stored)
}

/** A config that says how far attention reaches. */
export const configOf = ({ bidirectional }: Sentence, config: Json): Json => {
  if (bidirectional === undefined || bidirectional === (config["is_causal"] === false)) return config
  if (bidirectional && config["use_bidirectional_attention"] === true) return config
  return attendingAs(config, bidirectional)
}
