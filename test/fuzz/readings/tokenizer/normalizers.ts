/** Normalizers, read a second time by the letter of the format. */
import * as own from "../fields.ts"
import { bad, type Fields } from "../records.ts"
import { type Char, patternOf, spelled, type Text } from "./text.ts"

export type Normalizer = (text: Text) => Text

const only = (fields: Fields, ...keys: ReadonlyArray<string>): Fields => own.fieldsOf(fields, "type", ...keys)

/** What a character becomes, all of it from where that was from. */
const each = (of: (c: string) => string): Normalizer => (text) =>
  text.flatMap(([c, from]): Text => [...of(c)].map((own) => [own, from]))

const simple = (normalizer: Normalizer) => (fields: Fields): Normalizer => {
  only(fields)
  return normalizer
}

/** A character and the marks behind it together. */
const form = (name: string): Normalizer => (text) => {
  const clusters: Array<Array<Char>> = []
  for (const own of text) {
    if (/\p{M}/u.test(own[0]) && clusters.length > 0) clusters.at(-1)!.push(own)
    else clusters.push([own])
  }
  return clusters.flatMap((cluster) =>
    [...spelled(cluster).normalize(name)].map((c, i): Char => [c, (cluster[i] ?? cluster.at(-1)!)[1]])
  )
}

const lowercase = each((c) => c.toLowerCase())
const unmarked: Normalizer = (text) => text.filter(([c]) => !/\p{M}/u.test(c))

