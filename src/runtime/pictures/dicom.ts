/** DICOM files as what their pixels are: numbers with a window, colours, or a JPEG stream. */
import type * as DicomParser from "dicom-parser"
import type { Size } from "../../domain/pictures/Picture.ts"
import { type Display, shapes, type Window } from "../../domain/pictures/window.ts"

/** Why a DICOM file is not read, as the end of a sentence that begins with its name. */
export class DicomError extends Error {}

/** What a frame has. */
export type Pixels =
  /** Stored numbers [height, width]. */
  | { readonly kind: "gray"; readonly stored: Int32Array }
  /** Colours [height, width, 3]. */
  | { readonly kind: "rgb"; readonly data: Uint8Array }
  /** A JPEG stream of 8 bits, gray or in colours. */
  | { readonly kind: "jpeg"; readonly bytes: Uint8Array; readonly gray: boolean }

/** A frame of a DICOM file. */
export interface Frame extends Size {
  readonly pixels: Pixels
  readonly display: Display
}

const tags = {
  syntax: "x00020010",
  samples: "x00280002",
  photometric: "x00280004",
  planar: "x00280006",
  frames: "x00280008",
  rows: "x00280010",
  columns: "x00280011",
  allocated: "x00280100",
  stored: "x00280101",
  highBit: "x00280102",
  signed: "x00280103",
  padding: "x00280120",
  paddingLimit: "x00280121",
  center: "x00281050",
  width: "x00281051",
  intercept: "x00281052",
  slope: "x00281053",
  shape: "x00281056",
  modalityTable: "x00283000",
  windowTable: "x00283010",
  frameWindow: "x00289132",
  frameScale: "x00289145",
  sharedGroups: "x52009229",
  frameGroups: "x52009230",
  pixels: "x7fe00010"
} as const

