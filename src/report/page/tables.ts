/** The tables of a report that say how good arms are. */
import type { Report } from "../../programs/reporting/collect.ts"
import type { Compared } from "../../programs/reporting/statistics.ts"
import { wordsOf } from "./lead.ts"
import { moreTables } from "./moreTables.ts"
import { bounds, count, few, NONE, percent, points, pValue, three } from "./numbers.ts"
import { number, type Row, type Table, text } from "./table.ts"

const comparedRow = ({ against, arm, before, figure, groups, interval, mean, questions, seeds, why }: Compared) => ({
  arm,
  figure,
  seeds: seeds.join(" "),
  answers: questions,
  groups,
  before,
  mean,
  low: interval.low,
  high: interval.high,
  difference: against?.difference.mean ?? null,
  differenceLow: against?.difference.low ?? null,
  differenceHigh: against?.difference.high ?? null,
  comparedSeeds: against?.seeds.join(" ") ?? null,
  better: against?.won ?? null,
  worse: against?.lost ?? null,
  p: against?.permutation ?? null,
  pHolm: against?.holm ?? null,
  pMcNemar: against?.mcnemar ?? null,
  answersFor80Percent: against?.needed ?? null,
  notCompared: why ?? null
})
type ComparedRow = ReturnType<typeof comparedRow>

const difference = (row: ComparedRow) => ({ low: row.differenceLow, high: row.differenceHigh })

/** Columns of tests, the same for all figures. */
const tests = (bound: (own: ComparedRow) => (value: number) => string) => [
  number<ComparedRow>("difference", (row) => row.difference === null ? NONE : bound(row)(row.difference)),
  number<ComparedRow>("95% interval", (row) => bounds(difference(row), bound(row))),
  number<ComparedRow>(
    "better / worse",
    ({ better, worse }) => better === null ? NONE : `${count(better)} / ${count(worse)}`
  ),
  number<ComparedRow>("p", ({ p }) => pValue(p)),
  number<ComparedRow>("p (Holm)", ({ pHolm }) => pValue(pHolm))
]

const how = (base: string): string =>
  `Differences are from ${base}, question by question and seed by seed. Intervals: bootstrap over groups of questions. p: `
  + "permutation test of whole groups; p (Holm): corrected over the arms compared by this figure, not over figures."

const accuracy = ({ base, compared }: Report): Table => ({
  id: "accuracy",
  title: "Answers",
  about:
    `Accuracy is the share of questions answered right. ${
      how(base)
    } McNemar's exact test takes questions as independent `
    + "and is left out where they go together in groups or seeds. For 80%: answers needed to find the difference in four of five tries.",
  rows: compared.filter(({ figure }) => figure === "accuracy").map(comparedRow),
  columns: [
    text<ComparedRow>("arm", ({ arm }) => arm),
    number<ComparedRow>("seeds", ({ seeds }) => seeds.replaceAll(" ", ", ")),
    number<ComparedRow>("answers", ({ answers }) => count(answers)),
    number<ComparedRow>("accuracy", ({ mean }) => percent(mean)),
    number<ComparedRow>("95% interval", (row) => bounds(row)),
    ...tests(() => points),
    number<ComparedRow>("p (McNemar)", ({ pMcNemar }) => pValue(pMcNemar)),
    number<ComparedRow>("for 80%", ({ answersFor80Percent }) => count(answersFor80Percent))
  ]
})

/** Figures of questions read under several orders of their options. */
const ofOrders: ReadonlySet<string> = new Set(["debiased_accuracy", "order_dependent"])

const orders = ({ base, compared }: Report): Table => ({
  id: "orders",
  title: "Orders of options",
  about:
    "Each question read under several orders of its options: accuracy by their mean probabilities, and the share of questions "
    + `whose answer depends on the order. ${how(base)}`,
  rows: compared.filter(({ figure }) => ofOrders.has(figure)).map(comparedRow),
  columns: [
    text<ComparedRow>("figure", ({ figure }) => wordsOf(figure).name),
    text<ComparedRow>("arm", ({ arm }) => arm),
    number<ComparedRow>("answers", ({ answers }) => count(answers)),
    number<ComparedRow>("share", ({ mean }) => percent(mean)),
    number<ComparedRow>("95% interval", (row) => bounds(row)),
    ...tests(() => points)
  ]
})

