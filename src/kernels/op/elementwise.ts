/** Elementwise ops: arithmetic with broadcasting, and functions of one variable. */
import * as Nd from "../NdArray.ts"
import {
  apply,
  type Attribute,
  type Emitter,
  index,
  type Op,
  type Range,
  real,
  scalar,
  type Shape,
  ShapeError,
  type Tensor
} from "../Tensor.ts"
import { broadcastShape } from "./broadcast.ts"
import { erf } from "./erf.ts"

const broadcastCases: ReadonlyArray<{ readonly shapes: ReadonlyArray<Shape>; readonly attrs: {} }> = [
  { shapes: [[2, 3], [2, 3]], attrs: {} },
  { shapes: [[2, 1, 3], [4, 1]], attrs: {} },
  { shapes: [[2, 3], []], attrs: {} }
]

const binary = (
  name: string,
  f: (a: number, b: number) => number,
  vjp: (ct: Tensor, a: Tensor, b: Tensor, y: Tensor) => readonly [Tensor, Tensor],
  ranges: readonly [Range, Range]
): Op<{}> => ({
  name,
  infer: ([a, b]) => {
    const shape = broadcastShape(a!.shape, b!.shape)
    if (shape === undefined) throw new ShapeError(name, [a!, b!], "shapes do not broadcast")
    if (a!.dtype !== b!.dtype) throw new ShapeError(name, [a!, b!], "element types differ")
    return { dtype: a!.dtype, shape }
  },
  evaluate: ([a, b], _, type) => Nd.make(type.shape, (index) => f(Nd.get(a!, index), Nd.get(b!, index))),
  vjp: (ct, [a, b], y) => vjp(ct, a!, b!, y),
  onnx: (emit, inputs) => emit.node(name, inputs),
  law: { ranges, cases: broadcastCases }
})

const anything = real(-2, 2)
/** a + b, broadcast. */
export const Add = binary("Add", (a, b) => a + b, (ct) => [ct, ct], [anything, anything])
/** a - b, broadcast. */
export const Sub = binary("Sub", (a, b) => a - b, (ct) => [ct, neg(ct)], [anything, anything])
/** a · b, broadcast. */
export const Mul = binary("Mul", (a, b) => a * b, (ct, a, b) => [mul(ct, b), mul(ct, a)], [anything, anything])
/** a / b, broadcast. */
export const Div = binary(
  "Div",
  (a, b) => a / b,
  (ct, _, b, y) => {
    const share = div(ct, b)
    return [share, neg(mul(share, y))]
  },
  [anything, real(0.5, 2)]
)

const unary = (
  name: string,
  f: (x: number) => number,
  derivative: (x: Tensor, y: Tensor) => Tensor,
  range: Range,
  onnx: Op<{}>["onnx"] = (emit, inputs) => emit.node(name, inputs)
): Op<{}> => ({
  name,
  infer: ([x]) => x!,
  evaluate: ([x]) => ({ shape: x!.shape, data: x!.data.map((v) => f(v)) }),
  vjp: (ct, [x], y) => [mul(ct, derivative(x!, y))],
  onnx,
  law: { ranges: [range], cases: [{ shapes: [[2, 3]], attrs: {} }] }
})

/** -x. */
export const Neg = unary("Neg", (x) => -x, () => scalar(-1), anything)
/** eˣ. */
export const Exp = unary("Exp", Math.exp, (_, y) => y, anything)
/** The natural logarithm. */
export const Log = unary("Log", Math.log, (x) => reciprocal(x), real(0.5, 3))
/** √x. */
export const Sqrt = unary("Sqrt", Math.sqrt, (_, y) => div(scalar(0.5), y), real(0.5, 3))
/** 1 / x. */
export const Reciprocal = unary("Reciprocal", (x) => 1 / x, (_, y) => neg(mul(y, y)), real(0.5, 3))
/** The hyperbolic tangent. */
export const Tanh = unary("Tanh", Math.tanh, (_, y) => sub(scalar(1), mul(y, y)), anything)
const logistic = (x: number): number => 1 / (1 + Math.exp(-x))
/** 1 / (1 + e⁻ˣ). */
export const Sigmoid = unary("Sigmoid", logistic, (_, y) => mul(y, sub(scalar(1), y)), anything)
/** The error function. */
export const Erf = unary("Erf", erf, (x) => mul(scalar(2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x)))), anything)

