/** Whether a text rests on a passage, judged by words. */
import { contains, wordsOf } from "../texts/overlap.ts"

/** `exact`: all words of the text follow each other in the passage; `words`: most of them are there; `off`: no check. */
export const groundings = ["exact", "words", "off"] as const
/** One of `groundings`. */
export type Grounding = typeof groundings[number]

/** Least share of a text's words that the passage has, for `words`. */
export const SHARE = 0.8

/** Whether a passage has the text, in the sense of `how`. */
export const isGrounded = (text: string, passage: string, how: Grounding): boolean => {
  if (how === "off") return true
  if (how === "exact") return contains(passage, text)
  const [own, there] = [wordsOf(text), new Set(wordsOf(passage))]
  return own.length > 0 && own.filter((word) => there.has(word)).length >= SHARE * own.length
}
