/** Metrics of tasks, as a `metric_list` names them: what each needs, and its figures of one record. */
import { spoken } from "../answers/reasoning.ts"
import { brief } from "../brief.ts"
import { search } from "../pattern.ts"
import { codeMatch } from "../textMetrics/codes.ts"
import * as JsonSchema from "../textMetrics/jsonSchema.ts"
import { type Rouge, rouge } from "../textMetrics/rouge.ts"
import { exactMatch, itemsOf, listMatch, wordF1 } from "../textMetrics/strings.ts"
import type { Ordered } from "../verdicts/orders.ts"
import type { OrdersSpec } from "./orders.ts"
import { type Outside, outsideKinds } from "./outside.ts"

/** Figures by name; `null` where a record has none. */
export type Figures = Readonly<Record<string, number | null>>
type Options = Readonly<Record<string, unknown>>

/** A text that was written for a record, with its references, of which the best counts. */
export interface Written {
  readonly references: ReadonlyArray<string>
  /** `null` where a filter left none: it counts as nothing written. */
  readonly answer: string | null
  /** The lines of the metric's file, if it has one. */
  readonly listed: ReadonlySet<string> | undefined
}

/** The likelihoods of a record's choices; of a metric that reads several orders, what these say together. */
export interface Chosen {
  /** Sums of log-likelihoods of the tokens. */
  readonly likelihoods: ReadonlyArray<number>
  readonly choices: ReadonlyArray<string>
  /** Places of the right choices. */
  readonly gold: ReadonlyArray<number>
  readonly ordered?: Ordered
}

/** A metric with its options. */
export interface MetricSpec {
  readonly metric: string
  /** The names of its figures. */
  readonly names: ReadonlyArray<string>
  /** A file of one item a line, which it needs. */
  readonly file?: string
  /** Whether it is one figure of all records' labels, and not a mean. */
  readonly ofLabels?: true
  /** What it needs that this file has not: programs compute it. */
  readonly outside?: Outside
  /** The orders of the options that it needs a record to be read in. */
  readonly orders?: OrdersSpec
  readonly ofText?: (written: Written) => Figures
  readonly ofChoices?: (chosen: Chosen) => Figures
}

/** The place of the greatest value; the first of several. */
export const argmax = (values: ReadonlyArray<number>): number => values.indexOf(Math.max(...values))

const utf8 = new TextEncoder()
/** What a choice's likelihood is divided by. */
const sizes = {
  acc: () => 1,
  acc_norm: (choice: string) => [...choice].length,
  acc_bytes: (choice: string) => utf8.encode(choice).length
} as const

const accuracy = (name: keyof typeof sizes): MetricSpec => ({
  metric: name,
  names: [name],
  ofChoices: ({ choices, gold, likelihoods }) => ({
    [name]: gold.includes(argmax(likelihoods.map((own, i) => own / sizes[name](choices[i]!)))) ? 1 : 0
  })
})

/** Accuracy by the mean probabilities over orders of the options, and the share of records whose answer depends on the order. */
const debiased = (o: Options): MetricSpec => ({
  metric: "debiased_acc",
  names: ["debiased_acc", "order_dependent"],
  orders: {
    options: String(o["options"]),
    answer: o["answer"] === undefined ? undefined : String(o["answer"]),
    count: Number(o["orders"] ?? 24)
  },
  ofChoices: ({ gold, ordered }) => ({
    debiased_acc: ordered && gold.includes(argmax(ordered.probabilities)) ? 1 : 0,
    order_dependent: ordered && new Set(ordered.answers).size > 1 ? 1 : 0
  })
})

/** The best value over the references. */
const best = (references: ReadonlyArray<string>, score: (reference: string) => number): number =>
  Math.max(...references.map(score))

const pattern = (own: unknown): RegExp => search(String(own))
const is = (own: unknown): boolean => own === true

