/** Program: has questions written that passages answer, with their answers, and wrong options if wanted. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Key from "../../domain/Key.ts"
import type { Passage } from "../../domain/records/Records.ts"
import { type Grounding, isGrounded } from "../../domain/synthesis/grounding.ts"
import { optionsWith, wrongOnes } from "../../domain/synthesis/options.ts"
import type { Label } from "../../domain/texts/labelled.ts"
import { shapeOf } from "../../runtime/language/structured.ts"
import { Writer, type WriteRequest } from "../../runtime/ports/Writer.ts"
import { load, type Template } from "../writing/template.ts"
import { asking, type Fields, type FormName, Words, writeFields } from "./forms.ts"
import { apart, type From, written } from "./output.ts"
import { type Draft, each, estimate, type Filter, type Task } from "./pipeline.ts"
import { type PassageOptions, passagesOf } from "./source.ts"
import { echo, tells, unlike } from "./textFilters.ts"

/** What is written, and where. */
export interface QuestionOptions extends PassageOptions {
  readonly output: string
  /** A prompt file; if omitted, that of the package, or the one for small models if lines are asked for at once. */
  readonly prompt: string | undefined
  /** Questions of a passage. */
  readonly samples: number
  /** Wrong options of a question; 0 for open questions. */
  readonly distractors: number
  readonly form: FormName
  readonly grounding: Grounding
  /** Greatest Jaccard index of two questions' runs of two words; 1 to drop equal ones only. */
  readonly nearDuplicate: number
  /** Records of questions, or triples for training a retriever. */
  readonly format: "questions" | "triples"
  readonly maxTokens: number
  /** The licence of the passages, for the card. */
  readonly licence: string | undefined
}

/** What a model writes. */
export interface Question {
  readonly question: string
  readonly answer: string
  readonly distractors: ReadonlyArray<string>
}

type QuestionDraft = Draft<Passage, Question>

const labels = (distractors: number): ReadonlyArray<Label> => [
  { name: "Question", key: "question", about: "the question" },
  { name: "Answer", key: "answer", about: "the answer" },
  ...(distractors > 0
    ? [{ name: "Wrong answer", key: "distractors", about: "a wrong answer", count: distractors }]
    : [])
]

/** The fields of a question with or without wrong options. */
const fieldsOf = (distractors: number): Fields<Omit<Question, "distractors"> & Partial<Question>> => ({
  shape: distractors > 0
    ? shapeOf("question", Schema.Struct({ question: Words, answer: Words, distractors: Schema.Array(Words) }))
    : shapeOf("question", Schema.Struct({ question: Words, answer: Words })),
  labels: labels(distractors)
})

const places = { passage: "needed", options: "possible" } as const

/** What a prompt says of wrong options. */
const wanted = (distractors: number): string =>
  distractors === 0
    ? ""
    : `Write ${distractors} wrong answer${
      distractors > 1 ? "s" : ""
    }, too: of the same kind and length as the right one, `
      + "plausible, but certainly wrong by the passage."

/** Words of a run by which questions are compared: of five, short questions would have hardly any. */
const WIDTH = 2

const filtersOf = (o: QuestionOptions, prompt: Template): ReadonlyArray<Filter<Passage, Question>> => [
  echo(prompt, ({ answer, distractors, question }) => [question, answer, ...distractors]),
  each("question contains the answer", ({ value }) => tells(value.question, value.answer)),
  ...(o.grounding === "off"
    ? []
    : [each<Passage, Question>(
      o.grounding === "exact" ? "answer is not in the passage" : "words of the answer are not in the passage",
      ({ item, value }) => !isGrounded(value.answer, item.text, o.grounding)
    )]),
  ...(o.distractors === 0
    ? []
    : [each<Passage, Question>(
      "too few wrong answers that differ from the right one and each other",
      ({ value }) => value.distractors.length < o.distractors
    )]),
  ...unlike<Passage, Question>("question", ({ value }) => value.question, o.nearDuplicate, WIDTH)
]

/** A question of which equal wrong answers, and those equal to the right one, count once or not at all. */
const tidied = (own: Omit<Question, "distractors"> & Partial<Question>, most: number): Question => ({
  question: own.question.trim(),
  answer: own.answer.trim(),
  distractors: wrongOnes(own.distractors ?? [], [own.answer], most)
})

const taskOf = Effect.fnUntraced(function*(o: QuestionOptions) {
  const prompt = yield* load(o.prompt, o.form === "text" && o.distractors === 0 ? "question-small" : "question", places)
  const { turns } = prompt
  const fields = fieldsOf(o.distractors)
  const ask = asking(fields, o.form)
  const write = writeFields(fields, o.form)
  const task: Task<Passage, Question, never, never> = {
    name: "questions",
    samples: o.samples,
    request: ({ text }, sample): WriteRequest =>
      ask({
        turns: turns({ passage: text, options: wanted(o.distractors) }),
        max_tokens: o.maxTokens,
        sample
      }),
    write: (request) =>
      Effect.map(write(request), (own) => ({
        ...own,
        value: own.value && tidied(own.value, o.distractors)
      })),
    filters: filtersOf(o, prompt)
  }
  return { prompt, task }
})

/** The id of a passage's question. */
const idOf = ({ id }: Passage, sample: number): string => `${id}-q${sample + 1}`

const questionOf = (seed: number, from: From<Passage, Question>) => (draft: QuestionDraft) => {
  const { item, sample, value: { answer, distractors, question } } = draft
  const id = idOf(item, sample)
  return {
    id,
    question,
    ...(distractors.length === 0
      ? { answer }
      : optionsWith(answer, distractors, Key.fold(Key.make(seed), "options", id))),
    gold: [item.id],
    group: item.id,
    synthetic: from(draft, [item.id])
  }
}

const tripleOf = (from: From<Passage, Question>) => (draft: QuestionDraft) => ({
  id: idOf(draft.item, draft.sample),
  query: draft.value.question,
  pos: [draft.item.text],
  neg: [],
  answers: [draft.value.answer],
  synthetic: from(draft, [draft.item.id])
})

const whats = {
  questions: "Questions with answers, each from a passage, whose id is in `gold`.",
  triples: "Queries, each with the passage that it was written from (`pos`)."
} as const

/** What writing the questions would take, without a request. */
export const planQuestions = Effect.fnUntraced(function*(o: QuestionOptions) {
  const { seed } = yield* Writer
  const { task } = yield* taskOf(o)
  return yield* estimate(task, (yield* passagesOf(o, seed)).items)
}, Effect.scoped)

/** Writes the questions, in the order of the passages, with a report and a card beside them. */
export const questions = Effect.fn("questions")(function*(o: QuestionOptions) {
  yield* apart([o.passages], [o.output])
  const { seed } = yield* Writer
  const { prompt, task } = yield* taskOf(o)
  const { items, source, total } = yield* passagesOf(o, seed)
  const checks = { "check of answers": o.grounding, "near-duplicates above": o.nearDuplicate, form: o.form }
  const about = { what: whats[o.format], source: { ...source, ...checks }, licence: o.licence }
  return yield* written(
    o.output,
    { task, prompt, items, total },
    about,
    (_, drafts, from) => drafts.map<object>(o.format === "triples" ? tripleOf(from) : questionOf(seed, from))
  )
}, Effect.scoped)
