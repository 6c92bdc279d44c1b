/** Codes of ICD-10 in answers (CLUE's MeDiSumCode): whole codes, their first three characters, and how many are codes at all. */
import { listMatch } from "./strings.ts"

const code = /\b[A-TV-Z][0-9]{2}(?:\.?[0-9A-Z]{1,4})?\b/g

/** The codes in a text, without dots, each once. */
export const codesIn = (text: string): ReadonlyArray<string> => [
  ...new Set([...text.matchAll(code)].map(([own]) => own.replace(".", "")))
]

const prefixes = (
  codes: ReadonlyArray<string>
): ReadonlyArray<string> => [...new Set(codes.map((own) => own.slice(0, 3)))]

/** Figures of an answer's codes. */
export interface CodeMatch {
  /** F1 of whole codes, and of their first three characters. */
  readonly exact: number
  readonly prefix: number
  /** Share of the answer's codes that are in the list of valid ones; `null` without a list or without a code. */
  readonly valid: number | null
}

/** Compares the codes of an answer with those of a reference; `valid` has all that there are, without dots. */
export const codeMatch = (reference: string, answer: string, valid?: ReadonlySet<string>): CodeMatch => {
  const [wanted, given] = [codesIn(reference), codesIn(answer)]
  return {
    exact: listMatch(wanted, given).f,
    prefix: listMatch(prefixes(wanted), prefixes(given)).f,
    valid: valid === undefined || given.length === 0
      ? null
      : given.filter((own) => valid.has(own)).length / given.length
  }
}
