/** Pictures that users bring in folders and dialogues, as passages and questions. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Dataset from "../../src/datasets/dataset.ts"
import * as Captions from "../../src/datasets/pictures/captions.ts"
import * as Dialogues from "../../src/datasets/pictures/dialogues.ts"
import * as ImageFolder from "../../src/datasets/pictures/imageFolder.ts"
import { folderOf, onDisk, treeOf } from "../support/files.ts"
import { picturesParquet } from "../support/parquet.ts"

const read = (path: string): ReadonlyArray<Record<string, unknown>> =>
  readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
const o = { question: "Which?", picture: "chest X-ray" }

describe("pictures in folders", () => {
  it.live("are questions with the labels as options, and those to train on passages", () =>
    onDisk(Effect.gen(function*() {
      const root = yield* treeOf({
        "in/train/normal/1.png": "",
        "in/train/pneumonia/2.JPG": "",
        "in/train/pneumonia/notes.txt": "",
        "in/val/normal/3.png": "",
        "in/test/effusion/4.png": "",
        "in/test/readme.md": ""
      })
      const out = join(root, "out")
      assert.deepStrictEqual(yield* ImageFolder.importFolder(join(root, "in"), out, o), {
        passages: 2,
        questions: 4,
        unused: 2
      })
      const questions = read(join(out, "questions.jsonl"))
      assert.deepStrictEqual(questions.map(({ answer, id, split }) => [id, split, answer]), [
        ["test/effusion/4", "test", "effusion"],
        ["train/normal/1", "train", "normal"],
        ["train/pneumonia/2", "train", "pneumonia"],
        ["val/normal/3", "dev", "normal"]
      ])
      assert.deepStrictEqual(questions[0]!["options"], ["effusion", "normal", "pneumonia"])
      const { records } = yield* Dataset.passages(join(out, "passages.jsonl"), { pictures: true })
      assert.deepStrictEqual(records[1], {
        id: "train/pneumonia/2",
        text: "This chest X-ray shows: pneumonia.",
        image: join(root, "in/train/pneumonia/2.JPG"),
        group: "train/pneumonia/2"
      })
      const loaded = yield* Dataset.questions(join(out, "questions.jsonl"), { pictures: true })
      assert.deepStrictEqual(loaded.records.map(({ image }) => image?.startsWith(join(root, "in"))), [
        true,
        true,
        true,
        true
      ])
    })))
  it.live("have their metadata's captions and questions", () =>
    onDisk(Effect.gen(function*() {
      const root = yield* treeOf({
        "in/train/metadata.csv": "file_name,text,group\n1.png,\"a, b\",g\n",
        "in/test/metadata.jsonl": "{\"file_name\":\"a/2.png\",\"question\":\"What?\",\"answer\":\"x\"}\n"
      })
      const out = join(root, "out")
      assert.deepStrictEqual(yield* ImageFolder.importFolder(join(root, "in"), out, o), {
        passages: 1,
        questions: 1,
        unused: 0
      })
      assert.deepStrictEqual(read(join(out, "passages.jsonl")), [
        { _id: "train/1", image: "../in/train/1.png", group: "g", text: "a, b" }
      ])
      assert.deepStrictEqual(read(join(out, "questions.jsonl")), [
        { id: "test/a/2", split: "test", image: "../in/test/a/2.png", question: "What?", answer: "x" }
      ])
    })))
  it.live("are refused where there are none, or a row names none", () =>
    onDisk(Effect.gen(function*() {
      const refusal = (files: Readonly<Record<string, string>>) =>
        Effect.flatMap(treeOf(files), (root) =>
          Effect.map(Effect.flip(ImageFolder.importFolder(root, join(root, "out"), o)), ({ message }) =>
            message))
      assert.match(yield* refusal({ "a.png": "" }), /holds no pictures in folders of labels, nor metadata/)
      assert.match(yield* refusal({ "metadata.jsonl": "{\"text\":\"a\"}" }), /metadata, record 1: has no file_name/)
      assert.match(
        yield* refusal({ "metadata.csv": "file_name\n1.png" }),
        /record 1: has neither a text .* nor a question/
      )
    })))
})

describe("dialogues about pictures", () => {
  const imported = Effect.fnUntraced(function*(records: ReadonlyArray<object>) {
    const root = yield* treeOf({ "in/d.json": JSON.stringify(records) })
    const counts = yield* Dialogues.importFile(join(root, "in/d.json"), join(root, "out"))
    return { counts, questions: read(join(root, "out/questions.jsonl")) }
  })
  it.live("are questions about the picture that was shown last, one for each turn", () =>
    onDisk(Effect.gen(function*() {
      const { counts, questions } = yield* imported([
        {
          id: "llava",
          image: "1.png",
          conversations: [
            { from: "human", value: "<image>\nWhat is it?" },
            { from: "gpt", value: "A lung." },
            { from: "human", value: "Is it well?" },
            { from: "gpt", value: " Yes." },
            { from: "human", value: "Why?" }
          ]
        },
        {
          messages: [
            { role: "system", content: "Be brief." },
            { role: "user", content: "<image>background: normal\n\n<image>Pneumonia?" },
            { role: "assistant", content: "no" }
          ],
          images: ["2.png", "sub/3.png"]
        },
        {
          messages: [
            { role: "user", content: [{ type: "text", text: "Which organ?" }, { type: "image" }] },
            { role: "assistant", content: [{ type: "text", text: "liver" }] }
          ],
          images: [{ path: "4.png" }]
        },
        { id: 7, image: "5.png", conversations: [{ from: "human", value: "And?" }, { from: "gpt", value: "so" }] }
      ])
      assert.deepStrictEqual(counts, { questions: 5, unanswered: 1, context: 1, left: 1 })
      assert.deepStrictEqual(questions.map(({ answer, id, image, question }) => [id, image, question, answer]), [
        ["llava/1", "../in/1.png", "What is it?", "A lung."],
        ["llava/2", "../in/1.png", "Is it well?", "Yes."],
        ["record-2/1", "../in/sub/3.png", "Pneumonia?", "no"],
        ["record-3/1", "../in/4.png", "Which organ?", "liver"],
        ["7/1", "../in/5.png", "And?", "so"]
      ])
    })))
  it.live("are refused by record and field where pictures and marks do not fit", () =>
    onDisk(Effect.gen(function*() {
      const refusal = (record: object) => Effect.map(Effect.flip(imported([record])), ({ message }) => message)
      const said = (value: string) => [{ from: "human", value }, { from: "gpt", value: "x" }]
      assert.match(
        yield* refusal({ images: ["1.png"], conversations: said("<image><image>a") }),
        /record 1, field "images": names 1 pictures, and the turns have 2 times <image>/
      )
      assert.match(yield* refusal({ images: [{ bytes: "AA" }], conversations: said("<image>a") }), /is to name files/)
      assert.match(
        yield* refusal({ image: "1.png", conversations: said("<image>") }),
        /turn 1.*asks nothing about its picture/
      )
      assert.match(yield* refusal({ image: "1.png" }), /field "conversations": is missing/)
      assert.match(
        yield* refusal({ image: "1.png", messages: [{ role: "user", content: [{ type: "audio" }] }] }),
        /messages.0": has a part of type audio/
      )
    })))
})

describe("pictures with captions", () => {
  const imported = Effect.fnUntraced(function*(file: string, files: Readonly<Record<string, string>>) {
    const root = yield* treeOf(files)
    const counts = yield* Captions.importFile(join(root, file), join(root, "out"))
    return { counts, passages: read(join(root, "out/passages.jsonl")) }
  })
  const pictures = { "in/images/ROCO_1.jpg": "1", "in/images/ROCO_2.png": "2" }
  it.live("are passages, of lines with tabs", () =>
    onDisk(Effect.gen(function*() {
      const { counts, passages } = yield* imported("in/captions.txt", {
        ...pictures,
        "in/captions.txt": "ROCO_1\t A \"mass\".\r\nROCO_2\tCT.\nROCO_3\tGone.\nROCO_4\t \nROCO_1\tAgain.\n"
      })
      assert.deepStrictEqual(counts, {
        passages: 2,
        left_out: { without_caption: 1, missing_pictures: 1, given_twice: 1 }
      })
      assert.deepStrictEqual(passages, [
        { _id: "ROCO_1", image: "../in/images/ROCO_1.jpg", text: "A \"mass\".", group: "ROCO_1" },
        { _id: "ROCO_2", image: "../in/images/ROCO_2.png", text: "CT.", group: "ROCO_2" }
      ])
    })))
  it.live("are passages, of tables with a header and of JSON lines", () =>
    onDisk(Effect.gen(function*() {
      const wanted = [["ROCO_1", "../in/images/ROCO_1.jpg", "A, b"], ["ROCO_2", "../in/images/ROCO_2.png", "CT"]]
      const forms: Readonly<Record<string, string>> = {
        "r.csv": "ID,Caption\nROCO_1,\"A, b\"\nROCO_2,CT\n",
        "both.csv": "id,name,caption\nROCO_1,ROCO_1.jpg,\"A, b\"\nROCO_2,ROCO_2.png,CT\n",
        "name.tsv": "name\tcaption\nROCO_1.jpg\tA, b\nROCO_2.png\tCT\n",
        "r.jsonl": "{\"image\":\"ROCO_1.jpg\",\"caption\":\"A, b\"}\n{\"image_id\":\"ROCO_2\",\"text\":\"CT\"}\n"
      }
      for (const [name, content] of Object.entries(forms)) {
        const { passages } = yield* imported(`in/${name}`, { ...pictures, [`in/${name}`]: content })
        assert.deepStrictEqual(passages.map(({ _id, image, text }) => [_id, image, text]), wanted, name)
      }
    })))
  it.live("are passages, of parquet with the pictures in it", () =>
    onDisk(Effect.gen(function*() {
      const bytes = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)
      const root = yield* folderOf({
        "r.parquet": picturesParquet([
          { image: { bytes, path: null }, image_id: "R1", caption: "CT" },
          { image: { bytes, path: null }, image_id: "R2", caption: "" }
        ])
      })
      const out = join(root, "out")
      const direct = yield* Effect.flip(Dataset.passages(join(root, "r.parquet"), { pictures: true }))
      assert.match(direct.message, /column image has pictures in it, as bytes; write them to files first/)
      assert.deepStrictEqual(yield* Captions.importFile(join(root, "r.parquet"), out), {
        passages: 1,
        left_out: { without_caption: 1 }
      })
      const [{ _id, image, text } = {}] = read(join(out, "passages.jsonl"))
      assert.deepStrictEqual([_id, text], ["R1", "CT"])
      assert.deepStrictEqual(new Uint8Array(readFileSync(join(out, image as string))), bytes)
    })))
  it.live("are refused where none is there, or a line names none", () =>
    onDisk(Effect.gen(function*() {
      const refusal = (file: string, content: string) =>
        Effect.map(Effect.flip(imported(file, { ...pictures, [file]: content })), ({ message }) => message)
      assert.match(
        yield* refusal("in/c.txt", "ROCO_9\tGone."),
        /names 1 pictures, and none is in .*in\/images, .*--images/
      )
      assert.match(
        yield* refusal("in/c.txt", "ROCO_1 A mass"),
        /line 1: is to be a picture's name, a tab, and a caption/
      )
      assert.match(yield* refusal("in/c.csv", "a,caption\n1,CT"), /record 1: names no picture .*it has a, caption/)
      assert.match(yield* refusal("in/c.csv", "id,words\nROCO_1,CT"), /has no caption of a picture/)
    })))
})
