/**
 * One step of learning, closed: loss × module × optimiser as a single graph from weights and batch to weights and report.
 * Or in parts: the gradients of one batch after the other, added up, then the update.
 */
import { grad } from "./grad.ts"
import * as Nd from "./NdArray.ts"
import { type Bound, entering, flatten, inputs as inputsOf, type Params } from "./nn/Module.ts"
import type { Graph } from "./onnx/encode.ts"
import { reshape, sumAll } from "./op/broadcast.ts"
import { add, div, mul, sqrt } from "./op/elementwise.ts"
import { concat } from "./op/gather.ts"
import { min } from "./op/select.ts"
import type { Optimizer } from "./optim/Optimizer.ts"
import { byName, type Input, input, scalar, type Tensor, type TensorType } from "./Tensor.ts"

/** How a step learns, whatever it is that it learns. */
export interface Learning {
  /** The group of a parameter; `undefined` where it is frozen. */
  readonly group: (path: string) => string | undefined
  readonly optimizer: Optimizer
  /** Greatest norm of all gradients together; longer ones are scaled down to it. */
  readonly maxGradNorm: number
  /** Compute what lies between saved expressions again in the backward pass. */
  readonly checkpointing?: boolean
}

/** What a training step is made of. */
export interface StepSpec<P extends Params, B extends string, R extends string> extends Learning {
  readonly name: string
  readonly params: P
  readonly batch: Readonly<Record<B, TensorType>>
  /** A scalar to descend, and whatever else is to be known of the batch. */
  readonly loss: (params: Bound<P>, batch: Readonly<Record<B, Tensor>>) => {
    readonly loss: Tensor
    readonly report: Readonly<Record<R, Tensor>>
  }
}

/** Names of a step graph's inputs and outputs. */
export const names = {
  param: (path: string): string => `param/${path}`,
  slot: (slot: string, path: string): string => `slot/${slot}/${path}`,
  sum: (path: string): string => `sum/${path}`,
  scalar: (name: string, group: string): string => `scalar/${name}/${group}`,
  next: (name: string): string => `next/${name}`
} as const

/** min(1, max/(norm + 1e-6)), PyTorch's clip coefficient, and the norm as it was before. */
const clipping = (squares: ReadonlyArray<Tensor>, most: number): { readonly norm: Tensor; readonly factor: Tensor } => {
  const norm = sqrt(squares.reduce((a, b) => add(a, b)))
  return { norm, factor: min(scalar(1), div(scalar(most), add(norm, scalar(1e-6)))) }
}

const record = <N extends string>(all: ReadonlyArray<N>, f: (name: N) => Input): Record<N, Input> =>
  Object.fromEntries(all.map((name) => [name, f(name)])) as Record<N, Input>

type Tensors = Record<string, Tensor>

/** The optimiser's inputs and `next/...` outputs for one parameter. */
const advance = (
  { group, optimizer }: Pick<StepSpec<any, any, any>, "group" | "optimizer">,
  path: string,
  weight: Tensor,
  gradient: Tensor
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const slot = (name: string) => names.slot(name, path)
  const factor = (name: string) => names.scalar(name, group(path)!)
  const slots = record(optimizer.slots, (name) => input(slot(name), weight.type.shape))
  const scalars = record(optimizer.scalars, (name) => input(factor(name), []))
  const next = optimizer.update(weight, gradient, slots, scalars)
  const outputs = optimizer.slots.map((name) => [names.next(slot(name)), next.slots[name]!])
  return {
    inputs: byName(Object.values({ ...slots, ...scalars })),
    outputs: { [names.next(names.param(path))]: next.weight, ...Object.fromEntries(outputs) }
  }
}

/** The paths that learn, of all. */
const learning = ({ group }: Learning, paths: Iterable<string>): ReadonlyArray<string> =>
  [...paths].filter((path) => group(path) !== undefined)

type ByPath = ReadonlyMap<string, Tensor>

/** How large gradients are: `gradNorm`, and `gradSquares`, one a weight, in order; and what they are scaled by. */
const measured = ({ maxGradNorm }: Learning, gradients: ByPath) => {
  const squares = [...gradients.values()].map((g) => sumAll(mul(g, g)))
  const { factor, norm } = clipping(squares, maxGradNorm)
  return { factor, report: { gradNorm: norm, gradSquares: concat(squares.map((s) => reshape(s, [1])), 0) } }
}

/** The update of weights by their gradients, times a factor: outputs `next/...`. */
const updated = (
  spec: Learning,
  weights: ByPath,
  gradients: ByPath,
  factor: Tensor
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const parts = [...gradients].map(([path, g]) => advance(spec, path, weights.get(path)!, mul(g, factor)))
  return {
    inputs: Object.assign({}, ...parts.map((part) => part.inputs)),
    outputs: Object.assign({}, ...parts.map((part) => part.outputs))
  }
}

