/** Collects the nodes and constants of a graph as its ops write them. */
import type { Half } from "../half.ts"
import {
  type Attribute,
  type ElementType,
  type Emitter,
  ShapeError,
  type Target,
  type Tensor,
  type TensorType
} from "../Tensor.ts"
import { factorise, isOpen, type Product, type Sizes } from "./openSizes.ts"
import * as Proto from "./proto.ts"

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
    case "uint8":
    case "bool":
      return Uint8Array.from(values)
  }
}

interface Node {
  readonly opType: string
  /** Element type of the operand that it computes with. */
  readonly element: ElementType
  readonly inputs: ReadonlyArray<string>
  readonly output: string
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly domain: string | undefined
}

type Inputs = Readonly<Record<string, Tensor>>

const truths: ReadonlySet<string> = new Set(["Less", "Equal", "And", "Or", "Not"])
const casts: ReadonlySet<string> = new Set(["Cast", "BitCast"])
/** Which operand an operator computes with, if not the first. */
const computing: Readonly<Record<string, number>> = { Where: 1, GatherBlockQuantized: 2 }

const typeAt = (to: Attribute | undefined): ElementType =>
  (Object.keys(Proto.elementType) as Array<ElementType>).find((type) =>
    to && "int" in to && Proto.elementType[type] === to.int
  )!

/** Element type of a node's output; `element` is that of the operand it computes with. */
const yieldedBy = (opType: string, element: ElementType, to: Attribute | undefined): ElementType => {
  if (casts.has(opType)) return typeAt(to)
  if (opType === "Shape") return "int64"
  return truths.has(opType) ? "bool" : element
}

/** What a graph's nodes are written with. */
export interface WriterOptions {
  readonly inputs: Inputs
  /** Element types of the inputs that differ from their tensor's. */
  readonly elements: ReadonlyMap<string, ElementType>
  readonly open: Sizes
  readonly target: Target
  /**
   * Type to compute float32 matrix products in; their operands and results stay float32. Without kernels of this type,
   * operands and results are rounded to it.
   */
  readonly products: Half | undefined
  /** Whether operands of quantised matrices may be rounded. */
  readonly rounds: boolean
  readonly within: boolean
}

/**
 * Collects nodes and constants. Equal nodes are written once, as are equal small constants: forward expressions that a
 * gradient repeats cost nothing.
 */
export class Writer implements Emitter {
  readonly nodes: Array<Node> = []
  readonly initializers: Array<Uint8Array> = []
  readonly types = new Map<string, TensorType>()
  readonly target: Target
  readonly rounds: boolean
  readonly within: boolean
  private readonly known = new Map<string, string>()
  private readonly tables = new Map<ArrayLike<number>, string>()
  private readonly elements: Map<string, ElementType>
  /** Half-precision values by the float32 values they are cast to. */
  private readonly widened = new Map<string, string>()
  private readonly inputs: Inputs
  private readonly open: Sizes
  private readonly half: Half | undefined
  private count = 0

  constructor({ elements, inputs, open, products, rounds, target, within }: WriterOptions) {
    this.inputs = inputs
    this.open = open
    this.target = target
    this.half = products
    this.rounds = rounds
    this.within = within
    this.elements = new Map(Object.entries(inputs).map(([name, t]) => [name, elements.get(name) ?? t.type.dtype]))
  }
  /** The element type of a value. */
  elementOf = (value: string): ElementType => this.elements.get(value)!
  /** Registers a value under the name that it has in the body of a loop. */
  alias(name: string, value: string): string {
    this.elements.set(value, this.elementOf(name))
    return value
  }
  node: Emitter["node"] = (opType, inputs, attributes = {}, domain) => {
    const key = JSON.stringify([opType, inputs, attributes, domain])
    const existing = this.known.get(key)
    if (existing) return existing
    const output = `t${this.count++}`
    const element = this.elementOf(inputs[computing[opType] ?? 0]!)
    this.nodes.push({ opType, element, inputs, output, attributes, domain })
    this.elements.set(output, yieldedBy(opType, element, attributes["to"]))
    this.known.set(key, output)
    return output
  }
  product: Emitter["product"] = (opType, inputs, attributes, domain) => {
    const { half } = this
    if (half === undefined) return this.node(opType, inputs, attributes, domain)
    const isWide = inputs.map((x) => this.elementOf(x) === "float32")
    const narrow = inputs.map((x, i) => isWide[i] ? this.narrowed(x, half) : x)
    if (this.target.has(opType, half)) return this.cast(this.node(opType, narrow, attributes, domain), "float32")
    const rounded = narrow.map((x, i) => isWide[i] ? this.cast(x, "float32") : x)
    return this.cast(this.cast(this.node(opType, rounded, attributes, domain), half), "float32")
  }
  constant: Emitter["constant"] = (type, dims, values) => {
    const key = values.length <= 16 ? `${type}[${dims.join()}]${Array.from(values).join()}` : undefined
    const existing = key ? this.known.get(key) : this.tables.get(values)
    if (existing) return existing
    const name = this.computed(type, dims, values) ?? this.stored(type, dims, values)
    if (key) this.known.set(key, name)
    else this.tables.set(values, name)
    return name
  }
  ints: Emitter["ints"] = (values) => this.constant("int64", [values.length], values)
  scalar: Emitter["scalar"] = (type, value) => this.constant(type, [], [value])
  typed: Emitter["typed"] = (value, type) => void this.types.set(value, type)
  cast: Emitter["cast"] = (input, to) => {
    const cast = this.node("Cast", [input], { to: { int: Proto.elementType[to] } })
    const from = this.elementOf(input)
    if (to === "float32" && (from === "float16" || from === "bfloat16")) this.widened.set(cast, input)
    return cast
  }

