/**
 * Case-insensitive matching as in Oniguruma: full case folding, where "ss" matches ß. ASCII letters are expanded to all
 * characters that fold to them; other letters are refused, as are letter pairs that a single character folds to.
 */
import type { OnigurumaAst } from "oniguruma-parser/parser"
import { escaped } from "../characters/classes.ts"
import { unsupported } from "./unsupported.ts"

type Alternative = OnigurumaAst["body"][number]
type Element = Alternative["body"][number]

const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

/** KELVIN SIGN and LONG S: the non-ASCII letters that fold to ASCII. */
const elsewhere: Readonly<Record<string, string>> = { k: escaped(0x212a), s: escaped(0x17f) }

const bothCases = (code: number): string => {
  const small = String.fromCharCode(code | 32)
  return small + small.toUpperCase() + (elsewhere[small] ?? "")
}

/** Characters with a case, or that may be part of a case folding. */
const foldable = /[\p{L}\p{M}\p{Changes_When_Casefolded}\p{Cased}]/u

const refuseFoldable = (code: number): void => {
  const character = String.fromCodePoint(code)
  if (code > 127 && foldable.test(character)) unsupported(`"${character}" under (?i)`)
}

/** A character outside brackets. */
export const foldedCharacter = (code: number, ignoreCase: boolean): string => {
  if (!ignoreCase) return escaped(code)
  refuseFoldable(code)
  return isLetter(code) ? `[${bothCases(code)}]` : escaped(code)
}

/** A range inside brackets, with all characters that fold into it. */
export const foldedRange = (first: number, last: number, ignoreCase: boolean): string => {
  const range = first === last ? escaped(first) : `${escaped(first)}-${escaped(last)}`
  if (!ignoreCase) return range
  if (last > 127 && first !== last) unsupported("a range beyond ASCII under (?i)")
  refuseFoldable(last)
  let all = range
  for (let code = first; code <= Math.min(last, 127); code++) if (isLetter(code)) all += bothCases(code)
  return all
}

/** The foldings of ß and of the ligatures of f and st. */
const pairs = /ss|st|ff|fi|fl/

/** The characters to fold as one string: joined across groups with a single alternative, but not across repetitions. */
const spelled = (element: Element): string => {
  if (element.type === "Character") return String.fromCodePoint(element.value).toLowerCase()
  const group = element.type === "Group" && element.body.length === 1
  return group ? element.body[0]!.body.map(spelled).join("") : " "
}

/** @throws Unsupported if adjacent letters are the folding of a single character. */
export const refusePairs = ({ body }: Alternative): void => {
  const [pair] = pairs.exec(body.map(spelled).join("")) ?? []
  if (pair !== undefined) unsupported(`"${pair}" under (?i)`)
}
