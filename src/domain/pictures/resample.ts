/**
 * Resizing as Pillow does it, to the bit: a filter stretched over what an output pixel covers, horizontally and then
 * vertically, in fixed point with 22 bits after the point and with 8-bit pixels in between.
 */
import { opaque, type Picture, type Size } from "./Picture.ts"

const sinc = (x: number): number => x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)

const cubic = (distance: number): number => {
  const [a, x] = [-0.5, Math.abs(distance)]
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

const hamming = (distance: number): number => {
  const x = Math.abs(distance)
  if (x === 0) return 1
  return x >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))
}

interface Kernel {
  /** Source pixels to either side, at the size of the source. */
  readonly reach: number
  readonly weight: (distance: number) => number
}

/** Filters by Pillow's names; nearest takes one pixel and weighs none. */
const kernels = {
  lanczos: { reach: 3, weight: (x) => -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0 },
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, weight: cubic },
  box: { reach: 0.5, weight: (x) => -0.5 < x && x <= 0.5 ? 1 : 0 },
  hamming: { reach: 1, weight: hamming }
} satisfies Readonly<Record<string, Kernel>>

/** A resampling filter. */
export type Filter = keyof typeof kernels | "nearest"
/** Filters in the order of Pillow's codes, which `resample` of a preprocessor's config holds. */
export const filters: ReadonlyArray<Filter> = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]

const BITS = 22

/** What each output pixel sums along an axis: `counts` source pixels from `firsts` on, by its row of `weights`, in fixed point. */
interface Taps {
  readonly firsts: Int32Array
  readonly counts: Int32Array
  /** int32 [output pixels, most] */
  readonly weights: Int32Array
  readonly most: number
}

const fixed = (weight: number): number => Math.trunc(weight * 2 ** BITS + (weight < 0 ? -0.5 : 0.5))

const taps = (from: number, to: number, { reach, weight }: Kernel): Taps => {
  const scale = from / to
  const stretch = Math.max(scale, 1)
  const support = reach * stretch
  const most = 2 * Math.ceil(support) + 1
  const [firsts, counts, weights] = [new Int32Array(to), new Int32Array(to), new Int32Array(to * most)]
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const end = Math.min(from, Math.trunc(center + support + 0.5))
    const raw = Array.from({ length: end - first }, (_, x) => weight((x + first - center + 0.5) * (1 / stretch)))
    const sum = raw.reduce((a, b) => a + b, 0)
    firsts[i] = first
    counts[i] = raw.length
    weights.set(raw.map((w) => fixed(sum === 0 ? w : w / sum)), i * most)
  }
  return { firsts, counts, weights, most }
}

/** A sum in fixed point is a level of 8 bits by this: sums are of 32 bits with sign, as Pillow's. */
const HALF = 1 << (BITS - 1)
const level = (sum: number): number => {
  const rounded = sum >> BITS
  return rounded < 0 ? 0 : rounded > 255 ? 255 : rounded
}

const horizontally = (picture: Picture, width: number, kernel: Kernel): Picture => {
  const { data, height } = picture
  if (width === picture.width) return picture
  const { counts, firsts, most, weights } = taps(picture.width, width, kernel)
  const out = new Uint8Array(width * height * 3)
  for (let y = 0, at = 0; y < height; y++) {
    for (let i = 0; i < width; i++, at += 3) {
      let from = (y * picture.width + firsts[i]!) * 3
      const end = i * most + counts[i]!
      let red = HALF
      let green = HALF
      let blue = HALF
      for (let x = i * most; x < end; x++, from += 3) {
        const weight = weights[x]!
        red = (red + Math.imul(data[from]!, weight)) | 0
        green = (green + Math.imul(data[from + 1]!, weight)) | 0
        blue = (blue + Math.imul(data[from + 2]!, weight)) | 0
      }
      out[at] = level(red)
      out[at + 1] = level(green)
      out[at + 2] = level(blue)
    }
  }
  return { width, height, channels: 3, data: out }
}

const vertically = (picture: Picture, height: number, kernel: Kernel): Picture => {
  const { data, width } = picture
  if (height === picture.height) return picture
  const { counts, firsts, most, weights } = taps(picture.height, height, kernel)
  const row = width * 3
  const [out, sums] = [new Uint8Array(row * height), new Int32Array(row)]
  for (let y = 0; y < height; y++) {
    sums.fill(HALF)
    for (let x = 0; x < counts[y]!; x++) {
      const weight = weights[y * most + x]!
      const from = (firsts[y]! + x) * row
      for (let at = 0; at < row; at++) sums[at] = (sums[at]! + Math.imul(data[from + at]!, weight)) | 0
    }
    for (let at = 0; at < row; at++) out[y * row + at] = level(sums[at]!)
  }
  return { width, height, channels: 3, data: out }
}

/** The source pixel of each output pixel along an axis: Pillow adds up steps, which rounds otherwise than products. */
const places = (from: number, to: number): Int32Array => {
  const step = from / to
  let at = step * 0.5
  return Int32Array.from({ length: to }, () => {
    const place = Math.trunc(at)
    at += step
    return place
  })
}

const nearest = (picture: Picture, { height, width }: Size): Picture => {
  const { channels, data } = picture
  const [xs, ys] = [places(picture.width, width), places(picture.height, height)]
  const out = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (ys[y]! * picture.width + xs[x]!) * channels
      out.set(data.subarray(from, from + channels), (y * width + x) * channels)
    }
  }
  return { width, height, channels, data: out }
}

/** The picture at another size, in RGB without alpha; itself at its own. */
export const resize = (picture: Picture, size: Size, filter: Filter): Picture => {
  if (picture.width === size.width && picture.height === size.height) return picture
  const rgb = opaque(picture, "drop")
  if (filter === "nearest") return nearest(rgb, size)
  return vertically(horizontally(rgb, size.width, kernels[filter]), size.height, kernels[filter])
}
