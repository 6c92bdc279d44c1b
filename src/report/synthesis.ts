/** The funnel of a synthesis as a table. */
import { columns } from "../domain/textTable.ts"
import type { Report } from "../programs/synthesize/pipeline.ts"

const some = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => [`  ${name}`, `-${count}`])

/** What was asked, lost, dropped and kept, and what it took. */
export const funnel = ({ dropped, items, kept, lost, requests, spent, writer }: Report): string =>
  columns([
    ["writer", writer],
    ["items", String(items)],
    ["requests", String(requests)],
    ...some(lost),
    ...some(dropped),
    ["kept", String(kept)],
    ["calls", String(spent.calls)],
    ["answers kept from before", String(spent.cached)],
    ["tokens of requests", String(spent.input_tokens)],
    ["tokens of answers", String(spent.output_tokens)]
  ])
