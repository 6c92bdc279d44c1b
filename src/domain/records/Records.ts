/** Passages and questions, decoded from users' records. */
import * as Schema from "effect/Schema"
import { rightPlaces } from "./choice.ts"
import {
  decoder,
  type Fields,
  Id,
  idsOf,
  type Notes,
  optional,
  present,
  RecordError,
  silent,
  tellUnused,
  wellFormed
} from "./fields.ts"
import { formFields, formOf, type Plain } from "./forms.ts"
import { imageFields, imageOf } from "./pictures.ts"

export { RecordError } from "./fields.ts"

/** A passage of the corpus. */
export interface Passage {
  readonly id: string
  /** Title and text, as both models read them; may be empty where there is a picture. */
  readonly text: string
  /** Reference of the passage's picture, its caption is the text; see `runtime/ports/Images.ts`. */
  readonly image?: string
  /** Of a passage with a picture: its patient or study, whose questions are not to find it. */
  readonly group?: string
}

/** A question with options A to Z or a free answer. */
export interface QuestionRecord {
  readonly id: string
  readonly question: string
  readonly options: ReadonlyArray<string>
  /** The correct answer used in training; empty if unknown. */
  readonly answer: string
  /** Index of the answer among the options; -1 if it is free text or unknown. */
  readonly answerIndex: number
  /** Ids of the passages that contain the answer, if known. */
  readonly gold: ReadonlyArray<string>
  /** The question's bootstrap group: its disease, say. */
  readonly group: string
  readonly type: string
  /** All correct answers, `answer` first, if there are several. */
  readonly answers?: ReadonlyArray<string>
  /** Why the answer is right, if the record says so. */
  readonly explanation?: string
  /** Ids of passages that do not contain the answer, hard to tell from those that do. */
  readonly negatives?: ReadonlyArray<string>
  /** Scores that a teacher gives to gold passages and negatives, by id. */
  readonly scores?: Readonly<Record<string, number>>
  /** Reference of the picture that is asked about; see `runtime/ports/Images.ts`. */
  readonly image?: string
}

/** What a file's questions are used for. */
export const splits = ["train", "validation", "test"] as const
/** One of `splits`. */
export type Split = typeof splits[number]

/** Whether a correct answer is known. */
export const isAnswered = ({ answer }: QuestionRecord): boolean => answer !== ""

/** The correct answers. */
export const rightAnswers = ({ answer, answers }: QuestionRecord): ReadonlyArray<string> =>
  answers ?? (answer === "" ? [] : [answer])

const none: ReadonlySet<string> = new Set()

const decodePassage = decoder(Schema.Struct({
  _id: optional(Id),
  id: optional(Id),
  title: optional(Schema.String),
  section: optional(Schema.String),
  text: optional(Schema.String),
  contents: optional(Schema.String),
  content: optional(Schema.String),
  caption: optional(Schema.String)
}))

const bodies = ["text", "contents", "content", "caption"] as const
/** The fields of passages. */
export const passageFields: ReadonlySet<string> = new Set(["_id", "id", "title", "section", ...bodies])

/** Whether `contents` already begins with its title, plain or quoted. */
const begins = (contents: string, title: string): boolean =>
  contents.trimStart().startsWith(title.trim()) || contents.trimStart().startsWith(`"${title.trim()}"`)

/** How a record is read. */
interface RecordOptions {
  /** Fields that are used elsewhere. */
  readonly also?: ReadonlySet<string>
  readonly notes?: Notes
  /** Whether the record's picture is read; if not, its field is told as unused. */
  readonly pictures?: boolean
}

/** How a passage record is read. */
export interface PassageOptions extends RecordOptions {
  /** Between title and text. */
  readonly title?: string
}

/**
 * A passage in the format of BEIR (`_id`, `title`, `text`), FlashRAG (`id`, `contents`), MedRAG (`id`, `title`,
 * `content`, and `contents`, which has both) or Atlas (`id`, `title`, `section`, `text`). A title alone makes a
 * passage; the text is empty if the record has neither. A title that ends as a sentence does is followed by a blank alone.
 * `caption` is the text of a picture. A picture alone makes a passage, too, where pictures are read.
 */
export const toPassage = (
  line: unknown,
  { also = none, notes = silent, pictures = false, title: between = ". " }: PassageOptions = {}
): Passage => {
  const fields = present(line)
  const passage = decodePassage(fields)
  const id = passage._id ?? passage.id
  if (id === undefined) throw new RecordError("_id", `a passage needs an id; ${having(line)}`)
  const from = bodies.find((name) => passage[name] !== undefined)
  const image = pictures ? imageOf(fields, notes) : undefined
  if (image === undefined && !bodies.some((name) => name in (line as Fields))) {
    throw new RecordError("text", `a passage needs a text${pictures ? " or an image" : ""}; ${having(line)}`)
  }
  const ofPictures = (name: string) => pictures && (imageFields.has(name) || (name === "group" && image !== undefined))
  tellUnused(fields, (name) => passageFields.has(name) || also.has(name) || ofPictures(name), notes)
  if (passage.id !== undefined && passage.id !== id) notes.unused("id")
  const body = from && passage[from]
  for (const name of bodies) if (name !== from && passage[name] && !body!.includes(passage[name])) notes.unused(name)
  const { section, title } = passage
  const head = title && section ? `${title}: ${section}` : title ?? section
  const whole = from === "contents" && head !== undefined && (begins(body!, head) || begins(body!, title ?? head))
  const parts = whole ? [body] : [head, body]
  const text = parts.filter((part) => part !== undefined).join(head && /[.!?]$/.test(head) ? " " : between)
  const own = { id: wellFormed(String(id), notes), text: wellFormed(text, notes) }
  if (image === undefined) return own
  const group = groupOf(fields, "group")
  return { ...own, image, ...(group === undefined ? {} : { group }) }
}

