/** ColBERT's files of triples, queries and collections: what is read, and what is refused or skipped, by file and line. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Dataset from "../../src/datasets/dataset.ts"
import { idRows } from "../../src/datasets/idRows.ts"
import { pairs } from "../../src/datasets/pairs.ts"
import { formOf } from "../../src/datasets/rowForm.ts"
import { folderOf, onDisk } from "../support/files.ts"

const collection = "0\tThe liver.\n1\tThe eye.\tOrgans\n2\tThe hand.\n3\t \n"
const queries = "7\twhich organ?\n8\twhat sees?\n"
const read = (name: string, text: string, skipBad = false, files: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function*() {
    const folder = yield* folderOf({ "collection.tsv": collection, "queries.tsv": queries, [name]: text, ...files })
    const { corpus } = yield* Dataset.corpus(join(folder, "collection.tsv"))
    const loaded = yield* idRows(join(folder, name), "", corpus, { skipBad })
    return { ...loaded, folder }
  })
const failing = (name: string, text: string, files: Readonly<Record<string, string>> = {}) =>
  Effect.map(Effect.flip(read(name, text, false, files)), (error) => error.message)

describe("triples of ids", () => {
  it.live("are rows of queries and passages, in JSON lists or between tabs", () =>
    onDisk(Effect.gen(function*() {
      for (
        const [name, text] of [["triples.jsonl", "[7, 0, 2, \"1\"]\n[8,1]\n"], [
          "t.tsv",
          "7\t0\t2\t1\r\n8\t1\n"
        ]] as const
      ) {
        const { folder, records } = yield* read(name, text)
        assert.strictEqual(yield* formOf(join(folder, name)), "ids")
        assert.deepStrictEqual(
          records.map(({ gold, group, id, negatives, question, scores }) => ({
            gold,
            group,
            id,
            negatives,
            question,
            scores
          })),
          [
            {
              gold: ["0"],
              group: "7",
              id: "line-1",
              negatives: ["2", "1"],
              question: "which organ?",
              scores: undefined
            },
            { gold: ["1"], group: "8", id: "line-2", negatives: [], question: "what sees?", scores: undefined }
          ]
        )
      }
    })))
  it.live("may have a teacher's scores, the positive first", () =>
    onDisk(Effect.gen(function*() {
      const { folder, records: [row] } = yield* read("examples.json", "[7, [2, 12.5], [0, -1]]\n")
      assert.strictEqual(yield* formOf(join(folder, "examples.json")), "ids")
      assert.deepStrictEqual([row!.gold, row!.negatives, row!.scores], [["2"], ["0"], { 2: 12.5, 0: -1 }])
    })))
  it.live("are told apart from what is no such row", () =>
    onDisk(Effect.gen(function*() {
      const files = {
        "texts.tsv": "which organ?\tThe liver.\tThe eye.\n",
        "judgements.tsv": "query-id\tcorpus-id\tscore\n7\t0\t1\n",
        "array.jsonl": "[{\"question\": \"q\", \"answer\": \"a\"}]",
        "rows.jsonl": "no JSON\n{\"anchor\": \"a\", \"positive\": \"b\"}\n",
        "empty.tsv": "\n",
        "questions.jsonl": "{\"question\": \"q\"}\n",
        "broken.jsonl": "{\"question\n",
        "ids.jsonl": "[, 0]\n[7, 0]\n"
      }
      const folder = yield* folderOf({ ...files, "queries.jsonl": "{\"_id\": \"7\", \"text\": \"q\"}\n" })
      const found = yield* Effect.forEach(Object.keys(files), (name) => formOf(join(folder, name)))
      assert.deepStrictEqual(found, ["texts", undefined, undefined, "texts", undefined, undefined, undefined, "ids"])
    })))
  const bad: ReadonlyArray<readonly [line: string, reason: RegExp]> = [
    ["[9, 0, 1]", /line 2: query 9 is not in .*queries\.tsv/],
    ["[7, 0, 4]", /line 2: passage 4 is not in passages_file/],
    ["[7, 3, 0]", /line 2: passage 3 is not in passages_file, or has no text there/],
    ["[7, [0, 1], 2]", /line 2: 1 of 2 passages have a score/],
    ["[7, [0, 1], [0, 2]]", /line 2: a passage has two scores, 1 and 2/],
    ["[7, [0, \"high\"]]", /line 2, field "passages\.0/],
    ["[7]", /line 2: a query's id and its positive/],
    ["{\"query\": 7}", /line 2: expected a list of ids/],
    ["[7, 0", /line 2: not JSON/],
    ["[7, 0, null]", /line 2, field "passages\.1/],
    ["[7, 0.5]", /line 2, field "passages\.0/]
  ]
  it.live.each(bad)(
    "are refused by file and line, or skipped and counted: %s",
    ([line, reason]) =>
      onDisk(Effect.gen(function*() {
        const text = `[7, 0, 1]\n${line}\n[8, 1, 0]\n`
        const message = yield* failing("triples.jsonl", text)
        assert.match(message, reason)
        assert.include(message, "triples.jsonl")
        const { records, told } = yield* read("triples.jsonl", text, true)
        assert.deepStrictEqual(records.map(({ id }) => id), ["line-1", "line-3"])
        assert.match(told.join(), /1 malformed lines left out \(first: line 2/)
      }))
  )
  it.live("need their queries, which a setting may name", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({
        "collection.tsv": collection,
        "t.jsonl": "[7, 0]\n",
        "own.tsv": "id\ttext\n7\tq\n"
      })
      const { corpus } = yield* Dataset.corpus(join(folder, "collection.tsv"))
      const { message } = yield* Effect.flip(idRows(join(folder, "t.jsonl"), "", corpus))
      assert.match(message, /t\.jsonl: .*name their file as queries_file/)
      const { records } = yield* idRows(join(folder, "t.jsonl"), join(folder, "own.tsv"), corpus)
      assert.deepStrictEqual(records.map(({ question }) => question), ["q"])
      for (
        const [wrong, reason] of [["7\n", /line 1, field "text"/], ["7\t \n", /"text": is blank/], [
          "7\ta\n7\tb\n",
          /twice/
        ]] as const
      ) {
        assert.match(yield* failing("t.jsonl", "[7, 0]\n", { "queries.tsv": wrong }), reason)
      }
    })))
})

describe("triples of texts", () => {
  it.live("are rows of a query, a positive and negatives between tabs", () =>
    onDisk(Effect.gen(function*() {
      const text = "a b?\tThe liver.\tThe \"eye\".\r\nc d?\tThe liver.\tx y\tz\n"
      const folder = yield* folderOf({ "triples.tsv": text })
      const { passages, records } = yield* pairs(join(folder, "triples.tsv"), [{ id: "p0", text: "The liver." }])
      assert.deepStrictEqual(passages.map((p) => p.text), ["The \"eye\".", "x y", "z"])
      const [eye, xy, z] = passages.map(({ id }) => id) as [string, string, string]
      assert.deepStrictEqual(records.map(({ gold, negatives, question }) => [question, gold, negatives]), [
        ["a b?", ["p0"], [eye]],
        ["c d?", ["p0"], [xy, z]]
      ])
    })))
  it.live("are refused by file and line, or skipped and counted", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "triples.tsv": "a b\tc\td\na b\tc\na b\t \td\n" })
      const path = join(folder, "triples.tsv")
      const { message } = yield* Effect.flip(pairs(path, []))
      assert.match(message, /triples\.tsv, line 2: expected query, positive and negative between tabs, got 2/)
      const { records, told } = yield* pairs(path, [], { skipBad: true })
      assert.strictEqual(records.length, 1)
      assert.match(told.join(), /2 malformed lines left out/)
    })))
})

describe("a collection", () => {
  it.live("is a table of ids, texts and titles", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "collection.tsv": collection, "headed.tsv": "id\ttext\ttitle\nx\ty\tz\n" })
      const { empty, records } = yield* Dataset.passages(join(folder, "collection.tsv"))
      assert.deepStrictEqual(records.map(({ id, text }) => [id, text]), [
        ["0", "The liver."],
        ["1", "Organs. The eye."],
        [
          "2",
          "The hand."
        ]
      ])
      assert.deepStrictEqual([...empty], ["3"])
      const headed = yield* Dataset.passages(join(folder, "headed.tsv"))
      assert.deepStrictEqual(headed.records.map(({ text }) => text), ["z. y"])
    })))
  it.live("is refused by file and line where a row is none", () =>
    onDisk(Effect.gen(function*() {
      for (
        const [row, reason] of [["5", /line 2, field "text"/], ["\ta", /line 2, field "id"/], ["5\ta\tb\tc", /got 4/], [
          "0\tx",
          /twice/
        ]] as const
      ) {
        const folder = yield* folderOf({ "collection.tsv": `0\ta b\n${row}\n` })
        const { message } = yield* Effect.flip(Dataset.passages(join(folder, "collection.tsv")))
        assert.match(message, reason)
        assert.include(message, "collection.tsv")
      }
    })))
})
