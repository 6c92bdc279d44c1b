/** Costs of systems as a table. */
import { markdown } from "../domain/textTable.ts"
import type { Cost } from "../programs/costs/compareCosts.ts"

const hours = (value: number | null): string => {
  if (value === null) return "-"
  return value >= 10 ? Math.round(value).toLocaleString("en") : value.toPrecision(2)
}

/** How many times the first system's hours: of devices alike, GPU hours before CPU hours. */
const times = (own: Cost, first: Cost): string => {
  const both = ([(cost: Cost) => cost.gpuHours, (cost: Cost) => cost.cpuHours] as const).find((of) =>
    of(own) !== null && of(first) !== null && of(first) !== 0
  )
  if (both === undefined) return "-"
  const ratio = both(own)! / both(first)!
  return `${ratio >= 10 ? Math.round(ratio).toLocaleString("en") : ratio.toPrecision(3)} ×`
}

/** A row for each system, against the first. */
export const costsTable = (costs: ReadonlyArray<Cost>): string =>
  [
    markdown([
      [
        "system",
        "runs",
        "device",
        "steps",
        "hours",
        "CPU hours, at most",
        "GPU hours",
        "evaluation hours",
        "FLOPs",
        "hours against the first"
      ],
      ...costs.map((own) => [
        own.name,
        own.runs === 0 ? "-" : String(own.runs),
        own.devices.join("; "),
        own.steps?.toLocaleString("en") ?? "-",
        hours(own.hours),
        hours(own.cpuHours),
        hours(own.gpuHours),
        hours(own.evaluationHours),
        own.flops?.toExponential(2) ?? "-",
        own === costs[0] ? "1 ×" : times(own, costs[0]!)
      ])
    ]),
    "CPU hours are training hours times threads, an upper bound; GPU hours are training hours of one device a run. Hours of different "
    + "devices are not the same work: FLOPs are, where plans give them (matrix products of all planned steps and of the index)."
  ].join("\n\n")
