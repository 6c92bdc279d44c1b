/** Published question formats, all decoded to one. */
import * as Schema from "effect/Schema"
import { type Given, type Option, optionsOf } from "./choice.ts"
import { decoder, type Fields, Id, type Notes, optional, RecordError, Value } from "./fields.ts"

/** The fields that every format yields. */
export interface Plain {
  readonly id: string | number | undefined
  readonly question: string
  readonly options: ReadonlyArray<Option>
  readonly given: ReadonlyArray<Given>
}

/** Context for reading a record. */
export interface Context {
  readonly notes: Notes
  /** Whether the file's `cop` counts from 0 or 1, if known. */
  readonly from: 0 | 1 | undefined
}

/** A question format: how to recognise and decode its records. */
export interface Form {
  readonly fits: (fields: Fields) => boolean
  /** The fields it reads. */
  readonly uses: ReadonlySet<string>
  readonly read: (fields: Fields, context: Context) => Plain
}

const form = <A>(
  shape: Schema.Codec<A, any> & { readonly fields: object },
  fits: Form["fits"],
  read: (line: A, context: Context, fields: Fields) => Plain
): Form => {
  const decode = decoder(shape)
  return {
    fits,
    uses: new Set(Object.keys(shape.fields)),
    read: (fields, context) => read(decode(fields), context, fields)
  }
}

const has = (...names: ReadonlyArray<string>): Form["fits"] => (fields) => names.some((name) => name in fields)

const answer = (field: string, value: unknown): ReadonlyArray<Given> =>
  value === undefined ? [] : [{ field, as: "answer", value }]

const key = (field: string, value: unknown): ReadonlyArray<Given> =>
  value === undefined ? [] : [{ field, as: "key", value }]

const integer = (value: unknown): number | undefined => {
  const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value
  return Number.isInteger(number) ? number as number : undefined
}

/** Whether a value of `cop` shows that the file counts from 0 or 1: with four options, 0 and 4 decide. */
export const copFrom = (value: unknown): 0 | 1 | undefined => {
  const cop = integer(value)
  return cop === 0 || cop === -1 ? 0 : cop === 4 ? 1 : undefined
}

/** `cop` cannot be read until it is known whether the file counts from 0 or 1. */
export class Unsettled extends RecordError {}
/** Records contradict each other on whether `cop` counts from 0 or 1, so none can be read. */
export class Contradictory extends RecordError {}

/** MedMCQA: `opa` to `opd`; `cop` from 1 (the authors' JSON) or from 0, with -1 for none (Hugging Face). */
const medMcqa = form(
  Schema.Struct({
    id: optional(Id),
    question: Schema.String,
    opa: Value,
    opb: Value,
    opc: Value,
    opd: Value,
    cop: optional(Value)
  }),
  has("opa", "opb"),
  ({ cop: given, id, opa, opb, opc, opd, question }, { from }) => {
    const options = optionsOf("op", { a: opa, b: opb, c: opc, d: opd })
    const cop = integer(given)
    if (given === undefined || cop === -1) return { id, question, options, given: [] }
    if (cop === undefined) return { id, question, options, given: key("cop", given) }
    const first = from ?? copFrom(cop)
    if (first === undefined) {
      throw new Unsettled(
        "cop",
        `${cop} may count from 0 or from 1, and no record of the file has 0, -1 or 4: write the letter, a to d`
      )
    }
    return { id, question, options, given: key("cop", cop - first) }
  }
)

const yesNoMaybe = ["yes", "no", "maybe"]

/** PubMedQA: the authors' JSON with upper-case fields, or Hugging Face's; the decision is one of three options. */
const pubMedQa = form(
  Schema.Struct({
    id: optional(Id),
    pubid: optional(Id),
    QUESTION: optional(Schema.String),
    question: optional(Schema.String),
    final_decision: optional(Schema.String)
  }),
  has("QUESTION", "final_decision", "pubid"),
  (line) => {
    const question = line.QUESTION ?? line.question
    if (question === undefined) throw new RecordError("question", "is missing")
    return {
      id: line.pubid ?? line.id,
      question,
      options: optionsOf("final_decision", yesNoMaybe),
      given: answer("final_decision", line.final_decision)
    }
  }
)

const Exact = Schema.Union([Value, Schema.Array(Schema.Union([Value, Schema.Array(Value)]))])

/**
 * BioASQ, task B: yes/no questions; factoids, all of whose synonyms are correct; lists and summaries, which have no
 * single answer.
 */
