/** The charts of a report as Vega-Lite specs, each with its data. */
import type { Report } from "../../programs/reporting/collect.ts"
import { wordsOf } from "./lead.ts"
import { bounds, percent } from "./numbers.ts"
import { paint, palette } from "./palette.ts"
import type { Row, Table } from "./table.ts"

/** A Vega-Lite spec; JSON. */
export type Spec = Readonly<Record<string, unknown>>

/** A chart: what it shows in a title, a sentence beneath it, and words for those who do not see it. */
export interface Chart {
  readonly id: string
  readonly title: string
  readonly about: string
  readonly described: string
  readonly spec: Spec
}

/** Width in pixels of a chart's inner part: it is drawn for a phone, and may be wider elsewhere. */
const WIDTH = 300

const q = (field: string, more: Spec = {}) => ({ field, type: "quantitative", ...more })
const n = (field: string, more: Spec = {}) => ({ field, type: "nominal", ...more })
const percents = { axis: { format: ".0%", title: null } }

/** The colours and shapes of arms, in their order: an arm has the same in all charts. */
const ofArms = (arms: ReadonlyArray<string>) => {
  const legend = { title: null, columns: 2, orient: "bottom", labelLimit: 130 }
  return {
    color: n("arm", { scale: { domain: arms, range: arms.map((_, i) => palette[i % palette.length]!) }, legend }),
    shape: n("arm", { scale: { domain: arms }, legend })
  }
}

const base = (values: ReadonlyArray<Row>, more: Spec, height = 200): Spec =>
  plain({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: WIDTH,
    height,
    data: { values },
    config: paint,
    ...more
  })

/** Names of arms and types become literals of Vega's expressions, in which these two characters would end a line. */
const plain = (spec: Spec): Spec => JSON.parse(JSON.stringify(spec).replace(/[\u2028\u2029]/g, " ")) as Spec

const armsOf = ({ arms }: Report): ReadonlyArray<string> => arms.map(({ name }) => name)

/** Means with their intervals, a row each; `zero` draws a line where nothing differs. */
const dots = (report: Report, rows: ReadonlyArray<Row>, y: string, scale: Spec, zero: boolean): Spec => {
  const { color, shape } = ofArms(armsOf(report))
  const isArm = y === "arm"
  const place = {
    y: n(y, { axis: { title: null, labelLimit: 110 }, sort: null }),
    ...(isArm ? {} : { yOffset: n("arm", { scale: { domain: armsOf(report) } }) }),
    color: isArm ? { ...color, legend: null } : color
  }
  const layer: ReadonlyArray<Spec> = [
    ...(zero ? [{ mark: { type: "rule", strokeDash: [4, 3], color: "#6b7280" }, encoding: { x: { datum: 0 } } }] : []),
    { mark: { type: "rule", strokeWidth: 2 }, encoding: { ...place, x: q("low", scale), x2: { field: "high" } } },
    {
      mark: { type: "point", filled: true, size: 80, opacity: 1 },
      encoding: { ...place, x: q("mean", scale), shape: isArm ? { ...shape, legend: null } : shape }
    }
  ]
  const lines = new Set(rows.map((row) => row[y])).size * (isArm ? 1 : armsOf(report).length)
  return base(rows, { layer }, Math.max(50, lines * (isArm ? 34 : 18)))
}

/** The differences from the base arm: of accuracy, and of the ranking. */
const differences = (report: Report): ReadonlyArray<Chart> =>
  ["accuracy", "mrr@100"].flatMap((figure) => differencesIn(report, figure))

const differencesIn = (report: Report, figure: string): ReadonlyArray<Chart> => {
  const own = report.compared.filter((one) => one.figure === figure && one.against)
  if (own.length === 0) return []
  const { bound, name } = wordsOf(figure)
  const isShare = figure === "accuracy"
  const times = isShare ? 100 : 1
  const scaled = (value: number | null) => value === null ? null : times * value
  const rows = own.map(({ against, arm }) => ({
    arm,
    mean: times * against!.difference.mean,
    low: scaled(against!.difference.low),
    high: scaled(against!.difference.high)
  }))
  const axis = { axis: { title: isShare ? "percentage points" : name, format: "~g" } }
  return [{
    id: isShare ? "differences" : "ranking-differences",
    title: `Differences in ${name} from ${report.base}`,
    about:
      "Points: mean paired differences. Lines: 95% intervals; one that crosses the dashed line leaves open which is better.",
    described: own.map(({ against, arm }) =>
      `${arm}: ${bound(against!.difference.mean)}, ${bounds(against!.difference, bound)}`
    ).join("; "),
    spec: dots(report, rows, "arm", axis, true)
  }]
}

