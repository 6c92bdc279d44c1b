/** Sharded safetensors files, split and named as by Hugging Face; one tensor in memory at a time. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { firstInfinite, toWords } from "../../../kernels/half.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import { FileError, writeDurably, writing } from "../disk.ts"
import * as TensorFile from "./read.ts"
import * as Safetensors from "./write.ts"

/** Element types by their names in `config.json`. */
export const dtypes = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const
/** A dtype that weights can be saved in. */
export type SavedType = keyof typeof dtypes
const widths: Readonly<Record<SavedType, number>> = { float32: 4, float16: 2, bfloat16: 2 }

/** A tensor to be written, read when it is needed. */
export interface Pending<E, R> {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  /** If it is not that of all others. */
  readonly dtype?: SavedType | undefined
  readonly values: Effect.Effect<Float32Array, E, R>
}

/** The bytes of finite values, or the first value that overflows the dtype. */
const bytesOf = (data: Float32Array, dtype: SavedType): Uint8Array | { readonly beyond: number } => {
  if (dtype === "float32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const words = toWords(data, dtype)
  const beyond = firstInfinite(words, dtype)
  return beyond >= 0 ? { beyond: data[beyond]! } : new Uint8Array(words.buffer)
}

/** Assigns names to files in order, filling each; an oversized tensor gets a file of its own. */
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

/** How weights are split into files. */
export interface Options {
  readonly dtype: SavedType
  /** Maximum bytes of tensors per file. */
  readonly maxShardSize: number
}

/** A tensor with its dtype and its size in bytes. */
const sized = <E, R>(tensor: Pending<E, R>, usual: SavedType) => {
  const dtype = tensor.dtype ?? usual
  return { ...tensor, dtype, bytes: widths[dtype] * Nd.size(tensor.shape) }
}
type Sized<E, R> = ReturnType<typeof sized<E, R>>

const writeFile = Effect.fnUntraced(
  function*<E, R>(path: string, tensors: ReadonlyArray<Sized<E, R>>) {
    const { add, finish } = yield* writing(path)
    const entries = tensors.map(({ bytes, dtype, name, shape }) => ({ name, dtype: dtypes[dtype], shape, bytes }))
    yield* add(Safetensors.header(entries, {}))
    for (const { dtype, name, values } of tensors) {
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

/** Writes the files into an existing folder, with an index if there are several; returns their names. */
export const write = Effect.fnUntraced(
  function*<E, R>(folder: string, tensors: ReadonlyArray<Pending<E, R>>, { dtype, maxShardSize }: Options) {
    const all = tensors.map((tensor) => sized(tensor, dtype))
    const files = split(all, maxShardSize)
    const byName = new Map(all.map((t) => [t.name, t]))
    const placed = files.map((names, i) => [nameOf(i, files.length), names] as const)
    for (const [file, names] of placed) {
      const own = names.map((name) => byName.get(name)!).toSorted(Safetensors.byName)
      yield* writeFile(join(folder, file), own)
    }
    const written = placed.map(([file]) => file)
    if (files.length > 1) {
      const total_parameters = tensors.reduce((n, { shape }) => n + Nd.size(shape), 0)
      const map = placed.flatMap(([file, names]) => names.map((name) => [name, file] as const))
      const index = {
        metadata: { total_parameters, total_size: all.reduce((n, { bytes }) => n + bytes, 0) },
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

/** Parses a size such as "5GB" (powers of ten, as in Hugging Face) into bytes; `undefined` if malformed. */
export const bytesIn = (size: string): number | undefined => {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]B)$/i.exec(size.trim()) ?? []
  return digits === undefined ? undefined : Math.floor(Number(digits) * units[unit!.toUpperCase()]!)
}
