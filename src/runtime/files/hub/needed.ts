/** Which files of a repository are needed: those that a model folder is loaded from, and no others. */
import { several } from "../../../domain/brief.ts"
import { adapterFiles, modelFiles } from "../../../domain/fileNames.ts"

/** Files beside the weights that loaders read where they are present. */
const beside: ReadonlySet<string> = new Set([
  modelFiles.generation,
  modelFiles.preprocessor,
  modelFiles.processor,
  modelFiles.tokenizer,
  modelFiles.tokenizerConfig,
  modelFiles.specialTokens,
  modelFiles.addedTokens,
  modelFiles.chatTemplate,
  modelFiles.processorTemplate,
  modelFiles.modules,
  modelFiles.lengths,
  modelFiles.colbert,
  modelFiles.pylate
])

/** The files of a sentence-transformers module: `1_Pooling/config.json`, `1_Dense/model.safetensors`. */
const isOfModule = (path: string): boolean => {
  const [, name] = /^\d+_[A-Za-z]+\/([^/]+)$/.exec(path) ?? []
  return name === modelFiles.config || name === modelFiles.weights
}

/** Weights in formats that are not read. */
const isForeign = (path: string): boolean => /\.(bin|h5|msgpack|onnx|gguf|pt|pth|ckpt|ot|npz)$/.test(path)

/** What is needed of a repository. */
export interface Needed {
  readonly files: ReadonlyArray<string>
  /** Whether the weights are the shards that the index among `files` names. */
  readonly sharded: boolean
}

const lacks = (file: string, names: ReadonlyArray<string>): string => {
  const foreign = names.filter(isForeign)
  const others = foreign.length === 0 ? "" : ` (its weights: ${several(foreign, 4).join(", ")})`
  const remedy = foreign.length > 0 && (file === modelFiles.weights || file === modelFiles.openClipWeights)
    ? "only safetensors are read; another revision may have them, or save_pretrained(..., safe_serialization=True) "
      + "writes them"
    : "it is no model that can be loaded here"
  return `has no ${file}${others}: ${remedy}`
}

/** The needed files of a repository with these files; or why it cannot be loaded, as a text. */
export const needed = (names: ReadonlyArray<string>): Needed | string => {
  const has = (name: string) => names.includes(name)
  const own = names.filter((name) => beside.has(name))
  if (has(adapterFiles.config)) {
    if (!has(adapterFiles.weights)) return lacks(adapterFiles.weights, names)
    return { files: [adapterFiles.config, ...own, adapterFiles.weights], sharded: false }
  }
  const hasWeights = has(modelFiles.weights) || has(modelFiles.weightsIndex)
  if (has(modelFiles.openClip) && !hasWeights) {
    if (!has(modelFiles.openClipWeights)) return lacks(modelFiles.openClipWeights, names)
    const config = has(modelFiles.config) ? [modelFiles.config] : []
    return { files: [modelFiles.openClip, ...config, ...own, modelFiles.openClipWeights], sharded: false }
  }
  /** An encoder of pictures alone has no tokenizer. */
  const always = has(modelFiles.preprocessor) ? [modelFiles.config] : [modelFiles.config, modelFiles.tokenizer]
  for (const file of always) if (!has(file)) return lacks(file, names)
  const weights = [modelFiles.weights, modelFiles.weightsIndex].find(has)
  if (weights === undefined) return lacks(modelFiles.weights, names)
  const modules = has(modelFiles.modules) ? names.filter(isOfModule) : []
  return { files: [modelFiles.config, ...own, ...modules, weights], sharded: weights === modelFiles.weightsIndex }
}
