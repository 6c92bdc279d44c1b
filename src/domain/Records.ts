/** Lines of the files users bring: questions and passages, in the field's spellings. */
import * as Schema from "effect/Schema"

/** A passage: BEIR's `_id`, `title`, `text`; also `id` for `_id`, `contents` for `text` (FlashRAG, MedRAG). */
export interface Passage {
  readonly id: string
  /** Title and text, as both models read it. */
  readonly text: string
}

/** A question with options A-E or a free answer. */
export interface QuestionRecord {
  readonly id: string
  readonly question: string
  readonly options: ReadonlyArray<string>
  readonly answer: string
  /** Place of the answer among the options; -1 where it is free. */
  readonly answerIndex: number
  /** Ids of the passages that hold the answer, where known. */
  readonly gold: ReadonlyArray<string>
  /** What questions are counted together in a bootstrap: the disease, say. */
  readonly group: string
  readonly type: string
}

const Id = Schema.Union([Schema.NonEmptyString, Schema.Int])
const Text = Schema.NonEmptyString

export const PassageLine = Schema.Struct({
  _id: Schema.optionalKey(Id),
  id: Schema.optionalKey(Id),
  title: Schema.optionalKey(Schema.String),
  text: Schema.optionalKey(Text),
  contents: Schema.optionalKey(Text)
})

export const QuestionLine = Schema.Struct({
  id: Schema.optionalKey(Id),
  _id: Schema.optionalKey(Id),
  qid: Schema.optionalKey(Id),
  question: Text,
  options: Schema.optionalKey(Schema.Union([Schema.Record(Schema.String, Text), Schema.Array(Text)])),
  answer: Schema.optionalKey(Text),
  answers: Schema.optionalKey(Schema.NonEmptyArray(Text)),
  answer_idx: Schema.optionalKey(Schema.Union([Schema.String, Schema.Int])),
  gold: Schema.optionalKey(Schema.Union([Id, Schema.Array(Id)])),
  group: Schema.optionalKey(Id),
  type: Schema.optionalKey(Schema.String)
})

/** A line that is well-formed JSON of known fields, but does not say what it should. */
export class RecordError extends Error {
  override readonly name = "RecordError"
  readonly field: string
  constructor(field: string, reason: string) {
    super(reason)
    this.field = field
  }
}

export const toPassage = (line: typeof PassageLine.Type): Passage => {
  const id = line._id ?? line.id
  const text = line.text ?? line.contents
  if (id === undefined) throw new RecordError("_id", "a passage needs an id")
  if (text === undefined) throw new RecordError("text", "a passage needs a text")
  return { id: String(id), text: line.title ? `${line.title}. ${text}` : text }
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/** The options in order and the place of the right one, from MIRAGE's, MedQA's and plain list forms. */
const choose = (line: typeof QuestionLine.Type): readonly [ReadonlyArray<string>, number] => {
  const keyed = line.options ?? []
  const entries = Array.isArray(keyed)
    ? keyed.map((option, i) => [letters[i] ?? String(i), option] as const)
    : Object.entries(keyed as Readonly<Record<string, string>>)
  const options = entries.map(([, option]) => option)
  if (options.length === 0) return [options, -1]
  const named = line.answer_idx ?? line.answer
  const index = typeof named === "number" ? named : entries.findIndex(([key]) => key === named)
  const found = index >= 0 ? index : options.indexOf(line.answer ?? "")
  if (found < 0 || found >= options.length) throw new RecordError("answer", "the answer is none of the options")
  return [options, found]
}

export const toQuestion = (line: typeof QuestionLine.Type): QuestionRecord => {
  const id = line.id ?? line._id ?? line.qid
  if (id === undefined) throw new RecordError("id", "a question needs an id")
  const [options, answerIndex] = choose(line)
  const answer = options[answerIndex] ?? line.answer ?? line.answers?.[0]
  if (answer === undefined) throw new RecordError("answer", "a question needs an answer or options")
  const gold = line.gold === undefined ? [] : Array.isArray(line.gold) ? line.gold : [line.gold]
  return {
    id: String(id),
    question: line.question,
    options,
    answer,
    answerIndex,
    gold: gold.map(String),
    group: String(line.group ?? id),
    type: line.type ?? ""
  }
}
