/** Training steps whose rows are questions. */
import type { QuestionFrame, RowFrame } from "../datasets/batches.ts"
import { fromBatch } from "../domain/Frame.ts"
import { Question } from "../domain/tables.ts"
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
