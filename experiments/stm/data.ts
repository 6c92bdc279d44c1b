/**
 * Data for STM in small, in BEIR's layout, from MedQuAD, SciFact, PubMedQA and DO-QA as `docs/results.md` names them:
 *
 *     node experiments/stm/data.ts DATA OUT [--rows 192] [--dev 48,300] [--test 150,500]
 *
 * - `medquad`, `scifact`: up to so many training queries of the experts of these names, over all passages; `all`: both together.
 * - `pubmed.jsonl`: passages to write questions about, for the third expert: sections of abstracts.
 * - `medquad-dev`, `scifact-dev`: so many queries over so many passages, for picking and searching.
 * - `medquad-test`, `scifact-test`, `do-test`: the same for the tests; no expert learns from DO-QA.
 *
 * Passages are cut at 80 words. The same text is one query and one passage, wherever it occurs. A query of a later split is left out where an earlier one has its
 * text; both are counted. SciFact's dev claims are its test set, as in BEIR; a hundred of its train claims are the dev set. Its
 * abstracts serve train and test: `bench --train` leaves out what training has seen.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { gunzipSync } from "node:zlib"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "192" },
    dev: { type: "string", default: "48,300" },
    test: { type: "string", default: "150,500" }
  }
})
const [data, out] = positionals
if (data === undefined || out === undefined) throw new Error("usage: data.ts DATA OUT [--rows N] [--dev N,N] [--test N,N]")

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

/** Without passages that share an id with others, and without the queries that name such an id. */
const unambiguous = (name: string, { passages, queries }: Dataset): Dataset => {
  const shared = new Set(
    [...Map.groupBy(passages, ({ id }) => id)].filter(([, own]) => own.length > 1).map(([id]) => id)
  )
  const kept = {
    passages: passages.filter(({ id }) => !shared.has(id)),
    queries: queries.filter(({ gold }) => !gold.some((id) => shared.has(id)))
  }
  const [texts, asked] = [passages.length - kept.passages.length, queries.length - kept.queries.length]
  if (texts > 0) process.stdout.write(`${name}: ${texts} passages left out whose ids several have, with ${asked} queries\n`)
  return kept
}

/** One passage for each text, one query for each text, of the earliest split that has it. */
const distinct = (name: string, given: Dataset): Dataset => {
  const { passages, queries } = unambiguous(name, given)
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

/** The first words of a text: the retrievers see no more of it. */
const cut = (text: string): string => text.split(/\s+/).slice(0, 80).join(" ")

const write = (name: string, { passages, queries }: Dataset): void => {
  const folder = join(out, name)
  mkdirSync(join(folder, "qrels"), { recursive: true })
  const jsonl = (items: ReadonlyArray<object>) => items.map((item) => `${JSON.stringify(item)}\n`).join("")
  writeFileSync(join(folder, "corpus.jsonl"), jsonl(passages.map(({ id, text, title = "" }) => ({ _id: id, title, text: cut(text) }))))
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
    queries: own
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
const sizesOf = (given: string) => given.split(",").map(Number) as [queries: number, passages: number]
const trains = (["medquad", "scifact"] as const).map((name) => {
  const { passages, queries } = sets[name]
  const later = new Set(queries.filter(({ split }) => split !== "train").flatMap(({ gold }) => gold))
  const own = drawn(queries.filter(({ split }) => split === "train"), Number(values.rows))
  const gold = new Set(own.flatMap((query) => query.gold))
  const dataset = { passages: passages.filter(({ id }) => gold.has(id) || !later.has(id)), queries: own }
  write(name, dataset)
  write(`${name}-dev`, sample(sets[name], "dev", ...sizesOf(values.dev)))
  return dataset
})
write("all", {
  passages: trains.flatMap(({ passages }) => passages),
  queries: trains.flatMap(({ queries }) => queries)
})
for (const name of ["medquad", "scifact", "do"] as const) {
  write(`${name}-test`, sample(sets[name], "test", ...sizesOf(values.test)))
}

const abstracts = records<{ id: string; split: string; contexts: ReadonlyArray<string> }>("pubmedqa/pqal.jsonl.gz")
const sections = abstracts.filter(({ split }) => split !== "test").flatMap(({ contexts, id }) =>
  contexts.map((text, i) => ({ id: `${id}#${i + 1}`, text: cut(text) }))
)
writeFileSync(join(out, "pubmed.jsonl"), sections.map((passage) => `${JSON.stringify(passage)}\n`).join(""))
process.stdout.write(`${join(out, "pubmed.jsonl")}: ${sections.length} passages\n`)
