/** Metrics of short answers: exact match, F1 of words, F1 of lists. */
import { balanced, type PrecisionRecall } from "./rouge.ts"

/** What exact match overlooks, as lm-evaluation-harness' `exact_match` names it. */
export interface Overlooked {
  /** Parts of texts that are taken out first. */
  readonly regexes_to_ignore?: ReadonlyArray<RegExp>
  readonly ignore_case?: boolean
  /** ASCII punctuation. */
  readonly ignore_punctuation?: boolean
  /** ASCII digits. */
  readonly ignore_numbers?: boolean
}

const punctuation = /[!-/:-@[-`{-~]/g

/** A text as exact match compares it. */
const compared = (text: string, o: Overlooked): string => {
  let own = text
  for (const regex of o.regexes_to_ignore ?? []) own = own.replace(regex, "")
  if (o.ignore_case) own = own.toLowerCase()
  if (o.ignore_punctuation) own = own.replace(punctuation, "")
  return o.ignore_numbers ? own.replace(/[0-9]/g, "") : own
}

/** 1 if two texts are the same but for what is overlooked. */
export const exactMatch = (reference: string, text: string, overlooked: Overlooked = {}): 0 | 1 =>
  compared(reference, overlooked) === compared(text, overlooked) ? 1 : 0

/** Words as SQuAD's evaluation has them: lower-case, without ASCII punctuation and articles. */
const squadWords = (text: string): ReadonlyArray<string> =>
  text.toLowerCase().replace(punctuation, "").replace(/\b(?:a|an|the)\b/g, " ").split(/\s+/).filter((own) => own !== "")

/** How many elements two lists have in common, each as often as both have it. */
const common = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  const left = new Map<string, number>()
  for (const own of a) left.set(own, (left.get(own) ?? 0) + 1)
  let both = 0
  for (const own of b) {
    const count = left.get(own) ?? 0
    if (count === 0) continue
    both++
    left.set(own, count - 1)
  }
  return both
}

/** Precision and recall of a list; two empty lists are alike. */
export const listMatch = (reference: ReadonlyArray<string>, given: ReadonlyArray<string>): PrecisionRecall => {
  if (reference.length === 0 && given.length === 0) return { precision: 1, recall: 1, f: 1 }
  const both = common(reference, given)
  return balanced(both / Math.max(1, given.length), both / Math.max(1, reference.length))
}

/** F1 of the words of two texts (Rajpurkar et al. 2016); where one has none, 1 if neither has any. */
export const wordF1 = (reference: string, text: string): number => listMatch(squadWords(reference), squadWords(text)).f

/** The items of a list that is written as a text: trimmed, lower-case, each once, without empty ones. */
export const itemsOf = (text: string, separator: string): ReadonlyArray<string> => [
  ...new Set(
    text.split(separator).map((own) => own.trim().toLowerCase().replace(/\s+/g, " ")).filter((own) => own !== "")
  )
]
