/** Figures of arms with intervals, and their paired differences from a base arm with tests. */
import * as Metric from "../../domain/Metric.ts"
import {
  type Bin,
  brier,
  expectedCalibrationError,
  type Forecast,
  probabilitiesOf,
  reliability
} from "../../domain/statistics/calibration.ts"
import { auc, balancedAccuracy, macroF1 } from "../../domain/statistics/classification.ts"
import { holm } from "../../domain/statistics/paired.ts"
import { against, type Difference, figures } from "../evaluation/compare.ts"
import type { Answered, ReportedRun } from "./runs.ts"

/** An arm: its runs, one a seed, in rising order of seeds. */
export interface Arm {
  readonly name: string
  readonly runs: ReadonlyArray<ReportedRun>
}

/** An arm by one figure, over its evaluated seeds. */
export interface Compared extends Pick<Difference, "mean" | "interval" | "questions" | "groups"> {
  readonly arm: string
  readonly figure: string
  readonly seeds: ReadonlyArray<number>
  /** The mean before training, over seeds that were evaluated then; `null` if none was. */
  readonly before: number | null
  /** Against the base arm, over the seeds that both have. */
  readonly against: (NonNullable<Difference["against"]> & { readonly seeds: ReadonlyArray<number> }) | undefined
  /** Why there is no comparison. */
  readonly why: string | undefined
}

/** The evaluated runs of an arm. */
export const evaluatedOf = ({ runs }: Arm) =>
  runs.flatMap((run) => run.evaluated ? [{ ...run, evaluated: run.evaluated }] : [])

/** The values of an arm's questions by a figure, keyed by seed and id. */
const keyedOf = (arm: Arm, figure: string, seeds?: ReadonlySet<number>): ReadonlyArray<Metric.Keyed> =>
  evaluatedOf(arm).filter(({ seed }) => seeds?.has(seed) ?? true).flatMap(({ evaluated, seed }) =>
    evaluated.answered.flatMap((own): ReadonlyArray<Metric.Keyed> => {
      const value = figures[figure]!(own)
      return value === null ? [] : [{ key: `seed ${seed}, ${own.id}`, group: own.group, value }]
    })
  )

/** Whether two runs were asked the same questions over the same passages; `undefined` if one does not say. */
const madeAlike = (a: ReportedRun, b: ReportedRun): boolean => {
  const of = ({ evaluated }: ReportedRun, part: string) =>
    (evaluated?.source[part] as { readonly sha256?: unknown } | undefined)?.sha256
  return of(a, "questions") === of(b, "questions") && of(a, "passages") === of(b, "passages")
}

type Tested = Omit<NonNullable<Compared["against"]>, "holm">

/** The paired differences of an arm from the base, or why there are none. */
const tested = (base: Arm, arm: Arm, figure: string): Tested | string => {
  const others = new Map(evaluatedOf(base).map((run) => [run.seed, run]))
  const both = evaluatedOf(arm).filter(({ seed }) => others.has(seed))
  if (both.length === 0) return `${arm.name} and ${base.name} have no evaluated seed in common`
  const other = both.find((run) => !madeAlike(run, others.get(run.seed)!))
  if (other) {
    return `${arm.name} and ${base.name} were evaluated on other questions or passages (seed ${other.seed}): by their hashes`
  }
  const seeds = new Set(both.map(({ seed }) => seed))
  const differences = Metric.differences(keyedOf(base, figure, seeds), keyedOf(arm, figure, seeds))
  if ("unpaired" in differences) {
    return `${arm.name} and ${base.name}: ${differences.unpaired.length} questions are of one of them alone, or of other `
      + `groups in the other (first: ${differences.unpaired[0]})`
  }
  return differences.length === 0
    ? `${arm.name} and ${base.name} share no question with this figure`
    : { ...against(differences, figure), seeds: [...seeds] }
}

const beforeOf = ({ runs }: Arm, figure: string): number | null =>
  Metric.mean(
    runs.flatMap(({ before, evaluated }) => evaluated && before ? before.answered.map(figures[figure]!) : [])
  )

