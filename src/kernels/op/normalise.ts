/** Normalisations of the last axis, each with its own gradient. */
import * as Nd from "../NdArray.ts"
import { apply, bytesOf, type Emitter, index, type Op, real, scalar, ShapeError, type Tensor } from "../Tensor.ts"
import { expand, reshape, sum } from "./broadcast.ts"
import { add, div, mul, reciprocal, scale, sqrt, sub } from "./elementwise.ts"
import { deposit } from "./gather.ts"

const softmaxRow = (row: Float64Array, out: Float64Array): void => {
  const greatest = row.reduce((a, b) => Math.max(a, b), -Infinity)
  let total = 0
  row.forEach((x, j) => total += out[j] = Math.exp(x - greatest))
  out.forEach((y, j) => out[j] = y / total)
}

/** Softmax over the last axis. */
export const Softmax: Op<{}> = {
  name: "Softmax",
  infer: ([x]) => x!,
  evaluate: ([x]) => Nd.mapRows(x!, softmaxRow),
  vjp: (ct, _, y) => [mul(y, sub(ct, sum(mul(ct, y), [-1], true)))],
  onnx: (emit, inputs) => emit.node("Softmax", inputs, { axis: { int: -1 } }),
  law: { ranges: [real(-3, 3)], cases: [{ shapes: [[2, 3, 4]], attrs: {} }] }
}
/** Softmax over the last axis. */
export const softmax = (x: Tensor): Tensor => apply(Softmax, [x], {})

const emitLogSoftmax = (emit: Emitter, x: string): string => {
  if (emit.target.has("LogSoftmax")) return emit.node("LogSoftmax", [x], { axis: { int: -1 } })
  const along = (opType: string, y: string) => emit.node(opType, [y, emit.ints([-1])], { keepdims: { int: 1 } })
  const shifted = emit.node("Sub", [x, along("ReduceMax", x)])
  return emit.node("Sub", [shifted, emit.node("Log", [along("ReduceSum", emit.node("Exp", [shifted]))])])
}

/** Log-softmax over the last axis. */
export const LogSoftmax: Op<{}> = {
  name: "LogSoftmax",
  infer: ([x]) => x!,
  evaluate: ([x]) =>
    Nd.mapRows(x!, (row, out) => {
      const greatest = row.reduce((a, b) => Math.max(a, b), -Infinity)
      const logTotal = greatest + Math.log(row.reduce((s, v) => s + Math.exp(v - greatest), 0))
      row.forEach((v, j) => out[j] = v - logTotal)
    }),
  vjp: (ct, [x]) => [sub(ct, mul(softmax(x!), sum(ct, [-1], true)))],
  onnx: (emit, [x]) => emitLogSoftmax(emit, x!),
  law: { ranges: [real(-3, 3)], cases: [{ shapes: [[2, 3, 4]], attrs: {} }] }
}
/** Log-softmax over the last axis. */
export const logSoftmax = (x: Tensor): Tensor => apply(LogSoftmax, [x], {})

/** Negative log-likelihood of one class per row: logits [..., n], int32 classes [...] -> nats [...]. */
export const CrossEntropy: Op<{}> = {
  name: "CrossEntropy",
  infer: ([logits, target]) => {
    if (logits!.shape.slice(0, -1).join() !== target!.shape.join()) {
      throw new ShapeError("CrossEntropy", [logits!, target!], "one class a row")
    }
    return { dtype: "float32", shape: target!.shape }
  },
  evaluate: ([logits, target]) => {
    const logp = LogSoftmax.evaluate([logits!], {}, { dtype: "float32", shape: logits!.shape })
    return { shape: target!.shape, data: target!.data.map((j, r) => -logp.data[r * logits!.shape.at(-1)! + j]!) }
  },
  vjp: (ct, [logits, target]) => {
    const excess = deposit(softmax(logits!), expand(scalar(-1), ct.type.shape), target!)
    return [mul(excess, reshape(ct, [...ct.type.shape, 1])), null]
  },
  onnx: (emit, [logits, target], _, { output }) => {
    const logp = emitLogSoftmax(emit, logits!)
    const places = emit.node("Reshape", [target!, emit.ints([...output.shape, 1])])
    const taken = emit.node("GatherElements", [logp, places], { axis: { int: -1 } })
    return emit.node("Neg", [emit.node("Reshape", [taken, emit.ints(output.shape)])])
  },
  scratch: ({ inputs }) => bytesOf(inputs[0]!),
  law: { ranges: [real(-3, 3), index(4)], cases: [{ shapes: [[2, 3, 4], [2, 3]], attrs: {} }] }
}
/** -log softmax(logits) at the target: logits [..., n], int32 targets [...] -> nats [...]. */
export const crossEntropy = (logits: Tensor, target: Tensor): Tensor => apply(CrossEntropy, [logits, target], {})

