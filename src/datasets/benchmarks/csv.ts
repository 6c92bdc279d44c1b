/** Records of a table of values separated by commas, semicolons or tabs (RFC 4180), named by its first line. */
import * as Effect from "effect/Effect"
import { brief } from "../../domain/brief.ts"
import { FileError, readText } from "../../runtime/files/disk.ts"

/** What a field is in quotes, with quotes doubled, and without. */
const quoted = /"((?:[^"]|"")*)"/y
const plain = { ",": /[^,\r\n]*/y, ";": /[^;\r\n]*/y, "\t": /[^\t\r\n]*/y } as const
type Separator = keyof typeof plain

/** What separates the values: a tab in `.tsv`; a semicolon if the first line has one and no comma, as spreadsheets of some countries write. */
const separatorOf = (path: string, text: string): Separator => {
  if (/\.tsv$/i.test(path)) return "\t"
  const [head = ""] = text.split(/[\r\n]/, 1)
  return head.includes(";") && !head.includes(",") ? ";" : ","
}

/** Fields of each row of a text; `undefined` if a quote stays open, or text follows one. */
const rowsOf = (text: string, separator: Separator): ReadonlyArray<ReadonlyArray<string>> | undefined => {
  const rows: Array<Array<string>> = [[]]
  for (let at = 0;;) {
    const kind = text[at] === "\"" ? quoted : plain[separator]
    kind.lastIndex = at
    const found = kind.exec(text)
    if (found === null) return undefined
    rows.at(-1)!.push(found[1]?.replaceAll("\"\"", "\"") ?? found[0])
    at += found[0].length
    if (at >= text.length) return rows
    if (text[at] === separator) {
      at++
      continue
    }
    const end = /^(?:\r\n|\n|\r)/.exec(text.slice(at, at + 2))?.[0]
    if (end === undefined) return undefined
    at += end.length
    if (at >= text.length) return rows
    rows.push([])
  }
}

/** The records of a file whose name ends in `.csv` or `.tsv`; all values are texts. */
export const csvRecords = Effect.fnUntraced(function*(path: string) {
  const fail = (place: string, reason: string) => new FileError({ path, place, reason })
  const text = (yield* readText(path)).replace(/^\uFEFF/, "")
  const rows = rowsOf(text, separatorOf(path, text))
  if (rows === undefined) return yield* fail("", "a quote is not closed, or text follows one")
  const [names = [], ...others] = rows
  if (names.every((name) => name.trim() === "")) return yield* fail("line 1", "names no columns")
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) return yield* fail("line 1", `${brief(twice)} is given twice`)
  const records: Array<Readonly<Record<string, string>>> = []
  for (const [i, row] of others.entries()) {
    if (row.length === 1 && row[0] === "") continue
    if (row.length !== names.length) {
      return yield* fail(`record ${i + 1}`, `has ${row.length} values, and the table ${names.length} columns`)
    }
    records.push(Object.fromEntries(names.map((name, c) => [name, row[c]!])))
  }
  return records as ReadonlyArray<Readonly<Record<string, unknown>>>
})