/** Every arm that has the figure, against the base; p-values are corrected over these arms. */
export const compared = (arms: ReadonlyArray<Arm>, base: Arm, figure: string): ReadonlyArray<Compared> => {
  const known = arms.map((arm) => ({ arm, values: keyedOf(arm, figure) })).filter(({ values }) => values.length > 0)
  const isBase = ({ arm }: typeof known[number]) => arm === base
  const found = known.some(isBase)
    ? known.map((own) => isBase(own) ? undefined : tested(base, own.arm, figure))
    : known.map(() => `${base.name} has no ${figure}`)
  const places = [...found.keys()].filter((i) => typeof found[i] === "object")
  const adjusted = holm(places.map((i) => (found[i] as Tested).permutation))
  return known.map(({ arm, values }, i): Compared => {
    const own = found[i]
    return {
      arm: arm.name,
      figure,
      seeds: evaluatedOf(arm).map(({ seed }) => seed),
      mean: Metric.mean(values.map(({ value }) => value))!,
      interval: Metric.interval(values)!,
      questions: values.length,
      groups: new Set(values.map(({ group }) => group)).size,
      before: beforeOf(arm, figure),
      against: typeof own === "object" ? { ...own, holm: adjusted[places.indexOf(i)]! } : undefined,
      why: typeof own === "string" ? own : undefined
    }
  })
}

/** A mean of some of an arm's questions. */
export interface Share {
  readonly arm: string
  readonly name: string
  readonly questions: number
  readonly interval: Metric.Interval
}

const shareOf = (arm: string, name: string, own: ReadonlyArray<Metric.Observed>): ReadonlyArray<Share> => {
  const interval = Metric.interval(own)
  return interval === null ? [] : [{ arm, name, questions: own.length, interval }]
}

const answersOf = (arm: Arm): ReadonlyArray<Answered> => evaluatedOf(arm).flatMap(({ evaluated }) => evaluated.answered)

/** Accuracy by type of question; empty if no question has a type. */
export const byType = (arms: ReadonlyArray<Arm>): ReadonlyArray<Share> => {
  const types = [...new Set(arms.flatMap(answersOf).map(({ type }) => type))].toSorted()
  if (types.every((type) => type === "")) return []
  return arms.flatMap((arm) =>
    types.flatMap((type) =>
      shareOf(
        arm.name,
        type || "(no type)",
        answersOf(arm).flatMap((own) =>
          own.type !== type || own.correct === null ? [] : [{ group: own.group, value: own.correct }]
        )
      )
    )
  )
}

/** Ranks at which recall is drawn. */
const ranks = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100]

/** Recall at a rank. */
export interface Recall extends Share {
  readonly k: number
}

/** Recall of gold passages over k, after training and, where it was evaluated, before. */
export const recallCurves = (arms: ReadonlyArray<Arm>): ReadonlyArray<Recall> => {
  const at = (answered: ReadonlyArray<Answered>, k: number) =>
    answered.filter(({ ranked }) => ranked).map(({ gold, goldRanks, group }) => ({
      group,
      value: goldRanks.filter((rank) => rank <= k).length / gold.length
    }))
  const curve = (arm: Arm, name: string, answered: ReadonlyArray<Answered>) =>
    ranks.flatMap((k) => shareOf(arm.name, name, at(answered, k)).map((own): Recall => Object.assign(own, { k })))
  return arms.flatMap((arm) => [
    ...curve(arm, "after training", answersOf(arm)),
    ...curve(arm, "before training", evaluatedOf(arm).flatMap(({ before }) => before?.answered ?? []))
  ])
}

/** How far an arm's probabilities of its options can be trusted. */
export interface Calibration {
  readonly arm: string
  readonly questions: number
  readonly brier: Metric.Interval
  readonly ece: Metric.Interval
  readonly bins: ReadonlyArray<Bin>
}

