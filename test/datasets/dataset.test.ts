/** Files of records: what is read of good ones, and what is told of bad ones. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import * as Dataset from "../../src/datasets/dataset.ts"
import { folderOf, onDisk } from "../support/files.ts"

const good = [
  "{\"id\":\"a\",\"question\":\"Which?\",\"answer\":\"x\"}",
  "{\"id\":\"b\",\"question\":\"What?\",\"answer\":\"y\"}"
]
const bad: ReadonlyArray<readonly [what: string, line: string, place: string, reason: RegExp]> = [
  ["is not JSON", "{\"id\": \"c\", ", "line 3", /not JSON/],
  [
    "lacks a field",
    "{\"id\":\"c\",\"answer\":\"x\"}",
    "line 3, field \"question\"",
    /missing; the record has id, answer/
  ],
  [
    "has a field of another type",
    "{\"id\":\"c\",\"question\":5,\"answer\":\"x\"}",
    "line 3, field \"question\"",
    /expected string, got 5/
  ],
  ["has an empty field", "{\"id\":\"c\",\"question\":\"\",\"answer\":\"x\"}", "line 3, field \"question\"", /missing/],
  ["is no object", "[1]", "line 3", /expected an object of fields, got \[1\]/],
  [
    "gives a key twice",
    "{\"id\":\"c\",\"question\":\"?\",\"answer\":\"x\",\"more\":[{\"a\":1,\"\\u0061\":2}]}",
    "line 3, field \"a\"",
    /^is given twice$/
  ],
  ["repeats an id", good[0]!, "line 3, field \"id\"", /"a" is given twice, first in line 1/],
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
  it.live("gives no key twice in an array or an object either", () =>
    onDisk(Effect.gen(function*() {
      const twice = "{\"id\":\"c\",\"question\":\"?\",\"answer\":\"x\",\"answer\":\"y\"}"
      const text = `[${good[0]},\n${twice},\n${good[1]}]`
      const folder = yield* folderOf({ "list.json": text, "held.json": `{"data": ${text}}` })
      const [list, held] = [join(folder, "list.json"), join(folder, "held.json")]
      assert.strictEqual(
        (yield* Effect.flip(Dataset.questions(list))).message,
        `${list}, record 2, field "answer": is given twice`
      )
      assert.deepStrictEqual(
        (yield* Dataset.questions(list, { skipBad: true })).records.map(({ id }) => id),
        ["a", "b"]
      )
      assert.strictEqual(
        (yield* Effect.flip(Dataset.questions(held))).message,
        `${held}, line 2, "answer": is given twice`
      )
    })))
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

describe("what is told of a file", () => {
  const toldOf = Effect.fnUntraced(
    function*(files: Readonly<Record<string, string>>, options?: Dataset.QuestionOptions) {
      const folder = yield* folderOf(files)
      const { records, told } = yield* Dataset.questions(join(folder, Object.keys(files)[0]!), options)
      return { ids: records.map(({ id }) => id), told }
    }
  )
  const lines = (...records: ReadonlyArray<object>) => records.map((record) => JSON.stringify(record)).join("\n")
  it.live("are its fields that are not used, counted", () =>
    onDisk(Effect.gen(function*() {
      const one = { id: "a", question: "?", url: "u", date: 1, note: null }
      const two = { id: "b", question: "?", url: "u", split: "train" }
      const { told } = yield* toldOf({ "q.jsonl": lines(one, two) }, { where: {} })
      assert.deepStrictEqual(told, ["fields not used: url (2 lines), date (1), split (1)"])
      const chosen = yield* toldOf({ "q.jsonl": lines(one, two) }, { where: { split: "train" } })
      assert.deepStrictEqual(chosen, { ids: ["b"], told: ["fields not used: url (1 lines)"] })
    })))
  it.live("are at most so many of them by name", () =>
    onDisk(Effect.gen(function*() {
      const wide = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i]))
      const { told } = yield* toldOf({ "q.jsonl": lines({ id: "a", question: "?", ...wide }) })
      assert.match(told[0]!, /f29 \(1\), others \(70\)$/)
    })))
  it.live("are the ids that it lacks", () =>
    onDisk(Effect.gen(function*() {
      const { ids, told } = yield* toldOf({ "q.jsonl": `\n${lines({ question: "?" }, { id: "b", question: "?" })}` })
      assert.deepStrictEqual([ids, told], [["line-2", "b"], [
        "1 questions have no id: named after their place in the file"
      ]])
    })))
  it.live("is that no option is named by place 0", () =>
    onDisk(Effect.gen(function*() {
      const record = (id: string, place: number) => ({ id, question: "?", options: ["x", "y", "z"], answer_idx: place })
      const sentence = "places of right options count from 0, and none of 2 is 0: do the file's?"
      assert.deepStrictEqual((yield* toldOf({ "q.jsonl": lines(record("a", 1), record("b", 2)) })).told, [sentence])
      assert.deepStrictEqual((yield* toldOf({ "q.jsonl": lines(record("a", 1), record("b", 0)) })).told, [])
    })))
  it.live("are the malformed lines that were left out, the first with its reason", () =>
    onDisk(Effect.gen(function*() {
      const text = `${good[0]}\n${"{\n".repeat(300)}`
      const folder = yield* folderOf({ "q.jsonl": text })
      const { skipped, told } = yield* Dataset.questions(join(folder, "q.jsonl"), { skipBad: true })
      assert.match(told[0]!, /^300 malformed lines left out \(first: line 2: not JSON/)
      assert.strictEqual(skipped.length, 100)
    })))
})

describe("a choice of records", () => {
  it.live("goes by the values of own fields", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({
        "q.jsonl": "{\"id\":\"a\",\"question\":\"?\",\"n\":1}\n{\"id\":\"b\",\"question\":\"?\"}"
      })
      const path = join(folder, "q.jsonl")
      const { records } = yield* Dataset.questions(path, { where: { n: 1 } })
      assert.deepStrictEqual(records.map(({ id }) => id), ["a"])
      for (const where of [{ n: "1" }, { constructor: "Object" }, { id: "c" }]) {
        const error = yield* Effect.flip(Dataset.questions(path, { where: where as never }))
        assert.strictEqual(error.reason, `no record has ${JSON.stringify(where)}`)
      }
    })))
  it.live("is made before anything else is asked of a record", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "q.jsonl": "{\"n\":2}\n[1]\n{\"id\":\"b\",\"question\":\"?\",\"n\":1}" })
      const { records } = yield* Dataset.questions(join(folder, "q.jsonl"), { where: { n: 1 } })
      assert.strictEqual(records.length, 1)
    })))
})

describe("`cop`", () => {
  const record = (id: string, cop: unknown) => ({ id, question: "?", opa: "w", opb: "x", opc: "y", opd: "z", cop })
  const load = Effect.fnUntraced(function*(cops: ReadonlyArray<unknown>, options?: Dataset.QuestionOptions) {
    const text = cops.map((cop, i) => JSON.stringify(record(`q${i}`, cop))).join("\n")
    const folder = yield* folderOf({ "q.jsonl": text })
    return yield* Dataset.questions(join(folder, "q.jsonl"), options)
  })
  for (
    const [what, cops, answers] of [
      ["from 0, where a record has 0", [1, 3, 0, 2], ["x", "z", "w", "y"]],
      ["from 0, where a record has none", [1, -1, 2], ["x", "", "y"]],
      ["from 1, where a record has 4", [1, 3, 4, 2], ["w", "y", "z", "x"]],
      ["by letter", ["a", "d", "B"], ["w", "z", "x"]],
      ["as digits", ["1", "4"], ["w", "z"]]
    ] as const
  ) {
    it.live(`counts ${what}`, () =>
      onDisk(Effect.gen(function*() {
        const { records } = yield* load(cops)
        assert.deepStrictEqual(
          records.map(({ answer, id }) => [id, answer]),
          answers.map((answer, i) => [`q${i}`, answer])
        )
      })))
  }
  it.live("is refused where nothing shows what it counts from, and where records disagree", () =>
    onDisk(Effect.gen(function*() {
      const open = yield* Effect.flip(load([1, 2, 3]))
      assert.match(open.message, /line 1, field "cop": 1 may count from 0 or from 1/)
      const both = yield* Effect.flip(load([1, 4, 0]))
      assert.match(both.message, /line 3, field "cop": has 0 or -1 in some records of the file, and 4 in others/)
    })))
  it.live("counts as records show that are not chosen", () =>
    onDisk(Effect.gen(function*() {
      const { records } = yield* load([1, 4], { where: { id: "q0" } })
      assert.deepStrictEqual(records.map(({ answer }) => answer), ["w"])
    })))
})

describe("a folder of passages", () => {
  const line = (id: string) => JSON.stringify({ id, title: "T", content: "x", contents: "T. x" })
  it.live("is read file by file, in the order of their names", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "b.jsonl": line("b"), "a.jsonl.gz": gzipSync(line("a")), "README.md": "no" })
      const { records, told } = yield* Dataset.passages(folder)
      assert.deepStrictEqual(records, [{ id: "a", text: "T. x" }, { id: "b", text: "T. x" }])
      assert.deepStrictEqual(told, ["read from 2 files"])
    })))
  it.live("is its corpus, where it has one", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "corpus.jsonl": line("c"), "queries.jsonl": "no" })
      assert.deepStrictEqual((yield* Dataset.passages(folder)).records, [{ id: "c", text: "T. x" }])
    })))
  it.live("without any is told to be", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "README.md": "no" })
      assert.match((yield* Effect.flip(Dataset.passages(folder))).message, /holds no corpus.jsonl, nor other files/)
    })))
  it.live("tells ids that two of its files share", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "a.jsonl": line("a"), "b.jsonl": `${line("b")}\n${line("a")}` })
      const error = yield* Effect.flip(Dataset.passages(folder))
      assert.strictEqual(
        error.message,
        `${join(folder, "b.jsonl")}, line 2, field "id": "a" is given twice, first in ${
          join(folder, "a.jsonl")
        }, line 1`
      )
    })))
  it.live("leaves out passages without text, and tells them", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({
        "p.jsonl": "{\"_id\":\"a\",\"text\":\"\"}\n{\"_id\":\"b\",\"title\":\"T\",\"text\":\"\"}"
      })
      const { empty, records, told } = yield* Dataset.passages(join(folder, "p.jsonl"))
      assert.deepStrictEqual([records, [...empty]], [[{ id: "b", text: "T" }], ["a"]])
      assert.deepStrictEqual(told, ["1 passages have no text, and are left out (first: a)"])
    })))
})
