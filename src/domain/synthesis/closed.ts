/** Open questions as closed ones: yes or no, or a choice of options (JOMED). */
import { normalise } from "../answers/correct.ts"
import * as Key from "../Key.ts"
import type { Fields } from "../records/fields.ts"
import { questionFields, type QuestionRecord, rightAnswers } from "../records/Records.ts"
import { optionsWith, sameAnswer } from "./options.ts"

/** A question as read, with its record. */
export interface OpenQuestion extends QuestionRecord {
  readonly fields: Fields
}

/** Why a question cannot be closed; `undefined` if it may be. */
export const unclosable = (
  q: QuestionRecord
): "has options already" | "has no answer" | "is answered yes or no" | undefined => {
  if (q.options.length > 0) return "has options already"
  if (q.answer === "") return "has no answer"
  return rightAnswers(q).every((own) => /^(?:yes|no|maybe)$/.test(normalise(own))) ? "is answered yes or no" : undefined
}

/** The numbers below `n` in an order drawn by key, each when it is asked for (Fisher-Yates). */
const shuffled = function*(key: Key.Key, n: number) {
  const moved = new Map<number, number>()
  for (let i = 0; i < n; i++) {
    const j = i + Key.integer(key, i, n - i)
    yield moved.get(j) ?? j
    moved.set(j, moved.get(i) ?? i)
  }
}

/**
 * Answers of other questions of the same type, each once, in an order drawn by the question's id; then, with `anyType`, those
 * of questions of other types.
 */
export const pools = (questions: ReadonlyArray<OpenQuestion>, seed: number, anyType = false) => {
  const byType = new Map<string, Map<string, string>>()
  for (const { answer, type } of questions) {
    const own = byType.get(type) ?? new Map<string, string>()
    const form = normalise(answer) || answer
    if (!own.has(form)) own.set(form, answer)
    byType.set(type, own)
  }
  const lists = new Map([...byType].map(([type, own]) => [type, [...own.values()]]))
  const all = anyType ? [...new Set([...lists.values()].flat())] : []
  const picked = (q: OpenQuestion, from: ReadonlyArray<string>, found: Array<string>, count: number): void => {
    for (const i of shuffled(Key.fold(Key.make(seed), "wrong", q.id), from.length)) {
      if (found.length === count) return
      if (![...rightAnswers(q), ...found].some((own) => sameAnswer(own, from[i]!))) found.push(from[i]!)
    }
  }
  /** The first `count` that are no right answer of the question; fewer if there are no more. `own`: of its type. */
  return (q: OpenQuestion, count: number): { readonly wrong: ReadonlyArray<string>; readonly own: number } => {
    const wrong: Array<string> = []
    picked(q, lists.get(q.type) ?? [], wrong, count)
    const own = wrong.length
    picked(q, all, wrong, count)
    return { wrong, own }
  }
}

/** The record without its question, answers and options: pictures and whatever else it has stay. */
const rest = ({ answer, fields, gold, group, id, question, type }: OpenQuestion) => ({
  ...Object.fromEntries(Object.entries(fields).filter(([name]) => !questionFields.has(name))),
  ...(gold.length > 0 ? { gold } : {}),
  group,
  ...(type === "" ? {} : { type }),
  open: { id, question, answer }
})

const VERDICTS = ["yes", "no"] as const

/** A question that is answered by yes or no. */
export const verdictOf = (q: OpenQuestion, question: string, answer: typeof VERDICTS[number]) => ({
  ...rest(q),
  id: `${q.id}-${answer}`,
  question,
  options: VERDICTS,
  answer,
  answerIndex: VERDICTS.indexOf(answer)
})

/** A question whether an answer to another one is right, by rule. */
export const asked = ({ question }: OpenQuestion, answer: string): string =>
  `${question.trim()} Is the answer ${answer.trim()}?`

/** The same question with options, in an order drawn by its id. */
export const choiceOf = (q: OpenQuestion, wrong: ReadonlyArray<string>, seed: number) => ({
  ...rest(q),
  id: `${q.id}-options`,
  question: q.question,
  ...optionsWith(q.answer, wrong, Key.fold(Key.make(seed), "options", q.id))
})