const ranking = ({ base, compared }: Report): Table => ({
  id: "ranking",
  title: "Ranking of passages",
  about:
    "How high the passages that hold the answer (gold) are ranked, before training where that was evaluated, and after. "
    + `${how(base)} Differences of recall are in percentage points.`,
  rows: compared.filter(({ figure }) => figure !== "accuracy" && !ofOrders.has(figure)).map(comparedRow),
  columns: [
    text<ComparedRow>("figure", ({ figure }) => wordsOf(figure).name),
    text<ComparedRow>("arm", ({ arm }) => arm),
    number<ComparedRow>("before", ({ before, figure }) => before === null ? NONE : wordsOf(figure).value(before)),
    number<ComparedRow>("after", ({ figure, mean }) => wordsOf(figure).value(mean)),
    number<ComparedRow>("95% interval", (row) => bounds(row, wordsOf(row.figure).value)),
    ...tests(({ figure }) => wordsOf(figure).bound)
  ]
})

const types = ({ types }: Report): Table => {
  const rows = types.map(({ arm, interval, name, questions }) => ({
    type: name,
    arm,
    answers: questions,
    accuracy: interval.mean,
    low: interval.low,
    high: interval.high
  }))
  type TypeRow = typeof rows[number]
  return {
    id: "types",
    title: "Accuracy by type of question",
    about:
      "Types are those of the question file. Intervals: bootstrap over groups of questions; a single group has none.",
    rows: rows.toSorted((a, b) => a.type < b.type ? -1 : a.type > b.type ? 1 : 0),
    columns: [
      text<TypeRow>("type", ({ type }) => type),
      text<TypeRow>("arm", ({ arm }) => arm),
      number<TypeRow>("answers", ({ answers }) => count(answers)),
      number<TypeRow>("accuracy", ({ accuracy }) => percent(accuracy)),
      number<TypeRow>("95% interval", (row) => bounds(row))
    ]
  }
}

const recall = ({ recall }: Report): Table => ({
  id: "recall",
  title: "Recall of gold passages",
  about: "Share of the gold passages among the first k.",
  rows: recall.map(({ arm, interval, k, name, questions }) => ({
    arm,
    stage: name,
    k,
    questions,
    recall: interval.mean,
    low: interval.low,
    high: interval.high
  })),
  columns: []
})

const calibration = ({ calibrations }: Report): Table => {
  const rows = calibrations.map(({ arm, brier, ece, questions }) => ({
    arm,
    answers: questions,
    ece: ece.mean,
    eceLow: ece.low,
    eceHigh: ece.high,
    brier: brier.mean,
    brierLow: brier.low,
    brierHigh: brier.high
  }))
  type CalibrationRow = typeof rows[number]
  return {
    id: "calibration",
    title: "Calibration",
    about:
      "Whether an answer given with a probability of 70 % is right in 70 of 100 cases. ECE: expected calibration error in ten "
      + "bins, 0 is best; it is biased upwards where questions are few. Brier's score: squared error summed over options, 0 is "
      + "best, 2 worst.",
    rows,
    columns: [
      text<CalibrationRow>("arm", ({ arm }) => arm),
      number<CalibrationRow>("answers", ({ answers }) => count(answers)),
      number<CalibrationRow>("ECE", ({ ece }) => three(ece)),
      number<CalibrationRow>("95% interval", ({ eceHigh, eceLow }) => bounds({ low: eceLow, high: eceHigh }, three)),
      number<CalibrationRow>("Brier", ({ brier }) => three(brier)),
      number<CalibrationRow>(
        "95% interval",
        ({ brierHigh, brierLow }) => bounds({ low: brierLow, high: brierHigh }, three)
      )
    ]
  }
}

const bins = ({ calibrations }: Report): Table => ({
  id: "reliability",
  title: "Reliability",
  about: "Bins of answers by their probability.",
  rows: calibrations.flatMap(({ arm, bins }) => bins.map((bin) => ({ arm, ...bin }))),
  columns: []
})

/** Steps over which a curve is averaged to be drawn: a curve has at most as many places. */
const PLACES = 25

