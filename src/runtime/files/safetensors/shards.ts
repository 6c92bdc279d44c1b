/** Weights in safetensors files of a greatest size, as Hugging Face splits and names them, a tensor in memory at a time. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { firstInfinite, toWords } from "../../../kernels/half.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import { FileError, writeDurably, writing } from "../disk.ts"
import * as TensorFile from "./read.ts"
import * as Safetensors from "./write.ts"

/** Element types by the names of `config.json`. */
export const dtypes = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const
/** A type that weights can be saved in. */
export type SavedType = keyof typeof dtypes
const widths: Readonly<Record<SavedType, number>> = { float32: 4, float16: 2, bfloat16: 2 }

/** A tensor to be written, read when its turn comes. */
export interface Pending<E, R> {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  readonly values: Effect.Effect<Float32Array, E, R>
}

/** The bytes of finite values, or the first one that the type cannot hold. */
const bytesOf = (data: Float32Array, dtype: SavedType): Uint8Array | { readonly beyond: number } => {
  if (dtype === "float32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const words = toWords(data, dtype)
  const beyond = firstInfinite(words, dtype)
  return beyond >= 0 ? { beyond: data[beyond]! } : new Uint8Array(words.buffer)
}

/** Names by file: in order, each file as full as it can be; a tensor that is too large has one of its own. */
export const split = (
  tensors: ReadonlyArray<{ readonly name: string; readonly bytes: number }>,
  most: number
): ReadonlyArray<ReadonlyArray<string>> => {
  const files: Array<Array<string>> = []
  let [current, size] = [new Array<string>(), 0]
  for (const { bytes, name } of tensors) {
    if (bytes > most) {
      files.push([name])
      continue
    }
    if (size + bytes > most) {
      files.push(current)
      ;[current, size] = [[], 0]
    }
    current.push(name)
    size += bytes
  }
  return current.length > 0 ? [...files, current] : files
}

const INDEX = modelFiles.weightsIndex
const nameOf = (i: number, files: number): string => {
  const number = (n: number) => String(n).padStart(5, "0")
  return files === 1 ? modelFiles.weights : `model-${number(i + 1)}-of-${number(files)}.safetensors`
}

/** How weights are laid out in files. */
export interface Options {
  readonly dtype: SavedType
  /** Bytes of tensors in a file. */
  readonly maxShardSize: number
}

const writeFile = Effect.fnUntraced(
  function*<E, R>(path: string, tensors: ReadonlyArray<Pending<E, R>>, dtype: SavedType) {
    const { add, finish } = yield* writing(path)
    const entries = tensors.map(({ name, shape }) => ({
      name,
      dtype: dtypes[dtype],
      shape,
      bytes: widths[dtype] * Nd.size(shape)
    }))
    yield* add(Safetensors.header(entries, {}))
    for (const { name, values } of tensors) {
      const data = yield* values
      yield* TensorFile.finite(path, name, data)
      const bytes = bytesOf(data, dtype)
      if ("beyond" in bytes) {
        const reason = `${bytes.beyond} is beyond the range of ${dtype}; save as bfloat16 or float32`
        return yield* new FileError({ path, place: `tensor ${name}`, reason })
      }
      yield* add(bytes)
    }
    yield* finish
  },
  Effect.scoped
)

/** Writes the files into a folder that is there, and their index where they are several; the names of the files. */
export const write = Effect.fnUntraced(
  function*<E, R>(folder: string, tensors: ReadonlyArray<Pending<E, R>>, { dtype, maxShardSize }: Options) {
    const sized = tensors.map((t) => ({ ...t, bytes: widths[dtype] * Nd.size(t.shape) }))
    const files = split(sized, maxShardSize)
    const byName = new Map(tensors.map((t) => [t.name, t]))
    const placed = files.map((names, i) => [nameOf(i, files.length), names] as const)
    for (const [file, names] of placed) {
      const own = names.map((name) => byName.get(name)!).toSorted(Safetensors.byName)
      yield* writeFile(join(folder, file), own, dtype)
    }
    const written = placed.map(([file]) => file)
    if (files.length > 1) {
      const total_parameters = tensors.reduce((n, { shape }) => n + Nd.size(shape), 0)
      const map = placed.flatMap(([file, names]) => names.map((name) => [name, file] as const))
      const index = {
        metadata: { total_parameters, total_size: widths[dtype] * total_parameters },
        weight_map: Object.fromEntries(map.toSorted(([a], [b]) => a < b ? -1 : 1))
      }
      const text = `${JSON.stringify(index, null, 2)}\n`
      yield* writeDurably(join(folder, INDEX), new TextEncoder().encode(text))
      written.push(INDEX)
    }
    return written
  }
)

const units: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }

/** "5GB" in bytes, by powers of ten as Hugging Face counts; none for what is no size. */
export const bytesIn = (size: string): number | undefined => {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]B)$/i.exec(size.trim()) ?? []
  return digits === undefined ? undefined : Math.floor(Number(digits) * units[unit!.toUpperCase()]!)
}
