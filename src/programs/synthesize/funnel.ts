/** The funnel of a synthesis as rows. */
import type { Rows } from "../../domain/textTable.ts"
import type { Counts, Report } from "./pipeline.ts"

/** What was asked, lost, dropped and kept; reasons that lost nothing only if `all` are wanted. */
export const funnelRows = ({ dropped, items, kept, lost, plain, requests }: Report, all = false): Rows => {
  const some = (counts: Counts) =>
    Object.entries(counts).filter(([, count]) => all || count > 0).map(([name, count]) => [`  ${name}`, `-${count}`])
  return [
    ["items", String(items)],
    ["requests", String(requests)],
    ...some(lost),
    ...some(dropped),
    ["kept", String(kept)],
    ...(plain > 0 ? [["answers read as plain text", String(plain)]] : [])
  ]
}
