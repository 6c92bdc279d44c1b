/** The tensors of a GGUF file as those of a state dict: by their names there, with values as models of Hugging Face have them. */
import * as Effect from "effect/Effect"
import { firstInfinite, type Half } from "../../../kernels/half.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import { FileError } from "../disk.ts"
import { finite } from "../safetensors/read.ts"
import type { StoredTensor, Tensors } from "../tensors.ts"
import { architectureOf } from "./config.ts"
import type { Entry } from "./header.ts"
import { guarded, Malformed } from "./malformed.ts"
import { type Architecture, changeOf, isBeside, storedName } from "./names.ts"
import { decoded, type GgufFile } from "./read.ts"
import { unturned } from "./rows.ts"

/** A tensor of a state dict, and where its values come from. */
interface Place {
  readonly gguf: string
  readonly entry: Entry
  /** Heads whose rows are turned; `undefined` if rows are as in the state dict. */
  readonly heads: number | undefined
  readonly shifted: boolean
}

const halves: Readonly<Record<string, Half>> = { F16: "float16", BF16: "bfloat16" }
/** Types of one value a block. */
const plain = new Set(["F32", "F16", "BF16"])

/** Heads of the queries, or of keys and values. */
const headsOf = ({ metadata }: GgufFile, gguf: string): number => {
  const heads = metadata.count("llama.attention.head_count")
  return gguf.includes(".attn_q.") ? heads : metadata.count("llama.attention.head_count_kv", heads)
}

const placeOf = (file: GgufFile, architecture: Architecture, gguf: string, entry: Entry): Place => {
  const change = changeOf(architecture, gguf)
  const heads = change === "turned" ? headsOf(file, gguf) : undefined
  if (heads !== undefined && (heads === 0 || entry.shape[0]! % (2 * heads) !== 0)) {
    throw new Malformed(`tensor ${gguf}`, `${entry.shape[0]} rows are not the pairs of ${heads} heads`)
  }
  return { gguf, entry, heads, shifted: change === "shifted" }
}

/** The places by the names of a state dict; fails on tensors that the architecture has no name for. */
const placesOf = (file: GgufFile): ReadonlyMap<string, Place> => {
  const architecture = architectureOf(file)
  const nameOf = storedName(architecture)
  return new Map(
    [...file.tensors].filter(([name]) => !isBeside(name)).map(([name, entry]) => {
      const stored = nameOf(name)
      if (stored !== undefined) return [stored, placeOf(file, architecture, name, entry)] as const
      throw new Malformed(`tensor ${name}`, `is unknown to the architecture ${architecture}`)
    })
  )
}

/** The tensors of an open file, with their shapes. */
export interface Named extends Tensors {
  readonly shapes: ReadonlyMap<string, ReadonlyArray<number>>
}

/** The tensors of an open file by the names of a state dict. */
export const named = Effect.fnUntraced(function*(file: GgufFile) {
  const { path } = file
  const places = yield* guarded(path, () => placesOf(file))
  const bytesOf = ({ entry, gguf, heads }: Place) => {
    const bytes = file.blocks(gguf)
    return heads === undefined ? bytes : Effect.map(bytes, (all) => unturned(all, entry.shape[0]!, heads))
  }
  const half = (name: string): Half | undefined => {
    const { entry, shifted } = places.get(name)!
    return shifted ? undefined : halves[entry.type.name]
  }
  const read = Effect.fnUntraced(function*(name: string) {
    const place = places.get(name)!
    const { shape, type } = place.entry
    const data = decoded(type, yield* bytesOf(place), Nd.size(shape))
    if (place.shifted) { for (let i = 0; i < data.length; i++) data[i]! -= 1 }
    yield* finite(path, place.gguf, data)
    return { shape, data } satisfies StoredTensor as StoredTensor
  })
  const words = Effect.fnUntraced(function*(name: string) {
    const place = places.get(name)!
    const data = new Uint16Array((yield* bytesOf(place)).buffer)
    const bad = firstInfinite(data, half(name)!)
    if (bad < 0) return data
    return yield* new FileError({ path, place: `tensor ${place.gguf}`, reason: `element ${bad} is not finite` })
  })
  const blocks = (name: string) => {
    const place = places.get(name)!
    const { shape, type } = place.entry
    if (plain.has(type.name) || place.shifted) return undefined
    const bits = 8 * type.bytes / type.block
    return { type: type.name, bits, shape, bytes: Effect.suspend(() => bytesOf(place)) }
  }
  const shapes = new Map([...places].map(([name, { entry }]) => [name, entry.shape]))
  return { path, read, half, words, blocks, shapes } satisfies Named as Named
})