/** The mean of every few values; `null` where none is known. */
const thinned = (values: ReadonlyArray<number | null>) => {
  const each = Math.max(1, Math.ceil(values.length / PLACES))
  return Array.from({ length: Math.ceil(values.length / each) }, (_, i) => {
    const own = values.slice(i * each, (i + 1) * each).filter((value) => value !== null)
    const mean = own.length === 0 ? null : own.reduce((a, b) => a + b, 0) / own.length
    return { step: Math.min(values.length, (i + 1) * each), mean }
  })
}

/** Steps averaged in a place of the longest curve. */
export const averaged = ({ arms }: Report): number =>
  Math.max(
    1,
    ...arms.flatMap(({ runs }) => runs.flatMap(({ curves }) => curves.map(({ values }) => values.length)))
      .map((steps) => Math.ceil(steps / PLACES))
  )

const learning = ({ arms }: Report): Table => ({
  id: "learning",
  title: "Learning curves",
  about: "Means of consecutive steps.",
  rows: arms.flatMap(({ name, runs }) =>
    runs.flatMap(({ curves, seed }) =>
      curves.flatMap(({ figure, values }) =>
        thinned(values).flatMap(({ mean, step }) =>
          mean === null ? [] : [{ arm: name, seed, figure, step, value: mean }]
        )
      )
    )
  ),
  columns: []
})

const documents = ({ arms, compared }: Report): Table => {
  const read = new Map(arms.map(({ name, runs }) => [name, runs.find(({ reads }) => reads !== undefined)?.reads]))
  const rows = compared.filter(({ arm, figure }) => figure === "accuracy" && read.get(arm) !== undefined).map((
    { arm, interval, mean }
  ) => ({ arm, passages: read.get(arm)!, accuracy: mean, low: interval.low, high: interval.high }))
  type DocumentRow = typeof rows[number]
  return {
    id: "passages-read",
    title: "Accuracy by passages read",
    about: "The arms by how many passages the reader is given. Arms may differ in other settings, too.",
    rows: new Set(rows.map(({ passages }) => passages)).size < 2
      ? []
      : rows.toSorted((a, b) => a.passages - b.passages),
    columns: [
      text<DocumentRow>("arm", ({ arm }) => arm),
      number<DocumentRow>("passages", ({ passages }) => count(passages)),
      number<DocumentRow>("accuracy", ({ accuracy }) => percent(accuracy)),
      number<DocumentRow>("95% interval", (row) => bounds(row))
    ]
  }
}

const seeds = ({ arms }: Report): Table => {
  const rows = arms.flatMap(({ name, runs }) =>
    runs.flatMap(({ evaluated, seed, trained }) => {
      if (!evaluated) return []
      const of = (values: ReadonlyArray<number | null>) => {
        const known = values.filter((value) => value !== null)
        return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length
      }
      return [{
        arm: name,
        seed,
        answers: evaluated.answered.length,
        accuracy: of(evaluated.answered.map(({ correct }) => correct)),
        "mrr@100": of(evaluated.answered.map(({ reciprocalRank }) => reciprocalRank)),
        skipped: evaluated.skipped,
        retrieverLoss: trained?.retrieverLoss ?? null,
        readerLoss: trained?.readerLoss ?? null
      }]
    })
  )
  type SeedRow = typeof rows[number]
  return {
    id: "seeds",
    title: "Seed by seed",
    about: "Each trained run by itself. Skipped: questions too long for the reader, which count as wrong.",
    rows,
    columns: [
      text<SeedRow>("arm", ({ arm }) => arm),
      number<SeedRow>("seed", ({ seed }) => String(seed)),
      number<SeedRow>("questions", ({ answers }) => count(answers)),
      number<SeedRow>("accuracy", ({ accuracy }) => percent(accuracy)),
      number<SeedRow>("MRR@100", (row) => three(row["mrr@100"])),
      number<SeedRow>("skipped", ({ skipped }) => count(skipped)),
      number<SeedRow>("last retriever loss", ({ retrieverLoss }) => few(retrieverLoss)),
      number<SeedRow>("last reader loss", ({ readerLoss }) => few(readerLoss))
    ]
  }
}

/** The tables that have rows, in the order in which they are shown. */
export const resultTables = (report: Report): ReadonlyArray<Table> =>
  [accuracy, orders, ranking, types, documents, calibration, ...moreTables, seeds, recall, bins, learning]
    .map((of) => of(report)).filter(({ rows }: { rows: ReadonlyArray<Row> }) => rows.length > 0)
