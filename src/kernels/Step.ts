/** One step of learning, closed: loss × module × optimiser as a single graph from weights and batch to weights and report. */
import type { Graph } from "./encode.ts"
import { grad } from "./grad.ts"
import { bind, type Bound, flatten, type Params } from "./nn/Module.ts"
import { reshape, sumAll } from "./op/broadcast.ts"
import { add, div, mul, sqrt } from "./op/elementwise.ts"
import { concat } from "./op/gather.ts"
import { min } from "./op/select.ts"
import type { Optimizer } from "./optim/Optimizer.ts"
import { input, scalar, type Tensor, type TensorType } from "./Tensor.ts"

export interface StepSpec<P extends Params, B extends string, R extends string> {
  readonly name: string
  readonly params: P
  readonly batch: Readonly<Record<B, TensorType>>
  /** A scalar to descend, and whatever else is to be known of the batch. */
  readonly loss: (params: Bound<P>, batch: Readonly<Record<B, Tensor>>) => {
    readonly loss: Tensor
    readonly report: Readonly<Record<R, Tensor>>
  }
  /** The group of a parameter; `undefined` where it is frozen. */
  readonly group: (path: string) => string | undefined
  readonly optimizer: Optimizer
  /** Greatest norm of all gradients together; longer ones are scaled down to it. */
  readonly maxGradNorm: number
}

/** Names of a step graph's inputs and outputs. */
export const names = {
  param: (path: string): string => `param/${path}`,
  slot: (slot: string, path: string): string => `slot/${slot}/${path}`,
  scalar: (name: string, group: string): string => `scalar/${name}/${group}`,
  next: (name: string): string => `next/${name}`
} as const

const at = (path: string, params: Params): Tensor => input(names.param(path), flatten(params).get(path)!.shape)

/** min(1, max/(norm + 1e-6)), PyTorch's clip coefficient; the norm is reported as it was before. */
const clipping = (squares: ReadonlyArray<Tensor>, most: number): { readonly norm: Tensor; readonly factor: Tensor } => {
  const norm = sqrt(squares.reduce((a, b) => add(a, b)))
  return { norm, factor: min(scalar(1), div(scalar(most), add(norm, scalar(1e-6)))) }
}

/** The closed graph. Outputs: `loss`, `gradNorm`, `gradSquares` (one a trainable parameter, in order), the report, and `next/...`. */
export const step = <P extends Params, B extends string, R extends string>(
  spec: StepSpec<P, B, R>
): Graph => {
  const weights = new Map([...flatten(spec.params)].map(([path]) => [path, at(path, spec.params)]))
  const batch = Object.fromEntries(
    Object.entries<TensorType>(spec.batch).map(([name, t]) => [name, input(name, t.shape, t.dtype)])
  ) as Record<B, Tensor>
  const { loss, report } = spec.loss(bind(spec.params, (path) => weights.get(path)!), batch)
  const trainable = [...weights.keys()].filter((path) => spec.group(path) !== undefined)
  const gradients = grad(loss, trainable.map((path) => weights.get(path)!))
  const squares = gradients.map((g) => sumAll(mul(g, g)))
  const clip = clipping(squares, spec.maxGradNorm)

  const inputs: Record<string, Tensor> = { ...batch }
  const outputs: Record<string, Tensor> = { loss, gradNorm: clip.norm, ...report }
  const ask = (name: string, shape: ReadonlyArray<number>): Tensor => inputs[name] ??= input(name, shape)
  for (const [path, weight] of weights) inputs[names.param(path)] = weight
  trainable.forEach((path, i) => {
    const weight = weights.get(path)!
    const pick = <N extends string>(all: ReadonlyArray<N>, f: (name: N) => Tensor) =>
      Object.fromEntries(all.map((name) => [name, f(name)]))
    const slots = pick(spec.optimizer.slots, (slot) => ask(names.slot(slot, path), weight.type.shape))
    const scalars = pick(spec.optimizer.scalars, (name) => ask(names.scalar(name, spec.group(path)!), []))
    const next = spec.optimizer.update(weight, mul(gradients[i]!, clip.factor), slots, scalars)
    outputs[names.next(names.param(path))] = next.weight
    for (const slot of spec.optimizer.slots) outputs[names.next(names.slot(slot, path))] = next.slots[slot]!
  })
  if (squares.length > 0) outputs["gradSquares"] = concat(squares.map((s) => reshape(s, [1])), 0)
  return { name: spec.name, inputs, outputs }
}
