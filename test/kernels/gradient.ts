/** The judge of gradients: the analytic gradient of an op against central differences of its meaning (fourth order), in float64. */
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul } from "../../src/kernels/op/elementwise.ts"
import { apply, constant, input, type Op, type Shape, type Tensor } from "../../src/kernels/Tensor.ts"

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