/** Gradients added to what earlier batches left in `sum/...`. */
const summed = (gradients: ByPath): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const sums = new Map([...gradients].map(([path, g]) => [path, input(names.sum(path), g.type.shape)]))
  return {
    inputs: byName(sums.values()),
    outputs: Object.fromEntries([...sums].map(([path, t]) => [names.next(t.name), add(t, gradients.get(path)!)]))
  }
}

type Rest = (gradients: ByPath, weights: ByPath) => { readonly inputs: Tensors; readonly outputs: Tensors }

/** The loss and the report; `rest` makes more of the gradients, where something is trainable. */
const graph = <P extends Params, B extends string, R extends string>(spec: StepSpec<P, B, R>, rest: Rest): Graph => {
  const { bound, byPath: weights, inputs: given } = entering(spec.params, names.param)
  const batch = record(
    Object.keys(spec.batch) as Array<B>,
    (name) => input(name, spec.batch[name].shape, spec.batch[name].dtype)
  )
  const { loss, report } = spec.loss(bound, batch)
  const inputs: Tensors = { ...batch, ...given }
  const outputs: Tensors = { loss, ...report }
  const trainable = learning(spec, weights.keys())
  if (trainable.length === 0) return { name: spec.name, inputs, outputs }
  const all = grad(loss, trainable.map((path) => weights.get(path)!), spec)
  const more = rest(new Map(trainable.map((path, i) => [path, all[i]!])), weights)
  return { name: spec.name, inputs: { ...inputs, ...more.inputs }, outputs: { ...outputs, ...more.outputs } }
}

/**
 * The closed graph. Outputs: `loss` and the report; where something is trainable also `gradNorm`, `gradSquares` (one a
 * trainable parameter, in order) and the `next/...` state.
 */
export const step = <P extends Params, B extends string, R extends string>(spec: StepSpec<P, B, R>): Graph =>
  graph(spec, (gradients, weights) => {
    const { factor, report } = measured(spec, gradients)
    const { inputs, outputs } = updated(spec, weights, gradients, factor)
    return { inputs, outputs: { ...report, ...outputs } }
  })

type Finish = Learning & { readonly name: string; readonly params: Params }

const sumsOf = ({ params, ...spec }: Finish): ReadonlyMap<string, Input> => {
  const all = flatten(params)
  return new Map(learning(spec, all.keys()).map((path) => [path, input(names.sum(path), all.get(path)!.shape)]))
}

const norm = (spec: Finish): Graph => {
  const sums = sumsOf(spec)
  const { factor, report } = measured(spec, sums)
  return { name: `${spec.name}, norm`, inputs: byName(sums.values()), outputs: { ...report, factor } }
}

/** Scalars whose update is one program, where a weight has no more by itself: its results are there twice for a moment. */
const TOGETHER = 2 ** 22

/** Consecutive sums, in groups of no more than so many scalars, or of one. */
const groupsOf = (sums: ReadonlyMap<string, Input>): ReadonlyArray<ReadonlyMap<string, Input>> => {
  const groups: Array<Map<string, Input>> = []
  let room = 0
  for (const [path, sum] of sums) {
    const scalars = Nd.size(sum.type.shape)
    if (scalars > room) {
      groups.push(new Map())
      room = TOGETHER
    }
    groups.at(-1)!.set(path, sum)
    room -= scalars
  }
  return groups
}

const update = (spec: Finish): ReadonlyArray<Graph> => {
  const [weights, factor] = [inputsOf(spec.params, names.param), input("factor", [])]
  return groupsOf(sumsOf(spec)).map((sums, i) => {
    const { inputs, outputs } = updated(spec, weights, sums, factor)
    const read = [factor, ...[...sums].flatMap(([path, sum]) => [sum, weights.get(path)!])]
    return { name: `${spec.name}, update ${i + 1}`, inputs: { ...inputs, ...byName(read) }, outputs }
  })
}

/** A step at once, and in parts. */
export interface Steps {
  /** See `step`. */
  readonly whole: () => Graph
  /** Outputs: `loss`, the report, and `next/sum/...`: the gradients added to the inputs `sum/...`. */
  readonly part: () => Graph
  /** From `sum/...`: `gradNorm`, `gradSquares`, and the `factor` that clips. */
  readonly norm: () => Graph
  /** From `sum/...` and the `factor`: outputs `next/...`, of some weights each. */
  readonly update: () => ReadonlyArray<Graph>
}

/** The programs of a step: as a whole, or in parts whose gradients are summed before the update. */
export const steps = <P extends Params, B extends string, R extends string>(spec: StepSpec<P, B, R>): Steps => ({
  whole: () => step(spec),
  part: () => graph({ ...spec, name: `${spec.name}, part` }, summed),
  norm: () => norm(spec),
  update: () => update(spec)
})
