/** Oniguruma's character classes as JavaScript classes under the `v` flag. */
import type { CharacterClassElementNode, CharacterClassNode, CharacterSetNode } from "oniguruma-parser/parser"
import { escaped, whiteSpace, younger } from "../characters/classes.ts"
import { foldedRange } from "./ignoreCase.ts"
import { unsupported } from "./unsupported.ts"

/** Removes characters that Oniguruma's Unicode version lacks. In Oniguruma, U+10FFFF is in no class. */
const old = (members: string): string => `[[${members}]--[${escaped(0x10ffff)}${younger()}]]`

/** Categories with unassigned characters, including those unassigned only in Oniguruma's Unicode version. */
const other: Readonly<Record<string, string>> = {
  C: String.raw`\p{C}`,
  Cn: String.raw`\p{Cn}`
}

/** POSIX classes, whose names are also property names. */
const posix: Readonly<Record<string, () => string>> = {
  alnum: () => old(String.raw`\p{Alphabetic}\p{Nd}`),
  alpha: () => old(String.raw`\p{Alphabetic}`),
  ascii: () => String.raw`[\0-\x7f]`,
  blank: () => old(String.raw`\p{Zs}\t`),
  cntrl: () => old(String.raw`\p{Cc}`),
  digit: () => old(String.raw`\p{Nd}`),
  graph: () => old(String.raw`[^\p{White_Space}\p{Cc}\p{Cn}\p{Cs}]`),
  lower: () => old(String.raw`\p{Lowercase}`),
  print: () => old(String.raw`[^\p{White_Space}\p{Cc}\p{Cn}\p{Cs}]\p{Zs}`),
  punct: () => old(String.raw`\p{P}\p{S}`),
  space: () => `[${whiteSpace}]`,
  upper: () => old(String.raw`\p{Uppercase}`),
  word: () => old(String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}`),
  xdigit: () => "[0-9A-Fa-f]"
}

/** Long names of general categories, with their abbreviations. */
const categories: Readonly<Record<string, string>> = {
  letter: "L",
  casedletter: "LC",
  uppercaseletter: "Lu",
  lowercaseletter: "Ll",
  titlecaseletter: "Lt",
  modifierletter: "Lm",
  otherletter: "Lo",
  mark: "M",
  nonspacingmark: "Mn",
  spacingmark: "Mc",
  enclosingmark: "Me",
  number: "N",
  decimalnumber: "Nd",
  letternumber: "Nl",
  othernumber: "No",
  punctuation: "P",
  connectorpunctuation: "Pc",
  dashpunctuation: "Pd",
  openpunctuation: "Ps",
  closepunctuation: "Pe",
  initialpunctuation: "Pi",
  finalpunctuation: "Pf",
  otherpunctuation: "Po",
  symbol: "S",
  mathsymbol: "Sm",
  currencysymbol: "Sc",
  modifiersymbol: "Sk",
  othersymbol: "So",
  separator: "Z",
  lineseparator: "Zl",
  paragraphseparator: "Zp",
  spaceseparator: "Zs",
  other: "C",
  control: "Cc",
  format: "Cf",
  privateuse: "Co",
  unassigned: "Cn"
}

const short = /^(?:C[cfno]?|L[Clmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/i

/** U+0295 is lowercase (Ll) in Oniguruma's Unicode version, but Lo in later ones. */
const categorySource = (category: string): string => {
  if (Object.hasOwn(other, category)) return `[${other[category]}${younger()}]`
  if (category === "Ll" || category === "LC") return old(String.raw`\p{${category}}\u0295`)
  return category === "Lo" ? String.raw`[${old(String.raw`\p{Lo}`)}--[\u0295]]` : old(String.raw`\p{${category}}`)
}

const capitalised = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1).toLowerCase()

/** Scripts, by the name as written or in Unicode's usual spelling: `old_italic` is Old_Italic. */
const scriptSource = (name: string): string => {
  for (const script of [name, name.split(/[ _-]/).map(capitalised).join("_")]) {
    try {
      return old(new RegExp(String.raw`\p{Script=${script}}`, "v").source)
    } catch {
      continue
    }
  }
  return unsupported(`the property ${name}`)
}

const propertySource = (name: string): string => {
  const plain = name.toLowerCase().replace(/[ _-]/g, "")
  if (short.test(plain)) return categorySource(plain === "lc" ? "LC" : capitalised(plain))
  if (Object.hasOwn(categories, plain)) return categorySource(categories[plain]!)
  if (Object.hasOwn(posix, plain)) return posix[plain]!()
  return plain === "alphabetic" ? posix["alpha"]!() : scriptSource(name)
}

/** Outside brackets only, Oniguruma's `\w` includes Latin-1 superscripts and fractions. */
const wordSource = (): string => String.raw`[${posix["word"]!()}\xb2\xb3\xb9\xbc-\xbe]`

const positive = (set: CharacterSetNode): string => {
  switch (set.kind) {
    case "any":
      return String.raw`[\0-\u{10ffff}]`
    case "digit":
      return posix["digit"]!()
    case "hex":
      return posix["xdigit"]!()
    case "space":
      return posix["space"]!()
    case "word":
      return wordSource()
    case "newline":
      return set.variableLength === true ? unsupported(String.raw`\R`) : String.raw`[\n]`
    case "posix":
      return Object.hasOwn(posix, set.value) ? posix[set.value]!() : unsupported(`the class ${set.value}`)
    case "property":
      return propertySource(set.value)
    default:
      return unsupported(set.kind)
  }
}

/** The class of an Oniguruma escape such as `\w` or `\p{Han}`. */
export const setSource = (set: CharacterSetNode): string => set.negate === true ? `[^${positive(set)}]` : positive(set)

const memberSet = (set: CharacterSetNode): string =>
  set.kind === "word"
    ? setSource({ type: "CharacterSet", kind: "posix", value: "word", negate: set.negate === true })
    : setSource(set)

const memberSource = (member: CharacterClassElementNode, ignoreCase: boolean): string => {
  switch (member.type) {
    case "Character":
      return foldedRange(member.value, member.value, ignoreCase)
    case "CharacterClassRange":
      return foldedRange(member.min.value, member.max.value, ignoreCase)
    case "CharacterSet":
      return ignoreCase ? unsupported("a class of characters under (?i)") : memberSet(member)
    default:
      return classSource(member, ignoreCase)
  }
}

/** A bracketed class; each member of an intersection becomes a class of its own. */
export const classSource = (node: CharacterClassNode, ignoreCase: boolean): string => {
  if (ignoreCase && node.negate) unsupported("a negated class under (?i)")
  const members = node.body.map((member) => memberSource(member, ignoreCase))
  const source = node.kind === "intersection" ? members.map((m) => `[${m}]`).join("&&") : members.join("")
  return `[${node.negate ? "^" : ""}${source}]`
}