const having = (line: unknown): string =>
  `the record has ${Object.keys(line as Fields).slice(0, 12).join(", ") || "no field"}`

/** How a question record is read. */
export interface QuestionOptions extends RecordOptions {
  /** Fallback id for a record without one. */
  readonly id?: string
  /** Whether `cop` counts from 0 or 1, if the file has shown it. */
  readonly from?: 0 | 1 | undefined
  /** Fields to read as `group`, `gold` and `type`. */
  readonly group?: string
  readonly gold?: string
  readonly type?: string
}

/** Fields that change the question's meaning and are not supported here. */
const refused = ["exclude", "excluded_ids"]
const explanations = ["explanation", "exp", "rationale", "long_answer", "LONG_ANSWER"] as const
const ofQuestion: ReadonlySet<string> = new Set([...refused, "type", "negatives", ...explanations])
/** Question fields of all formats. */
export const questionFields: ReadonlySet<string> = new Set([...formFields, ...ofQuestion])

const refuse = (fields: Fields): void => {
  const name = refused.find((field) => field in fields)
  const value = name === undefined ? [] : [fields[name]].flat()
  if (value.some((id) => id !== "N/A")) {
    throw new RecordError(name!, "passages cannot be excluded from a question's search")
  }
}

const optionLike = /^(?:[A-H]|(?:option|choice|opt|op|ending|distractor)s?[_ ]?(?:[a-h]|\d))$/i

/** Refuses options in fields of their own: they would be lost, and the question evaluated as free-form. */
const refuseLost = (fields: Fields, known: (name: string) => boolean): void => {
  const lost = Object.keys(fields).filter((name) => optionLike.test(name) && !known(name))
  if (lost.length < 2) return
  throw new RecordError("options", `options stand in one field, a list or an object; the record has ${lost.join(", ")}`)
}

interface Right {
  readonly answer: string
  readonly answerIndex: number
  readonly answers: ReadonlyArray<string>
}

const rightOf = ({ given, options }: Plain): Right => {
  if (options.length > 0) {
    const places = rightPlaces(options, given)
    const answers = [...new Set(places.map((place) => options[place]!.text.toWellFormed()))]
    return { answer: answers[0] ?? "", answerIndex: places[0] ?? -1, answers }
  }
  const place = given.find(({ as }) => as === "key")
  if (place) throw new RecordError(place.field, "names an option, and the record has none")
  const answers = [...new Set(given.flatMap(({ value }) => [value].flat()).map((text) => String(text).toWellFormed()))]
  return { answer: answers[0] ?? "", answerIndex: -1, answers }
}

/** The explanation of a record: a text, or a list of texts; the first field that has one. */
const explanationOf = (fields: Fields, notes: Notes): Pick<QuestionRecord, "explanation"> => {
  const [name, ...spare] = explanations.filter((field) => field in fields)
  if (name === undefined) return {}
  for (const field of spare) notes.unused(field)
  const texts = [fields[name]].flat()
  if (!texts.every((text) => typeof text === "string")) {
    throw new RecordError(name, "expected a text, or a list of texts")
  }
  return { explanation: wellFormed(texts.map((text) => text.trim()).join("\n"), notes) }
}

const groupOf = (fields: Fields, name: string): string | undefined => {
  const ids = idsOf(fields, name)
  if (ids.length > 1) throw new RecordError(name, "a record is in one group")
  return ids[0]
}

const typeOf = (fields: Fields, name: string): string => {
  const value = fields[name] ?? ""
  if (typeof value === "string" || typeof value === "number") return String(value)
  throw new RecordError(name, "expected a text or a number")
}

/** BioASQ names articles by URLs that end in their ids. */
const pubMed = /^https?:\/\/(?:www\.)?(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov\/pubmed)\/(\d+)\/?$/

/** A question in any published format; without an answer if the record has none. */
export const toQuestion = (line: unknown, options: QuestionOptions = {}): QuestionRecord => {
  const {
    also = none,
    from,
    gold = "gold",
    group = "group",
    id: place,
    notes = silent,
    pictures = false,
    type = "type"
  } = options
  const own = new Set([gold, group, type])
  const fields = present(line)
  refuse(fields)
  const form = formOf(fields)
  const plain = form.read(fields, { notes, from })
  const known = (name: string) =>
    form.uses.has(name) || ofQuestion.has(name) || own.has(name) || also.has(name) ||
    (pictures && imageFields.has(name))
  if (plain.options.length === 0) refuseLost(fields, known)
  tellUnused(fields, known, notes)
  const id = plain.id ?? place
  if (id === undefined) throw new RecordError("id", `a question needs an id; ${having(line)}`)
  if (plain.id === undefined) notes.remark("have no id: named after their place in the file")
  const { answer, answerIndex, answers } = rightOf(plain)
  const image = pictures ? imageOf(fields, notes) : undefined
  return {
    id: wellFormed(String(id), notes),
    question: wellFormed(plain.question, notes),
    options: plain.options.map(({ text }) => wellFormed(text, notes)),
    answer,
    answerIndex,
    gold: idsOf(fields, gold).map((name) => gold === "documents" ? pubMed.exec(name)?.[1] ?? name : name),
    group: groupOf(fields, group) ?? String(id),
    type: typeOf(fields, type),
    ...(answers.length > 1 ? { answers } : {}),
    ...explanationOf(fields, notes),
    ...("negatives" in fields ? { negatives: idsOf(fields, "negatives") } : {}),
    ...(image === undefined ? {} : { image })
  }
}
