/** Figures of readings of single passages, with intervals: how often they disagree, what the best choice among them would reach. */
import * as Metric from "../Metric.ts"
import { holm, permutation } from "../statistics/paired.ts"
import { isInconsistent, type Readings, rerankers } from "./readings.ts"

/** A question of a system: its own answer, and what each of its passages leads to by itself, best first. */
export interface ReadAlone extends Readings {
  /** The question's id, with the seed if there are several runs. */
  readonly key: string
  readonly group: string
  /** How many options it has; 0 if its answer is free. */
  readonly options: number
  /** Whether the system's own answer is right; `null` if it gave none, or no answer is known. */
  readonly answered: 0 | 1 | null
  /** Whether each passage leads to a right answer. */
  readonly right: ReadonlyArray<0 | 1>
  /** The same of passages drawn at random; empty if none were. */
  readonly chance: ReadonlyArray<0 | 1>
  /** Whether each passage's caption is the right label, and so is the label of most by score; `undefined` where captions are none. */
  readonly labelled?: ReadonlyArray<0 | 1> | undefined
  readonly copied?: 0 | 1 | undefined
  /** The place of the passage that a judge chose, -1 if it chose none; `undefined` if none was asked. */
  readonly judged?: number | undefined
}

/** How a reranker fares that goes by one passage a question. */
export interface Reranked {
  readonly name: string
  readonly accuracy: Metric.Interval
  /** On the questions on which passages disagree: elsewhere there is nothing to choose. */
  readonly there: Metric.Interval | null
  /** By how much the best choice among the passages is above it. */
  readonly gap: Metric.Comparison
}

/** Figures of a system over the questions that have passages. */
export interface Alone {
  readonly questions: number
  readonly groups: number
  /** Most passages of a question. */
  readonly passages: number
  /** Of the system's own answers; `null` if none was judged. */
  readonly accuracy: Metric.Interval | null
  /** The share of questions on which single passages lead to different answers. */
  readonly inconsistent: Metric.Interval
  /** Accuracy of the system's own answers on these; `null` if there are none. */
  readonly there: Metric.Interval | null
  /** The share of questions on which one of the first k passages leads to a right answer; k from 1. */
  readonly oracle: ReadonlyArray<Metric.Interval>
  /** The same with as many random passages; empty if none were read. */
  readonly chance: ReadonlyArray<Metric.Interval>
  /** By how much the oracle is above the system's own answers. */
  readonly gap: Metric.Comparison | null
  /** label@k: the share of the first k passages whose label is the question's; k from 1; empty where captions are no labels. */
  readonly label: ReadonlyArray<Metric.Interval>
  readonly rerankers: ReadonlyArray<Reranked>
  /** Whether all questions have two options, so that the oracle is 1 - the share that all passages get wrong alike. */
  readonly binary: boolean
}

type Valued = ReadonlyArray<Metric.Keyed>

const valued = (all: ReadonlyArray<ReadAlone>, of: (own: ReadAlone) => number | null): Valued =>
  all.flatMap((own) => {
    const value = of(own)
    return value === null ? [] : [{ key: own.key, group: own.group, value }]
  })

const some = (right: ReadonlyArray<0 | 1>, k: number): 0 | 1 => right.slice(0, k).includes(1) ? 1 : 0

/** b - a over the questions that both have. */
const between = (a: Valued, b: Valued): Metric.Comparison | null => {
  const known = new Map(a.map((own) => [own.key, own.value]))
  return Metric.comparison(
    b.flatMap(({ group, key, value }) => known.has(key) ? [{ group, value: value - known.get(key)! }] : [])
  )
}

/** Whether the passage that leads to a verdict leads to a right answer. */
const worth = ({ right, verdicts }: ReadAlone, verdict: number): 0 | 1 => right[verdicts.indexOf(verdict)] ?? 0

/** Rerankers by name: the value of each question, `null` where it cannot choose. */
const choosing: Readonly<Record<string, (own: ReadAlone) => 0 | 1 | null>> = {
  score: (own) => worth(own, rerankers.score(own)),
  confidence: (own) => own.scores.some(({ length }) => length === 0) ? null : worth(own, rerankers.confidence(own)),
  agreement: (own) => worth(own, rerankers.agreement(own)),
  /** No reader: what captions say, weighted by scores. */
  copy: ({ copied }) => copied ?? null,
  judge: ({ judged, right }) => judged === undefined ? null : right[judged] ?? 0
}

