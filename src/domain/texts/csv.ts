/** Rows as CSV (RFC 4180). */

/** A row by names of columns. */
export type CsvRow = Readonly<Record<string, string | number | null>>

/** A value as a field; text that a spreadsheet would take for a formula gets an apostrophe in front. */
const field = (value: string | number | null): string => {
  if (value === null) return ""
  if (typeof value === "number") return String(value)
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll("\"", "\"\"")}"` : plain
}

/** All columns of the rows in the order in which they first occur; a value that a row lacks is empty. */
export const csv = (rows: ReadonlyArray<CsvRow>): string => {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return [names, ...rows.map((row) => names.map((name) => row[name] ?? null))].map((line) =>
    `${line.map(field).join(",")}\r\n`
  ).join("")
}
