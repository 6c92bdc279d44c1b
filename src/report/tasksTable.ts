/** Comparisons of what `bench` found of several systems, as Markdown tables. */
import { markdown } from "../domain/textTable.ts"
import type { FigureRows, TaskComparison } from "../programs/benchmarks/compared/compareTasks.ts"
import { bounds, probability, share, signed } from "./compareTable.ts"

const titleOf = ({ filter, metric, task }: FigureRows): string =>
  filter === "none" ? `${task}, ${metric}` : `${task}, ${metric} (${filter})`

/** A row for each system, a column for each task's main score, and their mean. */
const overview = (mains: ReadonlyArray<FigureRows>, { means }: TaskComparison): string => {
  const head = ["system", ...mains.map(titleOf), `mean of ${means[0]!.tasks}`]
  return markdown([
    head,
    ...means.map(({ mean, system }, i) => [
      system,
      ...mains.map(({ rows }) => share(rows[i]!.value?.mean ?? null)),
      share(mean)
    ])
  ])
}

/** A figure's table: values with intervals, and differences from the first system in pairs of records. */
const table = (figure: FigureRows): string => {
  const first = figure.rows[0]!.system
  const head = ["system", "value", "95%", "records", `from ${first}`, "95%", "better/worse", "p", "p (Holm)"]
  const rows = figure.rows.map(({ against, system, value }) => [
    system,
    share(value?.mean ?? null),
    value === null ? "-" : bounds(value),
    value?.records.toLocaleString("en") ?? "-",
    ...(against === null ? ["-", "-", "-", "-", "-"] : [
      signed(against.difference.mean),
      bounds(against.difference, signed),
      `${against.won}/${against.lost}`,
      probability(against.p),
      probability(against.holm)
    ])
  ])
  return `${titleOf(figure)}\n\n${markdown([head, ...rows])}`
}

/** The overview and a table of each main score, or of each figure if `all`. */
export const tasksTable = (all: boolean) => (compared: TaskComparison): string => {
  const mains = compared.figures.filter(({ main }) => main)
  return [overview(mains, compared), ...(all ? compared.figures : mains).map(table)].join("\n\n")
}
