/** A table of a report: its rows as data, and which cells of them are shown. */
import { csv as csvOf } from "../../domain/texts/csv.ts"
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

/** The table as CSV (RFC 4180). */
export const csv = ({ rows }: Pick<Table, "rows">): string => csvOf(rows)
