/** Program: has the models of a run at hand before it starts, those of the Hub included. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import { modelFiles } from "../domain/fileNames.ts"
import { folders } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { hashFile, located, sha256Of } from "../runtime/files/disk.ts"
import { type Pinned, pinned, resolve } from "../runtime/models/folder.ts"
import { isBare, isPixels } from "../runtime/retrieval/pictures/frozen.ts"
import { baseOf } from "../runtime/retrieval/pictures/heads.ts"
import { modeOf } from "../systems/all.ts"

/** What this process has looked up, by the name that was given and by that with the commit: all its runs use the same. */
const Pins = Context.Reference<Map<string, Pinned>>("anamnesis/Pins", { defaultValue: () => new Map() })

/** Fetches a model of the Hub, once a process; returns its name with its commit, or a folder's as it is. */
export const atHand = Effect.fnUntraced(function*(name: string) {
  const pins = yield* Pins
  const known = pins.get(name)
  if (known !== undefined) return known.name
  const found = yield* pinned(name)
  if (found.name === name && found.base === undefined) return name
  for (const key of [name, found.name]) pins.set(key, found)
  return found.name
})

/** The settings that name the models that a mode uses. */
const used = (c: RunConfig) => {
  const { reader, retriever } = modeOf(c).traits
  return [
    ...(retriever === "frozen" || retriever === "trained" ? [folders.retriever] : []),
    ...(reader === "none" ? [] : [folders.reader])
  ]
}

/** Has a retriever of pictures at hand: its encoder and, of a folder of heads, the encoder that it names. */
const picturesAtHand = Effect.fnUntraced(function*(name: string) {
  if (isBare(name)) return name
  const own = yield* atHand(name)
  const base = yield* baseOf(own)
  if (base !== own && !isBare(base)) yield* atHand(base)
  return own
})

const having = Effect.fnUntraced(function*(c: RunConfig, keys: ReadonlyArray<ReturnType<typeof used>[number]>) {
  const find = (key: typeof keys[number]) =>
    key === folders.retriever && modeOf(c).traits.queries === "pictures" ? picturesAtHand(c[key]) : atHand(c[key])
  const names = yield* Effect.forEach(keys, (key) => Effect.map(find(key), (name) => [key, name] as const))
  return { ...c, ...Object.fromEntries(names) }
})

/** The settings of a run, whose mode's models are at hand, named with their commits if they are of the Hub. */
export const withModels = Effect.fn("withModels")(function*(c: RunConfig) {
  return yield* having(c, used(c))
})

/** The same for a command that needs the retriever alone. */
export const withRetriever = Effect.fn("withRetriever")(function*(c: RunConfig) {
  return yield* having(c, used(c).filter((key) => key === folders.retriever))
})

/** The same for a command that needs the reader alone. */
export const withReader = Effect.fn("withReader")(function*(c: RunConfig) {
  return yield* having(c, used(c).filter((key) => key === folders.reader))
})

/** Files of a model folder that determine what its model computes. */
const ofModel = /\.(?:json|safetensors|metadata|bin|gguf|txt|model)$/

/** SHA-256 of the files of a model at hand, and of its base if it is an adapter. */
export const weightsOf = Effect.fnUntraced(function*(name: string) {
  const fs = yield* FileSystem.FileSystem
  const { folder, given } = yield* resolve(name)
  const hashes: Array<string> = []
  for (const path of new Set([folder, given])) {
    if ((yield* fs.stat(path).pipe(located(path))).type !== "Directory") {
      hashes.push(yield* hashFile(path))
      continue
    }
    const names = (yield* fs.readDirectory(path, { recursive: true }).pipe(located(path))).filter((own) =>
      ofModel.test(own)
    )
    for (const own of names.toSorted()) hashes.push(own, yield* hashFile(join(path, own)))
  }
  return sha256Of(hashes)
})

/** SHA-256 of what an encoder of pictures computes with: of an ONNX file, how pictures are prepared stands beside it. */
const encoderOf = Effect.fnUntraced(function*(name: string) {
  if (isPixels(name)) return name
  if (!isBare(name)) return yield* weightsOf(name)
  return sha256Of([yield* hashFile(name), yield* hashFile(join(dirname(name), modelFiles.preprocessor))])
})

/** SHA-256 of the files of a run's retriever: of one of pictures those of its encoder and, if it has any, of its heads. */
export const retrieverWeights = Effect.fnUntraced(function*(c: RunConfig) {
  const name = c[folders.retriever]
  if (modeOf(c).traits.queries !== "pictures") return yield* weightsOf(name)
  const base = yield* baseOf(name)
  return base === name ? yield* encoderOf(name) : sha256Of([yield* weightsOf(name), yield* encoderOf(base)])
})

/** The bases of those of a run's models that are adapters, by the models' settings; `undefined` if none is. */
export const basesOf = Effect.fnUntraced(function*(c: RunConfig) {
  const pins = yield* Pins
  const bases = used(c).flatMap((key) => {
    const base = pins.get(c[key])?.base
    return base === undefined ? [] : [[key, base] as const]
  })
  return bases.length === 0 ? undefined : Object.fromEntries(bases) as Readonly<Record<string, string>>
})

/** How a run's reader is quantised, as its results record it; `undefined` if it is not. */
export const quantizationOf = (c: RunConfig) => {
  const { quantization: type, quantization_activations: activations, quantization_block_size: block_size } = c
  return modeOf(c).traits.reader === "none" || type === "none" ? undefined : { type, block_size, activations }
}
