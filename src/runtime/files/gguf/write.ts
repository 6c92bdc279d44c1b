/** Writes GGUF, format 3: metadata, the places of tensors, then one tensor after another, each on the alignment. */
import * as Effect from "effect/Effect"
import * as Nd from "../../../kernels/NdArray.ts"
import { FileError, writing } from "../disk.ts"
import { finite } from "../safetensors/read.ts"
import { quantised, type WrittenType } from "./blocks/quantise.ts"
import { named } from "./blocks/types.ts"

/** A value of metadata to be written, with its type. */
export type Entry =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly flag: boolean }
  | { readonly text: string }
  | { readonly texts: ReadonlyArray<string> }
  | { readonly i32s: ReadonlyArray<number> }
  | { readonly f32s: ReadonlyArray<number> }

/** Metadata by key, in the order in which it is written. */
export type Entries = ReadonlyMap<string, Entry>

/** A tensor to be written, read when it is needed. */
export interface Pending<E, R> {
  readonly name: string
  readonly type: WrittenType
  readonly shape: ReadonlyArray<number>
  readonly values: Effect.Effect<Float32Array, E, R>
}

const ALIGNMENT = 32
const [MAGIC, VERSION] = [0x46554747, 3]

/** Bytes of numbers, little-endian. */
const numbers = (bytes: number, set: (view: DataView) => void): Uint8Array => {
  const view = new DataView(new ArrayBuffer(bytes))
  set(view)
  return new Uint8Array(view.buffer)
}
const u32 = (value: number) => numbers(4, (view) => view.setUint32(0, value, true))
const i32 = (value: number) => numbers(4, (view) => view.setInt32(0, value, true))
const f32 = (value: number) => numbers(4, (view) => view.setFloat32(0, value, true))
const u64 = (value: number) => numbers(8, (view) => view.setBigUint64(0, BigInt(value), true))
const text = (value: string): Uint8Array => {
  const bytes = new TextEncoder().encode(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

const list = <A>(type: number, values: ReadonlyArray<A>, each: (value: A) => Uint8Array): Uint8Array =>
  Buffer.concat([u32(9), u32(type), u64(values.length), ...values.map(each)])

const valueOf = (entry: Entry): Uint8Array => {
  if ("u32" in entry) return Buffer.concat([u32(4), u32(entry.u32)])
  if ("f32" in entry) return Buffer.concat([u32(6), f32(entry.f32)])
  if ("flag" in entry) return Buffer.concat([u32(7), Uint8Array.of(Number(entry.flag))])
  if ("text" in entry) return Buffer.concat([u32(8), text(entry.text)])
  if ("texts" in entry) return list(8, entry.texts, text)
  return "i32s" in entry ? list(5, entry.i32s, i32) : list(6, entry.f32s, f32)
}

const padding = (size: number): number => (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT

/** Bytes of a tensor of a type. */
export const bytesOf = (shape: ReadonlyArray<number>, type: WrittenType): number => {
  const [, { block, bytes }] = named(type)
  return Nd.size(shape) / block * bytes
}

type Shaped = Pick<Pending<never, never>, "name" | "type" | "shape">

/** All bytes before the first tensor. */
const headerOf = (entries: Entries, tensors: ReadonlyArray<Shaped>): Uint8Array => {
  let offset = 0
  const placed = tensors.map(({ name, shape, type }) => {
    const at = offset
    offset += bytesOf(shape, type)
    offset += padding(offset)
    return [text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(named(type)[0]), u64(at)]
  })
  const head = Buffer.concat([
    u32(MAGIC),
    u32(VERSION),
    u64(tensors.length),
    u64(entries.size),
    ...[...entries].flatMap(([key, entry]) => [text(key), valueOf(entry)]),
    ...placed.flat()
  ])
  return Buffer.concat([head, new Uint8Array(padding(head.length))])
}

/** Writes a file, one tensor in memory at a time; fails on values that are not finite, or beyond their type. */
export const write = Effect.fnUntraced(
  function*<E, R>(path: string, entries: Entries, tensors: ReadonlyArray<Pending<E, R>>) {
    const { add, finish } = yield* writing(path)
    yield* add(headerOf(entries, tensors))
    for (const { name, type, values } of tensors) {
      const data = yield* values
      yield* finite(path, name, data)
      const bytes = quantised(data, type)
      if ("beyond" in bytes) {
        const reason = `${bytes.beyond} is beyond the range of ${type}; write F32`
        return yield* new FileError({ path, place: `tensor ${name}`, reason })
      }
      yield* add(bytes)
      yield* add(new Uint8Array(padding(bytes.length)))
    }
    return yield* finish
  },
  Effect.scoped
)
