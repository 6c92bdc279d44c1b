/** What a report says first: which arm is better, by how much, how sure that is, and what cannot be told. */
import type { Report } from "../../programs/reporting/collect.ts"
import { type Compared, evaluatedOf } from "../../programs/reporting/statistics.ts"
import { bounds, count, percent, points, pText, three } from "./numbers.ts"

/** Words of the first part of a report. */
export interface Lead {
  readonly headline: string
  readonly sentences: ReadonlyArray<string>
  /** What cannot be told, a sentence each. */
  readonly unknown: ReadonlyArray<string>
}

/** Where a p-value counts as evidence. */
const LEVEL = 0.05

const names: Readonly<Record<string, string>> = {
  "mrr@100": "MRR@100",
  "ndcg@10": "nDCG@10",
  debiased_accuracy: "debiased accuracy",
  order_dependent: "depends on the order"
}

/** How a figure is named and written: accuracy and recall in percent, others as they are. */
export const wordsOf = (figure: string) => {
  const isShare = ["accuracy", "debiased_accuracy", "order_dependent"].includes(figure) || figure.startsWith("recall")
  return {
    name: names[figure] ?? figure,
    value: isShare ? percent : three,
    difference: isShare
      ? (value: number) => `${points(value)} points`
      : (value: number) => `${value > 0 ? "+" : ""}${three(value)}`,
    bound: isShare ? points : (value: number) => `${value > 0 ? "+" : ""}${three(value)}`
  }
}

/** The figure that stands for the ranking as a whole. */
const RANKING = "mrr@100"

/** The figure that decides: accuracy where the base arm answers, else the ranking. */
export const decisive = ({ base, compared }: Report): string | undefined =>
  ["accuracy", RANKING].find((figure) => compared.some((own) => own.figure === figure && own.arm === base))

const seedsText = (seeds: ReadonlyArray<number>): string =>
  seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(", ")}`

const sameSeeds = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean => a.join() === b.join()

/** "47.2 % against 42.6 %", or over which seeds the difference is. */
const amounts = (own: Compared, base: Compared): string => {
  const { value } = wordsOf(own.figure)
  const { seeds } = own.against!
  return sameSeeds(own.seeds, base.seeds)
    ? `${value(own.mean)} against ${value(base.mean)}`
    : `over ${seedsText(seeds)}, which both have`
}

/** A comparison in a sentence, and whether it shows a difference. */
const sentence = (own: Compared, base: Compared, comparisons: number) => {
  const { bound, difference, name } = wordsOf(own.figure)
  const { difference: found, holm, needed } = own.against!
  const shown = holm < LEVEL
  const corrected = comparisons > 1 ? ` after Holm's correction over ${comparisons} comparisons` : ""
  const facts = `${name} ${amounts(own, base)}, a difference of ${difference(found.mean)} (95% interval ${
    bounds(found, bound)
  }; ${pText(holm)}${corrected})`
  const verdict = shown
    ? `${own.arm} is ${found.mean > 0 ? "better" : "worse"} than ${base.arm}: ${facts}.`
    : `Whether ${own.arm} is better or worse than ${base.arm} cannot be told: ${facts}.`
  const more = shown || needed === null
    ? ""
    : ` To find a difference of this size with a probability of 80%, about ${
      count(needed)
    } answers would be needed; there are ${count(own.questions)}.`
  return { shown, mean: found.mean, arm: own.arm, text: verdict + more }
}

const headlineOf = (found: ReadonlyArray<ReturnType<typeof sentence>>, base: Compared): string => {
  const { difference, name } = wordsOf(base.figure)
  const [best] = found.filter(({ shown }) => shown).toSorted((a, b) => b.mean - a.mean)
  if (!best) return `No difference in ${name} from ${base.arm} can be told`
  const size = difference(Math.abs(best.mean)).replace(/^\+/, "")
  return `${best.arm} is ${best.mean > 0 ? "better" : "worse"} than ${base.arm} by ${size} of ${name}`
    .replace(" points of", " percentage points of")
}

