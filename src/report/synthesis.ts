/** The funnel of a synthesis as a table. */
import { columns } from "../domain/textTable.ts"
import { funnelRows } from "../programs/synthesize/funnel.ts"
import type { Report } from "../programs/synthesize/pipeline.ts"

/** What was asked, lost, dropped and kept, and what it took. */
export const funnel = (report: Report): string =>
  columns([
    ["writer", report.writer],
    ...funnelRows(report),
    ["calls", String(report.spent.calls)],
    ["answers kept from before", String(report.spent.cached)],
    ["tokens of requests", String(report.spent.input_tokens)],
    ["tokens of answers", String(report.spent.output_tokens)]
  ])

/** The funnels of several stages, one after the other. */
export const funnels = (reports: ReadonlyArray<Report>): string =>
  reports.map((report) => `${report.task}\n${funnel(report)}`).join("\n\n")
