/** Questions, read a second time by the letter of docs/data.md. */
import { isFields } from "./json.ts"
import { bad, type Fields, firstId, idOf, saying, says, text } from "./records.ts"

export interface Question {
  readonly id: string
  readonly question: string
  readonly options: ReadonlyArray<string>
  /** Texts that are right, in order; of options, those that say the same. */
  readonly right: ReadonlyArray<string>
  readonly gold: ReadonlyArray<string>
  readonly group: string
  readonly type: string
}

/** An option by what names it; whether its text is a number. */
interface Option {
  readonly key: string
  readonly text: string
  readonly number: boolean
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
/** A number that JSON has as its file spells it. */
const isNumber = (value: unknown): value is number =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
const isValue = (value: unknown): value is string | number => typeof value === "string" || isNumber(value)

const option = (key: string, value: unknown): Option =>
  (typeof value === "string" && value.trim() !== "") || isNumber(value)
    ? { key, text: String(value), number: typeof value === "number" }
    : bad(`option ${key}`)

const keyName = (key: unknown): string => isValue(key) ? String(key) : bad("the name of an option")

const firstGiven = (fields: Fields, ...names: ReadonlyArray<string>): unknown =>
  names.map((name) => fields[name]).find((value) => (value ?? null) !== null)

/** A list, of texts or of objects with keys; an object by letters; an object of two lists. */
const optionsOf = (value: unknown): ReadonlyArray<Option> => {
  if (value === undefined) return []
  const found = (() => {
    if (Array.isArray(value)) {
      const last = value.findLastIndex((own) => own !== null)
      return value.slice(0, last + 1).map((own: unknown, i) =>
        isFields(own)
          ? option(
            keyName(firstGiven(own, "key", "label", "aid") ?? letters[i]),
            firstGiven(own, "value", "text", "atext")
          )
          : option(letters[i] ?? String(i), own)
      )
    }
    if (!isFields(value)) return bad("options")
    const { label, text } = value
    if (Array.isArray(text)) {
      const keys = Array.isArray(label) ? label as ReadonlyArray<unknown> : [...letters]
      return text.map((own: unknown, i) => option(keyName(keys[i]), own))
    }
    return Object.entries(value).flatMap(([key, own]) => own === null ? [] : [option(key, own)])
  })()
  if (found.length > 26 || new Set(found.map(({ key }) => key)).size < found.length) bad("options")
  return found
}

/** What a field says is right: by text, letter or place, or by letter or place alone. */
interface Said {
  readonly values: ReadonlyArray<unknown>
  readonly byText: boolean
}

const spelling = {
  own: (text: string) => text.trim(),
  folded: (text: string) => text.trim().toLowerCase().replace(/\s+/g, " ")
}

/** Every set of places that a field may mean. */
const meanings = (options: ReadonlyArray<Option>, { byText, values }: Said): ReadonlyArray<ReadonlySet<number>> => {
  const alike = (place: number) =>
    options.flatMap((own, i) => own.text.trim() === options[place]!.text.trim() ? [i] : [])
  const by = (form: (text: string) => string) => {
    const places = (is: (own: Option) => boolean) => options.flatMap((own, i) => is(own) ? [i] : [])
    const key = (v: unknown) => {
      const found = isValue(v) ? places((own) => form(own.key) === form(String(v))) : []
      return found.length === 1 ? found : []
    }
    const place = (v: unknown) =>
      typeof v === "number" && options[v] && options.every((own) => !/^\d+$/.test(own.key)) ? [v] : []
    const says = (v: unknown) =>
      typeof v === "string" || (typeof v === "number" && options.some(({ number }) => number))
        ? places((own) => form(own.text) === form(String(v)))
        : []
    return [key, place, ...(byText ? [says] : [])].flatMap((way) => {
      const found = values.map(way)
      return found.every((own) => own.length > 0) ? [new Set(found.flat().flatMap(alike))] : []
    })
  }
  const exact = by(spelling.own)
  return exact.length > 0 ? exact : by(spelling.folded)
}

const keyOf = (set: ReadonlySet<number>): string => [...set].toSorted((a, b) => a - b).join()

/** The places that everything given agrees on; it has to be one reading alone. */
const rightPlaces = (options: ReadonlyArray<Option>, said: ReadonlyArray<Said>): ReadonlyArray<number> => {
  if (said.length === 0) return []
  const readings = said.map((one) => new Set(meanings(options, one).map(keyOf)))
  const [agreed, ...others] = [...readings[0]!].filter((one) => readings.every((all) => all.has(one)))
  return agreed === undefined || others.length > 0 ? bad("answer") : agreed.split(",").map(Number)
}

/** The texts of an answer: one, a list of which some may be null, or SQuAD's object. */
const answerOf = (value: unknown): ReadonlyArray<Said> => {
  if (value === undefined) return []
  const list = isFields(value) && Array.isArray(value["text"]) ? value["text"] as ReadonlyArray<unknown> : value
  if (!Array.isArray(list)) return isValue(list) ? [{ values: [list], byText: true }] : bad("answer")
  if (list.some((own) => !isValue(own) && (own !== null || list !== value))) bad("answer")
  const values = list.filter(says)
  return values.length > 0 ? [{ values, byText: true }] : []
}

const keyed = (value: unknown): ReadonlyArray<Said> =>
  value === undefined ? [] : isValue(value) ? [{ values: [value], byText: false }] : bad("key")

interface Form {
  readonly id: string | undefined
  readonly question: string
  readonly options: ReadonlyArray<Option>
  readonly said: ReadonlyArray<Said>
}

const needed = (value: string | undefined): string => value ?? bad("question")

const medMcqa = (fields: Fields, from: 0 | 1 | undefined): Form => {
  const options = ["a", "b", "c", "d"].map((key) =>
    isValue(fields[`op${key}`]) ? option(key, fields[`op${key}`]) : bad("op")
  )
  const form = { id: firstId(fields, "id"), question: needed(text(fields, "question")), options }
  const given = fields["cop"]
  if (given !== undefined && !isValue(given)) bad("cop")
  const cop = typeof given === "string" && /^-?\d+$/.test(given) ? Number(given) : given
  if (cop === undefined || cop === -1) return { ...form, said: [] }
  if (!Number.isInteger(cop)) return { ...form, said: keyed(cop) }
  return { ...form, said: keyed(from === undefined ? bad("cop counts from?") : (cop as number) - from) }
}

const pubMedQa = (fields: Fields): Form => {
  const question = text(fields, "QUESTION") ?? text(fields, "question")
  text(fields, "question")
  const decision = text(fields, "final_decision")
  return {
    id: firstId(fields, "pubid", "id"),
    question: needed(question),
    options: optionsOf(["yes", "no", "maybe"]),
    said: decision === undefined ? [] : [{ values: [decision], byText: true }]
  }
}

const bioAsq = (fields: Fields): Form => {
  const [given, type] = [fields["exact_answer"], text(fields, "type")]
  const flat = given === undefined ? [] : [given].flat(2)
  const nested = Array.isArray(given) &&
    given.every((own) => isValue(own) || (Array.isArray(own) && own.every(isValue)))
  if (given !== undefined && !isValue(given) && !nested) bad("exact_answer")
  const values = flat.filter(says)
  const said = values.length === 0 || type === "list" || type === "summary" ? [] : [{ values, byText: true }]
  const options = type === "yesno" ? optionsOf(["yes", "no"]) : []
  return { id: firstId(fields, "id"), question: needed(text(fields, "body")), options, said }
}

const headQa = (fields: Fields): Form => {
  const [name, qid, answers] = [text(fields, "name"), fields["qid"], fields["answers"]]
  if (qid !== undefined && !isValue(qid)) bad("qid")
  const whole = (own: unknown) => isFields(own) && isValue(own["aid"]) && isValue(own["atext"])
  if (!Array.isArray(answers) || !answers.every(whole)) bad("answers")
  const place = qid === undefined
    ? undefined
    : name === undefined
    ? String(qid)
    : `${name.trim()}/${String(qid).trim()}`
  return {
    id: firstId(fields, "id") ?? place,
    question: needed(text(fields, "qtext")),
    options: optionsOf((answers as ReadonlyArray<Fields>).map(({ aid, atext }) => ({ key: aid, value: atext }))),
    said: keyed(fields["ra"])
  }
}

const common = (fields: Fields): Form => {
  const texts = ["question", "query", "text"].map((name) => text(fields, name))
  if (fields["options"] !== undefined && fields["choices"] !== undefined) bad("options and choices")
  const answers = ["answer", "target", "answers", "golden_answers"].flatMap((name) => answerOf(fields[name]))
  const keys = ["answer_idx", "answer_index", "answerIndex", "answer_choice", "answerKey"]
  return {
    id: firstId(fields, "id", "_id", "qid"),
    question: needed(texts.find((own) => own !== undefined)),
    options: optionsOf(fields["options"] ?? fields["choices"]),
    said: [...answers, ...keys.flatMap((name) => keyed(fields[name]))]
  }
}

const formOf = (fields: Fields, from: 0 | 1 | undefined): Form => {
  const has = (...names: ReadonlyArray<string>) => names.some((name) => Object.hasOwn(fields, name))
  if (has("opa", "opb")) return medMcqa(fields, from)
  if (has("QUESTION", "final_decision", "pubid")) return pubMedQa(fields)
  if (has("body")) return bioAsq(fields)
  return has("qtext") ? headQa(fields) : common(fields)
}

const idsOf = (value: unknown): ReadonlyArray<string> =>
  value === undefined ? [] : [...new Set([value].flat().filter(says).map(idOf))]

const lone = /^(?:[A-H]|(?:option|choice|opt|op|ending|distractor)s?[_ ]?(?:[a-h]|\d))$/i

/** `place` names a question without an id; `from` is what the file's `cop` counts from. */
export const questionOf = (value: unknown, place: string, from: 0 | 1 | undefined): Question => {
  const fields = saying(value)
  for (const name of ["exclude", "excluded_ids"]) {
    if ([fields[name] ?? []].flat().some((own) => own !== "N/A")) bad(name)
  }
  const { id = place, options, question, said } = formOf(fields, from)
  if (options.length === 0 && Object.keys(fields).filter((name) => lone.test(name)).length > 1) {
    bad("options in fields of their own")
  }
  if (options.length === 0 && said.some(({ byText }) => !byText)) bad("a key without options")
  const right = options.length > 0
    ? rightPlaces(options, said).map((i) => options[i]!.text)
    : said.flatMap(({ values }) => values.map(String))
  const group = idsOf(fields["group"])
  if (group.length > 1) bad("group")
  const type = fields["type"] ?? ""
  if (!isValue(type)) bad("type")
  return {
    id: id.toWellFormed(),
    question: question.toWellFormed(),
    options: options.map((own) => own.text.toWellFormed()),
    right: [...new Set(right.map((own) => own.toWellFormed()))].toSorted(),
    gold: idsOf(fields["gold"]),
    group: group[0] ?? id,
    type: String(type)
  }
}
