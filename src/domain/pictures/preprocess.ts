/** From a picture to what an encoder of pictures takes: resized, cropped, scaled and normalised (CLIP, Radford et al. 2021). */
import { type Alpha, opaque, type Picture, type Size } from "./Picture.ts"
import { type Filter, resize } from "./resample.ts"

/** The size a picture is brought to: given, or by one of its edges with its proportions kept. */
export type Target =
  | Size
  | { readonly shortest: number }
  /** The other edge is made even; neither exceeds 4096. */
  | { readonly longest: number }

/** A colour: red, green, blue. */
export type Colour = readonly [number, number, number]

/** What is done to a picture, in this order. */
export interface Preprocessing {
  readonly alpha: Alpha
  /** The picture is padded to a square with this colour, of 8 bits a channel. */
  readonly square?: Colour
  /** Each with its own rounding to 8 bits. */
  readonly sizes: ReadonlyArray<Target>
  readonly filter: Filter
  /** The picture is divided into squares of this side, if it is larger, and is given whole after them (`parts.ts`). */
  readonly split?: number
  /** The middle of the picture; where it is smaller, zeros around it. */
  readonly crop?: Size
  /** Where half a pixel would be cut off before the middle: one less, or as many as make an even number (torchvision). */
  readonly half?: "down" | "even"
  /** Factor that brings 0 to 255 to 0 to 1; 1 leaves them. */
  readonly scale: number
  readonly normalise?: { readonly mean: Colour; readonly std: Colour }
}

/** Pixels as an encoder takes them. */
export interface Pixels extends Size {
  /** float32 [3, height, width] */
  readonly data: Float32Array
}

/** Longest edge of pictures that are resized by their longest edge. */
const LONGEST = 4096

const byLongest = ({ height, width }: Size, longest: number): Size => {
  const ratio = width / height
  const even = (n: number) => Math.max(1, n + n % 2)
  const [w, h] = width >= height
    ? [longest, even(Math.trunc(longest / ratio))]
    : [even(Math.trunc(longest * ratio)), longest]
  if (Math.max(w, h) <= LONGEST) return { width: w, height: h }
  return w >= h
    ? { width: LONGEST, height: Math.max(1, Math.trunc(LONGEST / (w / h))) }
    : { width: Math.max(1, Math.trunc(LONGEST * (w / h))), height: LONGEST }
}

/** The size that a picture of this size is resized to. */
export const targetSize = (size: Size, to: Target): Size => {
  if ("longest" in to) return byLongest(size, to.longest)
  if (!("shortest" in to)) return to
  const { height, width } = size
  const long = (a: number, b: number) => Math.trunc(to.shortest * a / b)
  return width <= height
    ? { width: to.shortest, height: long(height, width) }
    : { width: long(width, height), height: to.shortest }
}

/** The picture in the middle of a square of this colour. */
const squared = (picture: Picture, colour: Colour): Picture => {
  const { data, height, width } = picture
  const side = Math.max(width, height)
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)]
  const out = new Uint8Array(side * side * 3)
  for (let at = 0; at < out.length; at++) out[at] = colour[at % 3]!
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((y + top) * side + left) * 3)
  }
  return { width: side, height: side, channels: 3, data: out }
}

/** Where the middle begins along an axis; negative where the picture is smaller. */
const middle = (from: number, to: number, half: Preprocessing["half"]): number => {
  const below = Math.floor((from - to) / 2)
  return half === "even" && (from - to) % 2 !== 0 && below % 2 !== 0 ? below + 1 : below
}

const cropped = (picture: Picture, { height, width }: Size, half: Preprocessing["half"]): Picture => {
  if (picture.width === width && picture.height === height) return picture
  const [left, top] = [middle(picture.width, width, half), middle(picture.height, height, half)]
  const out = new Uint8Array(width * height * 3)
  const [x0, x1] = [Math.max(0, left), Math.min(picture.width, left + width)]
  for (let y = Math.max(0, -top); y < height && y + top < picture.height; y++) {
    const row = (y + top) * picture.width
    out.set(picture.data.subarray((row + x0) * 3, (row + x1) * 3), (y * width + x0 - left) * 3)
  }
  return { width, height, channels: 3, data: out }
}