const bioAsq = form(
  Schema.Struct({
    id: optional(Id),
    body: Schema.String,
    type: optional(Schema.String),
    exact_answer: optional(Exact)
  }),
  has("body"),
  ({ body, exact_answer, id, type }, { notes }) => {
    const exact = exact_answer === undefined ? [] : [exact_answer].flat(2).filter((text) => String(text).trim() !== "")
    const plain = {
      id,
      question: body,
      options: [],
      given: answer("exact_answer", exact.length > 0 ? exact : undefined)
    }
    if (type === "yesno") return { ...plain, options: optionsOf("exact_answer", ["yes", "no"]) }
    if (type !== "list" && type !== "summary") return plain
    notes.remark(`are of type ${type}, which no single text answers: read without an answer`)
    return { ...plain, given: [] }
  }
)

/** HEAD-QA: `ra` is the `aid` of the correct answer; `qid` is unique only within an exam. */
const headQa = form(
  Schema.Struct({
    id: optional(Id),
    name: optional(Schema.String),
    qid: optional(Value),
    qtext: Schema.String,
    answers: Schema.Array(Schema.Struct({ aid: Value, atext: Value })),
    ra: optional(Value)
  }),
  has("qtext"),
  ({ answers, id, name, qid, qtext, ra }) => ({
    id: id ?? (qid === undefined ? undefined : name === undefined ? qid : `${name.trim()}/${String(qid).trim()}`),
    question: qtext,
    options: optionsOf("answers", answers),
    given: key("ra", ra)
  })
)

const Texts = Schema.Union([Value, Schema.Array(Schema.NullOr(Value)), Schema.Struct({ text: Schema.Array(Value) })])

/** The texts of an answers field; SQuAD nests them in `text`. */
const textsOf = (value: typeof Texts.Type | undefined): unknown => {
  if (typeof value !== "object") return value
  const texts = ("text" in value ? value.text : value).filter((text) => text !== null && String(text).trim() !== "")
  return texts.length > 0 ? texts : undefined
}

/** The common format: ours, MedQA, MMLU, MIRAGE, FlashRAG, Atlas, BEIR. */
const common = form(
  Schema.Struct({
    id: optional(Id),
    _id: optional(Id),
    qid: optional(Id),
    question: optional(Schema.String),
    query: optional(Schema.String),
    text: optional(Schema.String),
    options: optional(Schema.Unknown),
    choices: optional(Schema.Unknown),
    answer: optional(Texts),
    answers: optional(Texts),
    golden_answers: optional(Texts),
    target: optional(Texts),
    answer_idx: optional(Value),
    answer_index: optional(Value),
    answerIndex: optional(Value),
    answer_choice: optional(Value),
    answerKey: optional(Value)
  }),
  () => true,
  (line, { notes }, fields) => {
    const question = line.question ?? line.query ?? line.text
    if (question === undefined) {
      throw new RecordError("question", `is missing; the record has ${Object.keys(fields).slice(0, 12).join(", ")}`)
    }
    if (line.options !== undefined && line.choices !== undefined) {
      throw new RecordError("choices", "options and choices are both given")
    }
    const spare = [["_id", line.id ?? line._id], ["qid", line.id ?? line._id ?? line.qid]] as const
    for (const [name, used] of spare) if (line[name] !== undefined && line[name] !== used) notes.unused(name)
    for (const name of ["query", "text"] as const) {
      if (line[name] !== undefined && line[name] !== question) notes.unused(name)
    }
    return {
      id: line.id ?? line._id ?? line.qid,
      question,
      options: line.options === undefined ? optionsOf("choices", line.choices) : optionsOf("options", line.options),
      given: [
        ...answer("answer", textsOf(line.answer)),
        ...answer("target", textsOf(line.target)),
        ...answer("answers", textsOf(line.answers)),
        ...answer("golden_answers", textsOf(line.golden_answers)),
        ...key("answer_idx", line.answer_idx),
        ...key("answer_index", line.answer_index),
        ...key("answerIndex", line.answerIndex),
        ...key("answer_choice", line.answer_choice),
        ...key("answerKey", line.answerKey)
      ]
    }
  }
)

const forms: ReadonlyArray<Form> = [medMcqa, pubMedQa, bioAsq, headQa, common]

/** The fields of all formats. */
export const formFields: ReadonlyArray<string> = forms.flatMap(({ uses }) => [...uses])

/** The format of a record, by the fields that only this format has. */
export const formOf = (fields: Fields): Form => forms.find(({ fits }) => fits(fields))!
