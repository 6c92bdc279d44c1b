/** Records that name pictures: where they are found, and what is told where they are not looked at. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Batches from "../../src/datasets/batches.ts"
import { fromRecords } from "../../src/datasets/corpus/corpus.ts"
import * as Dataset from "../../src/datasets/dataset.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { folderOf, onDisk } from "../support/files.ts"

const lines = (records: ReadonlyArray<object>) => records.map((record) => JSON.stringify(record)).join("\n")
const asked = { id: "q", question: "Which?", options: ["no", "yes"], answer: "yes" }

/** The questions and passages of files in a folder of their own. */
const loaded = Effect.fnUntraced(function*(passages: ReadonlyArray<object>, questions: ReadonlyArray<object>) {
  const folder = yield* folderOf({ "p.jsonl": lines(passages), "q.jsonl": lines(questions) })
  return {
    folder,
    passages: yield* Dataset.passages(join(folder, "p.jsonl"), { pictures: true }),
    questions: yield* Dataset.questions(join(folder, "q.jsonl"), { pictures: true })
  }
})
const failing = (passage: object) => onDisk(Effect.flip(loaded([passage], [asked])))

describe("a record's picture", () => {
  it.live("is found from the record's file, whatever field names it", () =>
    onDisk(Effect.gen(function*() {
      const uri = "data:image/png;base64,AAAA"
      const given = [
        { image: "a/1.png" },
        { file_name: "../1.png" },
        { img_path: "/tmp/1.png" },
        { image_path: "x.npz#train_images/17" },
        { images: [uri] }
      ]
      const { folder, passages, questions } = yield* loaded(
        given.map((own, i) => ({ _id: `p${i}`, caption: `c${i}`, group: `g${i}`, ...own })),
        given.map((own, i) => Object.assign({}, asked, { id: `q${i}` }, own))
      )
      const wanted = [
        join(folder, "a/1.png"),
        join(folder, "../1.png"),
        "/tmp/1.png",
        join(folder, "x.npz#train_images/17"),
        uri
      ]
      assert.deepStrictEqual(
        passages.records,
        wanted.map((image, i) => ({ id: `p${i}`, text: `c${i}`, image, group: `g${i}` }))
      )
      assert.deepStrictEqual(questions.records.map(({ image }) => image), wanted)
      assert.deepStrictEqual([...passages.told, ...questions.told], [])
      const frame = Batches.frame([...questions.records, { ...questions.records[0]!, id: "none", image: "" }], 0, {
        row: () => -1
      })
      assert.deepStrictEqual(Frame.column(frame, "image"), [...wanted, ""])
    })))
  it.live("makes a passage without a text; without either there is none", () =>
    onDisk(Effect.gen(function*() {
      const { folder, passages } = yield* loaded(
        [{ _id: "a", image: "1.png" }, { _id: "b", image: "2.png", text: "" }, { _id: "c", text: "", image: null }],
        [asked]
      )
      assert.deepStrictEqual(passages.records, [
        { id: "a", text: "", image: join(folder, "1.png") },
        { id: "b", text: "", image: join(folder, "2.png") }
      ])
      assert.deepStrictEqual([...passages.empty], ["c"])
    })))
  it.live("is one, named by a text, and a file's", () =>
    Effect.gen(function*() {
      const told = (own: object) => Effect.map(failing({ _id: "a", text: "t", ...own }), ({ message }) => message)
      assert.match(yield* told({ images: ["1.png", "2.png"] }), /p\.jsonl, line 1, field "images": names 2 pictures/)
      assert.match(yield* told({ image: { bytes: "AA" } }), /field "image": is to name a picture .*got \{"bytes"/)
      assert.match(yield* told({ image: "https://example.org/1.png" }), /field "image": is a URL/)
      assert.match(yield* told({ image: "1.png", group: ["a", "b"] }), /field "group": a record is in one group/)
      assert.match((yield* failing({ _id: "a" })).message, /a passage needs a text or an image; the record has _id/)
    }))
  it.live("that another field names otherwise is told as unused", () =>
    onDisk(Effect.gen(function*() {
      const own = { image: "1.png", file_name: "1.png", image_path: "2.png" }
      const { passages } = yield* loaded([{ _id: "a", text: "t", ...own }], [asked])
      assert.deepStrictEqual(passages.told, ["fields not used: image_path (1 lines)"])
    })))
  it.live("is told as unused where it is not looked at, and such a passage needs a text", () =>
    onDisk(Effect.gen(function*() {
      const passages = [{ _id: "a", text: "t", image: "1.png", group: "g" }, { _id: "b", text: "", image: "2.png" }]
      const folder = yield* folderOf({
        "p.jsonl": lines(passages),
        "q.jsonl": lines([{ ...asked, image: "3.png" }])
      })
      const { corpus, empty, told } = yield* Dataset.corpus(join(folder, "p.jsonl"))
      assert.deepStrictEqual(yield* corpus.read([0]), [{ id: "a", text: "t" }])
      assert.deepStrictEqual([[...empty], corpus.pictures], [["b"], 0])
      assert.match(told.join(), /fields not used: image \(2 lines\), group \(1\)/)
      assert.strictEqual(corpus.hash, fromRecords([{ id: "a", text: "t" }]).hash)
      const questions = yield* Dataset.questions(join(folder, "q.jsonl"))
      assert.deepStrictEqual(questions.told, ["fields not used: image (1 lines)"])
    })))
})

describe("a corpus with pictures", () => {
  it.live("has one hash wherever its folder lies, and another for another picture", () =>
    onDisk(Effect.gen(function*() {
      const hash = Effect.fnUntraced(function*(image: string, memory: number) {
        const path = join(yield* folderOf({ "p.jsonl": lines([{ _id: "a", text: "t", image }]) }), "p.jsonl")
        return (yield* Dataset.corpus(path, { pictures: true, memory })).corpus.hash
      })
      const one = yield* hash("1.png", Infinity)
      assert.strictEqual(yield* hash("1.png", 0), one)
      assert.notStrictEqual(yield* hash("2.png", 0), one)
    })))
})
