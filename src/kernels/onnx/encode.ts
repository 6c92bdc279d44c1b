/** Encodes a graph as an ONNX model. */
import type { Half } from "../half.ts"
import { Widen } from "../op/widen.ts"
import {
  bytesOf,
  type ElementType,
  ShapeError,
  type Target,
  type Tensor,
  type TensorType,
  topological
} from "../Tensor.ts"
import { emitAll } from "./emit.ts"
import { late } from "./lateWiden.ts"
import { dimension, isOpen, type Sizes } from "./openSizes.ts"
import * as Proto from "./proto.ts"
import { readQuantised } from "./readQuantised.ts"
import { cpu } from "./target.ts"
import { Writer } from "./Writer.ts"

/** A graph: named inputs, and named outputs computed from them. */
export interface Graph<in out I extends string = string, in out O extends string = string> {
  readonly name: string
  readonly inputs: Readonly<Record<I, Tensor>>
  readonly outputs: Readonly<Record<O, Tensor>>
  /** The repeated body, if the outputs repeat one: it is written once. */
  readonly repeats?: Repeats
  /** Whether the CPU may round to 8 bits a block what it multiplies by quantised matrices: faster, and less exact. */
  readonly rounds?: boolean
}

/** A graph that runs another several times, one after the other. */
export interface Repeats {
  readonly body: Graph
  readonly times: number
  /** Body inputs that each iteration has of its own: slices of the graph's inputs. */
  readonly each: ReadonlyArray<string>
  /** Body inputs carried over from the iteration before, each with the output that becomes its value. */
  readonly carried: ReadonlyArray<readonly [input: string, output: string]>
}

/** How a graph becomes an ONNX model. */
export interface EncodeOptions {
  /** Sizes that stand for open dimensions, by the dimension's name. */
  readonly open?: Sizes
  /** Inputs that become part of the model: file and offset of their values, or `undefined` if in the model's file. */
  readonly weights?: ReadonlyMap<string, Proto.Place | undefined>
  /** int32 inputs that are fed as int64. */
  readonly wide?: ReadonlySet<string>
  /** The provider that runs the model; by default the CPU. */
  readonly target?: Target
  /** Type that float32 matrix products are computed in, if another. */
  readonly products?: Half | undefined
}

/** A graph has nodes without a kernel on its device provider, which would run them on the host. */
export class KernelError extends Error {
  override readonly name = "KernelError"
  constructor(target: Target, missing: ReadonlyArray<string>) {
    super(`${target.name} has no kernel for ${missing.join(", ")}`)
  }
}

/** What precedes the values of a weight that is appended to a model's file. */
export const appended = (name: string, type: TensorType): Uint8Array =>
  Proto.appended(name, type.dtype, type.shape, bytesOf(type))

type Named = ReadonlyArray<readonly [string, Tensor]>
const entries = (tensors: Readonly<Record<string, Tensor>>): Named => Object.entries(tensors)

/** Element types of the inputs that hold half-precision bits, for providers without `BitCast`. */
const halves = (wanted: ReadonlyArray<Tensor>, target: Target): ReadonlyMap<string, ElementType> => {
  const found = new Map<string, ElementType>()
  if (target.has("BitCast")) return found
  for (const t of topological(wanted)) {
    if (t._tag !== "Apply" || t.op !== Widen) continue
    let words = t.inputs[0]!
    while (words._tag === "Apply") words = words.inputs[0]!
    if (words._tag === "Input") found.set(words.name, (t.attrs as { readonly from: Half }).from)
  }
  return found
}

/** Element types of a graph's inputs where they differ from their tensors': half-precision bits, typed as such. */
export const elementTypes = ({ outputs, repeats }: Graph<any, any>, target: Target): ReadonlyMap<string, ElementType> =>
  halves(Object.values<Tensor>(repeats?.body.outputs ?? outputs), target)

/** The expressions as they are written: quantised weights are read as they are, half-precision ones widened late. */
const prepared = (outputs: Named, { target = cpu, weights = new Map() }: EncodeOptions): ReadonlyArray<Tensor> => {
  const wanted = readQuantised(outputs.map(([_, t]) => t))
  if (!target.has("BitCast")) return late(wanted, false)
  return weights.size === 0 ? late(wanted, true) : wanted
}

const refused = (inputs: Named, { open = {}, weights = new Map() }: EncodeOptions): void => {
  for (const [name, { type }] of inputs) {
    if (!weights.has(name) || !type.shape.some((d) => isOpen(d, open))) continue
    throw new ShapeError(name, [type], "a size of it stands for an open one")
  }
}

