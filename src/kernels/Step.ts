/**
 * One training step, from weights and a batch to new weights and a report: module, loss and optimiser as a single
 * graph; or in parts, with gradients accumulated over micro-batches before the update.
 */
import { grad } from "./grad.ts"
import { grouped, joined, parted } from "./joined.ts"
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

/** The optimiser's inputs and `next/...` outputs for some parameters of one group, computed as if they were one. */
const advance = (
  { group, optimizer }: Pick<StepSpec<any, any, any>, "group" | "optimizer">,
  paths: ReadonlyArray<string>,
  weights: ReadonlyArray<Tensor>,
  gradient: Tensor,
  finite: Tensor | undefined
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const factor = (name: string) => names.scalar(name, group(paths[0]!)!)
  const slots = Object.fromEntries(
    optimizer.slots.map((name) => [name, paths.map((path, i) => input(names.slot(name, path), weights[i]!.type.shape))])
  )
  const scalars = record(optimizer.scalars, (name) => input(factor(name), []))
  const before = Object.fromEntries(optimizer.slots.map((name) => [name, joined(slots[name]!)]))
  const weight = joined(weights)
  const after = optimizer.update(weight, gradient, before, scalars)
  const next = (name: (path: string) => string, all: Tensor, old: Tensor) =>
    parted(unlessSkipped(finite, all, old), weights).map((t, i) => [names.next(name(paths[i]!)), t] as const)
  return {
    inputs: byName([...Object.values(slots).flat(), ...Object.values(scalars)]),
    outputs: Object.fromEntries([
      ...next(names.param, after.weight, weight),
      ...optimizer.slots.flatMap((name) => next((path) => names.slot(name, path), after.slots[name]!, before[name]!))
    ])
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

/** The paths of each parameter group, those of up to `most` elements together. */
const together = ({ group }: Learning, gradients: ByPath, most: number): ReadonlyArray<ReadonlyArray<string>> =>
  [...Map.groupBy(gradients.keys(), (path) => group(path)!).values()].flatMap((paths) =>
    grouped(paths, (path) => Nd.size(gradients.get(path)!.type.shape), most)
  )

/**
 * The optimiser's update from gradients times `factor`, if they are `finite`: outputs `next/...`. Parameters of up to
 * `most` elements are updated together.
 */
const updated = (
  spec: Learning,
  weights: ByPath,
  gradients: ByPath,
  factor: Tensor,
  finite?: Tensor,
  most = 0
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const parts = together(spec, gradients, most).map((paths) => {
    const gradient = joined(paths.map((path) => gradients.get(path)!))
    return advance(spec, paths, paths.map((path) => weights.get(path)!), mul(gradient, factor), finite)
  })
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
 *
 * Weights of up to `most` elements are updated together: the same numbers by fewer and larger operations, which costs
 * copies and saves the time that a device takes to begin one.
 */
export const step = <P extends Params, B extends string, R extends string>(
  spec: StepSpec<P, B, R>,
  most = 0
): Graph =>
  graph(spec, (gradients, weights, scaling) => {
    const { factor, finite, report } = measured(spec, gradients, scaling)
    const { inputs, outputs } = updated(spec, weights, gradients, factor, finite, most)
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

const update = (spec: Finish): ReadonlyArray<Graph> => {
  const [weights, factor] = [inputsOf(spec.params, names.param), input("factor", [])]
  const groups = grouped(sumsOf(spec), ([_, sum]) => Nd.size(sum.type.shape), TOGETHER)
  return groups.map((sums, i) => {
    const { inputs, outputs } = updated(spec, weights, new Map(sums), factor)
    const read = [factor, ...sums.flatMap(([path, sum]) => [sum, weights.get(path)!])]
    return { name: `${spec.name}, update ${i + 1}`, inputs: { ...inputs, ...byName(read) }, outputs }
  })
}

/** The graphs of a step: whole, and in parts. */
export interface Steps {
  /** See `step`. */
  readonly whole: (most?: number) => Graph
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
  whole: (most) => step(spec, most),
  part: () => graph({ ...spec, name: `${spec.name}, part` }, summed),
  norm: () => norm(spec),
  update: () => update(spec)
})
