/** Questions of the tiny system as a language model is asked them, by the stages' own prompts. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { LanguageModel, type LanguageModelLesson } from "../../src/runtime/ports/LanguageModel.ts"
import { answering, type AnswerOptions } from "../../src/stages/answer.ts"
import { answerOf, ask, toAnswer, toExplain } from "../../src/stages/prompt.ts"
import * as Tiny from "./tiny.ts"

/** How questions are put where a test does not say otherwise. */
export const defaults: AnswerOptions = {
  document_prompt: "\nReference:\n{text}",
  text_maxlength: 512,
  question_prompt: "\nMy Question:\n{question}",
  options_in_prompt: true,
  excess_length: "raise",
  answer_prompt: " {answer}",
  rationale_target: "",
  answer_format: "letter",
  answer_by: "likelihood",
  option_score: "mean",
  option_end: "eos",
  generation_prompt: "",
  max_new_tokens: 10,
  rationale_prompt: "",
  rationale_max_new_tokens: 128
}

/** Questions, and the passages that they are read with, as rows of the corpus: [questions, c]. */
export interface Asked {
  readonly questions: ReadonlyArray<string>
  readonly options: ReadonlyArray<ReadonlyArray<string>>
  readonly context: Int32Array
}

/** Every question with its answer and two passages. */
export const judged = {
  questions: Tiny.questions.map((q) => q.question),
  options: Tiny.questions.map((q) => q.options),
  answers: Tiny.questions.map((q) => q.answer),
  context: Int32Array.from(Tiny.questions.flatMap((_, q) => [q, q + 1]))
}

const rowOf = ({ context, questions }: Asked, q: number): Int32Array => {
  const c = context.length / questions.length
  return context.subarray(q * c, (q + 1) * c)
}

export const promptsOf = (asked: Asked, o: AnswerOptions = defaults) =>
  asked.questions.map((question, q) => {
    const texts = Array.from(rowOf(asked, q), (doc) => Tiny.passages[doc]!.text)
    return ask(o, texts.map((text) => ({ text })), { question, options: asked.options[q]! })
  })

export const lessonOf = (
  asked: Asked & { readonly answers: ReadonlyArray<string> },
  o: AnswerOptions = defaults
): LanguageModelLesson => ({
  prompts: promptsOf(asked, o),
  continuations: asked.answers.map((answer, q) => answerOf(o, { options: asked.options[q]! }, answer))
})

/** How surprised the model is by each answer, given each passage of `context` alone: [questions, c]. */
export const nll = (asked: Asked & { readonly answers: ReadonlyArray<string> }, o: AnswerOptions = defaults) => {
  const c = asked.context.length / asked.questions.length
  const each = <A>(all: ReadonlyArray<A>) => all.flatMap((one) => Array<A>(c).fill(one))
  const alone = {
    questions: each(asked.questions),
    options: each(asked.options),
    answers: each(asked.answers),
    context: asked.context
  }
  const { continuations, prompts } = lessonOf(alone, o)
  return Effect.flatMap(LanguageModel, (model) => model.nll(prompts, continuations))
}

/** The answers, the places of the options that they are, and what was written beside. */
export const answered = Effect.fnUntraced(
  function*({ context, options, questions }: Asked, o: AnswerOptions = defaults) {
    const [texts, indices] = [Array<string>(questions.length), new Int32Array(questions.length)]
    const [written, explained] = [Array<string>(questions.length), Array<string>(questions.length).fill("")]
    yield* Stream.runForEach(
      answering(o)({ questions, images: questions.map(() => ""), options, support: context }),
      (event) =>
        Effect.sync(() => {
          if (event._tag === "Explained") explained[event.row] += event.text
          if (event._tag !== "Chosen") return
          const { index, text, written: said } = event.chosen
          texts[event.row] = text
          indices[event.row] = index
          written[event.row] = said
        })
    )
    return { texts, indices, written, explained }
  },
  Effect.provide(Tiny.corpusLayer)
)

/** Whole texts that the model writes about the questions: answers, or explanations of the answers given. */
export const written = Effect.fnUntraced(
  function*(asked: Asked & { readonly explain?: ReadonlyArray<string> }, o: AnswerOptions = defaults) {
    const tokens = yield* Stream.runCollect(yield* tokensOf(asked, o))
    const texts = asked.questions.map(() => "")
    for (const { row, text } of tokens) texts[row] += text
    return texts.map((text) => text.trim())
  }
)

export const tokensOf = (asked: Asked & { readonly explain?: ReadonlyArray<string> }, o: AnswerOptions = defaults) => {
  const { explain, options, questions } = asked
  const prompts = promptsOf(asked, o).map((prompt, q) =>
    explain ? toExplain(o, prompt, { question: questions[q]!, options: options[q]! }, explain[q]!) : toAnswer(o, prompt)
  )
  const most = explain ? o.rationale_max_new_tokens : o.max_new_tokens
  return Effect.map(LanguageModel, (model) => model.write(prompts, { max_new_tokens: most }))
}