/** Pixels as they are, and JPEG of 8 bits. */
const PLAIN = new Set(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
const JPEG = "1.2.840.10008.1.2.4.50"

/** Other transfer syntaxes, by how their identifiers begin. */
const compressed: ReadonlyArray<readonly [start: string, name: string]> = [
  ["1.2.840.10008.1.2.1.99", "deflated"],
  ["1.2.840.10008.1.2.2", "in big-endian order"],
  ["1.2.840.10008.1.2.4.51", "compressed as JPEG of 12 bits (extended)"],
  ["1.2.840.10008.1.2.4.57", "compressed as lossless JPEG"],
  ["1.2.840.10008.1.2.4.70", "compressed as lossless JPEG"],
  ["1.2.840.10008.1.2.4.8", "compressed as JPEG-LS"],
  ["1.2.840.10008.1.2.4.9", "compressed as JPEG 2000"],
  ["1.2.840.10008.1.2.4.10", "a video (MPEG)"],
  ["1.2.840.10008.1.2.4.11", "compressed as JPEG XL"],
  ["1.2.840.10008.1.2.4.20", "compressed as JPEG 2000 (high throughput)"],
  ["1.2.840.10008.1.2.5", "compressed by run lengths (RLE)"]
]

const remedy = "write it with plain pixels first (gdcmconv --raw IN OUT), or save it as PNG"

const absent = "takes the package dicom-parser, which is not installed: install the packages (npm install)"

type Parser = typeof DicomParser
type DataSet = DicomParser.DataSet
let loaded: Promise<Parser> | undefined

/** The library, on first use. */
const parser = (): Promise<Parser> =>
  loaded ??= import("dicom-parser").then((found) => (found as { readonly default?: Parser }).default ?? found, () => {
    loaded = undefined
    throw new DicomError(absent)
  })

const damaged = "is damaged or truncated: it begins as a DICOM file, and cannot be read as one"

const trying = <A>(read: () => A): A => {
  try {
    return read()
  } catch {
    throw new DicomError(damaged)
  }
}

/** Refuses what is not read by its name. */
const checkSyntax = (syntax: string): void => {
  if (PLAIN.has(syntax) || syntax === JPEG) return
  if (syntax === "") throw new DicomError("names no transfer syntax: it is damaged, or was not written as a DICOM file")
  const [, name] = compressed.find(([start]) => syntax.startsWith(start)) ?? []
  throw new DicomError(`is ${name ?? `in the transfer syntax ${syntax}`}, which is not read; ${remedy}`)
}

/** Number of the frame from 0. */
const frameOf = (set: DataSet, asked: number | undefined): readonly [frame: number, frames: number] => {
  const frames = set.intString(tags.frames) ?? 1
  if (asked === undefined && frames > 1) {
    throw new DicomError(`has ${frames} frames; name one of them, from #frame/1 to #frame/${frames} after the file`)
  }
  const frame = asked ?? 1
  if (frame >= 1 && frame <= frames) return [frame - 1, frames]
  throw new DicomError(`has ${frames} frame${frames === 1 ? "" : "s"}, and no frame ${frame}; frames count from 1`)
}

/** Where a frame's scale or window stands: in its own functional group, in the shared one, or in the file itself. */
const groupOf = (set: DataSet, frame: number, sequence: string): DataSet => {
  const inner = (outer: DataSet | undefined) => outer?.elements[sequence]?.items?.[0]?.dataSet
  const item = (groups: string, at: number) => set.elements[groups]?.items?.[at]?.dataSet
  return inner(item(tags.frameGroups, frame)) ?? inner(item(tags.sharedGroups, 0)) ?? set
}

/** The first of the file's windows. */
const windowOf = (set: DataSet): Window | undefined => {
  const [center, width] = [set.floatString(tags.center, 0), set.floatString(tags.width, 0)]
  if (center === undefined || width === undefined) {
    if (set.elements[tags.windowTable] === undefined) return undefined
    throw new DicomError("shows its values by a table (VOI LUT) that is not read; save it as PNG")
  }
  const name = set.string(tags.shape) || "LINEAR"
  const shape = shapes.find((own) => own === name)
  if (shape === undefined) throw new DicomError(`has a window of the function ${name}; ${shapes.join(", ")} are read`)
  if (!Number.isFinite(center) || !(width >= (shape === "LINEAR" ? 1 : Number.MIN_VALUE))) {
    throw new DicomError(`has a window of center ${center} and width ${width}, which shows nothing`)
  }
  return { center, width, shape }
}

const displayOf = (set: DataSet, frame: number, inverted: boolean): Display => {
  if (set.elements[tags.modalityTable] !== undefined) {
    throw new DicomError("has its values in a table (modality LUT) that is not read; save it as PNG")
  }
  const scale = groupOf(set, frame, tags.frameScale)
  const [slope, intercept] = [scale.floatString(tags.slope) ?? 1, scale.floatString(tags.intercept) ?? 0]
  if (!Number.isFinite(slope) || slope === 0 || !Number.isFinite(intercept)) {
    throw new DicomError(`has values of ${slope} · number + ${intercept} (rescale slope and intercept)`)
  }
  const number = (tag: string) => set.uint16(tags.signed) === 1 ? set.int16(tag) : set.uint16(tag)
  const pad = number(tags.padding)
  const limit = number(tags.paddingLimit) ?? pad
  return {
    slope,
    intercept,
    window: windowOf(groupOf(set, frame, tags.frameWindow)),
    inverted,
    padding: pad === undefined || limit === undefined ? undefined : [Math.min(pad, limit), Math.max(pad, limit)]
  }
}

/** Stored numbers of 8 or 16 bits, of which `stored` up to `highBit` count, with their sign. */
const numbersIn = (set: DataSet, bytes: Uint8Array): Int32Array => {
  const allocated = set.uint16(tags.allocated)!
  const stored = set.uint16(tags.stored) ?? allocated
  const high = set.uint16(tags.highBit) ?? stored - 1
  if (stored < 1 || high + 1 < stored || high >= allocated) {
    throw new DicomError(`has ${stored} bits up to bit ${high} of ${allocated}, which cannot be`)
  }
  const signed = set.uint16(tags.signed) === 1
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  /** Up to the highest bit of 32, and down again with the sign. */
  const [up, down] = [31 - high, 32 - stored]
  return Int32Array.from({ length: bytes.length / (allocated / 8) }, (_, i) => {
    const own = (allocated === 16 ? view.getUint16(2 * i, true) : bytes[i]!) << up
    return signed ? own >> down : own >>> down
  })
}

const level = (value: number): number => Math.min(255, Math.max(0, Math.round(value)))

/** Colours [height, width, 3] of samples that stand together or plane by plane, in RGB or YCbCr. */
const coloursIn = (set: DataSet, bytes: Uint8Array, ybr: boolean): Uint8Array => {
  const area = bytes.length / 3
  const planes = set.uint16(tags.planar) === 1
  const out = new Uint8Array(bytes.length)
  for (let i = 0; i < area; i++) {
    const [a, b, c] = [0, 1, 2].map((s) => bytes[planes ? s * area + i : 3 * i + s]!) as [number, number, number]
    const [blue, red] = [b - 128, c - 128]
    out.set(
      ybr ? [level(a + 1.402 * red), level(a - 0.344136 * blue - 0.714136 * red), level(a + 1.772 * blue)] : [a, b, c],
      3 * i
    )
  }
  return out
}

/** The JPEG stream of a frame. */
const streamOf = (own: Parser, set: DataSet, frame: number, frames: number): Uint8Array => {
  const element = set.elements[tags.pixels]!
  const { basicOffsetTable = [], fragments = [] } = element
  if (fragments.length === 0) throw new DicomError(damaged)
  if (frames === 1) return own.readEncapsulatedPixelDataFromFragments(set, element, 0, fragments.length)
  if (basicOffsetTable.length === frames) return own.readEncapsulatedImageFrame(set, element, frame)
  if (fragments.length === frames) return own.readEncapsulatedPixelDataFromFragments(set, element, frame, 1)
  return own.readEncapsulatedImageFrame(set, element, frame, own.createJPEGBasicOffsetTable(set, element))
}

/** The kinds of pixels that are read: whether they are gray, plain and as JPEG. */
const photometric: Readonly<
  Record<string, { readonly gray: boolean; readonly plain: boolean; readonly jpeg: boolean }>
> = {
  MONOCHROME1: { gray: true, plain: true, jpeg: true },
  MONOCHROME2: { gray: true, plain: true, jpeg: true },
  RGB: { gray: false, plain: true, jpeg: false },
  YBR_FULL: { gray: false, plain: true, jpeg: true },
  YBR_FULL_422: { gray: false, plain: false, jpeg: true }
}

const shapeOf = (set: DataSet, syntax: string) => {
  const name = set.string(tags.photometric) ?? ""
  const kind = Object.hasOwn(photometric, name) ? photometric[name] : undefined
  const jpeg = syntax === JPEG
  const [samples, allocated] = [set.uint16(tags.samples) ?? 1, set.uint16(tags.allocated) ?? 0]
  if (kind === undefined || !(jpeg ? kind.jpeg : kind.plain) || samples !== (kind.gray ? 1 : 3)) {
    const how = jpeg ? " in JPEG" : ""
    throw new DicomError(`has pixels of ${samples} × ${name || "no kind"}${how}, which are not read; save it as PNG`)
  }
  if (allocated !== 8 && (allocated !== 16 || !kind.gray || jpeg)) {
    throw new DicomError(`has ${allocated} bits for each number of a pixel, which are not read; save it as PNG`)
  }
  return { name, gray: kind.gray, jpeg, size: samples * allocated / 8 }
}

const pixelsOf = (own: Parser, set: DataSet, at: ReturnType<typeof frameOf>, area: number, syntax: string): Pixels => {
  const { gray, jpeg, name, size } = shapeOf(set, syntax)
  const [frame, frames] = at
  if (jpeg) return { kind: "jpeg", bytes: trying(() => streamOf(own, set, frame, frames)), gray }
  const { dataOffset, length } = set.elements[tags.pixels]!
  const bytes = set.byteArray.subarray(dataOffset + frame * area * size, dataOffset + (frame + 1) * area * size)
  if ((frame + 1) * area * size > length || bytes.length < area * size) {
    throw new DicomError(`has ${length} bytes of pixels, fewer than its rows, columns and frames take`)
  }
  return gray
    ? { kind: "gray", stored: numbersIn(set, bytes) }
    : { kind: "rgb", data: coloursIn(set, bytes, name === "YBR_FULL") }
}

/**
 * A frame of a file's bytes, numbered from 1; a file with several needs one to be named. Fails with `DicomError` for what is not read, and with
 * one that names `max_pixels` for larger pictures, before their pixels are read.
 */
export const open = async (bytes: Uint8Array, asked: number | undefined, max_pixels: number): Promise<Frame> => {
  const own = await parser()
  const header = trying(() => own.readPart10Header(bytes))
  const syntax = header.string(tags.syntax) ?? ""
  checkSyntax(syntax)
  const set = trying(() => own.parseDicom(bytes))
  if (set.elements[tags.pixels] === undefined) throw new DicomError("has no picture in it (no pixel data)")
  const at = frameOf(set, asked)
  const [height, width] = [set.uint16(tags.rows) ?? 0, set.uint16(tags.columns) ?? 0]
  if (height * width === 0) throw new DicomError("has a picture without a pixel")
  if (height * width > max_pixels) {
    throw new DicomError(`has ${width} × ${height} pixels, which are more than max_pixels (${max_pixels})`)
  }
  const pixels = pixelsOf(own, set, at, height * width, syntax)
  return { width, height, pixels, display: displayOf(set, at[0], set.string(tags.photometric) === "MONOCHROME1") }
}
