/**
 * One training step, from weights and a batch to new weights and a report: module, loss and optimiser as a single
 * graph; or in parts, with gradients accumulated over micro-batches before the update.
 */
import { grad } from "./grad.ts"
import * as Nd from "./NdArray.ts"
import { type Bound, entering, flatten, inputs as inputsOf, type Params } from "./nn/Module.ts"
import type { Graph } from "./onnx/encode.ts"
import { reshape, sumAll } from "./op/broadcast.ts"
import { add, div, float, mul, sqrt } from "./op/elementwise.ts"
import { concat } from "./op/gather.ts"
import { less, min, not, where } from "./op/select.ts"
import * as GradScaler from "./optim/gradScaler.ts"
import type { Optimizer } from "./optim/Optimizer.ts"
import { byName, type Input, input, scalar, type Tensor, type TensorType } from "./Tensor.ts"

/** Optimisation settings of a step, independent of model and loss. */
export interface Learning {
  /** Parameter group of a path; `undefined` if it is frozen. */
  readonly group: (path: string) => string | undefined
  readonly optimizer: Optimizer
  /** Gradient clipping: maximum global norm of all gradients. */
  readonly maxGradNorm: number
  /** Loss scaling, for products in float16: updates whose gradients are not finite are skipped. */
  readonly scaler?: GradScaler.GradScaler | undefined
  /** Gradient checkpointing: recompute what lies between saved expressions in the backward pass. */
  readonly checkpointing?: boolean
}

/** What a training step is made of. */
export interface StepSpec<P extends Params, B extends string, R extends string> extends Learning {
  readonly name: string
  readonly params: P
  readonly batch: Readonly<Record<B, TensorType>>
  /** The scalar loss to minimise, and named tensors to report. */
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
  scaler: (name: string): string => `scaler/${name}`,
  next: (name: string): string => `next/${name}`
} as const

/** PyTorch's clip coefficient, min(1, max/(norm + 1e-6)), and the norm before clipping. */
const clipping = (squares: ReadonlyArray<Tensor>, most: number): { readonly norm: Tensor; readonly factor: Tensor } => {
  const norm = sqrt(squares.reduce((a, b) => add(a, b)))
  return { norm, factor: min(scalar(1), div(scalar(most), add(norm, scalar(1e-6)))) }
}

const record = <N extends string>(all: ReadonlyArray<N>, f: (name: N) => Input): Record<N, Input> =>
  Object.fromEntries(all.map((name) => [name, f(name)])) as Record<N, Input>

type Tensors = Record<string, Tensor>

type Scaling = GradScaler.ScalerState<Input>

/** The state of the loss scale, as inputs; `undefined` without one. */
const scalingOf = ({ scaler }: Learning): Scaling | undefined =>
  scaler && record(GradScaler.state, (name) => input(names.scaler(name), []))

/** `next` where the update is made, else `before`, unchanged. */
const unlessSkipped = (finite: Tensor | undefined, next: Tensor, before: Tensor): Tensor =>
  finite ? where(finite, next, before) : next

/** The optimiser's inputs and `next/...` outputs for one parameter. */
const advance = (
  { group, optimizer }: Pick<StepSpec<any, any, any>, "group" | "optimizer">,
  path: string,
  weight: Tensor,
  gradient: Tensor,
  finite: Tensor | undefined
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const slot = (name: string) => names.slot(name, path)
  const factor = (name: string) => names.scalar(name, group(path)!)
  const slots = record(optimizer.slots, (name) => input(slot(name), weight.type.shape))
  const scalars = record(optimizer.scalars, (name) => input(factor(name), []))
  const next = optimizer.update(weight, gradient, slots, scalars)
  const outputs = optimizer.slots.map((name) => [
    names.next(slot(name)),
    unlessSkipped(finite, next.slots[name]!, slots[name]!)
  ])
  return {
    inputs: byName(Object.values({ ...slots, ...scalars })),
    outputs: {
      [names.next(names.param(path))]: unlessSkipped(finite, next.weight, weight),
      ...Object.fromEntries(outputs)
    }
  }
}

/** The trainable paths. */
const learning = ({ group }: Learning, paths: Iterable<string>): ReadonlyArray<string> =>
  [...paths].filter((path) => group(path) !== undefined)

type ByPath = ReadonlyMap<string, Tensor>

/** Whether the update is made, and the loss scale after it: reports `skipped` (1 or 0) and `lossScale`, its next state. */
const judged = (
  scaler: GradScaler.GradScaler,
  scaling: Scaling,
  gradNorm: Tensor
): { readonly finite: Tensor; readonly report: Tensors } => {
  const finite = less(gradNorm, scalar(Infinity))
  const after = GradScaler.advanced(scaler, scaling, finite)
  const next = GradScaler.state.map((name) => [names.next(names.scaler(name)), after[name]])
  return { finite, report: { skipped: float(not(finite)), lossScale: after.scale, ...Object.fromEntries(next) } }
}

/**
 * The reports `gradNorm` and `gradSquares` (one per weight, in order), and the clip coefficient `factor`; with a loss
 * scale also those of `judged`.
 */
