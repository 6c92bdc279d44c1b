/** Records of generative tasks: splits, subsets, tables, joins, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { csvRecords } from "../../src/datasets/benchmarks/csv.ts"
import { documentsOf } from "../../src/datasets/benchmarks/records.ts"
import { makeFolder } from "../../src/runtime/files/disk.ts"
import { jsonLines } from "../support/cli.ts"
import { folderOf, onDisk } from "../support/files.ts"

const all = jsonLines([
  { id: "a", split: "train", text: "one" },
  { id: "b", split: "test", text: "two", kind: "x" },
  { id: "c", split: "test", text: "three", kind: "y", of: ["p2", "p1"] }
])
const ids = (documents: ReadonlyArray<Readonly<Record<string, unknown>>>) => documents.map(({ id }) => id)

describe("records of a split", () => {
  it.live("are those of its name in a file of several, or all of a file's", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "all.jsonl": all, "plain.json": "[{\"id\": 1}, {\"id\": 2}]" })
      assert.deepStrictEqual(ids(yield* documentsOf({ dataset_path: "all.jsonl" }, folder, "test")), ["b", "c"])
      assert.deepStrictEqual(ids(yield* documentsOf({ dataset_path: "all.jsonl" }, folder, undefined)), ["a", "b", "c"])
      assert.deepStrictEqual(ids(yield* documentsOf({ dataset_path: "plain.json" }, folder, "test")), [1, 2])
      const where = { dataset_path: "all.jsonl", dataset_where: { kind: ["y", "z"] } }
      assert.deepStrictEqual(ids(yield* documentsOf(where, folder, "test")), ["c"])
      const files = { dataset_path: "json", dataset_kwargs: { data_files: { test: "plain.json", train: "all.jsonl" } } }
      assert.deepStrictEqual(ids(yield* documentsOf(files, folder, "test")), [1, 2])
    })))
  it.live("are files of a folder, of a subset first", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "test.csv": "id,text\n1,\"a, \"\"b\"\"\"\n", "train.jsonl": all })
      yield* makeFolder(join(folder, "en"))
      writeFileSync(join(folder, "en", "test-00000-of-00001.jsonl"), all)
      const own = yield* documentsOf({ dataset_path: "." }, folder, "test")
      assert.deepStrictEqual(own, [{ id: "1", text: "a, \"b\"" }])
      assert.deepStrictEqual(ids(yield* documentsOf({ dataset_path: ".", dataset_name: "en" }, folder, "test")), [
        "a",
        "b",
        "c"
      ])
    })))
  it.live("have those of another file in them", () =>
    onDisk(Effect.gen(function*() {
      const others = jsonLines([{ id: "p1", text: "first" }, { id: "p2", text: "second" }])
      const folder = yield* folderOf({ "all.jsonl": all, "others.jsonl": others })
      const source = { dataset_path: "all.jsonl", dataset_where: { id: "c" } }
      const join = { path: "others.jsonl", left: "of", right: "id", as: "passage" }
      const [own] = yield* documentsOf({ ...source, dataset_join: join }, folder, "test")
      assert.deepStrictEqual(own!["passage"], { id: "p2", text: "second" })
      const lost = yield* Effect.flip(documentsOf({ ...source, dataset_join: { ...join, left: "id" } }, folder, "test"))
      assert.match(lost.message, /1 records have a id that is the id of none \(first: "c"\)/)
    })))
  it.live("are missed by name", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "all.jsonl": all, "wrong.jsonl": "3\n", "empty.jsonl": "\n" })
      const why = (source: Parameters<typeof documentsOf>[0], split = "test") =>
        Effect.map(Effect.flip(documentsOf(source, folder, split)), ({ message }) => message)
      assert.match(
        yield* why({ dataset_path: "all.jsonl" }, "dev"),
        /no record is of the split dev; there are train, test/
      )
      assert.match(yield* why({ dataset_path: "all.jsonl", dataset_where: { id: "z" } }), /no record has the values/)
      assert.match(yield* why({ dataset_path: "wrong.jsonl" }), /wrong\.jsonl, line 1: 3 is no record/)
      assert.match(yield* why({ dataset_path: "empty.jsonl" }), /holds no record/)
      assert.match(
        yield* why({ dataset_path: "." }),
        /holds all\.jsonl, empty\.jsonl, wrong\.jsonl: no file of the split test/
      )
      const files = { dataset_path: "json", dataset_kwargs: { data_files: { train: "all.jsonl" } } }
      assert.match(yield* why(files), /data_files has train, and no test/)
    })))
})

describe("a table", () => {
  const read = (text: string, name = "t.csv") =>
    Effect.gen(function*() {
      const folder = yield* folderOf({ [name]: text })
      return yield* csvRecords(join(folder, name))
    })
  it.live("may hold separators, quotes and lines in quotes, and ends of lines of three kinds", () =>
    onDisk(Effect.gen(function*() {
      const text = "\uFEFFa,b\r\n\"1\n2\",\"x\"\"y\"\"\"\r\n,\r\n\n\"\",é\n"
      assert.deepStrictEqual(yield* read(text), [{ a: "1\n2", b: "x\"y\"" }, { a: "", b: "" }, { a: "", b: "é" }])
      assert.deepStrictEqual(yield* read("a\tb\n1,2\t3", "t.tsv"), [{ a: "1,2", b: "3" }])
    })))
  it.live("is refused where it is none", () =>
    onDisk(Effect.gen(function*() {
      for (
        const [text, why] of [
          ["a,b\n1\n", /record 1: has 1 values, and the table 2 columns/],
          ["a,a\n1,2\n", /"a" is given twice/],
          ["a\n\"1\n", /a quote is not closed/],
          ["a\n\"1\"2\n", /or text follows one/],
          ["", /names no columns/]
        ] as const
      ) assert.match((yield* Effect.flip(read(text))).message, why)
    })))
})