const accuracies = (report: Report): ReadonlyArray<Chart> => {
  const own = report.compared.filter(({ figure }) => figure === "accuracy")
  if (own.length === 0) return []
  const rows = own.map(({ arm, interval, mean }) => ({ arm, mean, low: interval.low, high: interval.high }))
  return [{
    id: "accuracy-chart",
    title: "Accuracy",
    about: "Points: share of questions answered right. Lines: 95% intervals.",
    described: own.map(({ arm, interval, mean }) => `${arm}: ${percent(mean)}, ${bounds(interval)}`).join("; "),
    spec: dots(report, rows, "arm", percents, false)
  }]
}

const types = (report: Report): ReadonlyArray<Chart> => {
  const names = new Set(report.types.map(({ name }) => name))
  if (names.size < 2 || names.size > 30) return []
  const rows = report.types.map(({ arm, interval, name }) => ({
    type: name,
    arm,
    mean: interval.mean,
    low: interval.low,
    high: interval.high
  }))
  return [{
    id: "types-chart",
    title: "Accuracy by type of question",
    about: "Points: share of questions answered right. Lines: 95% intervals.",
    described: report.types.map(({ arm, interval, name }) => `${name}, ${arm}: ${percent(interval.mean)}`).join("; "),
    spec: dots(report, rows, "type", percents, false)
  }]
}

const recall = (report: Report): ReadonlyArray<Chart> => {
  if (report.recall.length === 0) return []
  const { color } = ofArms(armsOf(report))
  const rows = report.recall.map(({ arm, interval, k, name }) => ({
    arm,
    stage: name,
    k,
    recall: interval.mean,
    low: interval.low,
    high: interval.high
  }))
  const x = q("k", {
    scale: { type: "log" },
    axis: { title: "k, passages from the top", values: [1, 2, 5, 10, 20, 50, 100] }
  })
  const dash = n("stage", {
    scale: { domain: ["after training", "before training"], range: [[1, 0], [4, 3]] },
    legend: { title: null, orient: "bottom" }
  })
  const detail = [n("arm"), n("stage")]
  const scale = { scale: { domain: [0, 1] }, ...percents }
  const layer: ReadonlyArray<Spec> = [
    {
      transform: [{ filter: "datum.stage === 'after training'" }],
      mark: { type: "area", opacity: 0.15 },
      encoding: { x, y: q("low", scale), y2: { field: "high" }, color, detail }
    },
    { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y: q("recall", scale), color, strokeDash: dash, detail } }
  ]
  const at10 = report.recall.filter(({ k }) => k === 10)
  return [{
    id: "recall-chart",
    title: "Recall of gold passages among the first k",
    about: "Bands: 95% intervals after training.",
    described: at10.map(({ arm, interval, name }) => `${arm} ${name}, recall at 10: ${percent(interval.mean)}`).join(
      "; "
    ),
    spec: base(rows, { layer })
  }]
}