interface Epsilon {
  readonly epsilon: number
}
const meanOf = (x: Tensor): Tensor => scale(sum(x, [-1], true), 1 / x.type.shape.at(-1)!)

/** (x - mean) / √(variance + ε) · weight + bias, over the last axis. */
export const LayerNorm: Op<Epsilon> = {
  name: "LayerNorm",
  infer: ([x]) => x!,
  evaluate: ([x, weight, bias], { epsilon }) =>
    Nd.mapRows(x!, (row, out) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length
      const variance = row.reduce((s, v) => s + (v - mean) ** 2, 0) / row.length
      row.forEach((v, j) => out[j] = (v - mean) / Math.sqrt(variance + epsilon) * weight!.data[j]! + bias!.data[j]!)
    }),
  vjp: (ct, [x, weight], _, { epsilon }) => {
    const centred = sub(x!, meanOf(x!))
    const inverse = reciprocal(sqrt(add(meanOf(mul(centred, centred)), scalar(epsilon))))
    const standard = mul(centred, inverse)
    const inner = mul(ct, weight!)
    const drift = add(meanOf(inner), mul(standard, meanOf(mul(inner, standard))))
    return [mul(inverse, sub(inner, drift)), mul(ct, standard), ct]
  },
  onnx: (emit, inputs, { epsilon }) =>
    emit.node("LayerNormalization", inputs, { axis: { int: -1 }, epsilon: { float: epsilon } }),
  law: {
    ranges: [real(-2, 2), real(0.5, 2), real(-1, 1)],
    cases: [{ shapes: [[2, 3, 4], [4], [4]], attrs: { epsilon: 1e-5 } }]
  }
}
/** (x - mean) / √(variance + ε) · weight + bias, over the last axis (Ba et al. 2016). */
export const layerNorm = (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor =>
  apply(LayerNorm, [x, weight, bias], { epsilon })

/** x / √(mean square + ε) · weight, over the last axis. */
export const RmsNorm: Op<Epsilon> = {
  name: "RmsNorm",
  infer: ([x]) => x!,
  evaluate: ([x, weight], { epsilon }) =>
    Nd.mapRows(x!, (row, out) => {
      const square = row.reduce((s, v) => s + v * v, 0) / row.length
      row.forEach((v, j) => out[j] = v / Math.sqrt(square + epsilon) * weight!.data[j]!)
    }),
  vjp: (ct, [x, weight], _, { epsilon }) => {
    const inverse = reciprocal(sqrt(add(meanOf(mul(x!, x!)), scalar(epsilon))))
    const standard = mul(x!, inverse)
    const inner = mul(ct, weight!)
    return [mul(inverse, sub(inner, mul(standard, meanOf(mul(inner, standard))))), mul(ct, standard)]
  },
  onnx: (emit, inputs, { epsilon }) =>
    emit.node("SimplifiedLayerNormalization", inputs, { axis: { int: -1 }, epsilon: { float: epsilon } }),
  law: {
    ranges: [real(-2, 2), real(0.5, 2)],
    cases: [{ shapes: [[2, 3, 4], [4]], attrs: { epsilon: 1e-5 } }]
  }
}
/** x / √(mean square + ε) · weight, over the last axis (Zhang & Sennrich 2019). */
export const rmsNorm = (x: Tensor, weight: Tensor, epsilon: number): Tensor => apply(RmsNorm, [x, weight], { epsilon })

/** x / √(Σ x² + ε) over the last axis: rows of unit length, zero rows left zero. */
export const l2Normalise = (x: Tensor, epsilon = 1e-12): Tensor =>
  div(x, sqrt(add(sum(mul(x, x), [-1], true), scalar(epsilon))))
