/** Files of records: what is read of good ones, and what is told of bad ones. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import * as Dataset from "../../src/runtime/layers/dataset.ts"
import { folderOf, onDisk } from "../support/files.ts"

const good = [
  "{\"id\":\"a\",\"question\":\"Which?\",\"answer\":\"x\"}",
  "{\"id\":\"b\",\"question\":\"What?\",\"answer\":\"y\"}"
]
const bad: ReadonlyArray<readonly [what: string, line: string, place: string, reason: RegExp]> = [
  ["is not JSON", "{\"id\": \"c\", ", "line 3", /not JSON/],
  ["lacks a field", "{\"id\":\"c\",\"answer\":\"x\"}", "line 3, field \"question\"", /missing/i],
  [
    "has a field of another type",
    "{\"id\":\"c\",\"question\":5,\"answer\":\"x\"}",
    "line 3, field \"question\"",
    /expected string/i
  ],
  ["has an empty field", "{\"id\":\"c\",\"question\":\"\",\"answer\":\"x\"}", "line 3, field \"question\"", /length/i],
  ["is no object", "[1]", "line 3", /expected/i],
  ["repeats an id", good[0]!, "line 3, field \"id\"", /"a" is given twice/],
  ["has no answer", "{\"id\":\"c\",\"question\":\"?\"}", "line 3, field \"answer\"", /needs an answer/],
  [
    "answers with none of its options",
    "{\"id\":\"c\",\"question\":\"?\",\"options\":[\"x\"],\"answer\":\"y\"}",
    "line 3, field \"answer\"",
    /none/
  ]
]

describe("a file of questions", () => {
  it.live("is read in order, empty lines and line ends of either kind aside", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "q.jsonl": `\uFEFF${good[0]}\r\n\n  \n${good[1]}` })
      const { records, skipped } = yield* Dataset.questions(join(folder, "q.jsonl"))
      assert.deepStrictEqual(records.map((q) => [q.id, q.question, q.answer]), [["a", "Which?", "x"], [
        "b",
        "What?",
        "y"
      ]])
      assert.deepStrictEqual(skipped, [])
    })))
  it.live("may be compressed", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "q.jsonl.gz": gzipSync(good.join("\n")), "broken.gz": "not gzip" })
      assert.strictEqual((yield* Dataset.questions(join(folder, "q.jsonl.gz"))).records.length, 2)
      const error = yield* Effect.flip(Dataset.questions(join(folder, "broken.gz")))
      assert.strictEqual(error.path, join(folder, "broken.gz"))
    })))
  for (const [what, line, place, reason] of bad) {
    it.live(`stops at a line that ${what}, and names it`, () =>
      onDisk(Effect.gen(function*() {
        const path = join(yield* folderOf({ "q.jsonl": [...good, line].join("\n") }), "q.jsonl")
        const error = yield* Effect.flip(Dataset.questions(path))
        assert.strictEqual(error.place, place)
        assert.match(error.reason, reason)
        assert.strictEqual(error.message, `${path}, ${place}: ${error.reason}`)
      })))
  }
  it.live("is read without its bad lines where they may be skipped, each told", () =>
    onDisk(Effect.gen(function*() {
      const lines = [...good, ...bad.map(([_, line]) => line)]
      const path = join(yield* folderOf({ "q.jsonl": lines.join("\n") }), "q.jsonl")
      const { records, skipped } = yield* Dataset.questions(path, { skipBad: true })
      assert.deepStrictEqual(records.map((q) => q.id), ["a", "b"])
      assert.deepStrictEqual(
        skipped.map((error) => error.place),
        bad.map(([_, __, place], i) => place.replace("line 3", `line ${i + 3}`))
      )
    })))
  it.live("that is not there is told by its path", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({}), "none.jsonl")
      const error = yield* Effect.flip(Dataset.questions(path))
      assert.strictEqual(error.message, `${path}: there is no such file or folder`)
    })))
  it.live("without a record is an error, skipping or not", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "empty.jsonl": "\n", "bad.jsonl": "{}" })
      assert.strictEqual((yield* Effect.flip(Dataset.questions(join(folder, "empty.jsonl")))).reason, "no records")
      assert.strictEqual(
        (yield* Effect.flip(Dataset.questions(join(folder, "bad.jsonl"), { skipBad: true }))).reason,
        "no records"
      )
    })))
})

describe("a file of passages", () => {
  it.live("is read, and its bad lines told, as one of questions", () =>
    onDisk(Effect.gen(function*() {
      const lines = [
        "{\"_id\":\"a\",\"title\":\"T\",\"text\":\"x\"}",
        "{\"_id\":\"b\"}",
        "{\"_id\":\"a\",\"text\":\"y\"}"
      ]
      const path = join(yield* folderOf({ "p.jsonl": lines.join("\n") }), "p.jsonl")
      const { records, skipped } = yield* Dataset.passages(path, { skipBad: true })
      assert.deepStrictEqual([...records], [{ id: "a", text: "T. x" }])
      assert.deepStrictEqual(skipped.map((e) => e.place), ["line 2, field \"text\"", "line 3, field \"id\""])
    })))
})

describe("a corpus", () => {
  const records = [{ id: "a", text: "xy" }, { id: "b", text: "z" }]
  it("knows its passages by id and by row", () => {
    const { ids, row, texts } = Dataset.fromRecords(records)
    assert.deepStrictEqual([ids, texts], [["a", "b"], ["xy", "z"]])
    assert.deepStrictEqual([row("a"), row("b"), row("c")], [0, 1, -1])
  })
  it("has a hash of all its ids and texts, in order", () => {
    const hash = (...some: typeof records) => Dataset.fromRecords(some).hash
    const [a, b] = records as [typeof records[0], typeof records[0]]
    const others = [hash(b, a), hash(a), hash(a, { ...b, text: "y" }), hash({ id: "ax", text: "y" }, b)]
    assert.strictEqual(new Set([hash(a, b), ...others]).size, 5)
    assert.strictEqual(hash(a, b), hash({ ...a }, { ...b }))
  })
})
