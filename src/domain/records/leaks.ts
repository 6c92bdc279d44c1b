/** Leaks: what a test's questions share with the corpus and with training, so that figures say less than they seem to. */
import { nearDuplicates } from "../texts/nearDuplicates.ts"
import { contains, wordsOf } from "../texts/overlap.ts"
import { PHRASE, Phrases } from "../texts/phrases.ts"
import type { Passage, QuestionRecord } from "./Records.ts"

/** Jaccard index of the runs of five words from which a question is a near-duplicate of another. */
export const LIKE = 0.8
/** Share of a passage's words that a question has from which the passage is the question itself. */
const ITSELF = 0.8
/** First words of an explanation by which it is found: passages may hold a part of it. */
const BEGINNING = 12

/** Questions that leak in some way. */
export interface Leak {
  /** How many questions. */
  readonly questions: number
  /** Some of them, with the passage or training question where each stands. */
  readonly examples: ReadonlyArray<{ readonly question: string; readonly where: string }>
}

/** What leaks, by name; a question may leak in several ways. */
export interface Leaks {
  readonly questions: number
  /** Questions of fewer than six words, which are not looked for in passages. */
  readonly short: number
  /** The question stands in a passage. */
  readonly in_passage: Leak
  /** The same with its answer in that passage. */
  readonly in_passage_with_answer: Leak
  /** The same with all of its options. */
  readonly in_passage_with_options: Leak
  /** A passage is little else than the question. */
  readonly passage_is_question: Leak
  /** Training has a question of the same words. */
  readonly in_training: Leak
  /** Training has a near-duplicate of other words. */
  readonly like_training: Leak
  /** The question's explanation begins in a passage; the passage also names the answer, by its text or by its letter. Where there are any. */
  readonly explanation_in_passage?: Leak
  readonly explanation_in_passage_with_answer?: Leak
  /** A passage has the question's picture; training has it; one that is almost the same. Where pictures are looked at. */
  readonly picture_in_passages?: Leak
  readonly picture_in_training?: Leak
  readonly picture_like_passages?: Leak
  readonly picture_like_training?: Leak
}
/** Names of the ways. */
export type LeakName = Exclude<keyof Leaks, "questions" | "short">

/** Examples kept of each way. */
const SHOWN = 3

/** Questions that leak in a way, by number, with the place of the first time. */
class Found {
  private readonly places = new Map<number, string>()
  add(question: number, where: string): void {
    if (!this.places.has(question)) this.places.set(question, where)
  }
  leak(questions: ReadonlyArray<QuestionRecord>): Leak {
    const examples = [...this.places].slice(0, SHOWN).map(([i, where]) => ({ question: questions[i]!.id, where }))
    return { questions: this.places.size, examples }
  }
}

/** "Ans. is (b)", "Option C", "correct choice: d". */
const lettered = /\b(?:ans|answer|option|choice)s?\b[^\p{L}\p{N}]*(?:is\b[^\p{L}\p{N}]*)?([a-j])\b/giu

/** Whether a text names the answer of a question: its words, or its letter among the options. */
const namesAnswer = (text: string, { answer, answerIndex, answers = [answer] }: QuestionRecord): boolean =>
  answers.some((own) => contains(text, own))
  || [...text.matchAll(lettered)].some(([, letter]) => letter!.toLowerCase().charCodeAt(0) - 97 === answerIndex)

/** Looks for the beginnings of explanations in passages. */
const explanationsInPassages = (test: ReadonlyArray<QuestionRecord>) => {
  const phrases = new Phrases()
  for (const { explanation = "" } of test) phrases.add(wordsOf(explanation).slice(0, BEGINNING).join(" "))
  const [found, named] = [new Found(), new Found()]
  const see = ({ id, text }: Passage): void => {
    for (const i of phrases.within(text)) {
      found.add(i, id)
      if (namesAnswer(text, test[i]!)) named.add(i, id)
    }
  }
  const leaks = () => ({
    explanation_in_passage: found.leak(test),
    explanation_in_passage_with_answer: named.leak(test)
  })
  return { see, leaks }
}

/** Looks for a test's questions, and for their explanations, in passages, one after the other. */
export const leaksInPassages = (test: ReadonlyArray<QuestionRecord>) => {
  const phrases = new Phrases()
  const short = test.filter(({ question }) => !phrases.add(question)).length
  const [found, answered, optioned, itself] = [new Found(), new Found(), new Found(), new Found()]
  const explained = test.some(({ explanation }) => explanation !== undefined) ? explanationsInPassages(test) : undefined
  const see = (passage: Passage): void => {
    const { id, text } = passage
    explained?.see(passage)
    for (const i of phrases.within(text)) {
      const { answer, answers = [answer], options } = test[i]!
      found.add(i, id)
      if (answers.some((own) => contains(text, own))) answered.add(i, id)
      if (options.length > 1 && options.every((own) => contains(text, own))) optioned.add(i, id)
      if (phrases.lengthOf(i) >= ITSELF * wordsOf(text).length) itself.add(i, id)
    }
  }
  const leaks = () => ({
    questions: test.length,
    short,
    in_passage: found.leak(test),
    in_passage_with_answer: answered.leak(test),
    in_passage_with_options: optioned.leak(test),
    passage_is_question: itself.leak(test),
    ...explained?.leaks()
  })
  return { see, leaks }
}

/** Looks for a test's questions among those of training, except for those about pictures, whose words tell less than these. */
export const leaksInTraining = (
  train: ReadonlyArray<QuestionRecord>,
  test: ReadonlyArray<QuestionRecord>
): Pick<Leaks, "in_training" | "like_training"> => {
  const keyOf = (text: string) => wordsOf(text).join(" ")
  const [same, near] = [new Map(train.map(({ id, question }) => [keyOf(question), id])), nearDuplicates()]
  for (const { question } of train) near.add(question)
  const [equal, like] = [new Found(), new Found()]
  test.forEach(({ image, question }, i) => {
    if (image !== undefined) return
    const own = same.get(keyOf(question))
    if (own !== undefined) return equal.add(i, own)
    const other = wordsOf(question).length < PHRASE ? undefined : near.find(question, LIKE)
    if (other !== undefined) like.add(i, train[other.at]!.id)
  })
  return { in_training: equal.leak(test), like_training: like.leak(test) }
}
