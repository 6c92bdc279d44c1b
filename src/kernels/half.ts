/** Half-precision floats as their bits: IEEE float16, and bfloat16, the upper half of a float32. */

/** A half-precision type. */
export type Half = "float16" | "bfloat16"

/** float32 values, the bits of half-precision ones, or packed integers of quantised ones. */
export type Values = Float32Array | Uint16Array | Uint8Array

/** The nearest float16 to a float32, both as bits; ties to even. */
const toHalf = (bits: number): number => {
  const [sign, magnitude] = [(bits >>> 16) & 0x8000, bits & 0x7fffffff]
  if (magnitude >= 0x38800000) {
    return sign | Math.min(0x7c00, (magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13)
  }
  const exponent = magnitude >>> 23
  if (exponent < 102) return sign
  const [fraction, shift] = [(magnitude & 0x7fffff) | 0x800000, 126 - exponent]
  return sign | ((fraction + 2 ** (shift - 1) - 1 + ((fraction >>> shift) & 1)) >>> shift)
}

/** The nearest bfloat16 to a float32, both as bits; ties to even. */
const toUpper = (bits: number): number => (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16

const one = new Float32Array(1)
const itsBits = new Uint32Array(one.buffer)

/** Rounds a number to float32, then to the nearest number of the type; those out of range become infinite. */
export const rounding = (type: Half): (x: number) => number => {
  if (type === "float16") {
    const table = float16s()
    return (x) => {
      one[0] = x
      return table[toHalf(itsBits[0]!)]!
    }
  }
  return (x) => {
    one[0] = x
    itsBits[0] = toUpper(itsBits[0]!) << 16
    return one[0]
  }
}

/** Rounds float32 values to the nearest numbers of the type, in place. */
export const round = (data: Float32Array, type: Half): void => {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  if (type === "bfloat16") {
    for (let i = 0; i < bits.length; i++) bits[i] = toUpper(bits[i]!) << 16
  } else {
    const table = float16s()
    for (let i = 0; i < bits.length; i++) data[i] = table[toHalf(bits[i]!)]!
  }
}

/** float32 as half-precision bits, rounded to nearest; values out of range become infinite. */
export const toWords = (data: Float32Array, type: Half): Uint16Array => {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  const nearest = type === "float16" ? toHalf : toUpper
  const words = new Uint16Array(bits.length)
  for (let i = 0; i < words.length; i++) words[i] = nearest(bits[i]!)
  return words
}

/** Sign aside, bits from here on are NaN or infinite. */
const infinite: Readonly<Record<Half, number>> = { float16: 0x7c00, bfloat16: 0x7f80 }

/** Index of the first NaN or infinite element, or -1. */
export const firstInfinite = (words: Uint16Array, type: Half): number =>
  words.findIndex((word) => (word & 0x7fff) >= infinite[type])

const fromHalf = (word: number): number => {
  const [sign, exponent, fraction] = [word & 0x8000 ? -1 : 1, (word >> 10) & 31, word & 1023]
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
let halves: Float32Array | undefined
/** All float16 values by their bits, made on first use. */
export const float16s = (): Float32Array =>
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, word) => fromHalf(word))

/**
 * Half-precision bits as float32, into `data`, whose second half they may be: each is read before being overwritten.
 */
export const fromWords = (
  words: Uint16Array,
  type: Half,
  data: Float32Array = new Float32Array(words.length)
): Float32Array => {
  if (type === "bfloat16") {
    const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
    for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16
  } else {
    const table = float16s()
    for (let i = 0; i < words.length; i++) data[i] = table[words[i]!]!
  }
  return data
}

/** Storage dtype; float32 by default. */
interface Stored {
  readonly stored?: Half | undefined
}

/** Values in a parameter's storage dtype. */
export const asStored = (param: Stored | undefined, values: Values): Values =>
  param?.stored && values instanceof Float32Array ? toWords(values, param.stored) : values

/** Values of a parameter as float32; packed integers are none without their scales. */
export const asNumbers = (param: Stored | undefined, values: Values): Float32Array => {
  if (values instanceof Uint8Array) throw new TypeError("packed integers are no parameter of their own")
  return values instanceof Float32Array ? values : fromWords(values, param!.stored!)
}
