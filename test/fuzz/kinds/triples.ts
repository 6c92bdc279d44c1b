/** ColBERT's triples of ids, beside its queries and its collection; and triples of texts. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import * as Dataset from "../../../src/datasets/dataset.ts"
import { idRows } from "../../../src/datasets/idRows.ts"
import { pairs } from "../../../src/datasets/pairs.ts"
import { formOf } from "../../../src/datasets/rowForm.ts"
import type { QuestionRecord } from "../../../src/domain/records/Records.ts"
import { after, type Damage, damages, type LineEdit, lineEdits, rewritten } from "../edits/damage.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { decoded, parsed, repeats } from "../readings/json.ts"
import { bad, unlessBad } from "../readings/records.ts"

const queries = ["7\twhich organ?", "8\twhat sees?", "q9\tlong \"fingers\"", ""].join("\n")
const collection = ["0\tThe liver.", "1\tThe eye.\tOrgans", "2\tThe hand.", "x3\tA spot.", ""].join("\n")

/** Files that are edited, and lines that come into them. */
const files: Readonly<Record<string, { readonly base: string; readonly texts: ReadonlyArray<string> }>> = {
  "triples.jsonl": {
    base: ["[7, 0, 1, 2]", "[8, \"1\", 0]", "[\"q9\", \"x3\", 2]", ""].join("\n"),
    texts: [
      "[7, 0]",
      "[7]",
      "[7, 0, 0]",
      "[7.5, 0, 1]",
      "[7, 0, [1, 2]]",
      "{\"query\": 7}",
      "[99, 0, 1]",
      "[7, 99]",
      "[7, null]",
      "[]"
    ]
  },
  "examples.json": {
    base: ["[7, [0, 9.5], [1, 1], [2, -3]]", "[8, [1, 4], [0, 4e0]]", ""].join("\n"),
    texts: [
      "[7, [0, 1], [0, 2]]",
      "[7, [0, 1], [0, 1]]",
      "[7, [0, \"1\"]]",
      "[7, [0]]",
      "[7, [0, 1, 2]]",
      "[7, [0, 1e999]]",
      "[8, [1, 1], 0]"
    ]
  },
  "triples.tsv": {
    base: ["7\t0\t1", "8\t1\t0\t2", "q9\tx3\t2", ""].join("\n"),
    texts: ["7\t0", "7", "7\t\t0", " 7 \t0 \t 1", "7\t0\t0", "9\t0\t1", "7\t0\t99"]
  },
  "texts.tsv": {
    base: ["a query\ta positive\ta negative", "two words\tThe eye\tone\ttwo", ""].join("\n"),
    texts: ["a query\tonly", "a\t\tb", "a\tb\tb", "a \tb\tc", "\"a\"\tb\t\"c\""]
  }
}

interface Case {
  readonly name: string
  readonly lines: ReadonlyArray<LineEdit>
  readonly damages: ReadonlyArray<Damage>
  readonly skips: boolean
}

const bytesOf = ({ damages, lines, name }: Case): Uint8Array =>
  after(new TextEncoder().encode(rewritten(files[name]!.base, lines)), damages)

/** What a row says: the question, its positive and its negatives in texts or ids, and a teacher's scores in this order. */
interface Row {
  readonly question: string
  readonly gold: string
  readonly negatives: ReadonlyArray<string>
  readonly scores: ReadonlyArray<number> | undefined
}

const known = (table: string): ReadonlyMap<string, string> =>
  new Map(table.split("\n").filter((line) => line !== "").map((line) => line.split("\t") as [string, string]))
const [texts, passages] = [known(queries), known(collection)]

const idOf = (value: unknown): string =>
  (typeof value === "string" && value !== "") || Number.isSafeInteger(value) ? String(value) : bad("no id")
const scoreOf = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) ? value : bad("no score")

const without = (all: ReadonlyArray<string>, gold: string): ReadonlyArray<string> =>
  [...new Set(all)].filter((own) => own !== gold)