/**
 * Writes a graph, with `own` inputs as in a loop body; throws `KernelError` if a device would leave nodes to the host.
 */
const written = (graph: Graph<any, any>, own: ReadonlyArray<string>, options: EncodeOptions) => {
  const { open = {}, products, target = cpu, weights = new Map(), wide = new Set() } = options
  const outputs = entries(graph.outputs)
  const wanted = prepared(outputs, options)
  const elements = halves(wanted, target)
  const fed = new Map<string, ElementType>([...wide].map((name) => [name, "int64"]))
  const writer = new Writer({
    inputs: graph.inputs,
    elements: new Map([...elements, ...fed]),
    open,
    products,
    rounds: graph.rounds ?? false,
    target,
    within: weights.size > 0
  })
  const renamed = new Map(
    [...wide].filter((name) => name in graph.inputs).map((name) => [name, writer.cast(name, "int32")])
  )
  for (const name of own) renamed.set(name, writer.alias(name, inBody(name)))
  const read = topological(wanted).flatMap((t) =>
    t._tag === "Input" && renamed.has(t.name) ? [[t, renamed.get(t.name)!] as const] : []
  )
  const values = emitAll(writer, wanted, new Map(read))
  writer.prune(values)
  const missing = Object.keys(open).length === 0 ? writer.missing() : []
  if (missing.length > 0) throw new KernelError(target, missing)
  const valued = new Map(outputs.map(([name], i) => [name, values[i]!]))
  return { elements, inner: writer.inner(new Set(values)), valued, writer }
}

const inBody = (name: string): string => `turn/${name}`

/** A Scan over the body: first the carried inputs, then those of each iteration. */
const turn = ({ body, carried, each }: Repeats, options: EncodeOptions) => {
  const own = [...carried.map(([input]) => input), ...each]
  const next = carried.map(([_, output]) => output)
  const results = [...next, ...Object.keys(body.outputs).filter((name) => !next.includes(name))]
  const { elements, inner, valued, writer } = written(body, own, options)
  const info = (tensors: Graph["inputs"]) => (name: string) =>
    Proto.valueInfo(inBody(name), tensors[name]!.type.dtype, tensors[name]!.type.shape)
  const graph = Proto.graph({
    name: body.name,
    nodes: writer.finish(new Map(results.map((name) => [inBody(name), valued.get(name)!]))),
    initializers: writer.initializers,
    inputs: own.map(info(body.inputs)),
    outputs: results.map(info(body.outputs)),
    values: inner
  })
  const node = Proto.node("Scan", own, results, { body: { graph }, num_scan_inputs: { int: each.length } })
  return { elements, nodes: [node], initializers: [], values: [], operators: writer.operators() }
}

const once = (graph: Graph<any, any>, options: EncodeOptions) => {
  const { elements, inner, valued, writer } = written(graph, [], options)
  const { initializers } = writer
  return { elements, nodes: writer.finish(valued), initializers, values: inner, operators: writer.operators() }
}

/**
 * A graph as an ONNX model. Weights are inputs like any other, external data, or appended later: nothing large is
 * inside. Throws `KernelError`, and `ShapeError` if a weight or constant has an open size.
 */
export const encode = (graph: Graph<any, any>, options: EncodeOptions = {}): Uint8Array => {
  const { open = {}, weights = new Map(), wide = new Set() } = options
  const [inputs, outputs] = [entries(graph.inputs), entries(graph.outputs)]
  refused(inputs, options)
  const { elements, initializers, nodes, operators, values } = graph.repeats
    ? turn(graph.repeats, options)
    : once(graph, options)
  const elementOf = (name: string, { type }: Tensor) => elements.get(name) ?? type.dtype
  const info = ([name, t]: readonly [string, Tensor]) =>
    Proto.valueInfo(name, wide.has(name) ? "int64" : elementOf(name, t), t.type.shape.map((d) => dimension(d, open)))
  const outside = inputs.flatMap(([name, t]) => {
    const place = weights.get(name)
    const { shape } = t.type
    return place ? [Proto.external(name, elementOf(name, t), shape, { ...place, length: bytesOf(t.type) })] : []
  })
  return Proto.model({
    name: graph.name,
    nodes,
    initializers: [...initializers, ...outside],
    inputs: inputs.filter(([name]) => !weights.has(name)).map(info),
    outputs: outputs.map(info),
    values
  }, operators)
}
