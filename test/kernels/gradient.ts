/** The judge of gradients: the analytic gradient of an op against central differences of its meaning (fourth order), in float64. */
import * as fc from "fast-check"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul } from "../../src/kernels/op/elementwise.ts"
import { apply, constant, input, type Op, type Shape, type Tensor } from "../../src/kernels/Tensor.ts"
import { operands } from "./arbitrary.ts"

/** Greatest error of a right gradient: a thousand times what rounding leaves of the differences (1e-11). */
export const TOLERANCE = 1e-8
/** A kink or a tie within this distance of the probe makes the difference quotient meaningless. */
const KINK = 4e-3

export interface Case {
  readonly shapes: ReadonlyArray<Shape>
  readonly attrs: any
}

/** The op applied to inputs x0, x1, ... of the case's shapes. */
export const applied = (op: Op<any>, { attrs, shapes }: Case) => {
  const inputs = shapes.map((shape, i) => input(`x${i}`, shape, op.law.ranges[i]!.dtype))
  return { inputs, output: apply(op, inputs, attrs) }
}

export const feedsOf = (values: ReadonlyArray<Nd.NdArray>): Record<string, Nd.NdArray> =>
  Object.fromEntries(values.map((v, i) => [`x${i}`, v]))

/** A scalar whose gradient probes every element: Σ output · weight, with weights that differ. */
export const probe = (output: Tensor): Tensor =>
  sumAll(mul(output, constant(Nd.make(output.type.shape, (_, i) => Math.cos(1 + 3 * i)))))

const STEP = 5e-4

/** The greatest |analytic - numeric| over the elements of every real operand, relative to max(1, |numeric|). */
export const gradientError = (op: Op<any>, law: Case, values: ReadonlyArray<Nd.NdArray>): number => {
  const { inputs, output } = applied(op, law)
  const loss = probe(output)
  const real = inputs.filter((t) => t.type.dtype === "float32")
  const analytic = interpret(grad(loss, real), feedsOf(values))
  const at = (i: number, j: number, by: number): number => {
    const nudged = values.with(i, { shape: values[i]!.shape, data: values[i]!.data.with(j, values[i]!.data[j]! + by) })
    return interpret([loss], feedsOf(nudged))[0]!.data[0]!
  }
  let worst = 0
  real.forEach((t, k) => {
    const i = inputs.indexOf(t)
    analytic[k]!.data.forEach((g, j) => {
      const slope = (h: number) => (at(i, j, h) - at(i, j, -h)) / (2 * h)
      const numeric = (4 * slope(STEP) - slope(2 * STEP)) / 3
      worst = Math.max(worst, Math.abs(g - numeric) / Math.max(1, Math.abs(numeric)))
    })
  })
  return worst
}

export const differentiable = (op: Op<any>): boolean =>
  !op.stops && op.law.ranges.some((r) => r.dtype === "float32") &&
  applied(op, op.law.cases[0]!).output.type.dtype === "float32"

/** The piecewise ops are judged away from the points where they are not differentiable. */
const smooth = (op: Op<any>, values: ReadonlyArray<Nd.NdArray>): boolean => {
  if (!["Max", "Min", "ReduceMax"].includes(op.name)) return true
  const all = values.flatMap((v) => [...v.data]).toSorted((a, b) => a - b)
  return all.every((x, i) => i === 0 || x - all[i - 1]! > KINK)
}

/** The greatest error of an op's gradient over values drawn from its law. */
export const worst = (op: Op<any>, law: Case, runs = 20): number => {
  let error = 0
  fc.assert(
    fc.property(operands(op.law, law.shapes), (values) => {
      fc.pre(smooth(op, values))
      error = Math.max(error, gradientError(op, law, values))
    }),
    { numRuns: runs, seed: 1 }
  )
  return error
}