const bert = (fields: Fields): Normalizer => {
  only(fields, "clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
  const [clean, spaced, small] = ["clean_text", "handle_chinese_chars", "lowercase"].map((key) =>
    own.flag(own.get(fields, key))
  )
  const strips = own.or(own.flag, small!)(own.get(fields, "strip_accents"))
  return (text) => {
    const control = (c: string) => c === "\ufffd" || (!/[\t\n\r]/.test(c) && /[\p{Cc}\p{Cf}\p{Co}]/u.test(c))
    let out = clean
      ? text.filter(([c]) => !control(c)).map(([c, from]): Char => [c.replace(/\p{White_Space}/u, " "), from])
      : text
    if (spaced) out = each((c) => /\p{Ideographic}/u.test(c) ? ` ${c} ` : c)(out)
    if (strips) out = form("NFD")(out).filter(([c]) => !/\p{Mn}/u.test(c))
    return small ? lowercase(out) : out
  }
}

const strip = (fields: Fields): Normalizer => {
  only(fields, "strip_left", "strip_right")
  const [left, right] = ["strip_left", "strip_right"].map((key) => own.flag(own.get(fields, key)))
  return (text) => {
    const inked = [...text.keys()].filter((i) => /\P{White_Space}/u.test(text[i]![0]))
    const start = left ? inked[0] ?? text.length : 0
    return text.slice(start, right ? Math.max(start, (inked.at(-1) ?? -1) + 1) : text.length)
  }
}

/** What is put in stands where the match ends. */
const replace = (fields: Fields): Normalizer => {
  only(fields, "pattern", "content")
  const { matches, nullable } = patternOf(own.get(fields, "pattern"))
  const content = own.text(own.get(fields, "content"))
  if (nullable && content !== "") bad("something for nothing")
  return (text) => {
    const out: Array<Char> = []
    let at = 0
    for (const [start, end] of text.length === 0 ? [] : matches(text)) {
      out.push(...text.slice(at, start))
      if (end > start) { for (const c of content) out.push([c, text[end - 1]![1]]) }
      at = end
    }
    return [...out, ...text.slice(at)]
  }
}

const prepend = (fields: Fields): Normalizer => {
  const before = own.text(own.get(only(fields, "prepend"), "prepend"))
  if (before === "") bad("nothing to put before")
  return (text) => text.length === 0 ? text : [...[...before].map((c): Char => [c, text[0]![1]]), ...text]
}

const nmt: Normalizer = (text) =>
  each((c) => /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/.test(c) ? " " : c)(
    // eslint-disable-next-line no-control-regex
    text.filter(([c]) => !/[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/.test(c))
  )

/** Characters for bytes: those that can be seen for themselves, others in their order from U+0100. */
export const byteAlphabet: ReadonlyArray<string> = (() => {
  const seen = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  const unseen = [...Array(256).keys()].filter((byte) => !seen(byte))
  return [...Array(256).keys()].map((byte) => String.fromCharCode(seen(byte) ? byte : 256 + unseen.indexOf(byte)))
})()

export const asBytes = each((c) => [...Buffer.from(c)].map((byte) => byteAlphabet[byte]!).join(""))

/** The texts of a precompiled map by the bytes that they take the place of. */
const charsmapOf = (coded: string): (piece: string) => string | undefined => {
  const bytes = Buffer.from(coded, "base64")
  if (bytes.toString("base64") !== coded || bytes.length < 4) return bad("not base 64")
  const size = bytes.readUInt32LE(0)
  const count = Math.floor(size / 4)
  if (count === 0 || 4 + 4 * count > bytes.length) return bad("no table")
  const texts = bytes.subarray(4 + 4 * count)
  if (!Buffer.from(texts.toString()).equals(texts)) return bad("not UTF-8")
  const unit = (at: number) => at < count ? bytes.readUInt32LE(4 + 4 * at) : undefined
  const step = (own: number) => (own & 0x200) === 0 ? own >>> 10 : (own >>> 10) * 256
  return (piece) => {
    let at = step(unit(0)!)
    for (const byte of Buffer.from(piece)) {
      at = (at ^ byte) >>> 0
      const found = unit(at)
      if (byte === 0 || found === undefined || (found & 0x800000ff) >>> 0 !== byte) return undefined
      at = (at ^ step(found)) >>> 0
      if ((found & 0x100) !== 0) {
        const start = (unit(at) ?? texts.length) & 0x7fffffff
        const end = texts.indexOf(0, start)
        const text = texts.subarray(start, end < 0 ? texts.length : end)
        return start < texts.length && Buffer.from(text.toString()).equals(text)
          ? text.toString()
          : bad("no text there")
      }
    }
    return undefined
  }
}

const precompiled = (fields: Fields): Normalizer => {
  const of = charsmapOf(own.text(own.get(only(fields, "precompiled_charsmap"), "precompiled_charsmap")))
  return (text) => {
    const all = [...new Intl.Segmenter("und").segment(spelled(text))].flatMap(({ segment }) => {
      const whole = Buffer.byteLength(segment) < 6 ? of(segment) : undefined
      return whole === undefined
        ? [...segment].map((c) => [[...c], of(c) ?? c] as const)
        : [[[...segment], whole] as const]
    })
    let at = 0
    return all.flatMap(([old, becomes]): Text => {
      const from = at
      at += old.length
      return [...becomes].map((c, i): Char => [c, text[from + Math.min(i, old.length - 1)]![1]])
    })
  }
}

const sequence = (fields: Fields): Normalizer => {
  const all = own.list(own.get(only(fields, "normalizers"), "normalizers")).map(normalizerOf)
  return (text) => all.reduce((state, normalizer) => normalizer(state), text)
}

export const normalizerOf: own.Read<Normalizer> = own.byType({
  BertNormalizer: bert,
  Strip: strip,
  StripAccents: simple(unmarked),
  NFC: simple(form("NFC")),
  NFD: simple(form("NFD")),
  NFKC: simple(form("NFKC")),
  NFKD: simple(form("NFKD")),
  Sequence: sequence,
  Lowercase: simple(lowercase),
  Nmt: simple(nmt),
  Precompiled: precompiled,
  Replace: replace,
  Prepend: prepend,
  ByteLevel: simple(asBytes)
})