/** Calibration of the arms whose evaluations keep likelihoods of options. */
export const calibrations = (arms: ReadonlyArray<Arm>): ReadonlyArray<Calibration> =>
  arms.flatMap((arm) => {
    const known = answersOf(arm).flatMap(({ answerIndex, group, optionNll, options }) =>
      answerIndex < 0 || optionNll.length === 0 || optionNll.length !== options.length
        ? []
        : [{ group, value: { probabilities: probabilitiesOf(optionNll), right: answerIndex } satisfies Forecast }]
    )
    if (known.length === 0) return []
    const ece = (forecasts: ReadonlyArray<Forecast>) => expectedCalibrationError(reliability(forecasts))
    return [{
      arm: arm.name,
      questions: known.length,
      brier: Metric.interval(known.map(({ group, value }) => ({ group, value: brier(value) })))!,
      ece: Metric.intervalBy(known, ece)!,
      bins: reliability(known.map(({ value }) => value))
    }]
  })

/** Figures of questions that all have the same options, as classes are predicted. */
export interface Classified {
  readonly arm: string
  readonly questions: number
  readonly classes: ReadonlyArray<string>
  /** Means over the right classes: of F1, and of the share of each that is found. */
  readonly macroF1: Metric.Interval
  readonly balanced: Metric.Interval
  /** Of two classes, how probably the second is likelier where it is right; `null` of others, and without likelihoods. */
  readonly auc: Metric.Interval | null
}

/** Which class is right and which was given, by the options' texts; -1 is none. */
const predictedOf = (
  { answerIndex, options, optionNll, predictionIndex }: Answered,
  classes: ReadonlyArray<string>
) => ({
  right: classes.indexOf(options[answerIndex]!),
  predicted: predictionIndex < 0 ? -1 : classes.indexOf(options[predictionIndex]!),
  /** Probability of the second class; `NaN` if it is not known. */
  second: optionNll.length === options.length
    ? probabilitiesOf(optionNll)[options.indexOf(classes[1]!)]!
    : Number.NaN
})
type Class = ReturnType<typeof predictedOf>

/** Resamples with one class alone have no order, which is that of chance. */
const aucOf = (all: ReadonlyArray<Class>): number =>
  auc(all.map(({ second }) => second), all.map(({ right }) => right === 1)) ?? 0.5

/** Arms whose questions are answered and all have the same options, in any order. */
export const classified = (arms: ReadonlyArray<Arm>): ReadonlyArray<Classified> =>
  arms.flatMap((arm) => {
    const judged = answersOf(arm).filter(({ correct }) => correct !== null)
    const [first] = judged
    const key = ({ options }: Answered) => JSON.stringify(options.toSorted())
    if (first === undefined || first.options.length < 2 || judged.some((own) => key(own) !== key(first))) return []
    const classes = first.options
    const items = judged.map((own) => ({ group: own.group, value: predictedOf(own, classes) }))
    const scored = classes.length === 2 && items.every(({ value }) => !Number.isNaN(value.second))
    return [{
      arm: arm.name,
      questions: items.length,
      classes,
      macroF1: Metric.intervalBy(items, macroF1)!,
      balanced: Metric.intervalBy(items, balancedAccuracy)!,
      auc: scored ? Metric.intervalBy(items, aucOf) : null
    }]
  })

/** How passages of a kind change the log-likelihood of the right answer, in nats per token. */
export interface Influences {
  readonly arm: string
  readonly kind: "gold" | "other"
  readonly passages: number
  readonly alone: Metric.Interval
  readonly beside: Metric.Interval
}

/** Means over the passages read, gold ones and others, of arms whose evaluations keep their influence. */
export const influences = (arms: ReadonlyArray<Arm>): ReadonlyArray<Influences> =>
  arms.flatMap((arm) =>
    (["gold", "other"] as const).flatMap((kind) => {
      const own = answersOf(arm).flatMap(({ gold, group, influence }) =>
        influence.filter(({ id }) => gold.includes(id) === (kind === "gold")).map(({ alone, beside }) => ({
          group,
          alone,
          beside
        }))
      )
      if (own.length === 0) return []
      const of = (name: "alone" | "beside") =>
        Metric.interval(own.map((one) => ({ group: one.group, value: one[name] })))!
      return [{ arm: arm.name, kind, passages: own.length, alone: of("alone"), beside: of("beside") }]
    })
  )
