/** Pre-tokenizers of tokenizer.json: split text into the words that a model tokenises. */
import { toByteCharacters } from "./characters/bytes.ts"
import { isWhiteSpace, numeric, punctuation, scriptOf, whiteSpace, wordClass } from "./characters/classes.ts"
import { component, type Fields, type Kinds } from "./fields.ts"
import { behaviors, byCharacter, byPattern, type Parts, prepend, splitAll } from "./parts.ts"
import { gpt2, readPattern } from "./patterns/patterns.ts"

/** Splits parts further, and may change their text. */
export type PreTokenizer = (parts: Parts) => Parts

/** Maps each text; a head becomes the length of its mapped prefix. */
const mapped = (apply: (text: string) => string) => ({ heads, parts }: Parts): Parts => ({
  parts: parts.map((part) => typeof part === "number" ? part : apply(part)),
  heads: heads.map((head, i) => {
    const part = parts[i]!
    return typeof part === "number" ? head : apply(part.slice(0, head)).length
  })
})

/** Checks ByteLevel options; also for post-processors and decoders, where they have no effect. */
export const checkByteLevel = (fields: Fields): { readonly spaced: boolean; readonly splits: boolean } => {
  fields.only("type", "add_prefix_space", "trim_offsets", "use_regex")
  fields.flag("trim_offsets")
  const splits = fields.get("use_regex") === undefined || fields.flag("use_regex")
  return { spaced: fields.flag("add_prefix_space"), splits }
}

const byteLevel = (fields: Fields): PreTokenizer => {
  const { spaced, splits } = checkByteLevel(fields)
  const split = byPattern(gpt2(fields.at("use_regex")), "Isolated", false)
  const asBytes = mapped(toByteCharacters)
  return (parts) => {
    const begun = spaced ? prepend(parts, " ", (part) => !part.startsWith(" ")) : parts
    return asBytes(splits ? split(begun) : begun)
  }
}

const schemes = ["first", "never", "always"] as const
/** Which parts the replacement is prepended to. */
export type PrependScheme = typeof schemes[number]

/** Options of `Metaspace`, which replaces spaces by a character. */
export interface MetaspaceOptions {
  readonly replacement: string
  readonly scheme: PrependScheme
  readonly split: boolean
}

/** Reads Metaspace options; also for decoders. Older files have `add_prefix_space` instead of `prepend_scheme`. */
export const readMetaspace = (fields: Fields): MetaspaceOptions => {
  fields.only("type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep")
  const scheme = fields.get("prepend_scheme") === undefined ? "always" : fields.oneOf("prepend_scheme", schemes)
  const without = fields.optional("add_prefix_space", fields.flag, true) === false
  if (without && scheme !== "never") fields.fail("add_prefix_space", `false, and prepend_scheme is "${scheme}"`)
  const options = { replacement: fields.character("replacement"), split: fields.optional("split", fields.flag, true) }
  return { ...options, scheme }
}

const metaspace = (fields: Fields): PreTokenizer => {
  const { replacement, scheme, split } = readMetaspace(fields)
  const replaced = mapped((text) => text.replaceAll(" ", () => replacement))
  const splits = byCharacter((code) => code === replacement.codePointAt(0), "MergedWithNext")
  return (parts) => {
    const spaceless = replaced(parts)
    const begun = scheme === "never" ? spaceless : prepend(
      spaceless,
      replacement,
      (part, first) => (scheme === "always" || first) && !part.startsWith(replacement)
    )
    return split ? splits(begun) : begun
  }
}

const wordsOf = (): PreTokenizer => {
  const words = new RegExp(`${wordClass()}+|[^${wordClass()}${whiteSpace}]+`, "gv")
  return (parts) =>
    splitAll(parts, (text) => {
      const spans: Array<number> = []
      for (const match of text.matchAll(words)) spans.push(match.index, match.index + match[0].length)
      return spans
    })
}

const byScripts = (parts: Parts): Parts =>
  splitAll(parts, (text) => {
    const cuts: Array<number> = []
    let last = -1
    let at = 0
    for (const c of text) {
      const script = scriptOf(c.codePointAt(0)!)
      if (script !== 0 && script !== last) cuts.push(at)
      if (script !== 0) last = script
      at += c.length
    }
    cuts.push(text.length)
    /** As in the library, text before the first script is dropped. */
    return cuts.slice(1).flatMap((end, i) => [cuts[i]!, end])
  })

const fixedLength = (fields: Fields): PreTokenizer => {
  fields.only("type", "length")
  const length = fields.get("length") === undefined ? 5 : fields.id("length")
  if (length === 0) fields.fail("length", "0")
  return (parts) =>
    splitAll(parts, (text) => {
      const ends = [0]
      let count = 0
      let at = 0
      for (const c of text) {
        at += c.length
        if (++count % length === 0 || at === text.length) ends.push(at)
      }
      return ends.slice(1).flatMap((end, i) => [ends[i]!, end])
    })
}

const split = (fields: Fields): PreTokenizer => {
  fields.only("type", "pattern", "behavior", "invert")
  return byPattern(readPattern(fields), fields.oneOf("behavior", behaviors), fields.flag("invert"))
}

const delimiter = (fields: Fields): PreTokenizer => {
  const code = fields.only("type", "delimiter").character("delimiter").codePointAt(0)!
  return byCharacter((other) => other === code, "Removed")
}

const digits = (fields: Fields): PreTokenizer => {
  fields.only("type", "individual_digits")
  return byCharacter(numeric.has, fields.flag("individual_digits") ? "Isolated" : "Contiguous")
}

const punctuated = (fields: Fields): PreTokenizer => {
  fields.only("type", "behavior")
  const behavior = fields.get("behavior") === undefined ? "Isolated" : fields.oneOf("behavior", behaviors)
  return byCharacter(punctuation.has, behavior)
}

const spaced = byCharacter(isWhiteSpace, "Removed")
const isolated = byCharacter(punctuation.has, "Isolated")

const sequence = (fields: Fields): PreTokenizer => {
  const all = fields.only("type", "pretokenizers").items("pretokenizers").map(readPreTokenizer)
  return (parts) => all.reduce((state, preTokenizer) => preTokenizer(state), parts)
}

const simple = (make: () => PreTokenizer) => (fields: Fields): PreTokenizer => {
  fields.only("type")
  return make()
}

const kinds: Kinds<PreTokenizer> = {
  BertPreTokenizer: simple(() => (parts) => isolated(spaced(parts))),
  ByteLevel: byteLevel,
  CharDelimiterSplit: delimiter,
  Metaspace: metaspace,
  Whitespace: simple(wordsOf),
  Sequence: sequence,
  Split: split,
  Punctuation: punctuated,
  WhitespaceSplit: simple(() => spaced),
  Digits: digits,
  UnicodeScripts: simple(() => byScripts),
  FixedLength: fixedLength
}

/** @throws Misfit if the type is unknown, or an option cannot be supported exactly. */
export const readPreTokenizer = (fields: Fields): PreTokenizer => component(fields, kinds)
