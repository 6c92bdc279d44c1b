/** What systems have in common whose rows are questions: training steps, and how the reader is asked. */
import type { QuestionFrame, RowFrame } from "../datasets/batches.ts"
import { fromBatch } from "../domain/Frame.ts"
import { readerOf } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { Question } from "../domain/tables.ts"
import type { LanguageModelSettings } from "../runtime/language/model.ts"
import type { AnswerOptions } from "../stages/answer.ts"
import type { Study } from "./System.ts"

/** Training steps on questions. */
export interface QuestionStudy {
  readonly learn: (rows: QuestionFrame) => ReturnType<Study["learn"]>
  readonly learnSeveral: (steps: ReadonlyArray<QuestionFrame>, together: boolean) => ReturnType<Study["learnSeveral"]>
  readonly gate: (rows: QuestionFrame) => ReturnType<Study["gate"]>
}
/** The same on rows of any kind, which must be questions. */
export const onQuestions = ({ gate, learn, learnSeveral }: QuestionStudy): Study => {
  const asked = ({ batch }: RowFrame) => fromBatch(Question, batch)
  return {
    learn: (rows) => learn(asked(rows)),
    learnSeveral: (steps, together) => learnSeveral(steps.map(asked), together),
    gate: (rows) => gate(asked(rows))
  }
}

/** The reader's sections of a run's settings. */
export const ofReader = (c: RunConfig): LanguageModelSettings => ({
  name: "reader",
  model: readerOf(c),
  training: c,
  prompting: c,
  pictures: c,
  generation: c
})

/** How the reader is asked, and how its output is read. */
export const answerOptions = (c: RunConfig): AnswerOptions => ({
  document_prompt: c.document_prompt,
  text_maxlength: c.text_maxlength,
  question_prompt: c.question_prompt,
  options_in_prompt: c.options_in_prompt,
  excess_length: c.excess_length,
  answer_prompt: c.answer_prompt,
  rationale_target: c.rationale_target,
  answer_format: c.answer_format,
  answer_by: c.answer_by,
  option_score: c.option_score,
  option_end: c.option_end,
  generation_prompt: c.generation_prompt,
  max_new_tokens: c.max_new_tokens,
  rationale_prompt: c.rationale_prompt,
  rationale_max_new_tokens: c.rationale_max_new_tokens
})