const measured = ({ maxGradNorm, scaler }: Learning, gradients: ByPath, scaling: Scaling | undefined) => {
  const squares = [...gradients.values()].map((g) => sumAll(mul(g, g)))
  const { factor, norm } = clipping(squares, maxGradNorm)
  const { finite, report } = scaler && scaling ? judged(scaler, scaling, norm) : {}
  return {
    factor,
    finite,
    report: { gradNorm: norm, gradSquares: concat(squares.map((s) => reshape(s, [1])), 0), ...report }
  }
}

/** The optimiser's update from gradients times `factor`, if they are `finite`: outputs `next/...`. */
const updated = (
  spec: Learning,
  weights: ByPath,
  gradients: ByPath,
  factor: Tensor,
  finite?: Tensor
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const parts = [...gradients].map(([path, g]) => advance(spec, path, weights.get(path)!, mul(g, factor), finite))
  return {
    inputs: Object.assign({}, ...parts.map((part) => part.inputs)),
    outputs: Object.assign({}, ...parts.map((part) => part.outputs))
  }
}

/** Adds the gradients to those accumulated in `sum/...`. */
const summed = (gradients: ByPath): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const sums = new Map([...gradients].map(([path, g]) => [path, input(names.sum(path), g.type.shape)]))
  return {
    inputs: byName(sums.values()),
    outputs: Object.fromEntries([...sums].map(([path, t]) => [names.next(t.name), add(t, gradients.get(path)!)]))
  }
}

type Rest = (
  gradients: ByPath,
  weights: ByPath,
  scaling: Scaling | undefined
) => { readonly inputs: Tensors; readonly outputs: Tensors }

/** Gradients of the loss; with a scale, those of the loss times it, divided by it again in float32. */
const gradientsOf = (loss: Tensor, wrt: ReadonlyArray<Tensor>, spec: Learning, scale: Tensor | undefined) =>
  scale ? grad(mul(loss, scale), wrt, spec).map((g) => div(g, scale)) : grad(loss, wrt, spec)

/** The loss and the report, and what `rest` adds from the gradients if anything is trainable. */
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
  const scaling = scalingOf(spec)
  const all = gradientsOf(loss, trainable.map((path) => weights.get(path)!), spec, scaling?.scale)
  const more = rest(new Map(trainable.map((path, i) => [path, all[i]!])), weights, scaling)
  const scale = byName(scaling ? [scaling.scale] : [])
  return { name: spec.name, inputs: { ...inputs, ...scale, ...more.inputs }, outputs: { ...outputs, ...more.outputs } }
}

/**
 * The whole step as one graph. Outputs: `loss` and the report; if anything is trainable also `gradNorm`, `gradSquares`
 * (one per trainable parameter, in order) and the `next/...` state. With a loss scale also `skipped`, 1 if the gradients
 * were not finite and the state is as before, else 0; and `lossScale`, the scale after the step.
 */
export const step = <P extends Params, B extends string, R extends string>(spec: StepSpec<P, B, R>): Graph =>
  graph(spec, (gradients, weights, scaling) => {
    const { factor, finite, report } = measured(spec, gradients, scaling)
    const { inputs, outputs } = updated(spec, weights, gradients, factor, finite)
    return { inputs: { ...inputs, ...byName(Object.values(scaling ?? {})) }, outputs: { ...report, ...outputs } }
  })

type Finish = Learning & { readonly name: string; readonly params: Params }

const sumsOf = ({ params, ...spec }: Finish): ReadonlyMap<string, Input> => {
  const all = flatten(params)
  return new Map(learning(spec, all.keys()).map((path) => [path, input(names.sum(path), all.get(path)!.shape)]))
}

const norm = (spec: Finish): Graph => {
  const sums = sumsOf(spec)
  const scaling = scalingOf(spec)
  const { factor, report } = measured(spec, sums, scaling)
  const inputs = byName([...sums.values(), ...Object.values(scaling ?? {})])
  return { name: `${spec.name}, norm`, inputs, outputs: { ...report, factor } }
}

/** Elements updated per program, unless one weight has more. Outputs briefly exist twice: this bounds peak memory. */
const TOGETHER = 2 ** 22

/** Consecutive accumulated gradients, grouped up to `TOGETHER` elements; a larger one is a group of its own. */
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

/** The graphs of a step: whole, and in parts. */
export interface Steps {
  /** See `step`. */
  readonly whole: () => Graph
  /** Outputs: `loss`, the report, and `next/sum/...`: the gradients added to the inputs `sum/...`. */
  readonly part: () => Graph
  /**
   * From `sum/...`: `gradNorm`, `gradSquares` and the clip coefficient `factor`; with a loss scale also `skipped`,
   * `lossScale` and its next state.
   */
  readonly norm: () => Graph
  /** From `sum/...` and `factor`: outputs `next/...`, for a group of weights per graph. Not to run if `skipped`. */
  readonly update: () => ReadonlyArray<Graph>
}

/** The graphs of a step: whole, or in parts whose gradients are accumulated before the update. */
export const steps = <P extends Params, B extends string, R extends string>(spec: StepSpec<P, B, R>): Steps => ({
  whole: () => step(spec),
  part: () => graph({ ...spec, name: `${spec.name}, part` }, summed),
  norm: () => norm(spec),
  update: () => update(spec)
})
