/** Decoders, read a second time by the letter of the format. */
import * as own from "../fields.ts"
import type { Fields } from "../records.ts"
import { byteAlphabet } from "./normalizers.ts"
import { byteLevelOf, metaspaceOf } from "./preTokenizers.ts"
import { charsOf, patternOf, spelled } from "./text.ts"

type Texts = ReadonlyArray<string>
export type Decoder = (tokens: Texts) => Texts

const only = (fields: Fields, ...keys: ReadonlyArray<string>): Fields => own.fieldsOf(fields, "type", ...keys)

/** Text that is taken out wherever it is, the empty one too. */
const replaced = (text: string, wanted: string, by: string): string =>
  wanted === "" ? ["", ...text, ""].join(by) : text.split(wanted).join(by)

/** Without the spaces that English has not; `contracts` is whether "do not" becomes "don't". */
export const tidied = (text: string, contracts: boolean): string =>
  [[" ."], [" ?"], [" !"], [" ,"], [" ' ", "'"], [" n't"], [" 'm"], [" do not", " don't"], [" 's"], [" 've"], [" 're"]]
    .filter(([wanted]) => contracts || wanted !== " do not")
    .reduce((all, [wanted, by]) => replaced(all, wanted!, by ?? wanted!.slice(1)), text)

const bpe = (fields: Fields): Decoder => {
  const suffix = own.text(own.get(only(fields, "suffix"), "suffix"))
  return (tokens) => tokens.map((token, i) => replaced(token, suffix, i < tokens.length - 1 ? " " : ""))
}

const byteLevel = (fields: Fields): Decoder => {
  byteLevelOf(fields)
  const byteOf = (c: string) => byteAlphabet.indexOf(c)
  return (tokens) => {
    const bytes = tokens.flatMap((token) =>
      [...token].every((c) => byteOf(c) >= 0) ? [...token].map(byteOf) : [...Buffer.from(token)]
    )
    return [Buffer.from(bytes).toString()]
  }
}

const wordPiece = (fields: Fields): Decoder => {
  const prefix = own.text(own.get(only(fields, "prefix", "cleanup"), "prefix"))
  const tidies = own.flag(own.get(fields, "cleanup"))
  return (tokens) => {
    const joined = tokens.map((token, i) =>
      i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
    )
    return tidies ? joined.map((text) => tidied(text, true)) : joined
  }
}

const metaspace = (fields: Fields): Decoder => {
  const { replacement, scheme } = metaspaceOf(fields)
  return (tokens) => tokens.map((token, i) => replaced(token, replacement, i === 0 && scheme !== "never" ? "" : " "))
}

const ctc = (fields: Fields): Decoder => {
  only(fields, "pad_token", "word_delimiter_token", "cleanup")
  const [pad, delimiter] = ["pad_token", "word_delimiter_token"].map((key) => own.text(own.get(fields, key))) as [
    string,
    string
  ]
  const tidies = own.flag(own.get(fields, "cleanup"))
  return (tokens) =>
    tokens.filter((token, i) => i === 0 || tokens[i - 1] !== token).map((token) => replaced(token, pad, ""))
      .map((text) => tidies ? replaced(tidied(text, true), delimiter, " ") : text).filter((text) => text !== "")
}

const replace = (fields: Fields): Decoder => {
  const { matches } = patternOf(own.get(only(fields, "pattern", "content"), "pattern"))
  const content = own.text(own.get(fields, "content"))
  return (tokens) =>
    tokens.map((token) => {
      const text = charsOf(token)
      let [out, at] = ["", 0]
      for (const [start, end] of token === "" ? [] : matches(text)) {
        out += spelled(text.slice(at, start)) + content
        at = end
      }
      return out + spelled(text.slice(at))
    })
}

const strip = (fields: Fields): Decoder => {
  const content = own.character(own.get(only(fields, "content", "start", "stop"), "content"))
  const [start, stop] = ["start", "stop"].map((key) => own.natural(own.get(fields, key))) as [number, number]
  return (tokens) =>
    tokens.map((token) => {
      const all = [...token]
      const leading = all.findIndex((c) => c !== content)
      if (leading < 0) return all.slice(0, Math.max(0, all.length - start - stop)).join("")
      const trailing = all.toReversed().findIndex((c) => c !== content)
      return all.slice(Math.min(leading, start), all.length - Math.min(trailing, stop)).join("")
    })
}

const fallback = (fields: Fields): Decoder => {
  only(fields)
  return (tokens) => {
    const out: Array<string> = []
    let bytes: Array<number> = []
    for (const token of [...tokens, undefined]) {
      const hex = token === undefined ? undefined : /^<0x(\+[0-9a-f]|[0-9a-f]{2})>$/i.exec(token)?.[1]
      if (hex !== undefined) {
        bytes.push(Number.parseInt(hex, 16))
        continue
      }
      const text = Buffer.from(bytes).toString()
      const whole = Buffer.from(text).equals(Buffer.from(bytes))
      out.push(...bytes.length === 0 ? [] : whole ? [text] : bytes.map(() => "\ufffd"))
      bytes = []
      if (token !== undefined) out.push(token)
    }
    return out
  }
}

const sequence = (fields: Fields): Decoder => {
  const all = own.list(own.get(only(fields, "decoders"), "decoders")).map((one) => decoderOf(one))
  return (tokens) => all.reduce((state, decoder) => decoder(state), tokens)
}

const fuse = (fields: Fields): Decoder => {
  only(fields)
  return (tokens) => [tokens.join("")]
}

export const decoderOf: own.Read<Decoder> = own.byType({
  BPEDecoder: bpe,
  ByteLevel: byteLevel,
  WordPiece: wordPiece,
  Metaspace: metaspace,
  CTC: ctc,
  Sequence: sequence,
  Replace: replace,
  Fuse: fuse,
  Strip: strip,
  ByteFallback: fallback
})
