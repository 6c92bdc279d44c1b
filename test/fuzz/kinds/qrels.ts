/** BEIR's tables of judgements, beside the queries that they judge. */
import * as fc from "fast-check"
import { join } from "node:path"
import * as Dataset from "../../../src/datasets/dataset.ts"
import { after, type Damage, damages, type LineEdit, lineEdits, rewritten } from "../edits/damage.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"
import { decoded } from "../readings/json.ts"

const ids = ["q1", "q2", "q 3", "q4"]
const queries = ids.map((_id) => `${JSON.stringify({ _id, text: `What is ${_id}?` })}\n`).join("")
const table = ["query-id\tcorpus-id\tscore", "q1\tp1\t1", "q1\tp2\t0", "q2\tp2\t2", "q 3\tp3\t1", ""].join("\n")

const texts = [
  "q1\tp1\t1",
  "q1\tp1\t0",
  "q9\tp9\t1",
  "\"q1\"\t\"p5\"\t1",
  "q1\tp1",
  "q1\tp1\tx",
  "q1\tp1\t1.0",
  "q1\tp1\t1.5",
  "\t"
]

type Case = { readonly lines: ReadonlyArray<LineEdit> } | { readonly bytes: ReadonlyArray<Damage> }

const textOf = (c: Case): Uint8Array => {
  const bytes = new TextEncoder().encode("lines" in c ? rewritten(table, c.lines) : table)
  return "bytes" in c ? after(bytes, c.bytes) : bytes
}

/** The gold passages by question, or why there are none: by the letter of docs/data.md. */
const own = (text: string): Readonly<Record<string, ReadonlyArray<string>>> | string => {
  const rows = text.split("\n").filter((line) => line.trim() !== "").map((line) => line.replace(/\r$/, "").split("\t"))
  const bare = (cell: string | undefined) => (cell ?? "").replace(/^"(.*)"$/, "$1")
  const head = (rows[0] ?? []).map(bare)
  const named = ["query-id", "corpus-id", "score"].map((name) => head.indexOf(name))
  const isNumber = (cell: string) => /^-?\d+(\.0+)?$/.test(cell)
  const columns = named.includes(-1) ? [0, 1, 2] : named
  if (named.includes(-1) && !(head.length === 3 && isNumber(head[2]!))) return "no header"
  const scores = new Map<string, Map<string, number>>()
  for (const row of named.includes(-1) ? rows : rows.slice(1)) {
    const [query, passage, score] = columns.map((c) => bare(row[c]).trim()) as [string, string, string]
    if (query === "" || passage === "" || !isNumber(score)) return "a row that is none"
    const judged = scores.get(query) ?? new Map<string, number>()
    if ((judged.get(passage) ?? Number(score)) !== Number(score)) return "two scores"
    scores.set(query, judged.set(passage, Number(score)))
  }
  return Object.fromEntries(
    [...scores].map(([query, judged]) => [query, [...judged].filter(([, score]) => score > 0).map(([id]) => id)])
  )
}

export default kind<Case>({
  cases: fc.oneof(
    lineEdits(5, texts).map((lines): Case => ({ lines })),
    damages.map((bytes): Case => ({ bytes }))
  ),
  judge: async (c, folder) => {
    const bytes = textOf(c)
    fill(folder, { "queries.jsonl": queries, "qrels/test.tsv": bytes })
    const outcome = await attempt(Dataset.questions(folder, { split: "test" }))
    const text = decoded(bytes)
    const gold = text === undefined ? "no UTF-8" : own(text)
    const judged = typeof gold === "string" ? [] : ids.filter((id) => Object.hasOwn(gold, id))
    if (outcome._tag === "Refused") {
      if (judged.length > 0) throw new Fault(`refused: ${outcome.message}`)
      return refused(outcome, folder)
    }
    if (typeof gold === "string") throw new Fault(`read, where there is ${gold}`)
    expectSame(outcome.value.records.map(({ gold, id }) => [id, gold]), judged.map((id) => [id, gold[id]]), "gold")
    const lost = Object.keys(gold).length - judged.length
    const told = outcome.value.told.join("; ")
    if (lost > 0 && !told.includes(`${lost} queries of ${join(folder, "qrels", "test.tsv")}`)) {
      throw new Fault(`${lost} judged queries are not there, and that is not told: ${told}`)
    }
    return bytes.join() === new TextEncoder().encode(table).join() ? "same" : "changed"
  }
})