/** The value of each of the 256 levels of a channel, with NumPy's rounding to float32 after each operation. */
const levels = ({ normalise, scale }: Preprocessing, channel: number): Float32Array => {
  const mean = Math.fround(normalise?.mean[channel] ?? 0)
  const std = Math.fround(normalise?.std[channel] ?? 1)
  return Float32Array.from({ length: 256 }, (_, level) => {
    const scaled = Math.fround(level * scale)
    return normalise ? Math.fround(Math.fround(scaled - mean) / std) : scaled
  })
}

/** The size of multiples of `side` that a picture is resized to before it is divided (Idefics3). */
const multiples = ({ height, width }: Size, side: number): Size => {
  const up = (n: number) => Math.ceil(n / side) * side
  const ratio = width / height
  return width >= height
    ? { width: up(width), height: up(Math.trunc(up(width) / ratio)) }
    : { width: up(Math.trunc(up(height) * ratio)), height: up(height) }
}

/** The sizes that a picture of this size has on its way through `shaped`, its own (or of its square) first. */
const passed = (size: Size, { sizes, split, square }: Pick<Preprocessing, "sizes" | "split" | "square">) => {
  const side = Math.max(size.width, size.height)
  const all: Array<Size> = [square ? { width: side, height: side } : size]
  for (const to of sizes) all.push(targetSize(all.at(-1)!, to))
  if (split !== undefined) all.push(multiples(all.at(-1)!, split))
  return all
}

/** The most pixels that a picture of this size has on its way through `shaped`. */
export const mostPixels = (size: Size, p: Pick<Preprocessing, "sizes" | "split" | "square">): number =>
  Math.max(...passed(size, p).map(({ height, width }) => width * height))

/** The size of a picture of this size after `shaped`. */
export const shapedSize = (size: Size, p: Preprocessing): Size => p.crop ?? passed(size, p).at(-1)!

/** The picture at the size an encoder takes it, in RGB. */
export const shaped = (picture: Picture, p: Preprocessing): Picture => {
  const plain = opaque(picture, p.alpha)
  const padded = p.square ? squared(plain, p.square) : plain
  const sized = passed(picture, p).slice(1).reduce<Picture>((one, to) => resize(one, to, p.filter), padded)
  return p.crop ? cropped(sized, p.crop, p.half) : sized
}

/** Pixels of a picture that is at its size, in RGB. */
export const normalised = ({ data, height, width }: Picture, p: Preprocessing): Pixels => {
  const area = width * height
  const out = new Float32Array(3 * area)
  for (let c = 0; c < 3; c++) {
    const values = levels(p, c)
    for (let at = 0; at < area; at++) out[c * area + at] = values[data[at * 3 + c]!]!
  }
  return { width, height, data: out }
}

/** What an encoder of pictures takes: bit for bit what transformers' Pillow backend makes of the same pixels. */
export const preprocess = (picture: Picture, p: Preprocessing): Pixels => normalised(shaped(picture, p), p)

/**
 * Patches of `side` × `side` pixels, row by row: float32 [n, 3·side·side], each in the order of channel, row, column. Pixels
 * right of and below the last whole patch are left out, as a convolution leaves them out.
 */
export const unfold = ({ data, height, width }: Pixels, side: number): Float32Array => {
  const [rows, columns] = [Math.floor(height / side), Math.floor(width / side)]
  const out = new Float32Array(rows * columns * 3 * side * side)
  let at = 0
  for (let patch = 0; patch < rows * columns; patch++) {
    const [top, left] = [Math.floor(patch / columns) * side, patch % columns * side]
    for (let line = 0; line < 3 * side; line++) {
      const from = (Math.floor(line / side) * height + top + line % side) * width + left
      out.set(data.subarray(from, from + side), at)
      at += side
    }
  }
  return out
}
