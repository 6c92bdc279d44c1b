/** safetensors, written and read a second time by the letter of the format. */
import { depth, parsed, repeats } from "./ownJson.ts"

export interface Tensor {
  readonly dtype: "F32" | "F16" | "BF16"
  readonly shape: ReadonlyArray<number>
  readonly values: ReadonlyArray<number>
}

const widths: Readonly<Record<string, number>> = {
  ...Object.fromEntries(["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((t) => [t, 8])),
  ...Object.fromEntries(["I16", "U16", "F16", "BF16"].map((t) => [t, 16])),
  ...Object.fromEntries(["I32", "U32", "F32"].map((t) => [t, 32])),
  ...Object.fromEntries(["I64", "U64", "F64", "C64"].map((t) => [t, 64])),
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6
}

const put = (view: DataView, at: number, dtype: Tensor["dtype"], value: number): void => {
  if (dtype === "F32") return view.setFloat32(at, value, true)
  if (dtype === "F16") return view.setFloat16(at, value, true)
  const float = new DataView(new ArrayBuffer(4))
  float.setFloat32(0, value)
  view.setUint16(at, float.getUint16(0), true)
}

const get = (view: DataView, at: number, dtype: string): number => {
  if (dtype === "F32") return view.getFloat32(at, true)
  if (dtype === "F16") return view.getFloat16(at, true)
  const float = new DataView(new ArrayBuffer(4))
  float.setUint16(0, view.getUint16(at, true))
  return float.getFloat32(0)
}

type Tensors = Readonly<Record<string, Tensor>>

/** The header, and the bytes behind it. */
export const layout = (tensors: Tensors, metadata: object = { format: "pt" }): readonly [header: object, body: Uint8Array] => {
  const sizes = Object.values(tensors).map(({ dtype, values }) => values.length * widths[dtype]! / 8)
  const body = new DataView(new ArrayBuffer(sizes.reduce((a, b) => a + b, 0)))
  let end = 0
  const entries = Object.entries(tensors).map(([name, { dtype, shape, values }], i) => {
    const start = end
    values.forEach((value, j) => put(body, start + j * widths[dtype]! / 8, dtype, value))
    end += sizes[i]!
    return [name, { dtype, shape, data_offsets: [start, end] }] as const
  })
  return [{ __metadata__: metadata, ...Object.fromEntries(entries) }, new Uint8Array(body.buffer)]
}

/** A file of a header's text and a body. */
export const fileOf = (header: string, body: Uint8Array): Uint8Array => {
  const text = new TextEncoder().encode(header)
  const file = new Uint8Array(8 + text.length + body.length)
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true)
  file.set(text, 8)
  file.set(body, 8 + text.length)
  return file
}

export const written = (tensors: Tensors): Uint8Array => {
  const [header, body] = layout(tensors)
  return fileOf(JSON.stringify(header), body)
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Names, shapes and values; `undefined` where the file is none of the format, or holds what no weight is. */
export const tensorsOf = (file: Uint8Array): ReadonlyMap<string, Omit<Tensor, "dtype">> | undefined => {
  if (file.length < 8) return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const length = Number(view.getBigUint64(0, true))
  if (length > 1e8 || 8 + length > file.length) return undefined
  const text = (() => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.subarray(8, 8 + length))
    } catch {
      return ""
    }
  })()
  const header = text.startsWith("{") ? parsed(text)?.value as Readonly<Record<string, unknown>> | undefined : undefined
  if (header === undefined || depth(text) > 3 || repeats(text)) return undefined
  const metadata = header["__metadata__"] ?? {}
  if (typeof metadata !== "object" || Array.isArray(metadata)) return undefined
  if (!Object.values(metadata).every((value) => typeof value === "string")) return undefined
  const found = new Map<string, Omit<Tensor, "dtype">>()
  const ranges: Array<readonly [number, number]> = []
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue
    const { data_offsets: range, dtype, shape } = Object(entry) as Readonly<Record<string, unknown>>
    if (typeof dtype !== "string" || !Object.hasOwn(widths, dtype) || !Array.isArray(shape) || !shape.every(isSize)) return undefined
    if (!Array.isArray(range) || range.length !== 2 || !range.every(isSize)) return undefined
    const [from, to] = range as [number, number]
    const count = shape.reduce((a, b) => a * b, 1)
    if (count * widths[dtype]! !== 8 * (to - from) || 8 + length + to > file.length) return undefined
    if (!["F32", "F16", "BF16"].includes(dtype)) return undefined
    const width = widths[dtype]! / 8
    const values = Array.from({ length: count }, (_, i) => get(view, 8 + length + from + i * width, dtype))
    if (!values.every(Number.isFinite)) return undefined
    ranges.push([from, to])
    found.set(name, { shape, values })
  }
  const ends = ranges.toSorted(([a, b], [c, d]) => a - c || b - d)
  const holes = ends.some(([from], i) => from !== (ends[i - 1]?.[1] ?? 0))
  return holes || (ends.at(-1)?.[1] ?? 0) !== file.length - 8 - length ? undefined : found
}
