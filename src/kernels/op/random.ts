/** Dropout whose mask is a pure function of a key, a site and the element's index: the same on every provider. */
import { apply, bytesOf, type Emitter, type Op, type Range, real, ShapeError, type Tensor } from "../Tensor.ts"

interface Site {
  /** Fraction of elements set to zero, in [0, 1). */
  readonly rate: number
  /** Distinguishes the dropouts of a graph that share a key. */
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

/** (x ^ (x >>> shift)) times a factor. */
type Fold = (emit: Emitter, x: string, shift: number, factor: number) => string

const byBits: Fold = (emit, x, shift, factor) => {
  const high = emit.node("BitShift", [x, emit.scalar("uint32", shift)], { direction: { text: "RIGHT" } })
  const folded = emit.node("BitwiseXor", [x, high])
  return factor === 1 ? folded : emit.node("Mul", [folded, emit.scalar("uint32", factor)])
}

/** The bits of a number, each preceded by a zero. */
const spread = (bits: number): number => {
  let [x, to] = [0, 1]
  for (let rest = bits; rest > 0; rest = Math.floor(rest / 2), to *= 4) x += (rest % 2) * to
  return x
}
/** Every other bit of a number: the inverse of `spread`. */
const gathered = (bits: number): number => {
  let [x, to] = [0, 1]
  for (let rest = bits; rest > 0; rest = Math.floor(rest / 4), to *= 2) x += (rest % 2) * to
  return x
}
const tables = new Map<string, Uint32Array>()
/** Values of a function at 0..size-1, modulo 2^32; computed once per name. */
const tableOf = (name: string, size: number, f: (x: number) => number): Uint32Array => {
  const made = tables.get(name) ?? Uint32Array.from({ length: size }, (_, x) => f(x))
  tables.set(name, made)
  return made
}
const half = 2 ** 16

/**
 * The same without shifts and bitwise operators: XOR is the sum of spread bits, of which every other bit is kept,
 * without carries. Spreading and its inverse are table look-ups, the factor included.
 */
const byTables: Fold = (emit, x, shift, factor) => {
  const unit = 2 ** shift
  const uint = (value: number) => emit.scalar("uint32", value)
  const split = (value: string, by: number) => {
    const high = emit.node("Div", [value, uint(by)])
    return { high, low: emit.node("Sub", [value, emit.node("Mul", [high, uint(by)])]) }
  }
  const looked = (at: string, name: string, size: number, f: (x: number) => number) => {
    const table = emit.constant("uint32", [size], tableOf(name, size, f))
    return emit.node("Gather", [table, emit.cast(at, "int32")], { axis: { int: 0 } })
  }
  const sum = (...terms: ReadonlyArray<string>) => terms.reduce((a, b) => emit.node("Add", [a, b]))
  const { high, low } = split(x, unit)
  const upper = looked(
    high,
    `upper ${shift} ${factor}`,
    2 ** (32 - shift),
    (a) => Math.imul(a ^ (a >>> shift), Math.imul(unit, factor)) >>> 0
  )
  const above = looked(high, `spread ${shift}`, 2 ** (32 - shift), (a) => spread(a % unit))
  const both = split(sum(above, looked(low, `spread below ${shift}`, unit, spread)), half)
  const back = (at: string, scale: number) =>
    looked(at, `gathered ${scale}`, half, (z) => Math.imul(gathered(z), scale) >>> 0)
  return sum(upper, back(both.high, Math.imul(256, factor)), back(both.low, factor))
}

const emitMix = (emit: Emitter, bits: string): string => {
  const fold = emit.target.has("BitwiseXor", "uint32") ? byBits : byTables
  return fold(emit, fold(emit, fold(emit, bits, 16, first), 15, second), 16, 1)
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
  /** Random bits before and after a round of mixing. */
  scratch: ({ output }) => 3 * bytesOf(output),
  law: {
    ranges: [real(-2, 2), { dtype: "int32", low: -(2 ** 31), high: 2 ** 31 } satisfies Range],
    cases: [{ shapes: [[3, 4], []], attrs: { rate: 0.4, site: 3 } }]
  }
}

/** `x` with dropout, or `x` itself where there is no key (evaluation) or nothing to drop. */
export const dropout = (x: Tensor, key: Tensor | undefined, rate: number, site: number): Tensor =>
  key === undefined || rate === 0 ? x : apply(Dropout, [x, key], { rate, site })