const exact = (o: Options): MetricSpec => {
  const overlooked = {
    regexes_to_ignore: [o["regexes_to_ignore"] ?? []].flat().map(pattern),
    ignore_case: is(o["ignore_case"]),
    ignore_punctuation: is(o["ignore_punctuation"]),
    ignore_numbers: is(o["ignore_numbers"])
  }
  return {
    metric: "exact_match",
    names: ["exact_match"],
    ofText: ({ answer, references }) => ({
      exact_match: answer === null ? 0 : best(references, (own) => exactMatch(own, answer, overlooked))
    })
  }
}

const simple = (metric: string, score: (reference: string, answer: string) => number): MetricSpec => ({
  metric,
  names: [metric],
  ofText: ({ answer, references }) => ({ [metric]: best(references, (own) => score(own, answer ?? "")) })
})

const rouges = (kind: Rouge) => (o: Options): MetricSpec =>
  simple(kind, (reference, answer) => rouge[kind](reference, answer, is(o["use_stemmer"])).f)

const codes = ({ codes: file }: Options): MetricSpec => ({
  metric: "code_f1",
  names: ["code_f1", "code_f1_prefix", ...(file === undefined ? [] : ["code_valid"])],
  ...(file === undefined ? {} : { file: String(file) }),
  ofText: ({ answer, listed, references }) => {
    const valid = listed && new Set([...listed].map((own) => own.replace(".", "")))
    const all = references.map((own) => codeMatch(own, answer ?? "", valid))
    return {
      code_f1: Math.max(...all.map(({ exact }) => exact)),
      code_f1_prefix: Math.max(...all.map(({ prefix }) => prefix)),
      ...(file === undefined ? {} : { code_valid: all[0]!.valid })
    }
  }
})

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

const json = ({ schema }: Options): MetricSpec => ({
  metric: "json_valid",
  names: schema === undefined ? ["json_valid"] : ["json_valid", "json_schema"],
  ofText: ({ answer }) => {
    const found = parsed(spoken(answer ?? ""))
    const valid = { json_valid: found === undefined ? 0 : 1 }
    if (schema === undefined) return valid
    return { ...valid, json_schema: found !== undefined && JsonSchema.conforms(schema as Options, found.value) ? 1 : 0 }
  }
})

const sets = ({ separator = "\n" }: Options): MetricSpec => ({
  metric: "set_f1",
  names: ["set_precision", "set_recall", "set_f1"],
  ofText: ({ answer, references }) => {
    const given = itemsOf(answer ?? "", String(separator))
    const all = references.map((own) => listMatch(itemsOf(own, String(separator)), given))
    const { f, precision, recall } = all.reduce((a, b) => b.f > a.f ? b : a)
    return { set_precision: precision, set_recall: recall, set_f1: f }
  }
})

const labels: MetricSpec = { metric: "macro_f1", names: ["macro_f1"], ofLabels: true }

const flag = (value: unknown) => typeof value === "boolean" ? undefined : "has to be true or false"
const string = (value: unknown) => typeof value === "string" && value !== "" ? undefined : "has to be a text"
const several = (value: unknown) =>
  Number.isInteger(value) && Number(value) > 1 ? undefined : "has to be a whole number above 1"
const patterns = (value: unknown) => {
  const all = [value].flat()
  if (!all.every((own) => typeof own === "string")) return "has to be a list of patterns"
  try {
    all.forEach(pattern)
    return undefined
  } catch (cause) {
    return (cause as Error).message
  }
}

