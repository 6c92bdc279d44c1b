/** What may be wrong with a safetensors file: with its tensors, its header, its length, its bytes. */
import * as fc from "fast-check"
import { bits, numbers } from "../readings/safetensors.ts"
import { after, type Damage, damages } from "./damage.ts"
import { change, type Json, of, textOf } from "./json.ts"
import { type Edit, edited, edits, strange } from "./mutations.ts"

/** A tensor as it is written. */
export interface Written {
  readonly name: string
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly bytes: Uint8Array
}
export interface WrittenFile {
  readonly metadata?: Readonly<Record<string, string>>
  readonly tensors: ReadonlyArray<Written>
}

/** The nearest word of so many bits of exponent and fraction to a number that is not too small for it. */
const wordOf = (value: number, exponents: number, fractions: number): number => {
  if (value === 0) return 0
  const exponent = Math.floor(Math.log2(Math.abs(value)))
  const fraction = Math.round((Math.abs(value) / 2 ** exponent - 1) * 2 ** fractions)
  const word = exponent + 2 ** (exponents - 1) - 1 << fractions
  return (value < 0 ? 1 << exponents + fractions : 0) + word + fraction
}

/** Numbers in an element type; zeros in one that has no weights. */
const bytesOf = (dtype: string, values: ReadonlyArray<number>): Uint8Array => {
  const bytes = new Uint8Array(Math.ceil(values.length * bits[dtype]! / 8))
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    if (dtype === "F32") view.setFloat32(4 * i, value, true)
    if (dtype === "F64") view.setFloat64(8 * i, value, true)
    if (dtype === "F16") view.setUint16(2 * i, wordOf(value, 5, 10), true)
    if (dtype === "BF16") view.setUint16(2 * i, wordOf(value, 8, 7), true)
  })
  return bytes
}

export const tensor = (
  name: string,
  shape: ReadonlyArray<number>,
  values: ReadonlyArray<number>,
  dtype = "F32"
): Written => ({ name, dtype, shape, bytes: bytesOf(dtype, values) })

/** Bits of numbers that some type has not, or that are none. */
const patterns = [
  2143289344,
  2139095041,
  4290772992,
  2139095040,
  4286578688,
  31744,
  64512,
  32256,
  31745,
  32640,
  65408,
  32704,
  32641,
  2139095039,
  2139062272,
  2139062271,
  1199566847,
  1199566848,
  1199570944,
  31743,
  32639,
  1,
  2147483648,
  32768,
  1065353217,
  1065385984,
  1065451520
]

/** What is done to the tensors before they are laid out. Numbers count tensors and elements, round and round. */
export type TensorEdit =
  | { readonly does: "drop"; readonly tensor: number }
  | { readonly does: "swap" | "exchange"; readonly tensor: number; readonly with: number }
  | { readonly does: "rename" | "copy"; readonly tensor: number; readonly name: string }
  | { readonly does: "type"; readonly tensor: number; readonly dtype: string }
  | { readonly does: "shape"; readonly tensor: number; readonly to: "turn" | "flat" | "more" | "less" | "none" | "one" }
  | { readonly does: "value"; readonly tensor: number; readonly element: number; readonly bits: number }

export type FileEdit =
  | TensorEdit
  | { readonly does: "header"; readonly edits: ReadonlyArray<Edit> }
  | { readonly does: "shift"; readonly tensor: number; readonly start: number; readonly end: number }
  | { readonly does: "length"; readonly by: number }
  | { readonly does: "instead"; readonly length: bigint }
  | { readonly does: "pad"; readonly before: string; readonly after: string }
  | { readonly does: "bytes"; readonly damages: ReadonlyArray<Damage> }

