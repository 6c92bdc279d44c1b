/**
 * Data for STM in small, in BEIR's layout, from MedQuAD, SciFact, PubMedQA and DO-QA as `docs/results.md` names them:
 *
 *     node experiments/stm/data.ts DATA OUT [QUERIES] [PASSAGES]
 *
 * - `medquad`, `scifact`: what the experts of these names learn from; `all`: both together.
 * - `pubmed.jsonl`: passages to write questions about, for the third expert.
 * - `medquad-dev`, `scifact-dev`: QUERIES (64) queries over PASSAGES (700) passages, for picking and searching.
 * - `medquad-test`, `scifact-test`, `do-test`: 150 queries over 2,500 passages; no expert learns from DO-QA.
 *
 * The same text is one query and one passage, wherever it occurs. A query of a later split is left out where an earlier one has its
 * text; both are counted. SciFact's dev claims are its test set, as in BEIR; a hundred of its train claims are the dev set. Its
 * abstracts serve train and test: `bench --train` leaves out what training has seen.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"

const [data, out, queriesOfDev = "64", passagesOfDev = "700"] = process.argv.slice(2)
if (data === undefined || out === undefined) throw new Error("usage: data.ts DATA OUT [QUERIES] [PASSAGES]")

interface Passage {
  readonly id: string
  readonly title?: string
  readonly text: string
}
interface Query {
  readonly id: string
  readonly split: "train" | "dev" | "test"
  readonly text: string
  readonly gold: ReadonlyArray<string>
}
interface Dataset {
  readonly passages: ReadonlyArray<Passage>
  readonly queries: ReadonlyArray<Query>
}

const linesOf = (path: string): ReadonlyArray<string> => {
  const bytes = readFileSync(join(data, path))
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString().split("\n").filter((line) => line !== "")
}
const records = <A>(path: string): ReadonlyArray<A> => linesOf(path).map((line) => JSON.parse(line) as A)
const hash = (text: string): string => createHash("sha256").update(text).digest("hex")
/** The first n items in an order drawn by their ids. */
const drawn = <A extends { readonly id: string }>(items: ReadonlyArray<A>, n: number): ReadonlyArray<A> =>
  items.map((item) => [hash(item.id), item] as const).toSorted(([a], [b]) => a < b ? -1 : 1).slice(0, n).map(
    ([, item]) => item
  )
const same = (text: string): string => text.toLowerCase().replaceAll(/\s+/g, " ").trim()

/** One passage for each text, one query for each text, of the earliest split that has it. */
const distinct = (name: string, { passages, queries }: Dataset): Dataset => {
  const [first, alias] = [new Map<string, string>(), new Map<string, string>()]
  for (const { id, text, title = "" } of passages) {
    const key = same(`${title} ${text}`)
    first.set(key, first.get(key) ?? id)
    alias.set(id, first.get(key)!)
  }
  const order = { train: 0, dev: 1, test: 2 }
  const seen = new Map<string, Query>()
  let across = 0
  for (const query of queries.toSorted((a, b) => order[a.split] - order[b.split])) {
    const before = seen.get(same(query.text))
    const gold = query.gold.map((id) => alias.get(id)!)
    if (before === undefined) seen.set(same(query.text), { ...query, gold })
    else if (before.split === query.split) seen.set(same(query.text), { ...before, gold: [...before.gold, ...gold] })
    else across++
  }
  const kept = passages.filter(({ id }) => alias.get(id) === id)
  const own = [...seen.values()].map(({ gold, id, split, text }): Query => ({ id, split, text, gold: [...new Set(gold)] }))
  const [texts, same_] = [passages.length - kept.length, queries.length - own.length - across]
  process.stdout.write(
    `${name}: ${kept.length} passages (${texts} repeated), ${own.length} queries (${same_} repeated, ${across} left out that an earlier split has)\n`
  )
  return { passages: kept, queries: own }
}

