/**
 * The protocol-buffer wire format, limited to the ONNX messages written here.
 *
 * Field numbers are those of onnx.proto3. Weights are not encoded here: they are graph inputs, external data or
 * appended, so a model stays small whatever its parameter count, far from the 2 GB limit of a message.
 */
import type { Attribute, ElementType } from "../Tensor.ts"

/** An encoded field or message body. */
export type Bytes = Uint8Array

const varint = (value: number | bigint): Bytes => {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: Array<number> = []
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest > 0n ? low | 0x80 : low)
  } while (rest > 0n)
  return Uint8Array.from(bytes)
}

const join = (parts: ReadonlyArray<Bytes>): Bytes => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const int = (field: number, value: number | bigint): Bytes => join([varint(field << 3), varint(value)])
const blob = (field: number, value: Bytes): Bytes => join([varint(field << 3 | 2), varint(value.length), value])
const text = (field: number, value: string): Bytes => blob(field, new TextEncoder().encode(value))
const float = (field: number, value: number): Bytes =>
  join([varint(field << 3 | 5), new Uint8Array(Float32Array.of(value).buffer)])
const packed = (field: number, values: ReadonlyArray<number>): Bytes => blob(field, join(values.map(varint)))

/** TensorProto.DataType. */
export const elementType: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  uint16: 4,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  uint32: 12,
  bfloat16: 16
}

/** TensorProto. */
export const tensor = (name: string, type: ElementType, dims: ReadonlyArray<number>, raw: Bytes): Bytes =>
  join([...dims.map((d) => int(1, d)), int(2, elementType[type]), text(8, name), blob(9, raw)])

/** A value of an attribute, or a GraphProto. */
export type Value = Attribute | { readonly graph: Bytes }

/** AttributeProto. */
const attribute = (name: string, value: Value): Bytes => {
  if ("graph" in value) return join([text(1, name), blob(6, value.graph), int(20, 5)])
  if ("int" in value) return join([text(1, name), int(3, value.int), int(20, 2)])
  if ("float" in value) return join([text(1, name), float(2, value.float), int(20, 1)])
  if ("ints" in value) return join([text(1, name), packed(8, value.ints), int(20, 7)])
  return join([text(1, name), text(4, value.text), int(20, 3)])
}

/** NodeProto. */
export const node = (
  opType: string,
  inputs: ReadonlyArray<string>,
  outputs: ReadonlyArray<string>,
  attributes: Readonly<Record<string, Value>> = {},
  domain: string | undefined = undefined
): Bytes =>
  join([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0]!),
    text(4, opType),
    ...Object.entries(attributes).map(([name, value]) => blob(5, attribute(name, value))),
    text(7, domain ?? "")
  ])

/** A file, and a byte offset in it. */
export interface Place {
  readonly location: string
  readonly offset: number
}

/** TensorProto of an initialiser with external data. */
export const external = (
  name: string,
  type: ElementType,
  dims: ReadonlyArray<number>,
  { length, location, offset }: Place & { readonly length: number }
): Bytes => {
  const place = { location, offset: String(offset), length: String(length) }
  const entries = Object.entries(place).map(([key, value]) => blob(13, join([text(1, key), text(2, value)])))
  return join([...dims.map((d) => int(1, d)), int(2, elementType[type]), text(8, name), ...entries, int(14, 1)])
}

/** ValueInfoProto of a tensor; open dimensions have names. */
export const valueInfo = (name: string, type: ElementType, dims: ReadonlyArray<number | string>): Bytes => {
  const shape = join(dims.map((d) => blob(1, typeof d === "string" ? text(2, d) : int(1, d))))
  return join([text(1, name), blob(2, blob(1, join([int(1, elementType[type]), blob(2, shape)])))])
}

/** The fields of a GraphProto, each element encoded. */
export interface GraphParts {
  readonly name: string
  readonly nodes: ReadonlyArray<Bytes>
  readonly initializers: ReadonlyArray<Bytes>
  readonly inputs: ReadonlyArray<Bytes>
  readonly outputs: ReadonlyArray<Bytes>
  /** ValueInfoProtos of intermediate values. */
  readonly values: ReadonlyArray<Bytes>
}

/** GraphProto. */
export const graph = ({ initializers, inputs, name, nodes, outputs, values }: GraphParts): Bytes =>
  join([
    ...nodes.map((n) => blob(1, n)),
    text(2, name),
    ...initializers.map((t) => blob(5, t)),
    ...inputs.map((v) => blob(11, v)),
    ...outputs.map((v) => blob(12, v)),
    ...values.map((v) => blob(13, v))
  ])

/** ModelProto: IR version 10, the default opset of the given version, and Microsoft's contrib operators. */
export const model = (parts: GraphParts, operators: number): Bytes =>
  join([
    int(1, 10),
    text(2, "anamnesis"),
    blob(7, graph(parts)),
    blob(8, join([text(1, ""), int(2, operators)])),
    blob(8, join([text(1, "com.microsoft"), int(2, 1)]))
  ])

/**
 * The prefix of `length` bytes of data: both together, appended to a ModelProto, add an initialiser to its graph, since
 * repeated messages are merged. So a model can be written without holding it in memory.
 */
export const appended = (name: string, type: ElementType, dims: ReadonlyArray<number>, length: number): Bytes => {
  const data = join([varint(9 << 3 | 2), varint(length)])
  const own = join([...dims.map((d) => int(1, d)), int(2, elementType[type]), text(8, name), data])
  const initializer = join([varint(5 << 3 | 2), varint(own.length + length), own])
  return join([varint(7 << 3 | 2), varint(initializer.length + length), initializer])
}