/** log(1 + exp(x)), without overflow. */
export const Softplus = unary(
  "Softplus",
  (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  (x) => sigmoid(x),
  real(-4, 4)
)

const fused =
  (opType: string, attributes: Readonly<Record<string, Attribute>>) =>
  (emit: Emitter, inputs: ReadonlyArray<string>): string => emit.node(opType, inputs, attributes, "com.microsoft")

/** x Φ(x), with the exact normal CDF. */
export const Gelu = unary(
  "Gelu",
  (x) => x * 0.5 * (1 + erf(x * Math.SQRT1_2)),
  (x) => {
    const cdf = mul(scalar(0.5), add(scalar(1), apply(Erf, [mul(x, scalar(Math.SQRT1_2))], {})))
    const pdf = mul(scalar(1 / Math.sqrt(2 * Math.PI)), exp(mul(scalar(-0.5), mul(x, x))))
    return add(cdf, mul(x, pdf))
  },
  anything,
  fused("Gelu", {})
)

/** x Φ(x), with the tanh approximation of the normal CDF (Hendrycks & Gimpel 2016). */
export const GeluTanh = unary(
  "GeluTanh",
  (x) => x * 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  (x) => {
    const [square, root] = [mul(x, x), Math.sqrt(2 / Math.PI)]
    const t = tanh(scale(mul(x, add(scalar(1), scale(square, 0.044715))), root))
    const slope = scale(add(scalar(1), scale(square, 3 * 0.044715)), root)
    const inner = mul(mul(x, slope), sub(scalar(1), mul(t, t)))
    return scale(add(add(scalar(1), t), inner), 0.5)
  },
  anything,
  (emit, inputs) => emit.node("Gelu", inputs, { approximate: { text: "tanh" } })
)

/** x σ(x). */
export const Silu = unary(
  "Silu",
  (x) => x * logistic(x),
  (x, y) => {
    const s = sigmoid(x)
    return add(s, mul(y, sub(scalar(1), s)))
  },
  anything,
  (emit, [x]) => emit.node("Mul", [x!, emit.node("Sigmoid", [x!])])
)

/** Integers as float32, and booleans as 1 and 0. */
export const Float: Op<{}> = {
  name: "Float",
  infer: ([x]) => ({ dtype: "float32", shape: x!.shape }),
  evaluate: ([x]) => x!,
  vjp: () => [null],
  onnx: (emit, [x]) => emit.cast(x!, "float32"),
  law: { ranges: [index(9)], cases: [{ shapes: [[2, 3]], attrs: {} }] }
}

/** a + b, broadcast. */
export const add = (a: Tensor, b: Tensor): Tensor => apply(Add, [a, b], {})
/** a - b, broadcast. */
export const sub = (a: Tensor, b: Tensor): Tensor => apply(Sub, [a, b], {})
/** a · b, broadcast. */
export const mul = (a: Tensor, b: Tensor): Tensor => apply(Mul, [a, b], {})
/** a / b, broadcast. */
export const div = (a: Tensor, b: Tensor): Tensor => apply(Div, [a, b], {})
/** -x. */
export const neg = (x: Tensor): Tensor => apply(Neg, [x], {})
/** eˣ. */
export const exp = (x: Tensor): Tensor => apply(Exp, [x], {})
/** The natural logarithm. */
export const log = (x: Tensor): Tensor => apply(Log, [x], {})
/** √x. */
export const sqrt = (x: Tensor): Tensor => apply(Sqrt, [x], {})
/** 1 / x. */
export const reciprocal = (x: Tensor): Tensor => apply(Reciprocal, [x], {})
/** The hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => apply(Tanh, [x], {})
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => apply(Sigmoid, [x], {})
/** log(1 + eˣ). */
export const softplus = (x: Tensor): Tensor => apply(Softplus, [x], {})
/** x Φ(x), by the error function (Hendrycks & Gimpel 2016). */
export const gelu = (x: Tensor): Tensor => apply(Gelu, [x], {})
/** GELU with the tanh approximation (Hendrycks & Gimpel 2016). */
export const geluTanh = (x: Tensor): Tensor => apply(GeluTanh, [x], {})
/** x · sigmoid(x) (Elfwing et al. 2018). */
export const silu = (x: Tensor): Tensor => apply(Silu, [x], {})
/** int32 or bool -> float32 */
export const float = (x: Tensor): Tensor => apply(Float, [x], {})
/** x times a number. */
export const scale = (x: Tensor, by: number): Tensor => mul(x, scalar(by))