const write = (name: string, { passages, queries }: Dataset): void => {
  const folder = join(out, name)
  mkdirSync(join(folder, "qrels"), { recursive: true })
  const jsonl = (items: ReadonlyArray<object>) => items.map((item) => `${JSON.stringify(item)}\n`).join("")
  writeFileSync(join(folder, "corpus.jsonl"), jsonl(passages.map(({ id, text, title = "" }) => ({ _id: id, title, text }))))
  writeFileSync(join(folder, "queries.jsonl"), jsonl(queries.map(({ id, text }) => ({ _id: id, text }))))
  for (const [split, own] of Map.groupBy(queries, (query) => query.split)) {
    const rows = own.flatMap(({ gold, id }) => gold.map((doc) => `${id}\t${doc}\t1\n`)).join("")
    writeFileSync(join(folder, "qrels", `${split}.tsv`), `query-id\tcorpus-id\tscore\n${rows}`)
  }
  process.stdout.write(`${folder}: ${queries.length} queries, ${passages.length} passages\n`)
}

/** Queries of a split over their gold passages and others, as a test set. */
const sample = ({ passages, queries }: Dataset, split: Query["split"], n: number, size: number): Dataset => {
  const own = drawn(queries.filter((query) => query.split === split), n)
  const gold = new Set(own.flatMap((query) => query.gold))
  const others = drawn(passages.filter(({ id }) => !gold.has(id)), Math.max(0, size - gold.size))
  return {
    passages: [...passages.filter(({ id }) => gold.has(id)), ...others],
    queries: own.map(({ gold, id, text }): Query => ({ id, split: "test", text, gold }))
  }
}

const medquad = (): Dataset => ({
  passages: records<Passage>("medquad/passages.jsonl.gz").map(({ id, text }) => ({ id, text })),
  queries: records<Query>("medquad/questions.jsonl.gz")
})

const scifact = (): Dataset => {
  const rows = linesOf("scifact/qrels.tsv").slice(1).map((line) => line.split("\t") as [string, string, string, string])
  const gold = Map.groupBy(rows, ([query]) => query)
  const claims = records<{ readonly id: string; readonly split: string; readonly text: string }>("scifact/claims.jsonl")
  const known = claims.filter(({ id }) => gold.has(id))
  const held = new Set(drawn(known.filter(({ split }) => split === "train"), 100).map(({ id }) => id))
  return {
    passages: records<{ id: string; title: string; sentences: ReadonlyArray<string> }>("scifact/corpus.jsonl.gz").map(
      ({ id, sentences, title }) => ({ id, title, text: sentences.join(" ") })
    ),
    queries: known.map(({ id, split, text }) => ({
      id,
      split: split === "dev" ? "test" : held.has(id) ? "dev" : "train",
      text,
      gold: gold.get(id)!.map(([, doc]) => doc)
    }))
  }
}

const doQa = (): Dataset => ({
  passages: records<Passage>("do_qa/corpus.jsonl.gz").map(({ id, text, title }) => ({ id, title: title!, text })),
  queries: records<{ id: string; split: "test"; doc: string; mention: string }>("do_qa/queries.jsonl.gz").filter((
    { split }
  ) => split === "test").map(({ doc, id, mention, split }) => ({
    id,
    split,
    text: `What is ${mention}?`,
    gold: [doc]
  }))
})

const sets = { medquad: distinct("MedQuAD", medquad()), scifact: distinct("SciFact", scifact()), do: distinct("DO-QA", doQa()) }
const [n, size] = [Number(queriesOfDev), Number(passagesOfDev)]
const trains = (["medquad", "scifact"] as const).map((name) => {
  const { passages, queries } = sets[name]
  const own = queries.filter(({ split }) => split === "train")
  const later = new Set(queries.filter(({ split }) => split !== "train").flatMap(({ gold }) => gold))
  const gold = new Set(own.flatMap((query) => query.gold))
  const dataset = { passages: passages.filter(({ id }) => gold.has(id) || !later.has(id)), queries: own }
  write(name, dataset)
  write(`${name}-dev`, sample(sets[name], "dev", n, size))
  return dataset
})
write("all", {
  passages: trains.flatMap(({ passages }) => passages),
  queries: trains.flatMap(({ queries }) => queries)
})
for (const name of ["medquad", "scifact", "do"] as const) write(`${name}-test`, sample(sets[name], "test", 150, 2500))

const contexts = records<{ id: string; split: string; contexts: ReadonlyArray<string> }>("pubmedqa/pqal.jsonl.gz")
const own = contexts.filter(({ split }) => split !== "test").map(({ contexts, id }) => ({ id, text: contexts.join(" ") }))
writeFileSync(join(out, "pubmed.jsonl"), own.map((passage) => `${JSON.stringify(passage)}\n`).join(""))
process.stdout.write(`${join(out, "pubmed.jsonl")}: ${own.length} passages\n`)
