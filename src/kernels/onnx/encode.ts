/** A graph as ONNX bytes. */
import {
  type Attribute,
  bytesOf,
  type ElementType,
  type Emitter,
  ShapeError,
  type Tensor,
  type TensorType
} from "../Tensor.ts"
import { emitAll } from "./emit.ts"
import { late } from "./lateWiden.ts"
import { dimension, factorise, isOpen, type Product, type Sizes } from "./openSizes.ts"
import * as Proto from "./proto.ts"

/** Named expressions in, named expressions out. */
export interface Graph<in out I extends string = string, in out O extends string = string> {
  readonly name: string
  readonly inputs: Readonly<Record<I, Tensor>>
  readonly outputs: Readonly<Record<O, Tensor>>
}

/** How a graph becomes an ONNX model. */
export interface EncodeOptions {
  /** Sizes of the graph that stand for dimensions left open, by the dimension's name. */
  readonly open?: Sizes
  /** Inputs that are part of the model: the file that holds their values and where in it, or `undefined` for this one. */
  readonly weights?: ReadonlyMap<string, Proto.Place | undefined>
  /** int32 inputs that are fed as int64. */
  readonly wide?: ReadonlySet<string>
}

const raw = (type: ElementType, values: ArrayLike<number>): Uint8Array => {
  switch (type) {
    case "float32":
      return new Uint8Array(Float32Array.from(values).buffer)
    case "int32":
      return new Uint8Array(Int32Array.from(values).buffer)
    case "uint32":
      return new Uint8Array(Uint32Array.from(values).buffer)
    case "uint16":
    case "float16":
    case "bfloat16":
      return new Uint8Array(Uint16Array.from(values).buffer)
    case "int64":
      return new Uint8Array(BigInt64Array.from(Array.from(values, BigInt)).buffer)
    case "bool":
      return Uint8Array.from(values)
  }
}

interface Node {
  readonly opType: string
  readonly inputs: ReadonlyArray<string>
  readonly output: string
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly domain: string | undefined
}

type Inputs = Readonly<Record<string, Tensor>>

/**
 * Collects nodes and constants. Equal nodes are written once, as are equal small constants: what a gradient spells
 * again of its forward pass costs nothing.
 */
class Writer implements Emitter {
  readonly nodes: Array<Node> = []
  readonly initializers: Array<Uint8Array> = []
  readonly types = new Map<string, TensorType>()
  private readonly known = new Map<string, string>()
  private readonly inputs: Inputs
  private readonly open: Sizes
  private count = 0

  constructor(inputs: Inputs, open: Sizes) {
    this.inputs = inputs
    this.open = open
  }
  node: Emitter["node"] = (opType, inputs, attributes = {}, domain) => {
    const key = JSON.stringify([opType, inputs, attributes, domain])
    const existing = this.known.get(key)
    if (existing) return existing
    const output = `t${this.count++}`
    this.nodes.push({ opType, inputs, output, attributes, domain })
    this.known.set(key, output)
    return output
  }
  constant: Emitter["constant"] = (type, dims, values) => {
    const key = values.length <= 16 ? `${type}[${dims.join()}]${Array.from(values).join()}` : undefined
    const existing = key && this.known.get(key)
    if (existing) return existing
    const name = this.computed(type, dims, values) ?? this.stored(type, dims, values)
    if (key) this.known.set(key, name)
    return name
  }
  ints: Emitter["ints"] = (values) => this.constant("int64", [values.length], values)
  scalar: Emitter["scalar"] = (type, value) => this.constant(type, [], [value])
  typed: Emitter["typed"] = (value, type) => void this.types.set(value, type)
  cast: Emitter["cast"] = (input, to) => this.node("Cast", [input], { to: { int: Proto.elementType[to] } })

