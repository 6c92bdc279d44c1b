/** Retrieval datasets in the layouts that they are published in, and what training has seen left out of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { parquetWriteBuffer } from "hyparquet-writer"
import { dirname, join } from "node:path"
import { loadTask, type TaskData, type TaskOptions } from "../../src/datasets/benchmarks/load.ts"
import { type RetrievalTask, tasksOf } from "../../src/domain/benchmarks/task.ts"
import { seenIn } from "../../src/programs/benchmarks/leaks.ts"
import { folderOf, onDisk } from "../support/files.ts"

type Rows = ReadonlyArray<Readonly<Record<string, string | number>>>
const lines = (rows: Rows): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")
const parquet = (rows: Rows): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({
    columnData: Object.keys(rows[0]!).map((name) => ({ name, data: rows.map((row) => row[name]) as Array<any> }))
  }))
const tsv = (rows: Rows): string =>
  [Object.keys(rows[0]!), ...rows.map(Object.values)].map((r) => r.join("\t")).join("\n")

const corpus = (id: string) => [
  { [id]: "d1", title: "Wilson", text: "Copper in the liver." },
  { [id]: "d2", title: "", text: "Long fingers and tall people." },
  { [id]: "d3", title: "Menkes", text: "Kinky hair." }
]
const queries = (id: string) => [
  { [id]: "q1", text: "Where is copper?" },
  { [id]: "q2", text: "Whose hair is kinky?" },
  { [id]: "q3", text: "Not judged in this split" }
]
const qrels = [
  { "query-id": "q1", "corpus-id": "d1", score: 2 },
  { "query-id": "q1", "corpus-id": "d2", score: 0 },
  { "query-id": "q2", "corpus-id": "d3", score: 1 }
]

/** A folder of files, in folders of their own. */
const tree = Effect.fnUntraced(function*(files: Readonly<Record<string, string | Uint8Array>>) {
  const [fs, folder] = [yield* FileSystem.FileSystem, yield* folderOf({})]
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    yield* Effect.orDie(fs.makeDirectory(dirname(path), { recursive: true }))
    yield* Effect.orDie(fs.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content))
  }
  return folder
})

const load = Effect.fnUntraced(
  function*(folder: string, keys: object = { dataset_path: "." }, seen: TaskOptions["seen"] = () => undefined) {
    const [task] = yield* tasksOf("t", { task: "t", output_type: "retrieval", ...keys })
    const own = task as RetrievalTask
    return yield* loadTask(own, own.splits[0], { folder, memory: Infinity, skipBad: false, seen })
  }
)
const brief = ({ corpus, queries }: TaskData) => [
  Array.from({ length: corpus.size }, (_, row) => corpus.id(row)),
  queries.map(({ grades, id, text }) => [id, text, Object.fromEntries(grades)])
]
const expected = [["d1", "d2", "d3"], [
  ["q1", "Where is copper?", { d1: 2, d2: 0 }],
  ["q2", "Whose hair is kinky?", { d3: 1 }]
]]
const beir = {
  "corpus.jsonl": lines(corpus("_id")),
  "queries.jsonl": lines(queries("_id")),
  "qrels/test.tsv": tsv(qrels),
  "qrels/dev.tsv": tsv([{ "query-id": "q3", "corpus-id": "d2", score: 1 }])
}

