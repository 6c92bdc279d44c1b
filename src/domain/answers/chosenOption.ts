/** Reads a generated answer: the option it settles on, or its own words. The rules are in docs/answers.md. */
import { forms } from "./answerForms.ts"
import { choiceAt, type Choices, choicesOf, labelled, lettersIn, settled, type Verdict } from "./choiceInText.ts"
import { isAsked, isRuledOut } from "./denial.ts"
import { mentions } from "./optionText.ts"
import { spoken } from "./reasoning.ts"
import { statements } from "./statements.ts"

type Reading = (text: string, c: Choices) => Verdict

/** Punctuation before and after a bare answer. */
const opening = /^[\s"'“”‘’«([{<#>•–—-]*/
const closing = /^[\s"'“”’»)\]}>.:;,!。-]*$/

/** A text that is only an option: its letter, its words, or both. If they disagree, the letter counts. */
const bare: Reading = (text, c) => {
  const from = opening.exec(text)![0].length
  const found = choiceAt(text, Math.max(0, from - 1), c)
  if (!found || found.two) return undefined
  const rest = text.slice(found.to)
  if (closing.test(rest)) return found.option
  const label = labelled(rest, c)
  if (!found.byLetter && label !== undefined) return label
  const words = c.options.words(rest)
  return found.byLetter && c.options.whole(words) >= 0 ? found.option : undefined
}

/** The only option a text names, ignoring those it asks about or rules out. */
const only: Reading = (text, c) => {
  const all = [...mentions(text, c.options), ...lettersIn(text, c)]
  const named = new Set(
    all.filter((own) => !isRuledOut(text, own) && !isAsked(text, own.to)).map(({ option }) => option)
  )
  return named.size === 1 ? [...named][0] : undefined
}

/** The last reading that finds an option. */
const last = (found: ReadonlyArray<readonly [at: number, verdict: Verdict]>): Verdict =>
  found.filter(([, verdict]) => verdict !== undefined).toSorted(([a], [b]) => a - b).at(-1)?.[1]

/** The last statement of the answer. */
const stated: Reading = (text, c) => last(statements(text, c))

/** The answer in the contents of a machine-readable form. */
const content: Reading = (text, c) => bare(text, c) ?? settled(choiceAt(text, 0, c)) ?? stated(text, c) ?? only(text, c)

/** \boxed{B}, {"answer_choice": "B"}, <answer>B</answer>: the last form that names an option. */
const formal: Reading = (text, c) => {
  for (const inside of forms(text)) {
    const verdict = content(inside, c)
    if (verdict !== undefined) return verdict
  }
  return undefined
}
/** The sentences and lines of a text; a letter with a full stop, as in E. coli, ends none. */
export const sentences = (text: string): ReadonlyArray<string> =>
  text.split(/\n+|(?<=[.!?。])(?<!\b\p{L}\.)\s+(?=[\p{Lu}\p{N}("'“[])/u)

/** Sentences and lines that are only an option, if they all agree. */
const byThemselves: Reading = (text, c) => {
  const found = new Set([text.split("\n"), sentences(text)].flat().map((part) => bare(part, c)))
  found.delete(undefined)
  return found.size === 1 ? [...found][0] : undefined
}

const conclusion =
  /^[\s"'“(]*(?:therefore|thus|hence|so|consequently|accordingly|overall|in conclusion|in summary|to conclude|based on (?:this|these|that|the)|given (?:this|these|that|the))\b[\s,:]*/i
/** The last concluding sentence that names exactly one option. */
const concluded: Reading = (text, c) =>
  last(
    sentences(text).map((sentence, at) => {
      const from = conclusion.exec(sentence)?.[0].length
      if (from === undefined || sentence.trimEnd().endsWith("?")) return [at, undefined]
      const rest = sentence.slice(from)
      return [at, bare(rest, c) ?? only(rest, c) ?? leading(rest, c)]
    })
  )

/** "B, because ...", "Yes, ...": an option at the very beginning, which the rest explains. */
const leading: Reading = (text, c) => {
  const found = choiceAt(text, 0, c)
  if (!found || found.two) return undefined
  const rest = text.slice(found.to)
  if (/^[)"'”’\]]*\s*(?:[,;–—]|-\s|\(|(?:because|since|as|due|given|based)\b)/i.test(rest)) return found.option
  return c.options.vague(found.option) && /^[.:!\s]/.test(rest) && !found.byLetter && isReply(text)
    ? found.option
    : undefined
}
const isReply = (text: string): boolean =>
  /^\s*(?:yes|true|false|maybe|both|neither)\b|^\s*no\s*(?:[.,;:!]|(?:it|they|there|this|that|the|he|she|we)\b)/i.test(
    text
  )

/** Ordered from the most explicit way to write an answer to the vaguest. */
const readings: ReadonlyArray<Reading> = [bare, formal, stated, byThemselves, concluded, leading, only]
const read: Reading = (text, c) => {
  for (const reading of readings) {
    const verdict = reading(text, c)
    if (verdict !== undefined) return verdict
  }
  return undefined
}

/** Where a text that has answered continues with a new question. */
const nextQuestion = /\n\s*(?:#+\s*)?(?:my\s+|next\s+)?(?:question|q)\s*\d*\s*[:：]/i

/** Removes invisible characters and TeX font commands. */
const unmarked = (text: string): string =>
  text.normalize("NFKC").replaceAll(/\p{Cf}/gu, "")
    .replaceAll(/\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|boldsymbol|bf|rm)\s*\{([^{}]*)\}/g, "$1")
/** Also removes emphasis marks, and TeX formula marks unless an option is a sum of money. */
const plain = (text: string, money = false): string =>
  unmarked(text).replaceAll(money ? /\*\*|__|`|\\[()[\]{}]/g : /\*\*|__|[`$]|\\[()[\]{}]/g, "")

/**
 * The index of the option that a text settles on; -1 if there is none. Reasoning is ignored. `answers` says how to
 * read a single letter that is both the text of one option and the letter of another.
 */
export const optionOf = (
  text: string,
  options: ReadonlyArray<string>,
  answers: "letter" | "text" = "letter"
): number => {
  if (options.length === 0) return -1
  const c = choicesOf(options.map(unmarked), answers)
  const all = plain(spoken(text), options.some((option) => option.includes("$")))
  const next = nextQuestion.exec(all)?.index ?? all.length
  return (all.slice(0, next).trim() === "" ? undefined : read(all.slice(0, next), c)) ?? read(all, c) ?? -1
}

/** The words of a free answer: the contents of its machine-readable form, or else everything but the reasoning. */
export const freeAnswer = (text: string): string => {
  const said = spoken(text)
  const [inside] = forms(said)
  if (inside !== undefined && inside.trim() !== "") return plain(inside).trim()
  return /^\W*(?:final )?answer\W*[:：]\W*(\S[^\n]*)/i.exec(said)?.[1]!.trim() ?? said
}