const alone = (own: Compared) => {
  const { name, value } = wordsOf(own.figure)
  const reached = `${own.arm}: ${name} ${value(own.mean)}`
  const interval = bounds(own.interval, value)
  return {
    headline: reached,
    sentences: [
      `${reached} over ${
        count(own.questions)
      } answers (95% interval ${interval}). There is no other arm to compare with.`
    ]
  }
}

const answer = (report: Report): Pick<Lead, "headline" | "sentences"> => {
  const figure = decisive(report)
  const own = report.compared.filter((one) => one.figure === figure)
  const base = own.find(({ arm }) => arm === report.base)
  if (!base) return { headline: "No arm is evaluated yet", sentences: ["There are learning curves alone."] }
  const others = own.filter(({ against }) => against)
  if (others.length === 0) return alone(base)
  const found = others.map((one) => sentence(one, base, others.length))
  const ranking = figure === RANKING ? [] : ranked(report)
  const better = ranking.find(({ mean, shown }) => shown && mean > 0)
  const more = found.some(({ shown }) => shown) || !better ? "" : `; ${better.arm} ranks passages better`
  return {
    headline: `${headlineOf(found, base)}${more}`,
    sentences: [...found, ...ranking].map(({ text }) => text)
  }
}

/** What there is to tell of the ranking, where answers decide. */
const ranked = ({ base, compared }: Report): ReadonlyArray<ReturnType<typeof sentence>> => {
  const own = compared.filter((one) => one.figure === RANKING)
  const first = own.find(({ arm }) => arm === base)
  const others = own.filter(({ against }) => against)
  if (!first) return []
  return others.map((one) => {
    const found = sentence(one, first, others.length)
    const text = `In ranking the passages that hold the answer, ${found.text}`
    return found.shown ? Object.assign(found, { text }) : found
  })
}

/** Whether seeds differ, as far as it can be told. */
const ofSeeds = ({ arms }: Report): ReadonlyArray<string> => {
  const once = arms.filter((arm) => evaluatedOf(arm).length === 1).map(({ name }) => name)
  return once.length === 0 ? [] : [
    `How much of a difference is due to the seed: ${once.join(", ")} ${
      once.length === 1 ? "was" : "were each"
    } evaluated under one seed alone. Intervals and tests are about other questions, not about other trainings.`
  ]
}

const ofGroups = ({ compared }: Report): ReadonlyArray<string> => {
  const grouped = compared.find(({ groups, questions }) => groups < questions)
  return grouped
    ? [
      `What more than these ${grouped.groups} groups of questions would say: questions of a group, such as of one disease, are `
      + "alike, so that intervals and tests take whole groups."
    ]
    : []
}

const ofRuns = ({ arms, options: { split } }: Report): ReadonlyArray<string> =>
  arms.flatMap(({ name, runs }) =>
    runs.filter(({ evaluated }) => !evaluated).map(({ config, seed, trained }) => {
      const steps = trained ? ` (${trained.steps} of ${config?.max_steps ?? "?"} steps are saved)` : ""
      return `What ${name} does under seed ${seed}: it has no readable evaluation of split ${split}${steps}. A warm-up has none by `
        + "design; an arm may be unfinished."
    })
  )

const ofAnswers = (report: Report): ReadonlyArray<string> => [
  ...report.compared.filter(({ why }) => why).map(({ arm, figure, why }) => `${arm}, ${wordsOf(figure).name}: ${why}.`),
  ...(report.arms.some((arm) => evaluatedOf(arm).length > 0)
    ? [
      "How much each passage changed the likelihood of an answer: evaluations do not keep likelihoods with and without each "
      + "passage."
    ]
    : []),
  ...(report.calibrations.length === 0 && report.compared.length > 0
    ? ["Whether the reader's probabilities can be trusted: these evaluations keep no likelihoods of options."]
    : [])
]

/** The first words of a report. */
export const lead = (report: Report): Lead => ({
  ...answer(report),
  unknown: [
    ...ofRuns(report),
    ...report.damaged.map((text) => `${text}${/[.!?]$/.test(text) ? "" : "."}`),
    ...ofSeeds(report),
    ...ofGroups(report),
    ...new Set(ofAnswers(report))
  ]
})
