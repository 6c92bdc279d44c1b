/** Files of pictures as pixels: those that Pillow reads, upright; what would come out otherwise than it looks is refused. */
import * as Effect from "effect/Effect"
import type { Metadata, Sharp, SharpOptions } from "sharp"
import { ofGray, opaque, type Picture } from "../../domain/pictures/Picture.ts"
import { levels } from "../../domain/pictures/window.ts"
import { FileError, readBytes } from "../files/disk.ts"
import * as Dicom from "./dicom.ts"
import { type Format, formatOf, pngFrames } from "./format.ts"

/**
 * What decoding has done to a picture that its file does not show: turned by EXIF, 16 bits to 8, a profile left out, alpha kept; of DICOM, shown
 * by the file's window, or from its lowest to its highest value, or inverted.
 */
export type Done = "turned" | "deep" | "profile" | "alpha" | "window" | "range" | "inverted"

/** A picture with what decoding has done to it. */
export interface Decoded {
  readonly picture: Picture
  readonly format: Format
  readonly done: ReadonlyArray<Done>
}

/** What a picture may take. */
export interface Limits {
  /** The most pixels of a picture: an honest 12,000 × 12,000 has 144 million. */
  readonly max_pixels: number
}
/** 64 million: a picture of 8,000 × 8,000. */
export const limits: Limits = { max_pixels: 64_000_000 }

/** The most bytes of a picture's file. */
const LARGEST = 2 ** 28

/** Why pictures of files cannot be read or written. */
export const absent =
  "takes the package sharp, which is not installed: install the packages with optional ones (npm install), or give arrays (.npz)"

const hidden = "is a GIF with transparent pixels, of which the colours under them are not kept; save it as PNG"

type Open = (bytes: Uint8Array, options: SharpOptions) => Sharp
let loaded: Promise<Open> | undefined

/** sharp, on first use, without a cache: each picture is decoded once. */
const sharp = (): Promise<Open> =>
  loaded ??= import("sharp").then(({ default: made }) => {
    made.cache(false)
    return made
  })

/** Loads sharp; rejects where it is not installed. */
export const loading = async (): Promise<void> => void await sharp()

/** A picture as a WebP file, at most `side` pixels wide and high, never enlarged. */
export const webp = async (
  { channels, data, height, width }: Picture,
  side: number,
  quality: { readonly lossless: true } | { readonly quality: number }
): Promise<Uint8Array> =>
  new Uint8Array(
    await (await sharp())(data, { raw: { width, height, channels } })
      .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
      .webp(quality)
      .toBuffer()
  )

/** Why a picture's kind is not read, by its header; `undefined` where it is. */
const unread = (
  { depth, height, pages = 1, space, width }: Metadata,
  frames: number,
  { max_pixels }: Limits
): string | undefined => {
  const area = width * height
  if (area > max_pixels) return `has ${width} × ${height} pixels, which are more than max_pixels (${max_pixels})`
  const count = Math.max(pages, frames)
  if (count > 1) return `has ${count} frames or pages; save one of them by itself`
  if (space === "cmyk") return "is in CMYK, whose colours depend on a profile; save it in RGB"
  const gray = space === "grey16" || (depth === "ushort" && space === "b-w")
  if (gray) return "is gray with 16 bits a pixel; bring it to 8 bits with the window that is to be seen"
  if (depth !== "uchar" && depth !== "ushort") return `has pixels of type ${depth}, and is to have 8 bits a channel`
  if (!["srgb", "rgb", "rgb16", "b-w"].includes(space)) return `is in the colour space ${space}; save it in RGB`
  return undefined
}

const doneTo = ({ depth, hasProfile, orientation = 1 }: Metadata, { channels }: Picture): ReadonlyArray<Done> => [
  ...(orientation > 1 ? ["turned" as const] : []),
  ...(depth === "ushort" ? ["deep" as const] : []),
  ...(hasProfile ? ["profile" as const] : []),
  ...(channels === 4 ? ["alpha" as const] : [])
]

const isOpaque = ({ channels, data }: Picture): boolean => {
  for (let at = 3; at < data.length; at += 4) if (channels === 4 && data[at] !== 255) return false
  return true
}

