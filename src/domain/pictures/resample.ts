/**
 * Resizing as Pillow does it, to the bit: a filter stretched over what an output pixel covers, horizontally and then
 * vertically, in fixed point with 22 bits after the point and with 8-bit pixels in between.
 */
import type { Picture, Size } from "./Picture.ts"

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

/** What an output pixel sums along an axis: the weights of source pixels from `first` on, in fixed point. */
interface Taps {
  readonly first: number
  readonly weights: Int32Array
}

const fixed = (weight: number): number => Math.trunc(weight * 2 ** BITS + (weight < 0 ? -0.5 : 0.5))

const taps = (from: number, to: number, { reach, weight }: Kernel): ReadonlyArray<Taps> => {
  const scale = from / to
  const stretch = Math.max(scale, 1)
  const support = reach * stretch
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const end = Math.min(from, Math.trunc(center + support + 0.5))
    const raw = Array.from({ length: end - first }, (_, x) => weight((x + first - center + 0.5) * (1 / stretch)))
    const sum = raw.reduce((a, b) => a + b, 0)
    return { first, weights: Int32Array.from(raw, (w) => fixed(sum === 0 ? w : w / sum)) }
  })
}

/** A pass along one axis: how far apart its pixels are, and how many lines cross it, which start at `start`. */
interface Pass {
  readonly step: number
  readonly lines: number
  readonly start: (line: number) => number
  readonly end: (line: number) => number
  readonly outStep: number
}

/** Clamped to 8 bits by the array. */
const along = (data: Uint8Array, out: Uint8ClampedArray, sums: ReadonlyArray<Taps>, pass: Pass): void => {
  for (let line = 0; line < pass.lines; line++) {
    const [start, end] = [pass.start(line), pass.end(line)]
    for (let i = 0; i < sums.length; i++) {
      const { first, weights } = sums[i]!
      let sum = 1 << (BITS - 1)
      for (let x = 0; x < weights.length; x++) sum += data[start + (first + x) * pass.step]! * weights[x]!
      out[end + i * pass.outStep] = Math.floor(sum / 2 ** BITS)
    }
  }
}

const horizontally = (picture: Picture, width: number, kernel: Kernel): Picture => {
  const { channels, data, height } = picture
  if (width === picture.width) return picture
  const out = new Uint8ClampedArray(width * height * channels)
  const at = (w: number) => (line: number) => Math.floor(line / channels) * w * channels + line % channels
  along(data, out, taps(picture.width, width, kernel), {
    step: channels,
    lines: height * channels,
    start: at(picture.width),
    end: at(width),
    outStep: channels
  })
  return { width, height, channels, data: new Uint8Array(out.buffer) }
}

const vertically = (picture: Picture, height: number, kernel: Kernel): Picture => {
  const { channels, data, width } = picture
  if (height === picture.height) return picture
  const row = width * channels
  const out = new Uint8ClampedArray(row * height)
  const at = (line: number) => line
  along(data, out, taps(picture.height, height, kernel), { step: row, lines: row, start: at, end: at, outStep: row })
  return { width, height, channels, data: new Uint8Array(out.buffer) }
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

/** The picture, in RGB, at another size; itself at its own. */
export const resize = (picture: Picture, size: Size, filter: Filter): Picture => {
  if (picture.width === size.width && picture.height === size.height) return picture
  if (filter === "nearest") return nearest(picture, size)
  return vertically(horizontally(picture, size.width, kernels[filter]), size.height, kernels[filter])
}
