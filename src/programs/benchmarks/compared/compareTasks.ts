/** Program: compares what `bench` found of several systems, task by task, in pairs of records. */
import * as Effect from "effect/Effect"
import * as Metric from "../../../domain/Metric.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import { holm, permutation } from "../../../domain/statistics/paired.ts"
import { type Figure, resultsIn, type Sample, samplesIn, type System, type Told } from "./read.ts"

/** A system's difference from the first, in pairs of records. */
export interface Against {
  readonly difference: Metric.Interval
  /** Records on which it is worse, or better. */
  readonly lost: number
  readonly won: number
  /** Of the permutation test, and under Holm's correction over the systems. */
  readonly p: number
  readonly holm: number
}

/** A system's figure. */
export interface Row {
  readonly system: string
  /** `null` where the system has no such task. */
  readonly value: Pick<Figure, "mean" | "low" | "high" | "records"> | null
  /** `null` of the first, and where there are no figures of single records. */
  readonly against: Against | null
}

/** A figure of a task, for all systems. */
export interface FigureRows {
  readonly task: string
  readonly metric: string
  readonly filter: string
  /** Whether it is the task's main score. */
  readonly main: boolean
  readonly rows: ReadonlyArray<Row>
}

/** All figures, and each system's mean of main scores over the tasks that all systems have. */
export interface TaskComparison {
  readonly figures: ReadonlyArray<FigureRows>
  readonly means: ReadonlyArray<{ readonly system: string; readonly mean: number | null; readonly tasks: number }>
}

const refused = (problems: ReadonlyArray<string>) => new ConfigError({ source: "compare-tasks", problems })

/** What is wrong with results of one name: two systems were asked different tasks. */
const unlike = (names: ReadonlyArray<string>, task: string, all: ReadonlyArray<Told | undefined>) => {
  const first = all.findIndex((own) => own !== undefined)
  const other = all.findIndex((own) => own !== undefined && own.asked !== all[first]!.asked)
  return other < 0
    ? []
    : [`${task}: ${names[first]} and ${names[other]} were asked different tasks of this name; run bench again`]
}

type Values = ReadonlyMap<string, Metric.Keyed>

/** A figure of each record that has it. */
const valuesOf = (samples: ReadonlyArray<Sample>, { filter, metric }: Figure): Values =>
  new Map(
    samples.filter((own) => own.filter === filter).flatMap((own) => {
      const [value, key] = [own[metric], `${own.doc_id} ${own.id}`]
      return typeof value === "number" ? [[key, { key, group: own.group, value }] as const] : []
    })
  )

/** The records that two files of samples do not have in common. */
const strangers = (a: ReadonlyArray<Sample>, b: ReadonlyArray<Sample>): ReadonlyArray<string> => {
  const [left, right] = [a, b].map((all) => new Set(all.map(({ doc_id, group, id }) => `${doc_id} ${id} ${group}`)))
  return [...[...left!].filter((own) => !right!.has(own)), ...[...right!].filter((own) => !left!.has(own))]
}

/** The differences of the records that have the figure on both sides; `undefined` without any. */
const pairedOf = (base: Values, own: Values): ReadonlyArray<Metric.Observed> | undefined => {
  const both = [...own.values()].filter(({ key }) => base.has(key))
  return both.length === 0
    ? undefined
    : both.map(({ group, key, value }) => ({ group, value: value - base.get(key)!.value }))
}

const testOf = (differences: ReadonlyArray<Metric.Observed>): Omit<Against, "holm"> => {
  const { high, low, mean } = Metric.comparison(differences)!
  const count = (sign: number) => differences.filter(({ value }) => Math.sign(value) === sign).length
  return { difference: { mean, low, high }, lost: count(-1), won: count(1), p: permutation(differences) }
}