describe("a dataset", () => {
  const layouts: Readonly<Record<string, readonly [Readonly<Record<string, string | Uint8Array>>, object?]>> = {
    "as BEIR publishes it": [beir],
    "with judgements as lines": [{
      "corpus.jsonl": lines(corpus("_id")),
      "queries.jsonl": lines(queries("_id")),
      "qrels/test.jsonl": lines(qrels),
      "qrels/train.jsonl": "{}"
    }],
    "as MTEB's repositories have it, in parts": [{
      "README.md": "",
      "corpus/corpus-00000-of-00002.parquet": parquet(corpus("_id").slice(0, 2)),
      "corpus/corpus-00001-of-00002.parquet": parquet(corpus("_id").slice(2)),
      "queries/queries-00000-of-00001.parquet": parquet(queries("_id")),
      "data/test-00000-of-00001.parquet": parquet(qrels),
      "data/train-00000-of-00001.parquet": parquet([{ "query-id": "q3", "corpus-id": "d1", score: 1 }])
    }],
    "of several subsets, each with its own splits": [{
      "corpus/all.jsonl": lines(corpus("id")),
      "corpus/genetics.jsonl": lines(corpus("id").slice(1)),
      "queries-en/all.jsonl": lines(queries("id")),
      "queries-fr/all.jsonl": lines([{ id: "q1", text: "Où est le cuivre ?" }]),
      "qrels/all.parquet": parquet(qrels)
    }, { dataset_path: ".", dataset_name: "en", test_split: "All" }]
  }
  for (const [what, [files, keys]] of Object.entries(layouts)) {
    it.live(`is read ${what}`, () =>
      onDisk(Effect.gen(function*() {
        const loaded = yield* load(yield* tree(files), keys)
        assert.deepStrictEqual(brief(loaded), expected)
        const [first] = yield* loaded.corpus.read([0])
        assert.strictEqual(first!.text, "Wilson Copper in the liver.")
      })))
  }
  it.live("may be files of passages and questions of this project", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* tree({
        "p.jsonl": lines(corpus("id")),
        "q.jsonl": JSON.stringify({ id: "a", split: "test", question: "Copper?", answer: "liver", doc: ["d1", "d2"] }) +
          "\n"
          + JSON.stringify({ id: "b", split: "train", question: "Hair?", doc: "d3" }) + "\n"
          + JSON.stringify({ id: "c", split: "test", question: "Nothing?" }) + "\n"
      })
      const files = { passages_file: "p.jsonl", test_file: "q.jsonl", test_where: { split: "test" }, gold_field: "doc" }
      const loaded = yield* load(folder, files)
      assert.deepStrictEqual(brief(loaded)[1], [["a", "Copper?", { d1: 1, d2: 1 }]])
      assert.include(loaded.told, `${join(folder, "q.jsonl")}: 1 questions name no gold passage, and are left out`)
    })))
  it.live("is told of where queries, documents or relevance are missing", () =>
    onDisk(Effect.gen(function*() {
      const more = [
        { "query-id": "q9", "corpus-id": "d1", score: 1 },
        { "query-id": "q3", "corpus-id": "d1", score: 0 },
        { "query-id": "q2", "corpus-id": "d9", score: 1 }
      ]
      const folder = yield* tree({ ...beir, "qrels/test.tsv": tsv([...qrels, ...more]) })
      const { told } = yield* load(folder)
      const path = join(folder, "qrels", "test.tsv")
      assert.deepStrictEqual(told.filter((line) => line.startsWith(path)), [
        `${path}: 1 judged queries are not there, and are left out (first: q9)`,
        `${path}: 1 relevant documents are not in the corpus, and count as not found (first: d9)`,
        `${path}: 1 queries have no relevant document, and count as 0`
      ])
    })))
  const bare = Object.fromEntries(Object.entries(beir).filter(([name]) => name !== "corpus.jsonl"))
  const refusals: ReadonlyArray<readonly [Readonly<Record<string, string>>, object, RegExp]> = [
    [bare, {}, /holds no corpus\.jsonl, nor a folder corpus/],
    [beir, { test_split: "train" }, /qrels holds dev, test, and no train/],
    [{ ...bare, "corpus/a.jsonl": "", "corpus/b.jsonl": "" }, {}, /corpus holds a, b, and no test/],
    [
      { ...beir, "qrels/test.tsv": tsv([{ "query-id": "x", "corpus-id": "d1", score: 1 }]) },
      {},
      /judges none of the queries/
    ],
    [{ ...beir, "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\tyes\n" }, {}, /line 2: expected query-id/],
    [
      {
        "corpus.jsonl": beir["corpus.jsonl"],
        "queries.jsonl": beir["queries.jsonl"],
        "qrels/test.jsonl": "{\"query-id\":\"q1\"}\n"
      },
      {},
      /test\.jsonl, line 1: expected query-id, corpus-id, score/
    ]
  ]
  for (const [files, keys, why] of refusals) {
    it.live(`is refused: ${why.source}`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(load(yield* tree(files), { dataset_path: ".", ...keys }))
        assert.match(error.message, why)
      })))
  }
})

