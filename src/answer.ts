/** Program: questions answered, with the passages that the answers rest on. */
import * as Effect from "effect/Effect"
import { query } from "./curriculum.ts"
import * as Frame from "./domain/Frame.ts"
import type { QuestionRecord } from "./domain/Records.ts"
import { Settings } from "./domain/RunConfig.ts"
import * as Questions from "./questions.ts"
import { Passages } from "./runtime/ports/Passages.ts"
import { answerOne } from "./stages/pipelines.ts"

export interface Answered {
  readonly id: string
  readonly question: string
  readonly options: ReadonlyArray<string>
  readonly answer: string
  /** Best first. */
  readonly passages: ReadonlyArray<{ readonly id: string; readonly text: string }>
}

/** A question as users ask it: nothing is known but its words and, maybe, its options. */
export const asked = (id: string, question: string, options: ReadonlyArray<string>): QuestionRecord => ({
  id,
  question,
  options,
  answer: "",
  answerIndex: -1,
  gold: [],
  group: id,
  type: ""
})

export const answerAll = Effect.fn("answer")(function*(records: ReadonlyArray<QuestionRecord>) {
  const c = yield* Settings
  const { ids, row, texts } = yield* Passages
  const stage = answerOne({ n: Math.min(c.n_candidates, ids.length), c: c.n_context, rerank: false, query: query(c) })
  const rows = yield* stage.run(Questions.frame(records, 0, row))
  const [predictions, support] = [Frame.column(rows, "prediction"), Frame.column(rows, "support")]
  return records.map(({ id, options, question }, r): Answered => ({
    id,
    question,
    options,
    answer: predictions[r]!,
    passages: Array.from(support.subarray(r * c.n_context, (r + 1) * c.n_context)).toReversed()
      .filter((doc) => doc >= 0)
      .map((doc) => ({ id: ids[doc]!, text: texts[doc]! }))
  }))
})

/** An answer for people to read. */
export const show = ({ answer, options, passages, question }: Answered): string =>
  [
    question,
    ...options.map((option) => `  ${option === answer ? "→" : " "} ${option}`),
    ...(options.length === 0 ? [`  → ${answer}`] : []),
    ...passages.map(({ id, text }) => `    [${id}] ${text}`)
  ].join("\n")