/** The tests of all systems against the first, corrected together. */
const corrected = (tests: ReadonlyArray<Omit<Against, "holm"> | null>): ReadonlyArray<Against | null> => {
  const found = tests.filter((own) => own !== null)
  const adjusted = holm(found.map(({ p }) => p))
  return tests.map((own) => own && Object.assign({ holm: adjusted[found.indexOf(own)]! }, own))
}

/** A figure with its interval, that of the records where the figure has none of its own. */
const intervalled = ({ high, low, mean, records }: Figure, values: Values | undefined): NonNullable<Row["value"]> => {
  const own = low === null && values !== undefined && values.size > 0 ? Metric.interval([...values.values()]) : null
  return { mean, low: own?.low ?? low, high: own?.high ?? high, records }
}

/** A figure's rows. */
const rowsOf = (
  names: ReadonlyArray<string>,
  all: ReadonlyArray<Told | undefined>,
  samples: ReadonlyArray<ReadonlyArray<Sample> | undefined>,
  figure: Figure
): ReadonlyArray<Row> => {
  const values = samples.map((own) => own && valuesOf(own, figure))
  const tests = values.map((own, i) => {
    const differences = i === 0 || own === undefined || values[0] === undefined ? undefined : pairedOf(values[0], own)
    return differences === undefined ? null : testOf(differences)
  })
  const against = corrected(tests)
  return names.map((system, i) => {
    const own = all[i]?.figures.find(({ filter, metric }) => filter === figure.filter && metric === figure.metric)
    return { system, value: own === undefined ? null : intervalled(own, values[i]), against: against[i]! }
  })
}

const ofTask = Effect.fnUntraced(
  function*(names: ReadonlyArray<string>, task: string, all: ReadonlyArray<Told | undefined>) {
    const problems = unlike(names, task, all)
    if (problems.length > 0) return yield* refused(problems)
    const samples = yield* Effect.forEach(
      all,
      (own) => own?.samples === undefined ? Effect.succeed(undefined) : samplesIn(own.samples)
    )
    for (const [i, own] of samples.entries()) {
      const lost = samples[0] === undefined || own === undefined ? [] : strangers(samples[0], own)
      if (lost.length === 0) continue
      const why = `${lost.length} records are of one of them alone (first: ${lost[0]})`
      return yield* refused([`${task}: ${names[0]} and ${names[i]}: ${why}; ask both the same (max_eval_samples)`])
    }
    const { figures, main } = all.find((own) => own !== undefined)!
    const first = figures.find(({ metric }) => metric === main)
    return figures.map((figure): FigureRows => ({
      task,
      metric: figure.metric,
      filter: figure.filter,
      main: figure === first,
      rows: rowsOf(names, all, samples, figure)
    }))
  }
)

/** Each system's mean of main scores over the tasks that all have. */
const meansOf = (names: ReadonlyArray<string>, figures: ReadonlyArray<FigureRows>): TaskComparison["means"] => {
  const common = figures.filter(({ main, rows }) => main && rows.every(({ value }) => value !== null))
  return names.map((system, i) => ({
    system,
    mean: Metric.mean(common.map(({ rows }) => rows[i]!.value!.mean)),
    tasks: common.length
  }))
}

/** Compares systems with the first, in all figures of all tasks that any of them has. */
export const compareTasks = Effect.fn("compareTasks")(function*(systems: ReadonlyArray<System>) {
  const names = systems.map(({ name }) => name)
  const twice = names.filter((name, i) => names.indexOf(name) < i)
  if (twice.length > 0) {
    return yield* refused(twice.map((name) => `${name} is the name of two systems: give NAME=FOLDER`))
  }
  const results = yield* Effect.forEach(systems, resultsIn)
  const tasks = [...new Set(results.flatMap((own) => [...own.keys()]))]
  const figures = (yield* Effect.forEach(tasks, (task) => ofTask(names, task, results.map((own) => own.get(task)))))
    .flat()
  return { figures, means: meansOf(names, figures) } satisfies TaskComparison as TaskComparison
})
