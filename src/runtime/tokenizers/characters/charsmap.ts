/** SentencePiece's precompiled normalisation: a double-array trie of prefixes, and their replacements. */
import { type Fields, isText, Misfit } from "../fields.ts"

interface Charsmap {
  readonly place: string
  readonly units: Uint32Array
  readonly texts: Uint8Array
}

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const utf8 = new TextEncoder()

const read = (fields: Fields): Charsmap => {
  const key = "precompiled_charsmap"
  const coded = fields.get(key)
  if (!isText(coded) || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(coded)) {
    return fields.fail(key, "text in base 64 is expected")
  }
  const bytes = new Uint8Array(Buffer.from(coded, "base64"))
  const size = bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0, true) >>> 2
  if (size === 0 || 4 + size * 4 > bytes.length) fields.fail(key, "holds no table, or less of it than it says")
  const texts = bytes.subarray(4 + size * 4)
  try {
    text.decode(texts)
  } catch {
    fields.fail(key, "holds texts that are not UTF-8")
  }
  return { place: fields.at(key), units: new Uint32Array(bytes.buffer.slice(4, 4 + size * 4)), texts }
}

const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6)

/** Offset of the replacement of the shortest prefix in the trie; `undefined` if there is none. */
const lookup = ({ texts, units }: Charsmap, key: Uint8Array): number | undefined => {
  let at = offset(units[0]!)
  for (const byte of key) {
    if (byte === 0) return undefined
    at ^= byte
    const unit = units[at]
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined
    at ^= offset(unit)
    if ((unit >>> 8 & 1) === 1) {
      return (units[at] ?? texts.length) & 0x7fffffff
    }
  }
  return undefined
}

/** @throws Misfit if there is no text at that offset. */
const upToNul = ({ place, texts }: Charsmap, start: number): string => {
  const end = texts.indexOf(0, start)
  try {
    if (start < texts.length) return text.decode(texts.subarray(start, end === -1 ? texts.length : end))
  } catch {
    /** `start` is within a character. */
  }
  throw new Misfit(place, `has no text at ${start}`)
}

/** A piece of text and its replacement. */
export interface Replaced {
  readonly old: string
  readonly text: string
}

/** Graphemes of this many bytes or more are looked up character by character. */
const maxGrapheme = 6

/** Replaces each grapheme by the replacement of its shortest known prefix. */
export const readCharsmap = (fields: Fields): (text: string) => ReadonlyArray<Replaced> => {
  const charsmap = read(fields)
  const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" })
  const known = new Map<string, string | null>()
  const transform = (piece: string): string | undefined => {
    let found = known.get(piece)
    if (found === undefined) {
      const start = lookup(charsmap, utf8.encode(piece))
      found = start === undefined ? null : upToNul(charsmap, start)
      if (known.size < 100_000) known.set(piece, found)
    }
    return found ?? undefined
  }
  const ofGrapheme = (grapheme: string): ReadonlyArray<Replaced> => {
    const short = grapheme.length === 1 || utf8.encode(grapheme).length < maxGrapheme
    const text = short ? transform(grapheme) : undefined
    if (text !== undefined) return [{ old: grapheme, text }]
    return Array.from(grapheme, (old) => ({ old, text: transform(old) ?? old }))
  }
  return (text) => Array.from(segmenter.segment(text), ({ segment }) => ofGrapheme(segment)).flat()
}
