/** Decoders of tokenizer.json: tokens to text. */
import { fromByteCharacters, textOf } from "./characters/bytes.ts"
import { component, type Fields, type Kinds } from "./fields.ts"
import { readReplace, replaceMatches } from "./normalizers.ts"
import { checkByteLevel, readMetaspace } from "./preTokenizers.ts"

/** Maps tokens to pieces of text, which are then concatenated. */
export type Decoder = (tokens: ReadonlyArray<string>) => ReadonlyArray<string>

/** Replaces all occurrences; as in Rust, the empty string occurs between all characters, and at both ends. */
const replaceAll = (text: string, wanted: string, content: string): string =>
  wanted === "" ? content + Array.from(text, (c) => c + content).join("") : text.replaceAll(wanted, () => content)

/** Spaces introduced by tokenisation, before English punctuation and contractions. */
const untidy = [" .", " ?", " !", " ,", " ' ", " n't", " 'm", " do not", " 's", " 've", " 're"] as const
const tidy: Readonly<Record<string, string>> = { " ' ": "'", " do not": " don't" }

/** Cleanup as in WordPiece and CTC; `contracts`: whether "do not" becomes "don't". */
export const tidied = (text: string, contracts: boolean): string => {
  if (!text.includes(" ")) return text
  let out = text
  for (const words of untidy) {
    if (contracts || words !== " do not") out = out.replaceAll(words, tidy[words] ?? words.slice(1))
  }
  return out
}

const bpe = (fields: Fields): Decoder => {
  const suffix = fields.only("type", "suffix").text("suffix")
  return (tokens) => tokens.map((token, i) => replaceAll(token, suffix, i === tokens.length - 1 ? "" : " "))
}

const byteLevel = (fields: Fields): Decoder => {
  checkByteLevel(fields)
  return (tokens) => [fromByteCharacters(tokens)]
}

const wordPiece = (fields: Fields): Decoder => {
  const prefix = fields.only("type", "prefix", "cleanup").text("prefix")
  const tidies = fields.flag("cleanup")
  const joined = (token: string) => token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
  return (tokens) =>
    tokens.map((token, i) => {
      const text = i === 0 ? token : joined(token)
      return tidies ? tidied(text, true) : text
    })
}

const metaspace = (fields: Fields): Decoder => {
  const { replacement, scheme } = readMetaspace(fields)
  return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && scheme !== "never" ? "" : " "))
}

const ctc = (fields: Fields): Decoder => {
  fields.only("type", "pad_token", "word_delimiter_token", "cleanup")
  const pad = fields.text("pad_token")
  const delimiter = fields.text("word_delimiter_token")
  const tidies = fields.flag("cleanup")
  return (tokens) =>
    tokens.filter((token, i) => i === 0 || token !== tokens[i - 1])
      .map((token) => replaceAll(token, pad, ""))
      .map((text) => tidies ? replaceAll(tidied(text, true), delimiter, " ") : text)
      .filter((text) => text !== "")
}

const replace = (fields: Fields): Decoder => {
  const { content, pattern } = readReplace(fields)
  return (tokens) => tokens.map((t) => t === "" ? t : replaceMatches(t, pattern.matches(t), content))
}

const fuse = (fields: Fields): Decoder => {
  fields.only("type")
  return (tokens) => [tokens.join("")]
}

const strip = (fields: Fields): Decoder => {
  fields.only("type", "content", "start", "stop")
  const content = fields.character("content")
  const start = fields.id("start")
  const stop = fields.id("stop")
  return (tokens) =>
    tokens.map((token) => {
      let from = 0
      let to = token.length
      for (let n = 0; n < start && token.startsWith(content, from); n++) from += content.length
      for (let n = 0; n < stop && token.slice(0, to).endsWith(content); n++) to -= content.length
      return from < to ? token.slice(from, to) : ""
    })
}

const byteFallback = (fields: Fields): Decoder => {
  fields.only("type")
  return (tokens) => {
    const out: Array<string> = []
    let bytes: Array<number> = []
    const flush = () => {
      if (bytes.length > 0) { for (const text of textOf(bytes)) out.push(text) }
      bytes = []
    }
    for (const token of tokens) {
      const [, hex] = /^<0x(\+?[0-9a-fA-F]{1,2})>$/.exec(token) ?? []
      if (hex?.length === 2) bytes.push(Number.parseInt(hex, 16))
      else {
        flush()
        out.push(token)
      }
    }
    flush()
    return out
  }
}

const sequence = (fields: Fields): Decoder => {
  const all = fields.only("type", "decoders").items("decoders").map(readDecoder)
  return (tokens) => all.reduce((state, decoder) => decoder(state), tokens)
}

const kinds: Kinds<Decoder> = {
  BPEDecoder: bpe,
  ByteLevel: byteLevel,
  WordPiece: wordPiece,
  Metaspace: metaspace,
  CTC: ctc,
  Sequence: sequence,
  Replace: replace,
  Fuse: fuse,
  Strip: strip,
  ByteFallback: byteFallback
}

/** @throws Misfit if the type is unknown. */
export const readDecoder = (fields: Fields): Decoder => component(fields, kinds)
