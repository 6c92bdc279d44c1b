/** A graph as ONNX bytes. */
import { emitAll } from "./emit.ts"
import * as Proto from "./proto.ts"
import type { Attribute, ElementType, Emitter, Tensor } from "./Tensor.ts"

/** Named expressions in, named expressions out. */
export interface Graph<in out I extends string = string, in out O extends string = string> {
  readonly name: string
  readonly inputs: Readonly<Record<I, Tensor>>
  readonly outputs: Readonly<Record<O, Tensor>>
}

const raw = (type: ElementType, values: ArrayLike<number>): Uint8Array => {
  switch (type) {
    case "float32":
      return new Uint8Array(Float32Array.from(values).buffer)
    case "int32":
      return new Uint8Array(Int32Array.from(values).buffer)
    case "uint32":
      return new Uint8Array(Uint32Array.from(values).buffer)
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

/**
 * Collects nodes and constants. Equal nodes are written once, as are equal small constants: what a gradient spells
 * again of its forward pass costs nothing.
 */
class Writer implements Emitter {
  readonly nodes: Array<Node> = []
  readonly initializers: Array<Uint8Array> = []
  private readonly known = new Map<string, string>()
  private count = 0

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
    const name = `c${this.count++}`
    this.initializers.push(Proto.tensor(name, type, dims, raw(type, values)))
    if (key) this.known.set(key, name)
    return name
  }
  ints: Emitter["ints"] = (values) => this.constant("int64", [values.length], values)
  scalar: Emitter["scalar"] = (type, value) => this.constant(type, [], [value])
  cast: Emitter["cast"] = (input, to) => this.node("Cast", [input], { to: { int: Proto.elementType[to] } })

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

const info = ([name, t]: readonly [string, Tensor]): Uint8Array => Proto.valueInfo(name, t.type.dtype, t.type.shape)

/** The model of a graph. Weights are inputs like any other: nothing large is inside. */
export const encode = (graph: Graph<any, any>): Uint8Array => {
  const writer = new Writer()
  const outputs = Object.entries<Tensor>(graph.outputs)
  const values = emitAll(writer, outputs.map(([_, t]) => t))
  return Proto.model({
    name: graph.name,
    nodes: writer.finish(new Map(outputs.map(([name], i) => [name, values[i]!]))),
    initializers: writer.initializers,
    inputs: Object.entries<Tensor>(graph.inputs).map(info),
    outputs: outputs.map(info)
  })
}
