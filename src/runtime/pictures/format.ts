/** Formats of picture files, told by how their bytes begin. */

/** A format that is decoded. */
export type Format = "png" | "jpeg" | "webp" | "gif" | "tiff" | "dicom"

interface Mark {
  readonly at: number
  readonly text: string
}

const begins = (bytes: Uint8Array, { at, text }: Mark): boolean =>
  [...text].every((character, i) => bytes[at + i] === character.charCodeAt(0))

const start = (text: string): ReadonlyArray<Mark> => [{ at: 0, text }]

/** How files of a format begin; all marks of one of the lists. */
const known: Readonly<Record<Format, ReadonlyArray<ReadonlyArray<Mark>>>> = {
  png: [start("\x89PNG\r\n\x1a\n")],
  jpeg: [start("\xff\xd8\xff")],
  webp: [[{ at: 0, text: "RIFF" }, { at: 8, text: "WEBP" }]],
  gif: [start("GIF87a"), start("GIF89a")],
  tiff: [start("II*\0"), start("MM\0*")],
  /** Behind a preamble, in which anything may stand. */
  dicom: [[{ at: 128, text: "DICM" }]]
}

/** Formats that users have and that are not read here, with what to do about it. */
const foreign: ReadonlyArray<readonly [name: string, marks: ReadonlyArray<Mark>]> = [
  ["a BMP picture", start("BM")],
  ["a HEIF or AVIF picture", [{ at: 4, text: "ftyp" }]],
  ["a JPEG 2000 picture", [{ at: 4, text: "jP  " }]],
  ["a JPEG 2000 picture", start("\xff\x4f\xff\x51")],
  ["a JPEG XL picture", start("\xff\x0a")],
  ["a JPEG XL picture", [{ at: 4, text: "JXL " }]],
  ["a BigTIFF picture", start("II+\0")],
  ["a BigTIFF picture", start("MM\0+")],
  ["a PDF file", start("%PDF")],
  ["an SVG picture", start("<svg")],
  ["an XML file", start("<?xml")],
  ["a web page", start("<!DOCTYPE")],
  ["a ZIP archive", start("PK\x03\x04")],
  ["a gzip file", start("\x1f\x8b")],
  ["a NumPy array", start("\x93NUMPY")],
  ["a Git LFS pointer, not the picture itself: fetch it by `git lfs pull`", start("version https://git-lfs")]
]

/** The format of a file, or why it has none that is read. */
export const formatOf = (bytes: Uint8Array): { readonly format: Format } | { readonly refused: string } => {
  if (bytes.length === 0) return { refused: "is empty" }
  for (const [format, marks] of Object.entries(known)) {
    if (marks.some((all) => all.every((mark) => begins(bytes, mark)))) return { format: format as Format }
  }
  const other = foreign.find(([_, marks]) => marks.every((mark) => begins(bytes, mark)))
  const what = other ? `is ${other[0]}` : "is no picture by its first bytes"
  return { refused: what.includes(":") ? what : `${what}; PNG, JPEG, WebP, GIF, TIFF and DICOM are read` }
}

const uint32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at)

/** Frames of an animated PNG by its `acTL` chunk, which stands before the pixels; 1 for a still one. */
export const pngFrames = (bytes: Uint8Array): number => {
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = uint32(bytes, at)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (type === "IDAT") return 1
    if (type === "acTL" && at + 12 + length <= bytes.length && length >= 4) return uint32(bytes, at + 8)
    at += 12 + length
  }
  return 1
}
