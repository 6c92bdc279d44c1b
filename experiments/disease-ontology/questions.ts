/**
 * Questions about the chromosome of a disease, from DO-QA's labels of the Disease Ontology's definitions:
 *
 *     node experiments/disease-ontology/questions.ts QUERIES.jsonl[.gz] OUT.jsonl
 *
 * One question for each name, synonym and abbreviation of a disease whose definition names one chromosome. The three wrong
 * options are other chromosomes, drawn by the question's id. Mentions that give the answer away are left out.
 */
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"

/** A line of DO-QA, as far as it is read. */
interface Query {
  readonly id: string
  readonly doc: string
  readonly split: string
  readonly kind: string
  readonly mention: string
  readonly answers: { readonly chromosome?: string }
  readonly leaks: ReadonlyArray<string>
}

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) throw new Error("usage: questions.ts QUERIES.jsonl[.gz] OUT.jsonl")

const bytes = readFileSync(from)
const lines = (from.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString().split("\n").filter((line) => line !== "")
const queries = lines.map((line) => JSON.parse(line) as Query)
const chromosomes = [...Array.from({ length: 22 }, (_, i) => String(i + 1)), "X", "Y"]

/** The items in an order drawn by the key. */
const shuffled = (items: ReadonlyArray<string>, key: string): ReadonlyArray<string> => {
  const rank = (item: string) => createHash("sha256").update(`${key}/${item}`).digest("hex")
  return items.map((item) => [rank(item), item] as const).toSorted(([a], [b]) => a < b ? -1 : 1).map(([, item]) => item)
}

const questions = queries.flatMap(({ answers: { chromosome: answer }, doc, id, kind, leaks, mention, split }) => {
  if (answer === undefined || leaks.includes("chromosome")) return []
  const wrong = shuffled(chromosomes.filter((other) => other !== answer), id).slice(0, 3)
  const question = `Which chromosome has the gene of ${mention}?`
  return [{ id, split, kind, question, options: shuffled([answer, ...wrong], `${id}/order`), answer, gold: doc, doc }]
})
writeFileSync(to, questions.map((question) => `${JSON.stringify(question)}\n`).join(""))
process.stdout.write(`${to}: ${questions.length} questions of ${queries.length} queries\n`)