/** The options a metric takes, with what may be wrong with each, and the metric made of them. */
type Kind = readonly [
  options: Readonly<Record<string, (value: unknown) => string | undefined>>,
  make: (o: Options) => MetricSpec
]
const stems = { use_stemmer: flag }
const outside = Object.fromEntries(
  Object.entries(outsideKinds).map(([metric, { make, names, takes }]): [string, Kind] => [
    metric,
    [takes, (o) => ({ metric, names, outside: make(o) })]
  ])
)
const written: Readonly<Record<string, Kind>> = {
  exact_match: [
    { ignore_case: flag, ignore_punctuation: flag, ignore_numbers: flag, regexes_to_ignore: patterns },
    exact
  ],
  f1: [{}, () => simple("f1", wordF1)],
  rouge1: [stems, rouges("rouge1")],
  rouge2: [stems, rouges("rouge2")],
  rougeL: [stems, rouges("rougeL")],
  rougeLsum: [stems, rouges("rougeLsum")],
  code_f1: [{ codes: string }, codes],
  json_valid: [{ schema: JsonSchema.problemOf }, json],
  set_f1: [{ separator: string }, sets],
  macro_f1: [{}, () => labels],
  ...outside
}
const chosen: Readonly<Record<string, Kind>> = {
  acc: [{}, () => accuracy("acc")],
  acc_norm: [{}, () => accuracy("acc_norm")],
  acc_bytes: [{}, () => accuracy("acc_bytes")],
  debiased_acc: [{ options: string, answer: string, orders: several }, debiased],
  macro_f1: [{}, () => labels]
}

/** Keys of any metric. */
const common: ReadonlySet<string> = new Set(["metric", "aggregation", "higher_is_better"])

const specOf = (kinds: Readonly<Record<string, Kind>>, given: Options): MetricSpec | string => {
  const { aggregation = "mean", higher_is_better: higher = true, metric } = given
  if (typeof metric !== "string" || !Object.hasOwn(kinds, metric)) {
    return `there is no metric ${brief(metric)} for this output_type; there are ${Object.keys(kinds).join(", ")}`
  }
  if (aggregation !== "mean") return `${metric}: aggregation ${brief(aggregation)} is not known here; mean is`
  if (higher !== true) return `${metric}: higher_is_better is true of it`
  const [takes, make] = kinds[metric]!
  const options = Object.fromEntries(Object.entries(given).filter(([key]) => !common.has(key)))
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(takes, key)) return `${metric}: there is no option ${brief(key)}`
    const wrong = takes[key]!(value)
    if (wrong !== undefined) return `${metric}: ${key}: ${wrong}`
  }
  const needs = metric === "debiased_acc" ? ["options"] : outsideKinds[metric]?.needs
  const missing = needs?.find((key) => !Object.hasOwn(options, key))
  if (missing !== undefined) return `${metric}: needs a ${missing}`
  return make(options)
}

/** The metrics of a `metric_list`, or lm-evaluation-harness' own, and what is wrong with it. */
export const metricsOf = (type: "generate_until" | "multiple_choice", list: ReadonlyArray<Options> | undefined) => {
  const choices = type === "multiple_choice"
  const usual = choices ? ["acc", "acc_norm"] : ["exact_match"]
  const all = (list ?? usual.map((metric) => ({ metric }))).map((given) => specOf(choices ? chosen : written, given))
  const specs = all.filter((own) => typeof own !== "string")
  const names = specs.flatMap((own) => own.names)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  const problems = [
    ...all.filter((own) => typeof own === "string").map((own) => `metric_list: ${own}`),
    ...(twice === undefined ? [] : [`metric_list: ${twice} is given twice`]),
    ...(all.length === 0 ? ["metric_list is empty"] : [])
  ]
  return { specs, problems }
}

/** Labels of a record: the right one, and the one that was given. */
export interface Labels {
  readonly gold: string
  readonly given: string
}

/** The mean over the right labels and those given of each one's F1 (macro-averaged, as scikit-learn's). */
export const macroF1 = (all: ReadonlyArray<Labels>): number => {
  const names = new Set(all.flatMap(({ given, gold }) => [gold, given]))
  const each = [...names].map((name) => {
    const [gold, given] = [all.filter((own) => own.gold === name), all.filter((own) => own.given === name)]
    return 2 * gold.filter((own) => own.given === name).length / (gold.length + given.length)
  })
  return each.reduce((sum, own) => sum + own, 0) / each.length
}
