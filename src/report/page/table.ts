/** A table of a report: its rows as data, and which cells of them are shown. */
import { type Html, html } from "./html.ts"

/** A row as data: what its CSV and JSON have. */
export type Row = Readonly<Record<string, string | number | null>>

/** A column as it is shown. */
export interface Column {
  readonly title: string
  readonly cell: (row: any) => string
  /** Numbers are aligned at the right. */
  readonly number?: boolean
}

/** A table; `columns` is empty if it is too long to be shown, and only written to a file. */
export interface Table {
  readonly id: string
  readonly title: string
  /** One or two sentences on what it says. */
  readonly about: string
  readonly rows: ReadonlyArray<Row>
  readonly columns: ReadonlyArray<Column>
}

/** A column of text; its type parameter is that of the rows. */
export const text = <R extends Row>(title: string, cell: (row: R) => string): Column => ({ title, cell })
/** A column of numbers. */
export const number = <R extends Row>(title: string, cell: (row: R) => string): Column => ({
  title,
  cell,
  number: true
})

const cell = ({ cell, number }: Column, row: Row, first: boolean): Html =>
  first
    ? html`<th scope="row">${cell(row)}</th>`
    : html`<td${number && html` class="n"`}>${cell(row)}</td>`

/** The table as HTML: it scrolls by itself where the page is narrow. */
export const tableHtml = ({ about, columns, id, rows, title }: Table, source: string): Html =>
  html`<figure class="table" id="${id}">
<figcaption><h3>${title}</h3><p>${about}</p></figcaption>
<div class="scroll" role="region" tabindex="0" aria-label="${title}"><table>
<thead><tr>${
    columns.map(({ number, title }) => html`<th scope="col"${number && html` class="n"`}>${title}</th>`)
  }</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column, i) => cell(column, row, i === 0))}</tr>\n`)}</tbody>
</table></div>
<p class="source">${source}</p>
</figure>
`

/** A value as a field of CSV; text that a spreadsheet would take for a formula gets an apostrophe in front. */
const field = (value: string | number | null): string => {
  if (value === null) return ""
  if (typeof value === "number") return String(value)
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll("\"", "\"\"")}"` : plain
}

/** The table as CSV (RFC 4180). */
export const csv = ({ rows }: Pick<Table, "rows">): string => {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return [names, ...rows.map((row) => names.map((name) => row[name] ?? null))].map((line) =>
    `${line.map(field).join(",")}\r\n`
  ).join("")
}
