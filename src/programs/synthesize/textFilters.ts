/** Filters by texts alone, for drafts of any kind. */
import { Duplicates } from "../../domain/texts/duplicates.ts"
import { contains, sharesRun, wordsOf } from "../../domain/texts/overlap.ts"
import type { Template } from "../writing/template.ts"
import { type Draft, each, type Filter } from "./pipeline.ts"

/** Words in a row that only a repeated instruction has in common with a prompt, and fewest of a text that is all repeated. */
const [RUN, WHOLE] = [12, 4]

const repeats = (text: string, own: string): boolean =>
  sharesRun(own, text, RUN) || (wordsOf(text).length >= WHOLE && contains(own, text))

/** Drops what repeats a prompt's own words: a run of twelve, or all of a text of four or more, such as an example's. */
export const echo = <I, D>(
  { pieces }: Template,
  textsOf: (value: D) => ReadonlyArray<string>
): Filter<I, D> =>
  each(
    "repeats the prompt",
    ({ value }) => textsOf(value).some((text) => pieces.some((own) => repeats(text, own)))
  )

/** Answers that say nothing of a text that contains them. */
const general = new Set(["yes", "no", "maybe", "true", "false"])

/** Whether an answer is yes, no or the like. */
export const isGeneral = (answer: string): boolean => general.has(wordsOf(answer).join(" "))

/** Whether a text gives an answer away. */
export const tells = (text: string, answer: string): boolean => !isGeneral(answer) && contains(text, answer)

/** Drops what an earlier draft of the run said in the same words, whatever their case and marks. */
const repeated = <I, D>(what: string, textOf: (draft: Draft<I, D>) => string): Filter<I, D> => {
  const seen = new Set<string>()
  return each(`same ${what} as an earlier one`, (draft) => {
    const own = wordsOf(textOf(draft)).join(" ") || textOf(draft).trim()
    if (seen.has(own)) return true
    seen.add(own)
    return false
  })
}

/** Drops what has more runs of `width` words in common with an earlier draft of the run than a Jaccard index. */
const alike = <I, D>(
  what: string,
  textOf: (draft: Draft<I, D>) => string,
  most: number,
  width: number
): Filter<I, D> => {
  const others = new Duplicates(most, width)
  return each(`near-duplicate of an earlier ${what}`, (draft) => others.seen(textOf(draft)))
}

/** Both; they remember the drafts that they let pass, in order, so that a run has one of each. At 1 only the first. */
export const unlike = <I, D>(
  what: string,
  textOf: (draft: Draft<I, D>) => string,
  most: number,
  width: number
): ReadonlyArray<Filter<I, D>> => [
  repeated(what, textOf),
  ...(most < 1 ? [alike(what, textOf, most, width)] : [])
]