const reliability = (report: Report): ReadonlyArray<Chart> => {
  if (report.calibrations.length === 0) return []
  const { color, shape } = ofArms(armsOf(report))
  const rows = report.calibrations.flatMap(({ arm, bins }) => bins.map((bin) => ({ arm, ...bin })))
  const [x, y] = [
    q("confidence", { scale: { domain: [0, 1] }, axis: { format: ".0%", title: "probability of the answer given" } }),
    q("accuracy", { scale: { domain: [0, 1] }, axis: { format: ".0%", title: "share that is right" } })
  ]
  const layer: ReadonlyArray<Spec> = [
    {
      data: { values: [{ confidence: 0, accuracy: 0 }, { confidence: 1, accuracy: 1 }] },
      mark: { type: "line", strokeDash: [4, 3], color: "#6b7280", strokeWidth: 1 },
      encoding: { x, y }
    },
    { mark: { type: "line", strokeWidth: 1.5 }, encoding: { x, y, color } },
    {
      mark: { type: "point", filled: true, opacity: 1 },
      encoding: { x, y, color, shape, size: q("questions", { legend: null }) }
    }
  ]
  return [{
    id: "reliability-chart",
    title: "Reliability of the reader's probabilities",
    about:
      "On the dashed line, answers are right as often as their probability says; below it, the reader is too sure. Larger points "
      + "stand for more answers. "
      + "Probabilities: softmax of the options' likelihoods, as option_score weighs them.",
    described: report.calibrations.map(({ arm, ece }) => `${arm}: expected calibration error ${ece.mean.toFixed(3)}`)
      .join("; "),
    spec: base(rows, { layer })
  }]
}

const documents = (report: Report, table: Table | undefined): ReadonlyArray<Chart> => {
  if (!table) return []
  const { color, shape } = ofArms(armsOf(report))
  const x = q("passages", {
    axis: { title: "passages read", tickMinStep: 1 },
    scale: { zero: false, nice: false, padding: 12 }
  })
  const layer: ReadonlyArray<Spec> = [
    { mark: { type: "rule", strokeWidth: 2 }, encoding: { x, y: q("low", percents), y2: { field: "high" }, color } },
    {
      mark: { type: "point", filled: true, size: 80, opacity: 1 },
      encoding: { x, y: q("accuracy", percents), color, shape }
    }
  ]
  return [{
    id: "passages-read-chart",
    title: "Accuracy by passages read",
    about: table.about,
    described: table.rows.map((row) =>
      `${row["arm"]}, ${row["passages"]} passages: ${percent(row["accuracy"] as number)}`
    ).join("; "),
    spec: base(table.rows, { layer })
  }]
}

/** What a curve is made of. */
const aboutCurve = (figure: string, averaged: number, several: boolean): string => {
  if (figure.endsWith("learning rate")) return "As the schedule of the settings gives it."
  const lines = several ? " A line for each seed." : ""
  if (figure === "index rank correlation") {
    return `Spearman's, of the index's scores with those under the weights of the step, each time that it was looked at.${lines}`
  }
  if (figure === "index overlap") {
    return `Share of the first passages that were still first after the index was rebuilt.${lines}`
  }
  return `Each place is the mean of up to ${averaged} steps.${lines}`
}

/** A chart for each figure of training. */
const learning = (report: Report, table: Table | undefined, averaged: number): ReadonlyArray<Chart> => {
  const { color } = ofArms(armsOf(report))
  return [...Map.groupBy(table?.rows ?? [], (row) => String(row["figure"]))].map(([figure, rows], i) => ({
    id: `learning-${i + 1}`,
    title: `${figure[0]?.toUpperCase()}${figure.slice(1)} by step`,
    about: aboutCurve(figure, averaged, new Set(rows.map((row) => row["seed"])).size > 1),
    described: [...Map.groupBy(rows, (row) => `${row["arm"]}, seed ${row["seed"]}`)].map(([name, own]) =>
      `${name}: from ${Number(own[0]!["value"]).toPrecision(3)} to ${Number(own.at(-1)!["value"]).toPrecision(3)}`
    ).join("; "),
    spec: base(rows, {
      mark: { type: "line", strokeWidth: 1.5, point: figure.startsWith("index ") ? { size: 25 } : false },
      encoding: {
        x: q("step", { axis: { title: "step", tickMinStep: 1 } }),
        y: q("value", { scale: { zero: false }, axis: { title: null } }),
        color,
        detail: n("seed")
      }
    }, 160)
  }))
}

/** The charts of results, and those of training, each of what there is. */
export const chartsOf = (report: Report, tables: ReadonlyArray<Table>, averaged: number) => {
  const table = (id: string) => tables.find((one) => one.id === id)
  return {
    results: [differences, accuracies, recall, types, reliability].flatMap((of) => of(report))
      .concat(documents(report, table("passages-read"))),
    training: learning(report, table("learning"), averaged)
  }
}