const record = <T>(own: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(own, { noNullPrototype: true })
const does = <const D extends string>(...all: ReadonlyArray<D>) => fc.constantFrom(...all)
const place = fc.nat(9)

const tensorEdits = (names: ReadonlyArray<string>): fc.Arbitrary<TensorEdit> => {
  const name = fc.constantFrom(...names, ...names.map((own) => `model.${own}`), "__metadata__", ...strange)
  return fc.oneof(
    { weight: 2, arbitrary: record({ does: does("drop"), tensor: place }) },
    { weight: 2, arbitrary: record({ does: does("swap", "exchange"), tensor: place, with: place }) },
    { weight: 2, arbitrary: record({ does: does("rename", "copy"), tensor: place, name }) },
    { weight: 3, arbitrary: record({ does: does("type"), tensor: place, dtype: does(...Object.keys(bits)) }) },
    {
      weight: 3,
      arbitrary: record({
        does: does("shape"),
        tensor: place,
        to: does("turn", "flat", "more", "less", "none", "one")
      })
    },
    {
      weight: 5,
      arbitrary: record({ does: does("value"), tensor: place, element: place, bits: fc.constantFrom(...patterns) })
    }
  )
}

const byte = fc.constantFrom(0, 0, 1, -1, 4, -4, 8)
const blanks = fc.constantFrom("", "", " ", "       ", "\n", "\t", "\u0000", "\u00a0", "\ufeff", "{}", "//")
const lengths = [0n, 1n, 7n, 8n, 100_000_000n, 100_000_001n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]

/** One to three edits of a file, mostly one. */
export const fileEdits = (file: WrittenFile): fc.Arbitrary<ReadonlyArray<FileEdit>> => {
  const one: fc.Arbitrary<FileEdit> = fc.oneof(
    { weight: 6, arbitrary: tensorEdits(file.tensors.map(({ name }) => name)) },
    { weight: 6, arbitrary: record({ does: does("header"), edits: edits(headerOf(file)) }) },
    { weight: 3, arbitrary: record({ does: does("shift"), tensor: place, start: byte, end: byte }) },
    { weight: 1, arbitrary: record({ does: does("length"), by: fc.integer({ min: -9, max: 9 }) }) },
    { weight: 1, arbitrary: record({ does: does("instead"), length: fc.constantFrom(...lengths) }) },
    { weight: 1, arbitrary: record({ does: does("pad"), before: blanks, after: blanks }) },
    { weight: 4, arbitrary: record({ does: does("bytes"), damages }) }
  )
  return fc.oneof(
    { weight: 6, arbitrary: one.map((edit) => [edit]) },
    { weight: 1, arbitrary: fc.array(one, { minLength: 2, maxLength: 3 }) }
  )
}

const shapes = (shape: ReadonlyArray<number>) => ({
  turn: shape.toReversed(),
  flat: [shape.reduce((a, b) => a * b, 1)],
  more: [...shape.slice(0, -1), (shape.at(-1) ?? 1) + 1],
  less: [...shape.slice(0, -1), Math.max(0, (shape.at(-1) ?? 1) - 1)],
  none: shape.slice(1),
  one: [1, ...shape]
})

const reshaped = (own: Written, to: keyof ReturnType<typeof shapes>): Written => {
  const shape = shapes(own.shape)[to]
  const bytes = new Uint8Array(Math.ceil(shape.reduce((a, b) => a * b, 1) * bits[own.dtype]! / 8))
  bytes.set(own.bytes.subarray(0, bytes.length))
  return { ...own, shape, bytes }
}

const retyped = (own: Written, dtype: string): Written => {
  const count = own.shape.reduce((a, b) => a * b, 1)
  return {
    ...own,
    dtype,
    bytes: bytesOf(dtype, numbers(own.dtype, own.bytes) ?? Array.from({ length: count }, () => 0))
  }
}

/** With the bits in place of an element's last, which are its sign and exponent. */
const valued = (own: Written, element: number, pattern: number): Written => {
  const bytes = own.bytes.slice()
  const width = Math.min(4, bits[own.dtype]! / 8)
  const places = Math.floor(8 * own.bytes.length / bits[own.dtype]!)
  if (places === 0) return own
  const end = Math.ceil((element % places + 1) * bits[own.dtype]! / 8)
  for (let i = 0; i < width; i++) bytes[end - Math.ceil(width) + i] = pattern >>> 8 * i & 255
  return { ...own, bytes }
}

const reordered = (tensors: ReadonlyArray<Written>, a: number, b: number) => {
  const [one, other] = [tensors[a]!, tensors[b]!]
  return tensors.with(a, other).with(b, one)
}

const edit = (tensors: ReadonlyArray<Written>, own: TensorEdit): ReadonlyArray<Written> => {
  if (tensors.length === 0) return tensors
  const i = own.tensor % tensors.length
  const it = tensors[i]!
  switch (own.does) {
    case "drop":
      return tensors.toSpliced(i, 1)
    case "swap":
      return reordered(tensors, i, own.with % tensors.length)
    case "exchange": {
      const other = own.with % tensors.length
      return tensors.with(i, { ...it, name: tensors[other]!.name }).with(other, { ...tensors[other]!, name: it.name })
    }
    case "rename":
      return tensors.with(i, { ...it, name: own.name })
    case "copy":
      return [...tensors, { ...it, name: own.name }]
    case "type":
      return tensors.with(i, retyped(it, own.dtype))
    case "shape":
      return tensors.with(i, reshaped(it, own.to))
    case "value":
      return tensors.with(i, valued(it, own.element, own.bits))
  }
}

/** The header as JSON, whose entries are those of the tensors after one of metadata. */
const headerOf = ({ metadata = { format: "pt" }, tensors }: WrittenFile): Json => {
  let end = 0
  const entries = tensors.map(({ bytes, dtype, name, shape }) => {
    const data_offsets = [end, end += bytes.length]
    return [JSON.stringify(name), of({ dtype, shape, data_offsets })] as const
  })
  return { entries: [["\"__metadata__\"", of(metadata)], ...entries] }
}

const shifted = (header: Json, names: ReadonlyArray<string>, own: FileEdit & { readonly does: "shift" }): Json => {
  const by = (delta: number) => (json: Json): Json => typeof json === "string" ? String(Number(json) + delta) : json
  const path = [names[own.tensor % names.length] ?? "", "data_offsets"]
  return change(change(header, [...path, 0], by(own.start)), [...path, 1], by(own.end))
}

const lengthOf = (edits: ReadonlyArray<FileEdit>, own: number): bigint => {
  const by = edits.reduce((sum, e) => sum + (e.does === "length" ? e.by : 0), own)
  return edits.find((e) => e.does === "instead")?.length ?? BigInt(Math.max(0, by))
}

const isOfTensor = (own: FileEdit): own is TensorEdit => "tensor" in own && own.does !== "shift"

/** The bytes of a file after its edits: those of tensors first, those of bytes last. */
export const writeFile = (file: WrittenFile, all: ReadonlyArray<FileEdit> = []): Uint8Array => {
  const tensors = all.filter(isOfTensor).reduce(edit, file.tensors)
  const names = tensors.map(({ name }) => name)
  let header = headerOf({ ...file, tensors })
  for (const own of all) {
    if (own.does === "shift") header = shifted(header, names, own)
    if (own.does === "header") header = edited(header, own.edits)
  }
  const pads = all.filter((own) => own.does === "pad")
  const text = pads.reduce((whole, pad) => `${pad.before}${whole}${pad.after}`, textOf(header))
  const head = new TextEncoder().encode(text)
  const prefix = new Uint8Array(8)
  new DataView(prefix.buffer).setBigUint64(0, BigInt.asUintN(64, lengthOf(all, head.length)), true)
  const whole = new Uint8Array(Buffer.concat([prefix, head, ...tensors.map(({ bytes }) => bytes)]))
  return all.reduce<Uint8Array>((bytes, own) => own.does === "bytes" ? after(bytes, own.damages) : bytes, whole)
}
