/** The funnel of a synthesis as a table. */
import { columns } from "../domain/textTable.ts"
import { funnelRows } from "../programs/synthesize/funnel.ts"
import type { Report } from "../programs/synthesize/pipeline.ts"
import type { BatchReport } from "../runtime/ports/Writer.ts"

const some = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => [`  ${name}`, `-${count}`])

/** Requests and answers in files. */
const files = ({ answers, waiting }: BatchReport) => [
  ["lines of answers", String(answers.lines)],
  ...some({ "failures among them": answers.failed, "answers to other requests": answers.unknown }),
  ["requests without an answer", String(waiting)]
]

/** What is to be done where requests wait. */
const next = ({ files, waiting }: BatchReport): string =>
  waiting === 0
    ? ""
    : `\nThese are in ${files.join(", ")}; nothing else is written. Run the command again with --answers FILE.`

/** What was asked, lost, dropped and kept, and what it took. */
export const funnel = (report: Report): string => {
  const { batch, spent, writer } = report
  return columns([
    ["writer", writer],
    ...funnelRows(report),
    ["calls", String(spent.calls)],
    ["answers kept from before", String(spent.cached)],
    ["tokens of requests", String(spent.input_tokens)],
    ["tokens of answers", String(spent.output_tokens)],
    ...(batch === undefined ? [] : files(batch))
  ]) + (batch === undefined ? "" : next(batch))
}

/** The funnels of several stages, one after the other. */
export const funnels = (reports: ReadonlyArray<Report>): string =>
  reports.map((report) => `${report.task}\n${funnel(report)}`).join("\n\n")
