/** DICOM files for tests: a preamble, the transfer syntax, and elements. */

/** An element: its tag as eight hexadecimal digits, its VR, and its value. Sequences are lists of items, pixels in pieces a list of fragments. */
export type Element = readonly [tag: string, vr: string, value: number | string | Uint8Array | Items | Pieces]
interface Items {
  readonly items: ReadonlyArray<ReadonlyArray<Element>>
}
interface Pieces {
  readonly pieces: ReadonlyArray<Uint8Array>
}

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
const words = (numbers: ReadonlyArray<number>, bytes: 2 | 4): Uint8Array => {
  const out = new Uint8Array(numbers.length * bytes)
  const view = new DataView(out.buffer)
  numbers.forEach((n, i) => bytes === 2 ? view.setInt16(2 * i, n, true) : view.setUint32(4 * i, n, true))
  return out
}
/** Of even length, as values are. */
const even = (bytes: Uint8Array, pad: number): Uint8Array =>
  bytes.length % 2 === 0 ? bytes : joined([bytes, Uint8Array.of(pad)])
const tagOf = (tag: string): Uint8Array => words([parseInt(tag.slice(0, 4), 16), parseInt(tag.slice(4), 16)], 2)
const item = (bytes: Uint8Array): Uint8Array => joined([tagOf("fffee000"), words([bytes.length], 4), bytes])

/** Elements say their VR, but for those of the oldest transfer syntax. */
const IMPLICIT = "1.2.840.10008.1.2"

const valueOf = (value: Element[2], implicit: boolean): Uint8Array => {
  if (typeof value === "number") return words([value], 2)
  if (typeof value === "string") return even(new TextEncoder().encode(value), 32)
  if (value instanceof Uint8Array) return even(value, 0)
  if ("items" in value) {
    return joined(value.items.map((elements) => item(joined(elements.map((own) => elementOf(own, implicit))))))
  }
  const pieces = value.pieces.map((piece) => item(even(piece, 0)))
  return joined([item(new Uint8Array()), ...pieces, tagOf("fffee0dd"), words([0], 4)])
}

const elementOf = ([tag, vr, value]: Element, implicit = false): Uint8Array => {
  const bytes = valueOf(value, implicit)
  if (implicit) return joined([tagOf(tag), words([bytes.length], 4), bytes])
  const head = [tagOf(tag), new TextEncoder().encode(vr)]
  const pieces = typeof value === "object" && "pieces" in value
  return ["OB", "OW", "SQ"].includes(vr)
    ? joined([...head, words([0], 2), words([pieces ? 0xffffffff : bytes.length], 4), bytes])
    : joined([...head, words([bytes.length], 2), bytes])
}

/** A file in explicit or implicit little-endian order, or in another transfer syntax, of which only the name is. */
export const dicom = (elements: ReadonlyArray<Element>, syntax = "1.2.840.10008.1.2.1"): Uint8Array => {
  const meta = elementOf(["00020010", "UI", syntax.length % 2 === 0 ? syntax : `${syntax}\0`])
  const sorted = elements.toSorted(([a], [b]) => a < b ? -1 : 1)
  return joined([
    new Uint8Array(128),
    new TextEncoder().encode("DICM"),
    elementOf(["00020000", "UL", words([meta.length], 4)]),
    meta,
    ...sorted.map((own) => elementOf(own, syntax === IMPLICIT))
  ])
}

/** Numbers of 16 bits as pixels. */
export const pixels16 = (numbers: ReadonlyArray<number>): Uint8Array => words(numbers, 2)

/** The elements of a gray picture of `columns` wide; `more` replace those of the same tags. */
export const gray = (
  columns: number,
  numbers: ReadonlyArray<number>,
  bits: 8 | 16 = 16,
  more: ReadonlyArray<Element> = []
): ReadonlyArray<Element> => {
  const usual: ReadonlyArray<Element> = [
    ["00280002", "US", 1],
    ["00280004", "CS", "MONOCHROME2"],
    ["00280010", "US", numbers.length / columns],
    ["00280011", "US", columns],
    ["00280100", "US", bits],
    ["00280101", "US", bits],
    ["00280102", "US", bits - 1],
    ["00280103", "US", 0],
    ["7fe00010", bits === 16 ? "OW" : "OB", bits === 16 ? pixels16(numbers) : Uint8Array.from(numbers)]
  ]
  return [...usual.filter(([tag]) => !more.some(([own]) => own === tag)), ...more]
}
