/** Filters of written texts, as lm-evaluation-harness names them: each is given all texts of a record. */
import { brief } from "../brief.ts"
import { findAll, search } from "../pattern.ts"

/** A text, or `null` where a filter gives none. */
export type Response = string | null
type Filter = (texts: ReadonlyArray<Response>) => ReadonlyArray<Response>
type Options = Readonly<Record<string, unknown>>

/** Filters that follow each other, under a name. */
export interface Pipeline {
  readonly name: string
  readonly apply: Filter
}

const texts = (change: (text: string) => Response): Filter => (all) =>
  all.map((own) => own === null ? null : change(own))

/** The match that is selected, stripped; `fallback` where there is none. */
const regex = (
  { fallback = "[invalid]", group_select: place = 0, regex_pattern: pattern = "#### (\\-?[0-9\\.\\,]+)" }: Options
) => {
  const own = search(String(pattern))
  return texts((text) => {
    const match = findAll(own, text).at(Number(place))
    if (match === undefined) return String(fallback)
    const found = typeof match === "string" ? match : match.find((group) => group !== "")
    return found === undefined ? String(fallback) : found.trim()
  })
}

/** The text that most are; of several such, the one that comes first. */
const majority: Filter = (all) => {
  const counts = new Map<Response, number>()
  for (const own of all) counts.set(own, (counts.get(own) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return [...counts].filter(([, count]) => count === most).slice(0, 1).map(([own]) => own)
}

const mapped = ({ default_value: other = null, mapping_dict: map = {} }: Options): Filter => {
  const known = new Map(Object.entries(map as Record<string, unknown>).map(([key, value]) => [key, String(value)]))
  return texts((text) => known.get(text) ?? (other === null ? null : String(other)))
}

/** By name: the options it takes, and how it is made of them. */
const known: Readonly<Record<string, readonly [options: ReadonlyArray<string>, make: (options: Options) => Filter]>> = {
  regex: [["regex_pattern", "group_select", "fallback"], regex],
  remove_whitespace: [[], () => texts((text) => text.trim())],
  lowercase: [[], () => texts((text) => text.toLowerCase())],
  uppercase: [[], () => texts((text) => text.toUpperCase())],
  map: [["mapping_dict", "default_value"], mapped],
  take_first: [[], () => (all) => all.slice(0, 1)],
  take_first_k: [["k"], ({ k }) => (all) => all.slice(0, Number(k))],
  majority_vote: [[], () => majority]
}

const isObject = (value: unknown): value is Options =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A filter, or what is wrong with it. */
const filterOf = (given: unknown): Filter | string => {
  if (!isObject(given) || typeof given["function"] !== "string") {
    return `${brief(given)} is no filter: it has a function`
  }
  const { function: name, ...options } = given as Options & { readonly function: string }
  if (!Object.hasOwn(known, name)) {
    return `there is no filter ${brief(name)}; there are ${Object.keys(known).join(", ")}`
  }
  const [takes, make] = known[name]!
  const other = Object.keys(options).find((key) => !takes.includes(key))
  if (other !== undefined) return `the filter ${name} has no ${brief(other)}`
  if (name === "take_first_k" && !(Number.isInteger(options["k"]) && Number(options["k"]) > 0)) {
    return "take_first_k needs a k above 0"
  }
  try {
    return make(options)
  } catch (cause) {
    return `the filter ${name}: ${(cause as Error).message}`
  }
}

/** What a record without a filter_list goes through. */
const usual: Pipeline = { name: "none", apply: (all) => all.slice(0, 1) }

/** The pipelines of a `filter_list`, and what is wrong with it. */
export const filtersOf = (list: ReadonlyArray<Options> | undefined) => {
  if (list === undefined) return { pipelines: [usual], problems: [] as ReadonlyArray<string> }
  const problems: Array<string> = []
  const pipelines = list.map((given, i): Pipeline => {
    const { filter, name, ...others } = given
    if (typeof name !== "string" || name === "" || name.includes(",")) {
      problems.push(`filter_list ${i + 1}: needs a name`)
    }
    if (Object.keys(others).length > 0) {
      problems.push(`filter_list ${i + 1}: ${brief(Object.keys(others)[0])} is not known`)
    }
    const steps = (Array.isArray(filter) ? filter as ReadonlyArray<unknown> : []).map(filterOf)
    if (steps.length === 0) problems.push(`filter_list ${i + 1}: filter has to be a list of filters`)
    for (const step of steps) if (typeof step === "string") problems.push(`filter_list ${i + 1}: ${step}`)
    const sound = steps.filter((step) => typeof step !== "string")
    return { name: String(name), apply: (all) => sound.reduce((own, step) => step(own), all) }
  })
  if (new Set(pipelines.map(({ name }) => name)).size < pipelines.length) {
    problems.push("filter_list: a name is given twice")
  }
  return { pipelines, problems: problems as ReadonlyArray<string> }
}