/** A row of ids, by the letter of docs/data.md. */
const ofIds = (line: unknown): Row => {
  if (!Array.isArray(line) || line.length < 2) return bad("no row")
  const [query, ...others] = line as ReadonlyArray<unknown>
  const pair = (own: unknown) => Array.isArray(own)
  const own = others.map((one) => {
    if (!Array.isArray(one)) return [idOf(one), undefined] as const
    if (one.length !== 2) return bad("no pair")
    return [idOf(one[0]), scoreOf(one[1])] as const
  })
  if (others.some(pair) && !others.every(pair)) bad("scores of some")
  for (const [id] of own) if (!passages.has(id)) bad("no passage")
  const question = texts.get(idOf(query)) ?? bad("no query")
  for (const [id, score] of own) if (own.some(([other, its]) => other === id && its !== score)) bad("two scores")
  const [gold, negatives] = [own[0]![0], without(own.slice(1).map(([id]) => id), own[0]![0])]
  const scores = new Map(own)
  const scored = others.some(pair) ? [gold, ...negatives].map((id) => scores.get(id)!) : undefined
  return { question, gold, negatives, scores: scored }
}

const cellsOf = (line: string): ReadonlyArray<string> => line.replace(/\r$/, "").split("\t")
const ofTexts = (line: string): Row => {
  const cells = cellsOf(line)
  if (cells.length < 3 || cells.some((cell) => cell.trim() === "")) return bad("no row")
  const [question, gold, ...negatives] = cells as [string, string, ...Array<string>]
  return { question, gold, negatives: without(negatives, gold), scores: undefined }
}

const rowOf = (name: string, line: string): Row => {
  if (name === "texts.tsv") return ofTexts(line)
  if (name.endsWith(".tsv")) return ofIds(cellsOf(line).map((cell) => cell.trim()))
  const json = parsed(line)
  return json === undefined || repeats(line) ? bad("no JSON") : ofIds(json.value)
}

/** The rows of a file; `undefined` where it has to be refused. */
const expected = ({ name, skips }: Case, text: string): ReadonlyArray<Row> | undefined => {
  const rows = text.split("\n").filter((line) => line.trim() !== "").map((line) => unlessBad(() => rowOf(name, line)))
  if (!skips && rows.includes(undefined)) return undefined
  const read = rows.filter((row) => row !== undefined)
  return read.length === 0 ? undefined : read
}

const plain = (textOf: (id: string) => string) => ({ gold, negatives = [], question, scores }: QuestionRecord): Row => {
  if (gold.length !== 1) throw new Fault(`${gold.length} positives`)
  const all = [...gold, ...negatives]
  return {
    question,
    gold: textOf(gold[0]!),
    negatives: negatives.map(textOf),
    scores: scores && all.map((id) => scores[id]!)
  }
}

/** The rows as the program reads them. */
const readIn = ({ name, skips }: Case, folder: string) =>
  Effect.gen(function*() {
    const path = join(folder, name)
    yield* formOf(path)
    if (name === "texts.tsv") {
      const { passages: own, records, told } = yield* pairs(path, [], { skipBad: skips })
      const byId = new Map(own.map(({ id, text }) => [id, text]))
      return { rows: records.map(plain((id) => byId.get(id)!)), told }
    }
    const { corpus } = yield* Dataset.corpus(join(folder, "collection.tsv"))
    const { records, told } = yield* idRows(path, "", corpus, { skipBad: skips })
    return { rows: records.map(plain((id) => id)), told }
  })

export default kind<Case>({
  cases: fc.constantFrom(...Object.keys(files)).chain((name) =>
    fc.record({
      name: fc.constant(name),
      lines: fc.oneof({ weight: 4, arbitrary: lineEdits(3, files[name]!.texts) }, fc.constant([])),
      damages: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, damages),
      skips: fc.boolean()
    }, { noNullPrototype: true })
  ),
  judge: async (c, folder) => {
    const bytes = bytesOf(c)
    fill(folder, { "queries.tsv": queries, "collection.tsv": collection, [c.name]: bytes })
    const outcome = await attempt(readIn(c, folder))
    const text = decoded(bytes)
    const own = text === undefined ? undefined : expected(c, text)
    if (outcome._tag === "Refused") {
      if (own !== undefined) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, join(folder, c.name))
    }
    if (own === undefined) throw new Fault("read, where it is to be refused")
    expectSame(outcome.value.rows, own, "rows")
    const lines = text!.split("\n").filter((line) => line.trim() !== "").length
    const left = outcome.value.told.join("; ").includes(`${lines - own.length} malformed lines`)
    if (lines > own.length && !left) throw new Fault(`${lines - own.length} lines are left out, and that is not told`)
    if (lines > own.length) return "told"
    return text === files[c.name]!.base ? "same" : "changed"
  }
})
