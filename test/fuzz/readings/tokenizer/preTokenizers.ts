/** Pre-tokenizers, read a second time by the letter of the format. */
import * as own from "../fields.ts"
import { bad, type Fields } from "../records.ts"
import { asBytes } from "./normalizers.ts"
import {
  behaviors,
  byClass,
  byGpt2,
  type Char,
  cut,
  type Matches,
  patternOf,
  spelled,
  type Text,
  Unsure
} from "./text.ts"

/** From one part of a text to those it is split into. */
export type PreTokenizer = (text: Text) => ReadonlyArray<Text>

const only = (fields: Fields, ...keys: ReadonlyArray<string>): Fields => own.fieldsOf(fields, "type", ...keys)
const [space, numeric, punctuation] = [/\p{White_Space}/u, /\p{N}/u, /[!-/:-@[-`{-~]|\p{P}/u]

const before = (added: string, text: Text): Text => [...[...added].map((c): Char => [c, text[0]?.[1] ?? 0]), ...text]

/** Of the post-processor and the decoder as well. */
export const byteLevelOf = (fields: Fields) => {
  only(fields, "add_prefix_space", "trim_offsets", "use_regex")
  own.flag(own.get(fields, "trim_offsets"))
  return {
    spaced: own.flag(own.get(fields, "add_prefix_space")),
    splits: own.unlessAbsent(own.flag, true)(own.get(fields, "use_regex"))
  }
}

const byteLevel = (fields: Fields): PreTokenizer => {
  const { spaced, splits } = byteLevelOf(fields)
  return (text) => {
    const begun = spaced && text[0]?.[0] !== " " ? before(" ", text) : text
    return (splits ? cut(begun, byGpt2, "Isolated") : [begun]).map(asBytes)
  }
}

/** Of the decoder as well. */
export const metaspaceOf = (fields: Fields) => {
  only(fields, "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep")
  const prefixed = own.or(own.flag, true)(own.get(fields, "add_prefix_space"))
  const schemes = own.oneOf("first", "never", "always")
  const scheme = own.unlessAbsent(schemes, "always")(own.get(fields, "prepend_scheme"))
  if (!prefixed && scheme !== "never") bad("a contradiction")
  return {
    replacement: own.character(own.get(fields, "replacement")),
    scheme,
    split: own.or(own.flag, true)(own.get(fields, "split"))
  }
}

const metaspace = (fields: Fields): PreTokenizer => {
  const { replacement, scheme, split } = metaspaceOf(fields)
  return (text) => {
    const replaced = text.map(([c, from]): Char => [c === " " ? replacement : c, from])
    const first = scheme === "always" || (scheme === "first" && text[0]?.[1] === 0)
    const begun = first && replaced[0]?.[0] !== replacement ? before(replacement, replaced) : replaced
    const marks: Matches = (all) =>
      all.flatMap(([c], i): ReadonlyArray<[number, number]> => c === replacement ? [[i, i + 1]] : [])
    return split ? cut(begun, marks, "MergedWithNext") : [begun]
  }
}

const words: Matches = (text) => {
  const kinds = text.map(([c]) =>
    /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u.test(c) ? 1 : space.test(c) ? 0 : 2
  )
  const starts = [...kinds.keys()].filter((i) => kinds[i] !== 0 && kinds[i] !== kinds[i - 1])
  const ends = [...kinds.keys()].filter((i) => kinds[i] !== 0 && kinds[i] !== kinds[i + 1])
  return starts.map((start, i) => [start, ends[i]! + 1])
}

const split = (fields: Fields): PreTokenizer => {
  only(fields, "pattern", "behavior", "invert")
  const { matches } = patternOf(own.get(fields, "pattern"))
  const behavior = own.oneOf(...behaviors)(own.get(fields, "behavior"))
  const invert = own.flag(own.get(fields, "invert"))
  return (text) => cut(text, matches, behavior, invert)
}

const delimited = (fields: Fields): PreTokenizer => {
  const delimiter = own.character(own.get(only(fields, "delimiter"), "delimiter"))
  return (text) => cut(text, (all) => all.flatMap(([c], i) => c === delimiter ? [[i, i + 1] as const] : []), "Removed")
}

const digits = (fields: Fields): PreTokenizer => {
  const alone = own.flag(own.get(only(fields, "individual_digits"), "individual_digits"))
  return (text) => cut(text, byClass(numeric), alone ? "Isolated" : "Contiguous")
}

const punctuated = (fields: Fields): PreTokenizer => {
  const behavior = own.unlessAbsent(own.oneOf(...behaviors), "Isolated")(own.get(only(fields, "behavior"), "behavior"))
  return (text) => cut(text, byClass(punctuation), behavior)
}

const fixed = (fields: Fields): PreTokenizer => {
  const length = own.unlessAbsent(own.natural, 5)(own.get(only(fields, "length"), "length"))
  if (length === 0) bad("no length")
  return (text) => [...text.keys()].filter((i) => i % length === 0).map((i) => text.slice(i, i + length))
}

const chained = (all: ReadonlyArray<PreTokenizer>): PreTokenizer => (text) =>
  all.reduce<ReadonlyArray<Text>>((parts, own) => parts.flatMap(own).filter((part) => part.length > 0), [text])

const spaces: PreTokenizer = (text) => cut(text, byClass(space), "Removed")
const marks: PreTokenizer = (text) => cut(text, byClass(punctuation), "Isolated")
const scripts: PreTokenizer = (text) => {
  throw new Unsure(spelled(text))
}

const simple = (preTokenizer: PreTokenizer) => (fields: Fields): PreTokenizer => {
  only(fields)
  return preTokenizer
}

export const preTokenizerOf: own.Read<PreTokenizer> = own.byType({
  BertPreTokenizer: simple(chained([spaces, marks])),
  ByteLevel: byteLevel,
  CharDelimiterSplit: delimited,
  Metaspace: metaspace,
  Whitespace: simple((text) => cut(text, words, "Removed", true)),
  Sequence: (fields: Fields) =>
    chained(own.list(own.get(only(fields, "pretokenizers"), "pretokenizers")).map((one) => preTokenizerOf(one))),
  Split: split,
  Punctuation: punctuated,
  WhitespaceSplit: simple(spaces),
  Digits: digits,
  UnicodeScripts: simple(scripts),
  FixedLength: fixed
})