/** RGB or RGBA of pixels with 1 to 4 channels: gray, gray and alpha, RGB, RGBA. */
const coloured = (data: Uint8Array, channels: number): { readonly channels: 3 | 4; readonly data: Uint8Array } => {
  if (channels === 3 || channels === 4) return { channels, data }
  const to = channels === 1 ? 3 : 4
  const out = new Uint8Array(data.length / channels * to)
  for (let at = 0; at < out.length; at++) {
    const [pixel, c] = [Math.floor(at / to), at % to]
    out[at] = data[pixel * channels + (c === 3 ? 1 : 0)]!
  }
  return { channels: to, data: out }
}

const pixels = async (open: () => Sharp): Promise<Picture> => {
  const { data, info } = await open().autoOrient().raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true })
  const plain = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const picture = { width: info.width, height: info.height, ...coloured(plain, info.channels) }
  return isOpaque(picture) ? opaque(picture, "drop") : picture
}

/** The picture in the bytes of a file that is no DICOM. */
const decoded = Effect.fnUntraced(function*(bytes: Uint8Array, format: Format, path: string, given: Limits) {
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  /** Without libvips's own words, which concurrent pictures share. */
  const damaged = () => fail(`is damaged or truncated: it begins as a ${format} picture, and cannot be decoded as one`)
  const make = yield* Effect.tryPromise({ try: sharp, catch: () => fail(absent) })
  const open = () => make(bytes, { failOn: "warning", ignoreIcc: true, limitInputPixels: false })
  const metadata = yield* Effect.tryPromise({ try: () => open().metadata(), catch: damaged })
  const why = unread(metadata, format === "png" ? pngFrames(bytes) : 1, given)
  if (why !== undefined) return yield* fail(why)
  const picture = yield* Effect.tryPromise({ try: () => pixels(open), catch: damaged })
  if (format === "gif" && picture.channels === 4) return yield* fail(hidden)
  return { picture, format, done: doneTo(metadata, picture) } satisfies Decoded as Decoded
})

/** The first of three equal channels. */
const grayIn = ({ channels, data }: Picture): Int32Array =>
  Int32Array.from({ length: data.length / channels }, (_, i) => data[i * channels]!)

/** A frame of a DICOM file as it is to be seen. */
const ofDicom = Effect.fnUntraced(function*(bytes: Uint8Array, path: string, given: Limits, frame: number | undefined) {
  const fail = (reason: string) => new FileError({ path, place: frame === undefined ? "" : `frame ${frame}`, reason })
  const { display, pixels: own, ...size } = yield* Effect.tryPromise({
    try: () => Dicom.open(bytes, frame, given.max_pixels),
    catch: (error) => fail(error instanceof Dicom.DicomError ? error.message : "is damaged: it cannot be read as DICOM")
  })
  if (own.kind === "rgb") {
    return { picture: { ...size, channels: 3, data: own.data }, format: "dicom", done: [] } as Decoded
  }
  const inner = own.kind === "jpeg" ? (yield* decoded(own.bytes, "jpeg", path, given)).picture : undefined
  if (inner && (inner.width !== size.width || inner.height !== size.height)) {
    const sizes = `${size.width} × ${size.height} pixels, and a JPEG of ${inner.width} × ${inner.height}`
    return yield* fail(`has ${sizes}`)
  }
  if (inner && own.kind === "jpeg" && !own.gray) return { picture: inner, format: "dicom", done: [] } as Decoded
  const stored = own.kind === "gray" ? own.stored : grayIn(inner!)
  return {
    picture: ofGray(size, levels(stored, display)),
    format: "dicom",
    done: [display.window === undefined ? "range" : "window", ...display.inverted ? ["inverted" as const] : []]
  } satisfies Decoded as Decoded
})

/**
 * The picture in a file's bytes. Colour profiles are not applied, as Pillow does not. Fails for what is no picture, damaged,
 * truncated, too large, or of a kind that would come out otherwise than it looks: CMYK, gray of 16 bits, several frames. `frame`: which frame
 * of a DICOM file it is, from 1.
 */
export const decode = Effect.fnUntraced(function*(
  bytes: Uint8Array,
  path: string,
  given: Limits = limits,
  frame?: number
) {
  const found = formatOf(bytes)
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  if ("refused" in found) return yield* fail(found.refused)
  if (found.format === "dicom") return yield* ofDicom(bytes, path, given, frame)
  if (frame !== undefined) return yield* fail(`is a ${found.format} picture; #frame/${frame} is for DICOM files`)
  return yield* decoded(bytes, found.format, path, given)
})

/** The picture in a file; `frame` as above. */
export const read = (path: string, given: Limits = limits, frame?: number) =>
  Effect.flatMap(readBytes(path, LARGEST), (bytes) => decode(bytes, path, given, frame))
