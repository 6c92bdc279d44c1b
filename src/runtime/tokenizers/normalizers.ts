/** Normalizers of tokenizer.json: transform text before it is split. */
import { toByteCharacters } from "./characters/bytes.ts"
import { readCharsmap, type Replaced } from "./characters/charsmap.ts"
import { combiningMarks, isAscii, isWhiteSpace, lowercase, nonspacingMarks, whiteSpace } from "./characters/classes.ts"
import { type NormalForm, normalForm } from "./characters/normalForms.ts"
import { component, type Fields, type Kinds } from "./fields.ts"
import { firstLength } from "./parts.ts"
import { type Pattern, readPattern } from "./patterns/patterns.ts"

/** The normalised text, and how many of its UTF-16 units correspond to the first `head` units of the input. */
export type Normalizer = (text: string, head: number) => readonly [string, number]

/** Normalises character by character; if the head merges with what follows, it becomes the first character. */
const plain = (apply: (text: string) => string): Normalizer => (text, head) => {
  const normal = apply(text)
  if (head === 0) return [normal, 0]
  const start = apply(text.slice(0, head))
  return [normal, normal.startsWith(start) ? start.length : firstLength(normal)]
}

const strip = (fields: Fields): Normalizer => {
  fields.only("type", "strip_left", "strip_right")
  const left = fields.flag("strip_left")
  const right = fields.flag("strip_right")
  return (text, head) => {
    let start = 0
    let end = text.length
    if (left) { while (start < end && isWhiteSpace(text.charCodeAt(start))) start++ }
    if (right) { while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end-- }
    return [text.slice(start, end), Math.max(0, Math.min(head, end) - start)]
  }
}

const without = (has: (code: number) => boolean) => (text: string): string => {
  let out = ""
  for (const c of text) if (!has(c.codePointAt(0)!)) out += c
  return out
}

/** Control, format and private-use characters of Unicode 8, except tab and line ends, and U+FFFD. */
const controls = new RegExp(
  String.raw`[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e` +
    String.raw`\u2060-\u2064\u2066-\u206f\ue000-\uf8ff\ufeff\ufff9-\ufffb\ufffd\u{110bd}\u{1bca0}-\u{1bca3}` +
    String.raw`\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}\u{f0000}-\u{ffffd}\u{100000}-\u{10fffd}]`,
  "gu"
)
const spaces = new RegExp(`[${whiteSpace}]`, "gu")
const chinese = new RegExp(
  String.raw`[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff` +
    String.raw`\u{2f800}-\u{2fa1f}]`,
  "gu"
)

const bert = (fields: Fields): Normalizer => {
  fields.only("type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
  const clean = fields.flag("clean_text")
  const spaced = fields.flag("handle_chinese_chars")
  const small = fields.flag("lowercase")
  const stripped = fields.optional("strip_accents", fields.flag, small)
  const unmarked = without(nonspacingMarks.has)
  return plain((text) => {
    let out = clean ? text.replace(controls, "").replace(spaces, " ") : text
    if (!isAscii(out)) {
      if (spaced) out = out.replace(chinese, " $& ")
      if (stripped) out = unmarked(normalForm(out, "NFD"))
    }
    return small ? lowercase(out) : out
  })
}

/** The new head; a replacement counts as located at the end of its match. */
const headOf = (matches: ReadonlyArray<number>, length: number, head: number): number => {
  let kept = 0
  let at = 0
  for (let i = 0; i < matches.length && matches[i]! < head; i += 2) {
    kept += matches[i]! - at
    at = matches[i + 1]!
    if (at > head) return kept
    kept += length
  }
  return kept + Math.max(0, head - at)
}

/** Replaces each match by `content`; `matches` alternates starts and ends. */
export const replaceMatches = (text: string, matches: ReadonlyArray<number>, content: string): string => {
  let out = ""
  let at = 0
  for (let i = 0; i < matches.length; i += 2) {
    out += text.slice(at, matches[i]!) + content
    at = matches[i + 1]!
  }
  return out + text.slice(at)
}

/** The pattern and the replacement of a `Replace`. */
export const readReplace = (fields: Fields): { readonly pattern: Pattern; readonly content: string } => {
  fields.only("type", "pattern", "content")
  return { pattern: readPattern(fields), content: fields.text("content") }
}

const replace = (fields: Fields): Normalizer => {
  const { content, pattern } = readReplace(fields)
  /** An insertion at the start would be repeated by the next normalizer. */
  if (pattern.nullable && content !== "") fields.fail("pattern", "matches the empty text, which is not supported here")
  return (text, head) => {
    const matches = text === "" ? [] : pattern.matches(text)
    return [replaceMatches(text, matches, content), headOf(matches, content.length, head)]
  }
}

const prepend = (fields: Fields): Normalizer => {
  const before = fields.only("type", "prepend").text("prepend")
  if (before === "") fields.fail("prepend", "empty")
  return (text, head) => text === "" ? [text, 0] : [before + text, head === 0 ? 0 : before.length + head]
}

const nmtControls = new RegExp(String.raw`[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]`, "g")
const nmtSpaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g

const nmt = plain((text) => text.replace(nmtControls, "").replace(nmtSpaces, " "))

/** The new head; within a longer replacement, it is counted in characters. */
const charsmapHead = (pieces: ReadonlyArray<Replaced>, normal: string, head: number): number => {
  let kept = 0
  let at = 0
  for (const { old, text } of pieces) {
    if (at >= head) break
    const within = Array.from(old.slice(0, head - at)).length
    const whole = within === Array.from(old).length
    kept += whole ? text.length : Array.from(text).slice(0, within).join("").length
    at += old.length
  }
  return kept === 0 && head > 0 ? firstLength(normal) : kept
}

const precompiled = (fields: Fields): Normalizer => {
  const replaced = readCharsmap(fields.only("type", "precompiled_charsmap"))
  return (text, head) => {
    const pieces = replaced(text)
    const normal = pieces.map((piece) => piece.text).join("")
    return [normal, charsmapHead(pieces, normal, head)]
  }
}

const form = (name: NormalForm) => (fields: Fields): Normalizer => {
  fields.only("type")
  return plain((text) => normalForm(text, name))
}

const simple = (normalizer: Normalizer) => (fields: Fields): Normalizer => {
  fields.only("type")
  return normalizer
}

const sequence = (fields: Fields): Normalizer => {
  const all = fields.only("type", "normalizers").items("normalizers").map(readNormalizer)
  return (text, head) => {
    let state: readonly [string, number] = [text, head]
    for (const normalizer of all) state = normalizer(...state)
    return state
  }
}

const kinds: Kinds<Normalizer> = {
  BertNormalizer: bert,
  Strip: strip,
  StripAccents: simple(plain(without(combiningMarks.has))),
  NFC: form("NFC"),
  NFD: form("NFD"),
  NFKC: form("NFKC"),
  NFKD: form("NFKD"),
  Sequence: sequence,
  Lowercase: simple(plain(lowercase)),
  Nmt: simple(nmt),
  Precompiled: precompiled,
  Replace: replace,
  Prepend: prepend,
  ByteLevel: simple(plain(toByteCharacters))
}

/** @throws Misfit if the type is unknown, or an option cannot be supported exactly. */
export const readNormalizer = (fields: Fields): Normalizer => component(fields, kinds)
