/** A graph as ONNX bytes. */
import { emitAll } from "./emit.ts"
import * as Proto from "./proto.ts"
import type { ElementType, Emitter, Tensor } from "./Tensor.ts"

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

/** Collects nodes and constants; equal small constants are written once. */
class Writer implements Emitter {
  readonly nodes: Array<Uint8Array> = []
  readonly initializers: Array<Uint8Array> = []
  private readonly known = new Map<string, string>()
  private count = 0

  node: Emitter["node"] = (opType, inputs, attributes = {}, domain) => {
    const name = `t${this.count++}`
    this.nodes.push(Proto.node(opType, inputs, [name], attributes, domain))
    return name
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
}

const info = ([name, t]: readonly [string, Tensor]): Uint8Array => Proto.valueInfo(name, t.type.dtype, t.type.shape)

/** Every output is named by an Identity, which ONNX Runtime removes. */
export const encode = (graph: Graph<any, any>): Uint8Array => {
  const writer = new Writer()
  const outputs = Object.entries<Tensor>(graph.outputs)
  const names = emitAll(writer, outputs.map(([_, t]) => t))
  return Proto.model({
    name: graph.name,
    nodes: [...writer.nodes, ...outputs.map(([out], i) => Proto.node("Identity", [names[i]!], [out]))],
    initializers: writer.initializers,
    inputs: Object.entries<Tensor>(graph.inputs).map(info),
    outputs: outputs.map(info)
  })
}
