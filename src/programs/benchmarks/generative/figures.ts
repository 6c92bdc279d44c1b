/** Figures of a task's answers: of each record, and over all with intervals. */
import type { Response } from "../../../domain/benchmarks/filters.ts"
import type { GenerativeTask } from "../../../domain/benchmarks/generativeTask.ts"
import { argmax, type Figures, type Labels, macroF1 } from "../../../domain/benchmarks/metrics.ts"
import * as Metric from "../../../domain/Metric.ts"
import type { Answered } from "./answers.ts"
import type { Asked } from "./asked.ts"

/** A record's answer under one pipeline of filters, with its figures. */
export interface Sample {
  readonly asked: Asked
  readonly answered: Answered
  /** The pipeline's name. */
  readonly filter: string
  readonly filtered: ReadonlyArray<Response>
  readonly figures: Figures
  readonly labels: Labels
}

/** The lines of metrics' files, by path. */
export type Listed = ReadonlyMap<string, ReadonlySet<string>>

const empty: Figures = {}

/** Figures of a record whose choices were ranked; 0 where it was skipped. */
const ofChoices = ({ metrics }: GenerativeTask, asked: Asked, answered: Answered): Sample => {
  const { likelihoods, ordered } = answered
  const skipped = likelihoods.length === 0
  const figures = metrics.map(({ names, ofChoices: score }) =>
    score === undefined
      ? empty
      : skipped
      ? Object.fromEntries(names.map((name) => [name, 0]))
      : score({ likelihoods, choices: asked.choices, gold: asked.gold, ...(ordered ? { ordered } : {}) })
  )
  const given = skipped ? "" : asked.choices[argmax(likelihoods)]!
  return {
    asked,
    answered,
    filter: "none",
    filtered: [given],
    figures: Object.assign({}, ...figures) as Figures,
    labels: { gold: asked.references[0]!, given }
  }
}

const ofTexts = (task: GenerativeTask, asked: Asked, answered: Answered, listed: Listed): ReadonlyArray<Sample> =>
  task.filters.map(({ apply, name }): Sample => {
    const filtered = apply(answered.texts)
    const answer = filtered[0] ?? null
    const { references } = asked
    const figures = task.metrics.map(({ file, ofText }) =>
      ofText?.({ references, answer, listed: file === undefined ? undefined : listed.get(file) }) ?? empty
    )
    return {
      asked,
      answered,
      filter: name,
      filtered,
      figures: Object.assign({}, ...figures) as Figures,
      labels: { gold: references[0]!, given: answer ?? "" }
    }
  })

/** The samples of all records, by record and pipeline. */
export const samplesOf = (
  task: GenerativeTask,
  all: ReadonlyArray<Asked>,
  answers: ReadonlyArray<Answered>,
  listed: Listed
): ReadonlyArray<Sample> =>
  all.flatMap((asked, i) =>
    task.output_type === "multiple_choice"
      ? [ofChoices(task, asked, answers[i]!)]
      : ofTexts(task, asked, answers[i]!, listed)
  )

/** A figure over all records, with its 95% interval. */
export interface Figure extends Metric.Interval {
  readonly metric: string
  readonly filter: string
  /** Standard error of the mean, by the sample's deviation; `null` of what is no mean, or of one record. */
  readonly stderr: number | null
  /** Records that have a value. */
  readonly records: number
}

const errorOf = (values: ReadonlyArray<number>, mean: number): number | null => {
  if (values.length < 2) return null
  const squares = values.reduce((sum, own) => sum + (own - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1) / values.length)
}

const none = { mean: NaN, low: null, high: null }

const meanOf = (samples: ReadonlyArray<Sample>, filter: string, metric: string): Figure => {
  const observed = samples.flatMap(({ asked: { group }, figures }) => {
    const value = figures[metric]
    return value === null || value === undefined ? [] : [{ group, value }]
  })
  const interval = Metric.interval(observed) ?? none
  const stderr = errorOf(observed.map(({ value }) => value), interval.mean)
  return { ...interval, metric, filter, stderr, records: observed.length }
}

const labelsOf = (samples: ReadonlyArray<Sample>, filter: string, metric: string): Figure => {
  const items = samples.map(({ asked: { group }, labels }) => ({ group, value: labels }))
  return { ...Metric.intervalBy(items, macroF1) ?? none, metric, filter, stderr: null, records: items.length }
}

/** The figures of a task, by pipeline and metric. */
export const figuresOf = (task: GenerativeTask, samples: ReadonlyArray<Sample>): ReadonlyArray<Figure> =>
  [...Map.groupBy(samples, ({ filter }) => filter)].flatMap(([filter, own]) =>
    task.metrics.flatMap(({ names, ofLabels }) =>
      names.map((name) => (ofLabels ? labelsOf : meanOf)(own, filter, name))
    )
  )
