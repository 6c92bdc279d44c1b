/** Questions about pictures as records: questions, closed ones of open ones, and passages of what is known of pictures. */
import { silent } from "../../domain/records/fields.ts"
import { toQuestion } from "../../domain/records/Records.ts"
import {
  asked as askedWhether,
  type OpenQuestion,
  pools,
  unclosable,
  verdictOf
} from "../../domain/synthesis/closed.ts"
import { from } from "../pictures/references.ts"
import { answerTypeOf, type Asked, verdictIn, VERDICTS } from "./asked.ts"

/** A question; one that is answered by yes or no has both as options, the others have none. `out`: the folder of its file. */
export const questionOf = (asked: Asked, out: string) => {
  const verdict = verdictIn(asked)
  return {
    id: asked.id,
    split: asked.split,
    image: from(out, asked.path),
    question: asked.question,
    ...(verdict === undefined ? {} : { options: VERDICTS }),
    answer: verdict ?? asked.answer,
    ...(asked.type === "" ? {} : { type: asked.type }),
    answer_type: answerTypeOf(asked),
    group: asked.picture
  }
}

type Question = ReturnType<typeof questionOf>

/** Training questions, all of them closed. */
export interface Closed {
  readonly questions: ReadonlyArray<object>
  /** Open ones that are now two, one answered yes, one no. */
  readonly closed: number
  /** Open ones that are left out: no other question of their type has another answer. */
  readonly unclosable: number
}

const read = (question: Question): OpenQuestion => ({
  ...toQuestion(question, { notes: silent, pictures: true }),
  fields: question
})

/**
 * Makes two closed questions of each that has no options, by rule: whether its answer is right, and whether that to another question of
 * its type is, which is drawn under the seed and differs after normalisation (JOMED closes questions by a model).
 */
export const closed = (questions: ReadonlyArray<Question>, seed: number): Closed => {
  const open = questions.filter((question) => !("options" in question)).map(read)
  const wrongOf = pools(open, seed)
  const made = new Map(open.map((q) => {
    const [wrong] = unclosable(q) === undefined ? wrongOf(q, 1).wrong : []
    const both = wrong === undefined ? [] : [
      verdictOf(q, askedWhether(q, q.answer), "yes"),
      verdictOf(q, askedWhether(q, wrong), "no")
    ]
    return [q.id, both.map((own) => Object.assign(own, { answer_type: "yes/no" }))] as const
  }))
  const lost = [...made.values()].filter(({ length }) => length === 0).length
  return {
    questions: questions.flatMap((question): ReadonlyArray<object> => made.get(question.id) ?? [question]),
    closed: made.size - lost,
    unclosable: lost
  }
}

/** A text as a sentence. */
const sentence = (text: string): string => /[.?!]$/.test(text) ? text : `${text}.`

/** What passages are of: a picture with all that was asked about it, or with one question. */
export type Unit = "picture" | "question"

/** Captioned pictures: what the data say of each, then questions about it with their answers. */
export const passagesOf = (all: ReadonlyArray<Asked>, unit: Unit, out: string): ReadonlyArray<object> =>
  [...Map.groupBy(all, ({ id, picture }) => unit === "picture" ? picture : id)].map(([id, own]) => {
    const { about, path, picture } = own[0]!
    const said = own.map(({ answer, question }) => `${question.replace(/[^?.!]$/, "$&?")} ${sentence(answer)}`)
    return {
      _id: id,
      image: from(out, path),
      text: [...about === "" ? [] : [sentence(about)], ...said].join(" "),
      group: picture
    }
  })