describe("what training has seen", () => {
  it.live("is left out, whatever its case and punctuation, and counted", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* tree({
        ...beir,
        "train.jsonl": lines([{ query: "WHERE, is copper", pos: "x", neg: "Long fingers and tall people." }])
          + `${JSON.stringify({ anchor: "?", positive_passages: [{ title: "Menkes", text: "kinky hair" }] })}\n`
          + `${JSON.stringify({ question: "Else?", gold: ["d2"] })}\n`
      })
      const { seen, size, told } = yield* seenIn([join(folder, "train.jsonl")])
      assert.strictEqual(size, 5)
      assert.match(told.join(), /the gold passages of 1 questions are named by their ids alone/)
      const error = yield* Effect.flip(load(folder, undefined, seen))
      assert.match(error.message, /training has seen every query, or all of its relevant documents/)
      const more = [...qrels, { "query-id": "q3", "corpus-id": "d2", score: 1 }, {
        "query-id": "q3",
        "corpus-id": "d3",
        score: 1
      }]
      const other = yield* tree({ ...beir, "qrels/test.tsv": tsv(more) })
      const loaded = yield* load(other, undefined, seen)
      const { examples, ...counts } = loaded.removed
      assert.deepStrictEqual(counts, { documents: 1, queries: 1, emptied: 1, near: { documents: 0, queries: 0 } })
      const file = join(folder, "train.jsonl")
      assert.deepStrictEqual(examples, [
        { what: "document", id: "d3", text: "Menkes Kinky hair.", likeness: 1, seen: "Menkes kinky hair", file },
        { what: "query", id: "q1", text: "Where is copper?", likeness: 1, seen: "WHERE, is copper", file }
      ])
      assert.deepStrictEqual(brief(loaded), [["d1", "d2"], [["q3", "Not judged in this split", { d2: 1 }]]])
    })))
  it.live("may be a folder of BEIR's: its train queries, and the texts of their relevant passages", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* tree({ ...beir, "qrels/train.tsv": tsv(qrels) })
      const { seen } = yield* seenIn([folder])
      const texts = [
        "Where is copper?",
        "Wilson. Copper in the liver",
        "Menkes kinky hair",
        "Long fingers and tall people",
        "Not judged in this split"
      ]
      assert.deepStrictEqual(texts.map((text) => seen(text)?.likeness), [1, 1, 1, undefined, undefined])
    })))
  it.live("is left out if it is much alike, too, unless only the same words are asked for", () =>
    onDisk(Effect.gen(function*() {
      const long = Array.from({ length: 40 }, (_, i) => `word${i}`).join(" ")
      const folder = yield* tree({
        ...beir,
        "corpus.jsonl": lines([...corpus("_id"), { _id: "d4", title: "", text: `${long} changed` }]),
        "train.jsonl": lines([{ query: "Else?", pos: `${long} and more` }])
      })
      const { seen } = yield* seenIn([join(folder, "train.jsonl")])
      const { removed } = yield* load(folder, undefined, seen)
      assert.deepStrictEqual(removed.near, { documents: 1, queries: 0 })
      assert.deepStrictEqual(removed.examples.map(({ id, what }) => [what, id]), [["document", "d4"]])
      /** 36 runs in common, of 37 and 38. */
      assert.strictEqual(removed.examples[0]!.likeness, 36 / 39)
      const same = yield* seenIn([join(folder, "train.jsonl")], 1)
      assert.strictEqual((yield* load(folder, undefined, same.seen)).removed.documents, 0)
    })))
  it.live("needs records with texts", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* tree({ "a.jsonl": lines([{ id: "1" }]), "b.jsonl": "nothing\n" })
      assert.match((yield* Effect.flip(seenIn([join(folder, "a.jsonl")]))).message, /no record has one of the fields/)
      assert.match((yield* Effect.flip(seenIn([join(folder, "b.jsonl")]))).message, /b\.jsonl, line 1: not JSON/)
    })))
})
