/** JSON files that are a single object: the records they contain, and their names. */
import { type Fields, RecordError } from "./fields.ts"

/** A record with its id, or its position counted from 1. */
export interface Held {
  readonly key: string | number
  readonly value: unknown
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const texts = [
  "question",
  "QUESTION",
  "query",
  "body",
  "qtext",
  "text",
  "contents",
  "content",
  "caption",
  "title",
  "image"
]

/** Whether a value has a text field that only questions or passages have. */
const isRecord = (value: unknown): boolean =>
  isObject(value) && texts.some((name) => typeof value[name] === "string" || value[name] === null)

const listed = (values: ReadonlyArray<unknown>): ReadonlyArray<Held> =>
  values.map((value, i) => ({ key: i + 1, value }))

/** HEAD-QA's exams; each has its questions in `data`, and their ids start with its name. */
const ofExams = (exams: Fields): ReadonlyArray<Held> =>
  Object.entries(exams).flatMap(([name, exam]) =>
    isObject(exam) && Array.isArray(exam["data"])
      ? exam["data"].map((value: unknown, i) => ({
        key: `${name}/${i + 1}`,
        value: isObject(value) ? { ...value, name } : value
      }))
      : []
  )

/** The records of a dataset: a list, an object keyed by id, or an object with `questions`, `exams` or `data`. */
const recordsOf = (value: unknown): ReadonlyArray<Held> | undefined => {
  if (Array.isArray(value)) return listed(value)
  if (!isObject(value)) return undefined
  if (Array.isArray(value["questions"])) return listed(value["questions"])
  if (isObject(value["exams"])) return ofExams(value["exams"])
  if (Array.isArray(value["data"])) return listed(value["data"])
  if (isRecord(value)) return [{ key: 1, value }]
  const members = Object.entries(value)
  const byId = members.some(([, member]) => isRecord(member)) && !members.some(([, member]) => Array.isArray(member))
  return byId ? members.map(([key, member]) => ({ key, value: member })) : undefined
}

const hasRecords = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.some(isRecord)
    : isObject(value) && (isRecord(value) || Object.values(value).some(isRecord))

/** Whether an object contains records, rather than being a record itself. */
export const isContainer = (value: unknown): boolean => {
  if (!isObject(value)) return false
  if (Array.isArray(value["questions"]) || isObject(value["exams"]) || Array.isArray(value["data"])) return true
  return !isRecord(value) && Object.values(value).some(hasRecords)
}

const named = (dataset: string, held: ReadonlyArray<Held>): ReadonlyArray<Held> =>
  held.map(({ key, value }) => ({
    key: `${dataset}/${key}`,
    value: isObject(value)
      ? { ...value, id: `${dataset}/${String(value["id"] ?? value["_id"] ?? key)}`, type: value["type"] ?? dataset }
      : value
  }))

/**
 * The records in a value. If it has several datasets (MIRAGE's benchmark, or splits), `dataset` names one, or is "*"
 * for all; ids and types then start with the dataset's name.
 */
export const heldBy = (value: unknown, dataset: string | undefined): ReadonlyArray<Held> => {
  const own = dataset === undefined ? recordsOf(value) : undefined
  if (own) return own
  const members = Object.entries(isObject(value) ? value : {})
  const datasets = members.flatMap(([name, member]) => {
    const held = isRecord(member) ? undefined : recordsOf(member)
    return held && held.length > 0 ? [{ name, held }] : []
  })
  if (dataset === undefined && members.some(([, member]) => isRecord(member))) {
    throw new RecordError("", "holds records and lists side by side; write all records as one list")
  }
  const chosen = datasets.find(({ name }) => name === dataset)
  if (chosen) return chosen.held
  if (dataset === "*") return datasets.flatMap(({ held, name }) => named(name, held))
  if (dataset === undefined && datasets.length === 1) return datasets[0]!.held
  const names = datasets.map(({ held, name }) => `${name} (${held.length})`).join(", ")
  if (names === "") throw new RecordError("", dataset === undefined ? "holds no records" : "holds no datasets by name")
  throw new RecordError(
    "",
    `${dataset === undefined ? "holds several datasets:" : `has no dataset "${dataset}", but`} ${names}; `
      + "name one after the file and \"#\", or \"*\" for all"
  )
}
