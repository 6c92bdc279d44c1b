/** Cost of a graph, from its shapes: FLOPs, and peak memory of its results. */
import type { Graph } from "./onnx/encode.ts"
import { late } from "./onnx/lateWiden.ts"
import { readQuantised } from "./onnx/readQuantised.ts"
import { bytesOf, type Tensor, topological } from "./Tensor.ts"

/** A key shared by equal expressions; inputs and large constants have none and equal only themselves. */
const keyOf = (t: Tensor, numbers: ReadonlyMap<Tensor, number>): string | undefined => {
  switch (t._tag) {
    case "Input":
      return undefined
    case "Const":
      return t.value.data.length > 16 ? undefined : `${t.type.dtype}[${t.type.shape.join()}]${t.value.data.join()}`
    case "Apply":
      return JSON.stringify([t.op.name, t.inputs.map((x) => numbers.get(x)), t.attrs])
  }
}

/** Expressions as the encoder writes them, operands first: composites expanded, equal ones once. */
class Written {
  readonly numbers = new Map<Tensor, number>()
  private readonly made = new Map<Tensor, Tensor>()
  private readonly known = new Map<string, Tensor>()

  constructor(outputs: ReadonlyArray<Tensor>) {
    this.write(outputs)
  }
  /** The expression that is written for `t`. */
  readonly of = (t: Tensor): Tensor => this.made.get(t)!
  private write(outputs: ReadonlyArray<Tensor>): void {
    for (const t of topological(outputs)) if (!this.made.has(t)) this.made.set(t, this.spelled(t))
  }
  private spelled(t: Tensor): Tensor {
    if (t._tag !== "Apply") return this.once(t)
    const inputs = t.inputs.map(this.of)
    if (!t.op.define) return this.once({ ...t, inputs })
    const { operands, value } = t.op.define(inputs.map((x) => x.type), t.attrs)
    operands.forEach((operand, i) => this.made.set(operand, inputs[i]!))
    this.write([value])
    return this.of(value)
  }
  private once(t: Tensor): Tensor {
    const key = keyOf(t, this.numbers)
    const existing = key === undefined ? undefined : this.known.get(key)
    if (existing) return existing
    if (key !== undefined) this.known.set(key, t)
    this.numbers.set(t, this.numbers.size)
    return t
  }
}

const operandsOf = (t: Tensor): ReadonlyArray<Tensor> => t._tag === "Apply" ? t.inputs : []
const typesOf = (t: Tensor) => ({ inputs: operandsOf(t).map((x) => x.type), output: t.type })

/** A graph's outputs as they are written. */
const spelled = (graph: Graph<any, any>): ReadonlyArray<Tensor> =>
  late(readQuantised(Object.values<Tensor>(graph.outputs)))

/** Floating-point operations of a run's matrix products; other work is not counted. */
export const flops = (graph: Graph<any, any>): number =>
  [...new Written(spelled(graph)).numbers.keys()]
    .reduce((sum, t) => sum + (t._tag === "Apply" ? t.op.flops?.(typesOf(t), t.attrs) ?? 0 : 0), 0)

/** ONNX Runtime's execution order: depth-first from results nobody reads, the operand written last first. */
const executed = (numbers: ReadonlyMap<Tensor, number>): ReadonlyArray<Tensor> => {
  const read = new Set([...numbers.keys()].flatMap(operandsOf))
  const stack = [...numbers.keys()].filter((t) => !read.has(t)).map((tensor) => ({ tensor, done: false }))
  const [entered, order] = [new Set<Tensor>(), new Array<Tensor>()]
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { done, tensor } = top
    if (done) order.push(tensor)
    if (done || entered.has(tensor)) continue
    entered.add(tensor)
    stack.push({ tensor, done: true })
    const operands = operandsOf(tensor).toSorted((a, b) => numbers.get(a)! - numbers.get(b)!)
    stack.push(...operands.map((operand) => ({ tensor: operand, done: false })))
  }
  return order
}

/** The owner of each result's memory: itself, or the operand it is a view of. Inputs and constants take none. */
const owners = (order: ReadonlyArray<Tensor>): ReadonlyMap<Tensor, Tensor> => {
  const owner = new Map<Tensor, Tensor>()
  for (const t of order) {
    if (t._tag !== "Apply") continue
    const own = t.op.view ? owner.get(t.inputs[0]!) : t
    if (own) owner.set(t, own)
  }
  return owner
}

/** Memory reused by successive results, live from operation `from` to `to`. */
interface Buffer {
  readonly bytes: number
  readonly from: number
  to: number
}

/**
 * ONNX Runtime's buffers: a result reuses the buffer freed last among those of its size and shape, else takes a new
 * one. A buffer lives from its first result to the last read of its last, gaps included.
 */
const buffersOf = (
  order: ReadonlyArray<Tensor>,
  owner: ReadonlyMap<Tensor, Tensor>,
  outputs: ReadonlySet<Tensor | undefined>
): ReadonlyArray<Buffer> => {
  const last = new Map<Tensor, number>()
  order.forEach((t, i) => operandsOf(t).forEach((x) => owner.has(x) && last.set(owner.get(x)!, i)))
  const leaving = Map.groupBy(last.keys(), (t) => last.get(t)!)
  const buffers = new Map<Tensor, Buffer>()
  const left = new Map<string, Array<Buffer>>()
  const kind = ({ type }: Tensor): string => `${bytesOf(type)} ${type.shape.join()}`
  order.forEach((t, i) => {
    if (owner.get(t) === t && !outputs.has(t)) {
      const buffer = left.get(kind(t))?.pop() ?? { bytes: bytesOf(t.type), from: i, to: i }
      buffer.to = last.get(t) ?? i
      buffers.set(t, buffer)
    }
    for (const gone of leaving.get(i) ?? []) {
      const buffer = buffers.get(gone)
      const alike = left.get(kind(gone)) ?? []
      if (buffer) alike.push(buffer)
      left.set(kind(gone), alike)
    }
  })
  return [...new Set(buffers.values())]
}

/**
 * Estimated peak bytes of the results of a graph's operations. Excludes inputs, and outputs with preallocated memory
 * (`given`).
 */
export const activations = (graph: Graph<any, any>, given: (output: string) => boolean = () => false): number => {
  const names = Object.keys(graph.outputs)
  const outputs = spelled(graph)
  const written = new Written(outputs)
  const order = executed(written.numbers)
  const owner = owners(order)
  const held = new Map(outputs.map((t, i) => [owner.get(written.of(t)), given(names[i]!)]))
  const change = new Float64Array(order.length + 1)
  for (const { bytes, from, to } of buffersOf(order, owner, new Set(held.keys()))) {
    change[from]! += bytes
    change[to + 1]! -= bytes
  }
  let [live, most] = [0, 0]
  order.forEach((t, i) => {
    live += change[i]! + (held.get(t) === false ? bytesOf(t.type) : 0)
    most = Math.max(most, live + (t._tag === "Apply" ? t.op.scratch?.(typesOf(t)) ?? 0 : 0))
  })
  return most
}
