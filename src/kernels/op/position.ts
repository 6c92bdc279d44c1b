/** Rotary position embedding (Su et al. 2021), in the half-split layout of Hugging Face's Llama. */
import * as Nd from "../NdArray.ts"
import { apply, type Emitter, type Op, real, ShapeError, type Tensor } from "../Tensor.ts"
import { sum } from "./broadcast.ts"
import { mul, neg, sub } from "./elementwise.ts"
import { slice } from "./gather.ts"

interface Rotation {
  /** Rotate by the negative angle: the inverse and the adjoint. */
  readonly reverse: boolean
}

/** 2π in parts: the first two have so few bits that their products with integers up to 4,096 are exact. */
const TURN = [6.28125, 0.001935482025146484375, 2 * Math.PI - 6.28125 - 0.001935482025146484375] as const

/** Taylor coefficients in y², highest first: sin y = y p(y²) and cos y = p(y²), for |y| up to π/2. */
const series = (first: number): ReadonlyArray<number> => {
  const coefficients = [1]
  for (let n = first + 1; n < 16; n += 2) coefficients.unshift(-coefficients[0]! / (n * (n + 1)))
  return coefficients
}
const [ofSine, ofCosine] = [series(1), series(0)]

/**
 * Cosine and sine for providers whose own are imprecise: WebGPU guarantees three digits, and nothing beyond ±π. The
 * angle is reduced modulo 2π, and the polynomials are evaluated at half the remainder.
 */
const byPolynomials = (emit: Emitter, angle: string): { readonly cosine: string; readonly sine: string } => {
  const real = (x: number) => emit.scalar("float32", x)
  const times = (a: string, b: string) => emit.node("Mul", [a, b])
  const plus = (a: string, b: string) => emit.node("Add", [a, b])
  const turns = emit.node("Floor", [plus(times(angle, real(1 / (2 * Math.PI))), real(0.5))])
  const rest = TURN.reduce((x, part) => emit.node("Sub", [x, times(turns, real(part))]), angle)
  const y = times(rest, real(0.5))
  const square = times(y, y)
  const polynomial = ([highest, ...others]: ReadonlyArray<number>) =>
    others.reduce((sum, coefficient) => plus(times(sum, square), real(coefficient)), real(highest!))
  const [s, c] = [times(y, polynomial(ofSine)), polynomial(ofCosine)]
  const twice = (x: string) => times(real(2), x)
  return { sine: twice(times(s, c)), cosine: emit.node("Sub", [real(1), twice(times(s, s))]) }
}

/** Rotates dimension pair (i, i + d/2) of a head by the token's i-th angle: x [b, heads, n, d], angles [b, n, d/2]. */
export const Rotary: Op<Rotation> = {
  name: "Rotary",
  infer: ([x, angles]) => {
    const [b, _, n, d] = x!.shape
    if (x!.shape.length !== 4 || angles!.shape.join() !== [b, n, d! / 2].join()) {
      throw new ShapeError("Rotary", [x!, angles!], "not [b, heads, n, d] and [b, n, d/2]")
    }
    return x!
  },
  evaluate: ([x, angles], { reverse }, type) => {
    const half = angles!.shape[2]!
    return Nd.make(type.shape, ([b, _, n, i], flat) => {
      const angle = Nd.get(angles!, [b!, n!, i! % half]) * (reverse ? -1 : 1)
      const partner = i! < half ? -x!.data[flat + half]! : x!.data[flat - half]!
      return x!.data[flat]! * Math.cos(angle) + partner * Math.sin(angle)
    })
  },
  vjp: (ct, [_, angles], y, { reverse }) => {
    const half = angles!.type.shape[2]!
    const [first, second] = [(t: Tensor) => slice(t, 3, 0, half), (t: Tensor) => slice(t, 3, half, 2 * half)]
    const turned = sum(sub(mul(second(ct), first(y)), mul(first(ct), second(y))), [1])
    return [apply(Rotary, [ct, angles!], { reverse: !reverse }), reverse ? neg(turned) : turned]
  },
  onnx: (emit, [x, angles], { reverse }, { inputs }) => {
    const [b, n, half] = inputs[1]!.shape as [number, number, number]
    const rows = emit.node("Reshape", [angles!, emit.ints([-1, half])])
    const { cosine, sine } = emit.target.has("Cos")
      ? { cosine: emit.node("Cos", [rows]), sine: emit.node("Sin", [reverse ? emit.node("Neg", [rows]) : rows]) }
      : byPolynomials(emit, reverse ? emit.node("Neg", [rows]) : rows)
    const places = emit.target.has("Range", "int64")
      ? emit.node("Reshape", [
        emit.node("Range", [0, b * n, 1].map((v) => emit.scalar("int64", v))),
        emit.ints([b, n])
      ])
      : emit.constant("int64", [b, n], Array.from({ length: b * n }, (_, i) => i))
    return emit.node("RotaryEmbedding", [x!, places, cosine, sine], {}, "com.microsoft")
  },
  law: {
    ranges: [real(-2, 2), real(-4, 4)],
    cases: [
      { shapes: [[2, 2, 3, 4], [2, 3, 2]], attrs: { reverse: false } },
      { shapes: [[2, 1, 3, 4], [2, 3, 2]], attrs: { reverse: true } }
    ]
  }
}
/** RoPE of x [b, heads, n, d] by angles [b, n, d/2] in radians: pair (i, i + d/2) turns by the token's i-th. */
export const rotary = (x: Tensor, angles: Tensor): Tensor => apply(Rotary, [x, angles], { reverse: false })