  /** A float32 value in half precision: what it was widened from, or rounded. */
  private narrowed(value: string, half: Half): string {
    const own = this.widened.get(value)
    return own !== undefined && this.elementOf(own) === half ? own : this.cast(value, half)
  }
  private stored(type: ElementType, dims: ReadonlyArray<number>, values: ArrayLike<number>): string {
    if (dims.some((d) => isOpen(d, this.open))) {
      throw new ShapeError("Const", [{ dtype: "float32", shape: dims }], "a constant cannot have an open size")
    }
    const name = `c${this.count++}`
    this.initializers.push(Proto.tensor(name, type, dims, raw(type, values)))
    this.elements.set(name, type)
    return name
  }
  /** Integers with open sizes as factors, computed at run time; `undefined` if there are none. */
  private computed(type: ElementType, dims: ReadonlyArray<number>, values: ArrayLike<number>): string | undefined {
    if (type !== "int64" && type !== "int32") return undefined
    const products = Array.from(values, (value) => factorise(value, this.open))
    if (products.every(({ of }) => of.length === 0)) return undefined
    const parts = products.map((product) => this.multiplied(product))
    const vector = parts.length === 1 ? parts[0]! : this.node("Concat", parts, { axis: { int: 0 } })
    const shaped = dims.length === 0 ? this.node("Squeeze", [vector]) : vector
    return type === "int64" ? shaped : this.cast(shaped, type)
  }
  private multiplied({ factor, of }: Product): string {
    if (of.length === 0) return this.ints([factor])
    const sizes = of.map((name) => this.size(name))
    return (factor === 1 ? sizes : [this.ints([factor]), ...sizes]).reduce((a, b) => this.node("Mul", [a, b]))
  }
  /** An open size at run time, an int64 vector [1]: from the dimension of an input that is its least multiple. */
  private size(name: string): string {
    const multiples = Object.entries(this.inputs).flatMap(([input, { type }]) =>
      type.shape.map((d, axis) => ({ input, axis, ...factorise(d, this.open) }))
        .filter(({ of }) => of.length === 1 && of[0] === name)
    )
    const { axis, factor, input } = multiples.reduce((least, one) => one.factor < least.factor ? one : least)
    const size = this.node("Shape", [input], { start: { int: axis }, end: { int: axis + 1 } })
    return factor === 1 ? size : this.node("Div", [size, this.ints([factor])])
  }

  /** The lowest opset version that has all nodes. */
  operators(): number {
    return this.nodes.some(({ opType }) => opType === "BitCast") ? 26 : 21
  }
  /**
   * The types of node outputs other than the graph's. Where ONNX Runtime cannot infer a shape (`After`), it would not
   * reuse memory without them.
   */
  inner(outputs: ReadonlySet<string>): ReadonlyArray<Uint8Array> {
    if (Object.keys(this.open).length > 0) return []
    const yielded = new Set(this.nodes.map((n) => n.output))
    return [...this.types].filter(([value]) => yielded.has(value) && !outputs.has(value)).map(([value, type]) =>
      Proto.valueInfo(value, this.elementOf(value), type.shape)
    )
  }
  /** Nodes without a kernel: operator and type, without duplicates. */
  missing(): ReadonlyArray<string> {
    const { has } = this.target
    const without = this.nodes.filter(({ attributes, element, opType }) =>
      !has(opType, element) || (opType === "Cast" && !has(opType, typeAt(attributes["to"])))
    )
    return [...new Set(without.map(({ element, opType }) => `${opType} of ${element}`))]
  }
  /** Drops nodes that the values do not depend on: a cast whose readers all take the value as it was before. */
  prune(values: Iterable<string>): void {
    const wanted = new Set(values)
    const needed = this.nodes.toReversed().filter(({ inputs, output }) => {
      if (wanted.has(output)) { for (const value of inputs) wanted.add(value) }
      return wanted.has(output)
    })
    this.nodes.splice(0, this.nodes.length, ...needed.toReversed())
  }
  /** The nodes, with the given values under the given names: renamed if a node yields them, else copied. */
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
