/** Files of records and passages, read a second time by the letter of docs/data.md. */
import { gunzipSync } from "node:zlib"
import { decoded, depth, isFields, parsed, repeating, repeats } from "./json.ts"

export type Fields = Readonly<Record<string, unknown>>

/** Why a record or a file has to be refused. */
export class Bad extends Error {}
export const bad = (why: string): never => {
  throw new Bad(why)
}

/** What `read` gives, or `undefined` where it has to be refused. */
export const unlessBad = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof Bad) return undefined
    throw error
  }
}

/** null, a blank text, an empty list and an empty object say nothing. */
export const says = (value: unknown): boolean => {
  if (value === null || value === undefined) return false
  if (typeof value === "string") return value.trim() !== ""
  return typeof value !== "object" || Object.keys(value).length > 0
}

/** The fields of a record that say something. */
export const saying = (value: unknown): Fields =>
  isFields(value)
    ? Object.fromEntries(Object.entries(value).filter(([, own]) => says(own)))
    : bad("no object")

export const text = (fields: Fields, name: string): string | undefined => {
  const value = fields[name]
  return value === undefined || typeof value === "string" ? value : bad(`${name} is no text`)
}

export const idOf = (value: unknown): string =>
  (typeof value === "string" && value !== "") || Number.isSafeInteger(value) ? String(value) : bad("no id")

/** The first of the fields that is there; each has to be an id. */
export const firstId = (fields: Fields, ...names: ReadonlyArray<string>): string | undefined => {
  const ids = names.map((name) => fields[name] === undefined ? undefined : idOf(fields[name]))
  return ids.find((id) => id !== undefined)
}

export interface Passage {
  readonly id: string
  readonly text: string
}

export const passageOf = (value: unknown): Passage => {
  const fields = saying(value)
  const id = firstId(fields, "_id", "id") ?? bad("no id")
  const bodies = ["text", "contents", "content"]
  if (!bodies.some((name) => Object.hasOwn(value as Fields, name))) bad("no text")
  const texts = bodies.map((name) => text(fields, name))
  const from = texts.findIndex((own) => own !== undefined)
  const [title, section] = [text(fields, "title"), text(fields, "section")]
  const head = title !== undefined && section !== undefined ? `${title}: ${section}` : title ?? section
  const body = texts[from]?.trimStart() ?? ""
  const begins = (own: string | undefined) =>
    own !== undefined && [own.trim(), `"${own.trim()}"`].some((t) => body.startsWith(t))
  const whole = bodies[from] === "contents" && (begins(head) || begins(title))
  const all = whole || head === undefined
    ? texts[from] ?? ""
    : [head, ...from < 0 ? [] : [texts[from]]].join(".!?".includes(head.at(-1)!) ? " " : ". ")
  return { id: id.toWellFormed(), text: all.toWellFormed() }
}

/** What each place of a file holds: a value, or nothing that can be read. */
export interface Place {
  readonly name: string
  /** What a question there is called that has no id. */
  readonly id: string
  readonly value?: unknown
  readonly broken?: true
}

const listed = (values: ReadonlyArray<unknown>, unit: string): ReadonlyArray<Place> =>
  values.map((value, i) => ({ name: `${unit} ${i + 1}`, id: `${unit}-${i + 1}`, value }))

const ofLines = (whole: string): ReadonlyArray<Place> =>
  whole.split("\n").flatMap((line, i): ReadonlyArray<Place> => {
    if (line.trim() === "") return []
    const json = parsed(line)
    return [{ name: `line ${i + 1}`, id: `line-${i + 1}`, ...(json && !repeats(line) ? json : { broken: true }) }]
  })

const texts = ["question", "QUESTION", "query", "body", "qtext", "text", "contents", "content", "title"]
const isRecord = (value: unknown): boolean =>
  isFields(value) && texts.some((name) => typeof value[name] === "string" || value[name] === null)

const ofExams = (exams: Fields): ReadonlyArray<Place> =>
  Object.entries(exams).flatMap(([name, exam]) =>
    isFields(exam) && Array.isArray(exam["data"])
      ? exam["data"].map((own: unknown, i) => ({
        name: `record ${name}/${i + 1}`,
        id: `${name}/${i + 1}`,
        value: isFields(own) ? { ...own, name } : own
      }))
      : []
  )

/** Records by their ids, where that is what the members are; none where they are not. */
const byId = (value: Fields): ReadonlyArray<Place> => {
  const members = Object.values(value)
  if (!members.some(isRecord) || members.some(Array.isArray)) return []
  return Object.entries(value).map(([key, own]) => ({ name: `record ${key}`, id: key, value: own }))
}

/** The records of an object: in `questions`, `exams` or `data`, itself, by their ids, or those of the one member that has any. */
const ofObject = (value: Fields, inner = false): ReadonlyArray<Place> => {
  if (Array.isArray(value["questions"])) return listed(value["questions"], "record")
  if (isFields(value["exams"])) return ofExams(value["exams"])
  if (Array.isArray(value["data"])) return listed(value["data"], "record")
  if (isRecord(value)) return [{ name: "", id: "line-1", value }]
  const own = byId(value)
  if (own.length > 0 || inner) return own
  if (Object.values(value).some(isRecord)) bad("records beside lists")
  const datasets = Object.values(value).map((member) =>
    Array.isArray(member) ? listed(member, "record") : isFields(member) ? ofObject(member, true) : []
  ).filter((places) => places.length > 0)
  return datasets.length > 1 ? bad("datasets") : datasets[0] ?? [{ name: "", id: "line-1", value }]
}

/** @throws Bad where the file as a whole cannot be read. */
export const placesOf = (name: string, bytes: Uint8Array): ReadonlyArray<Place> => {
  const plain = (() => {
    try {
      return name.endsWith(".gz") ? gunzipSync(bytes) : bytes
    } catch {
      return bad("not gzip")
    }
  })()
  const whole = decoded(plain) ?? bad("not UTF-8")
  const first = whole.trimStart()[0]
  if (first === "[") {
    const json = depth(whole) > 1000 ? bad("too deep") : parsed(whole) ?? bad("not JSON")
    const twice = repeating(whole)
    const places = listed(json.value as ReadonlyArray<unknown>, "record")
    return places.map((place, i) => twice.has(i) ? { name: place.name, id: place.id, broken: true } : place)
  }
  if (first !== "{" || /\.jsonl(\.gz)?$/.test(name)) return ofLines(whole)
  const json = parsed(whole) ?? bad("not JSON")
  return repeats(whole) ? bad("a key twice") : ofObject(json.value as Fields)
}
