/** Rows of cells as text, with the first row as header: aligned columns for a terminal, or a Markdown table. */

/** Rows of cells; none is longer than the first. */
export type Rows = ReadonlyArray<ReadonlyArray<string>>

const widthsOf = (rows: Rows): ReadonlyArray<number> =>
  (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))

/** Columns two spaces apart, the first left-aligned and the others right-aligned, unless `isLeft` says otherwise. */
export const columns = (rows: Rows, isLeft = (i: number): boolean => i === 0): string => {
  const widths = widthsOf(rows)
  const cell = (text: string, i: number) => isLeft(i) ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n")
}

const escaped = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\r?\n|\r/g, "\\n")

/** Whether to align the source text of a Markdown table; `false` if cells are long. */
export interface MarkdownOptions {
  readonly aligned?: boolean
}

/** A Markdown table; vertical bars and line breaks in cells are escaped. */
export const markdown = (rows: Rows, { aligned = true }: MarkdownOptions = {}): string => {
  const cells = rows.map((row) => row.map(escaped))
  const widths = aligned ? widthsOf(cells) : rows[0]!.map(() => 0)
  const [head, ...body] = cells.map((row) => `| ${row.map((text, i) => text.padEnd(widths[i]!)).join(" | ")} |`)
  const rule = widths.map((width) => "-".repeat(aligned ? width + 2 : 3))
  return [head, `|${rule.join("|")}|`, ...body].join("\n")
}
