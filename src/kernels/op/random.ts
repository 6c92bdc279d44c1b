/** Dropout whose mask is a pure function of a key, a site and the element's place: the same on every provider. */
import { apply, bytesOf, type Emitter, type Op, type Range, real, ShapeError, type Tensor } from "../Tensor.ts"

interface Site {
  /** Share of elements set to zero, in [0, 1). */
  readonly rate: number
  /** Distinguishes the places of a graph that share a key. */
  readonly site: number
}

const [golden, first, second] = [0x9e3779b9, 0x7feb352d, 0x846ca68b]

/** A 32-bit finaliser of two multiplications and three shifts: every input bit reaches every output bit. */
const mix = (bits: number): number => {
  let x = bits | 0
  x = Math.imul(x ^ (x >>> 16), first)
  x = Math.imul(x ^ (x >>> 15), second)
  return (x ^ (x >>> 16)) >>> 0
}
const threshold = (rate: number): number => Math.floor(rate * 2 ** 32)

const emitMix = (emit: Emitter, bits: string): string => {
  const fold = (x: string, shift: number) => {
    const high = emit.node("BitShift", [x, emit.scalar("uint32", shift)], { direction: { text: "RIGHT" } })
    return emit.node("BitwiseXor", [x, high])
  }
  const a = emit.node("Mul", [fold(bits, 16), emit.scalar("uint32", first)])
  const b = emit.node("Mul", [fold(a, 15), emit.scalar("uint32", second)])
  return fold(b, 16)
}

/** Zeroes elements with the given probability and scales the rest by 1 / (1 - rate); the key is an int32 scalar. */
export const Dropout: Op<Site> = {
  name: "Dropout",
  infer: ([x, key], { rate }) => {
    if (key!.dtype !== "int32" || key!.shape.length !== 0 || !(rate >= 0 && rate < 1)) {
      throw new ShapeError("Dropout", [x!, key!], `rate ${rate} or key`)
    }
    return x!
  },
  evaluate: ([x, key], { rate, site }) => {
    const start = mix(key!.data[0]! + Math.imul(site + 1, golden))
    const keep = (i: number) => mix(Math.imul(i, golden) + start) >= threshold(rate)
    return { shape: x!.shape, data: x!.data.map((v, i) => keep(i) ? v / (1 - rate) : 0) }
  },
  vjp: (ct, [_, key], __, attrs) => [apply(Dropout, [ct, key!], attrs), null],
  onnx: (emit, [x, key], { rate, site }, { output }) => {
    const count = output.shape.reduce((a, b) => a * b, 1)
    const scalarOf = (value: number) => emit.scalar("uint32", value >>> 0)
    const start = emitMix(emit, emit.node("Add", [emit.cast(key!, "uint32"), scalarOf(Math.imul(site + 1, golden))]))
    const range = [0, count, 1].map((v) => emit.scalar("int32", v))
    const places = emit.node("Reshape", [emit.cast(emit.node("Range", range), "uint32"), emit.ints(output.shape)])
    const bits = emitMix(emit, emit.node("Add", [emit.node("Mul", [places, scalarOf(golden)]), start]))
    const dropped = emit.node("Less", [bits, scalarOf(threshold(rate))])
    const scaled = emit.node("Mul", [x!, emit.scalar("float32", 1 / (1 - rate))])
    return emit.node("Where", [dropped, emit.scalar("float32", 0), scaled])
  },
  /** Random bits before and after a turn of mixing. */
  scratch: ({ output }) => 3 * bytesOf(output),
  law: {
    ranges: [real(-2, 2), { dtype: "int32", low: -(2 ** 31), high: 2 ** 31 } satisfies Range],
    cases: [{ shapes: [[3, 4], []], attrs: { rate: 0.4, site: 3 } }]
  }
}

/** `x` with dropout, or `x` itself where there is no key (evaluation) or nothing to drop. */
export const dropout = (x: Tensor, key: Tensor | undefined, rate: number, site: number): Tensor =>
  key === undefined || rate === 0 ? x : apply(Dropout, [x, key], { rate, site })