  private stored(type: ElementType, dims: ReadonlyArray<number>, values: ArrayLike<number>): string {
    if (dims.some((d) => isOpen(d, this.open))) {
      throw new ShapeError("Const", [{ dtype: "float32", shape: dims }], "a constant cannot have an open size")
    }
    const name = `c${this.count++}`
    this.initializers.push(Proto.tensor(name, type, dims, raw(type, values)))
    return name
  }
  /** Integers that open sizes are factors of, as they turn out; `undefined` where there are none. */
  private computed(type: ElementType, dims: ReadonlyArray<number>, values: ArrayLike<number>): string | undefined {
    if (type !== "int64" && type !== "int32") return undefined
    const products = Array.from(values, (value) => factorise(value, this.open))
    if (products.every(({ of }) => of.length === 0)) return undefined
    const parts = products.map((product) => this.product(product))
    const vector = parts.length === 1 ? parts[0]! : this.node("Concat", parts, { axis: { int: 0 } })
    const shaped = dims.length === 0 ? this.node("Squeeze", [vector]) : vector
    return type === "int64" ? shaped : this.cast(shaped, type)
  }
  private product({ factor, of }: Product): string {
    if (of.length === 0) return this.ints([factor])
    const sizes = of.map((name) => this.size(name))
    return (factor === 1 ? sizes : [this.ints([factor]), ...sizes]).reduce((a, b) => this.node("Mul", [a, b]))
  }
  /** An open size as it turns out, an int64 vector of one: the dimension of an input that has it. */
  private size(name: string): string {
    const axisOf = (t: Tensor) => t.type.shape.indexOf(this.open[name]!)
    const [input, tensor] = Object.entries(this.inputs).find(([_, t]) => axisOf(t) >= 0)!
    const axis = axisOf(tensor)
    return this.node("Shape", [input], { start: { int: axis }, end: { int: axis + 1 } })
  }

  /** The least version of the default operators that has all nodes. */
  operators(): number {
    return this.nodes.some(({ opType }) => opType === "BitCast") ? 26 : 21
  }
  /**
   * The types of what nodes yield, but for the given values. Shapes that ONNX Runtime cannot infer (`After`) would cost
   * it the reuse of memory.
   */
  inner(outputs: ReadonlySet<string>): ReadonlyArray<Uint8Array> {
    if (Object.keys(this.open).length > 0) return []
    const yielded = new Set(this.nodes.map((n) => n.output))
    return [...this.types].filter(([value]) => yielded.has(value) && !outputs.has(value)).map(([value, type]) =>
      Proto.valueInfo(value, type.dtype, type.shape)
    )
  }
  /** The nodes, with the given values under the given names: renamed where a node yields them, else copied. */
  finish(outputs: ReadonlyMap<string, string>): ReadonlyArray<Uint8Array> {
    const yielded = new Set(this.nodes.map((n) => n.output))
    const renamed = new Map<string, string>()
    const copies: Array<Uint8Array> = []
    for (const [name, value] of outputs) {
      if (yielded.has(value) && !renamed.has(value)) renamed.set(value, name)
      else copies.push(Proto.node("Identity", [renamed.get(value) ?? value], [name]))
    }
    const called = (value: string) => renamed.get(value) ?? value
    const nodes = this.nodes.map((n) =>
      Proto.node(n.opType, n.inputs.map(called), [called(n.output)], n.attributes, n.domain)
    )
    return [...nodes, ...copies]
  }
}

/** What goes before the values of a weight that follows a model in its file. */
export const appended = (name: string, type: TensorType): Uint8Array =>
  Proto.appended(name, type.dtype, type.shape, bytesOf(type))

/** The model of a graph. Weights are inputs like any other, lie outside, or are to be appended: nothing large is inside. */
export const encode = (graph: Graph<any, any>, options: EncodeOptions = {}): Uint8Array => {
  const { open = {}, weights = new Map(), wide = new Set() } = options
  const [inputs, outputs] = [Object.entries<Tensor>(graph.inputs), Object.entries<Tensor>(graph.outputs)]
  const writer = new Writer(graph.inputs, open)
  for (const [name, { type }] of inputs) {
    if (!weights.has(name) || !type.shape.some((d) => isOpen(d, open))) continue
    throw new ShapeError(name, [type], "a size of it stands for an open one")
  }
  const narrowed = inputs.filter(([name]) => wide.has(name)).map(([name, t]) =>
    [t, writer.cast(name, "int32")] as const
  )
  const wanted = outputs.map(([_, t]) => t)
  const values = emitAll(writer, weights.size === 0 ? late(wanted) : wanted, new Map(narrowed))
  const info = ([name, { type }]: readonly [string, Tensor]) =>
    Proto.valueInfo(name, wide.has(name) ? "int64" : type.dtype, type.shape.map((d) => dimension(d, open)))
  const outside = inputs.flatMap(([name, { type }]) => {
    const place = weights.get(name)
    return place ? [Proto.external(name, type.dtype, type.shape, { ...place, length: bytesOf(type) })] : []
  })
  return Proto.model({
    name: graph.name,
    nodes: writer.finish(new Map(outputs.map(([name], i) => [name, values[i]!]))),
    initializers: [...writer.initializers, ...outside],
    inputs: inputs.filter(([name]) => !weights.has(name)).map(info),
    outputs: outputs.map(info),
    values: writer.inner(new Set(values))
  }, writer.operators())
}