const rerankedBy = (name: string, all: ReadonlyArray<ReadAlone>, best: Valued): ReadonlyArray<Reranked> => {
  const own = valued(all, choosing[name]!)
  const gap = between(own, best)
  if (own.length === 0 || gap === null) return []
  const there = new Set(all.filter(({ verdicts }) => isInconsistent(verdicts)).map(({ key }) => key))
  return [{
    name,
    accuracy: Metric.interval(own)!,
    there: Metric.interval(own.filter(({ key }) => there.has(key))),
    gap
  }]
}

/** The shares of questions with a right reading among the first k, for each k up to the longest list. */
const oracles = (all: ReadonlyArray<ReadAlone>, of: (own: ReadAlone) => ReadonlyArray<0 | 1>) => {
  const known = all.filter((own) => of(own).length > 0)
  const most = Math.max(0, ...known.map((own) => of(own).length))
  return Array.from({ length: most }, (_, i) => Metric.interval(valued(known, (own) => some(of(own), i + 1)))!)
}

/** The mean over questions of the share of right labels among the first k passages, or among all of them if they are fewer. */
const labelAt = (all: ReadonlyArray<ReadAlone>): ReadonlyArray<Metric.Interval> => {
  const known = all.flatMap(({ group, labelled = [] }) => labelled.length > 0 ? [{ group, labelled }] : [])
  const most = Math.max(0, ...known.map(({ labelled }) => labelled.length))
  return Array.from(
    { length: most },
    (_, i) =>
      Metric.interval(known.map(({ group, labelled }) => ({ group, value: Metric.mean(labelled.slice(0, i + 1))! })))!
  )
}

/** Figures of a system's questions; those without passages are left out. */
export const alone = (given: ReadonlyArray<ReadAlone>): Alone | undefined => {
  const all = given.filter(({ verdicts }) => verdicts.length > 0)
  if (all.length === 0) return undefined
  const best = valued(all, ({ right }) => some(right, right.length))
  const answers = valued(all, ({ answered }) => answered)
  return {
    questions: all.length,
    groups: new Set(all.map(({ group }) => group)).size,
    passages: Math.max(...all.map(({ verdicts }) => verdicts.length)),
    accuracy: Metric.interval(answers),
    inconsistent: Metric.interval(valued(all, ({ verdicts }) => isInconsistent(verdicts) ? 1 : 0))!,
    there: Metric.interval(
      valued(all, ({ answered, verdicts }) => isInconsistent(verdicts) ? answered : null)
    ),
    oracle: oracles(all, ({ right }) => right),
    chance: oracles(all, ({ chance }) => chance),
    gap: between(answers, best),
    label: labelAt(all),
    rerankers: Object.keys(choosing).flatMap((name) => rerankedBy(name, all, best)),
    binary: all.every(({ options }) => options === 2)
  }
}

/** A system on the questions on which the first system's passages disagree. */
export interface OnFirst {
  readonly name: string
  readonly questions: number
  readonly accuracy: Metric.Interval | null
  /** Against the first system; `undefined` for that, and where no question is judged. */
  readonly against:
    | { readonly difference: Metric.Comparison; readonly permutation: number; readonly holm: number }
    | undefined
}

/** Accuracy of every system on the questions of `keys`, with paired tests against the first under Holm's correction. */
export const onQuestions = (
  systems: ReadonlyArray<{ readonly name: string; readonly answers: ReadonlyArray<Metric.Keyed> }>,
  keys: ReadonlySet<string>
): ReadonlyArray<OnFirst> => {
  const own = systems.map(({ answers, name }) => ({ name, answers: answers.filter(({ key }) => keys.has(key)) }))
  const base = new Map(own[0]?.answers.map(({ key, value }) => [key, value]))
  const tested = own.slice(1).map(({ answers }) => {
    const differences = answers.flatMap(({ group, key, value }) =>
      base.has(key) ? [{ group, value: value - base.get(key)! }] : []
    )
    const difference = Metric.comparison(differences)
    return difference === null ? undefined : { difference, permutation: permutation(differences) }
  })
  const adjusted = holm(tested.map((one) => one?.permutation ?? 1))
  return own.map(({ answers, name }, i): OnFirst => {
    const test = tested[i - 1]
    return {
      name,
      questions: answers.length,
      accuracy: Metric.interval(answers),
      against: test && { ...test, holm: adjusted[i - 1]! }
    }
  })
}
