/** Records of a table of comma- or tab-separated values (RFC 4180), named by its first line. */
import * as Effect from "effect/Effect"
import { brief } from "../../domain/brief.ts"
import { FileError, readText } from "../../runtime/files/disk.ts"

/** Fields of each row of a text; a field in quotes may hold separators and lines, and quotes doubled. `undefined` if one stays open. */
const rowsOf = (text: string, separator: string): ReadonlyArray<ReadonlyArray<string>> | undefined => {
  const [rows, field] = [new Array<Array<string>>([]), /"((?:[^"]|"")*)"|([^"\r\n]?[^\r\n]*)/y]
  const plain = separator === "\t" ? /[^\t\r\n]*/y : /[^,\r\n]*/y
  for (let at = 0; at <= text.length;) {
    field.lastIndex = plain.lastIndex = at
    const quoted = text[at] === "\"" ? field.exec(text) : null
    if (text[at] === "\"" && (quoted === null || quoted[1] === undefined)) return undefined
    const own = quoted?.[0] ?? plain.exec(text)![0]
    rows.at(-1)!.push(quoted === null ? own : quoted[1]!.replaceAll("\"\"", "\""))
    at += own.length
    if (at >= text.length) break
    if (text.startsWith("\r\n", at)) at += 2
    else if (text[at] === "\n" || text[at] === "\r") at += 1
    else if (text[at] === separator) {
      at += 1
      if (at === text.length) rows.at(-1)!.push("")
      continue
    } else return undefined
    if (at < text.length) rows.push([])
  }
  return rows
}

/** The records of a file whose name ends in `.csv` or `.tsv`; all values are texts. */
export const csvRecords = Effect.fnUntraced(function*(path: string) {
  const fail = (place: string, reason: string) => new FileError({ path, place, reason })
  const text = (yield* readText(path)).replace(/^\uFEFF/, "")
  const rows = rowsOf(text, /\.tsv$/i.test(path) ? "\t" : ",")
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
