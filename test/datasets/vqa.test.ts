/** Data sets of questions about pictures: what becomes of each record, and which splits share pictures. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Dataset from "../../src/datasets/dataset.ts"
import { type Asked, byPicture, distinct } from "../../src/datasets/vqa/asked.ts"
import { importAsked, type VqaOptions } from "../../src/datasets/vqa/import.ts"
import { type Publication, slake, vqaRad } from "../../src/datasets/vqa/published.ts"
import { readEither, readJson } from "../../src/datasets/vqa/read.ts"
import { normalise } from "../../src/domain/answers/correct.ts"
import { folderOf, onDisk, treeOf } from "../support/files.ts"
import { picturesParquet } from "../support/parquet.ts"

const published: VqaOptions = { split: "official", seed: 0, closed: false, passages: "picture" }

type Row = Readonly<Record<string, unknown>>
const rows = (path: string): ReadonlyArray<Row> =>
  readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))

/** What is written for a data set's files. */
const imported = Effect.fnUntraced(function*(
  publication: Publication,
  files: Readonly<Record<string, string>>,
  from: string,
  options: Partial<VqaOptions> = {}
) {
  const root = yield* treeOf(files)
  const out = join(root, "out")
  const data = yield* readJson(join(root, from), publication)
  const counts = yield* importAsked(data, out, { ...published, ...options })
  return {
    out,
    counts,
    questions: rows(join(out, "questions.jsonl")),
    passages: rows(join(out, "passages.jsonl"))
  }
})

/** A record in the form of OSF's release. */
const osf = (qid: number, image_name: string, question: string, answer: string | number, more: object = {}) => ({
  qid,
  phrase_type: "freeform",
  qid_linked_id: `l${qid}`,
  image_case_url: "-",
  image_name,
  image_organ: "CHEST",
  question,
  question_type: "PRES",
  answer,
  answer_type: "OPEN",
  ...more
})
const files = (records: ReadonlyArray<object>): Readonly<Record<string, string>> => ({
  "VQA_RAD Dataset Public.json": JSON.stringify(records),
  "VQA_RAD Image Folder/a.jpg": "a",
  "VQA_RAD Image Folder/b.jpg": "b",
  "VQA_RAD Image Folder/c.jpg": "a"
})
const json = "VQA_RAD Dataset Public.json"

describe("VQA-RAD", () => {
  it.live("has options where the answer is yes or no, and a passage for each picture of training", () =>
    onDisk(Effect.gen(function*() {
      const { counts, out, passages, questions } = yield* imported(
        vqaRad,
        files([
          osf(1, "a.jpg", "Is there air", "Yes ", { answer_type: "CLOSED " }),
          osf(2, "b.jpg", "How many ribs?", 12, { question_type: "COUNT" }),
          osf(3, "a.jpg", "Left or right?", "Left", { answer_type: "CLOSED ", phrase_type: "para" }),
          osf(4, "a.jpg", "Is it large?", "no", { answer_type: "CLOSED", phrase_type: "test_freeform" }),
          osf(5, "b.jpg", "Nothing?", "  ")
        ]),
        json
      )
      assert.deepStrictEqual(counts, {
        train: 3,
        dev: 0,
        test: 1,
        yes_no: 2,
        choice: 1,
        open: 1,
        passages: 2,
        pictures: 2,
        equal_pictures: 0,
        judged_pictures_in_training: 1,
        duplicates: 0,
        also_judged: 0,
        left_out: { without_answer: 1 }
      })
      assert.deepStrictEqual(questions[0], {
        id: "1",
        split: "train",
        image: "../VQA_RAD Image Folder/a.jpg",
        question: "Is there air",
        options: ["yes", "no"],
        answer: "yes",
        type: "PRES",
        answer_type: "yes/no",
        group: "a.jpg"
      })
      assert.deepStrictEqual(questions.map(({ answer, answer_type, options }) => [answer, answer_type, options]), [
        ["yes", "yes/no", ["yes", "no"]],
        ["12", "open", undefined],
        ["Left", "choice", undefined],
        ["no", "yes/no", ["yes", "no"]]
      ])
      assert.deepStrictEqual(passages, [
        {
          _id: "a.jpg",
          image: "../VQA_RAD Image Folder/a.jpg",
          text: "Chest. Is there air? Yes. Left or right? Left.",
          group: "a.jpg"
        },
        { _id: "b.jpg", image: "../VQA_RAD Image Folder/b.jpg", text: "Chest. How many ribs? 12.", group: "b.jpg" }
      ])
      const where = { split: "test", answer_type: "yes/no" }
      const loaded = yield* Dataset.questions(join(out, "questions.jsonl"), { pictures: true, where })
      assert.deepStrictEqual(loaded.records.map(({ answer, group, id }) => [id, answer, group]), [["4", "no", "a.jpg"]])
      assert.deepStrictEqual(loaded.told, [])
      const stored = yield* Dataset.passages(join(out, "passages.jsonl"), { pictures: true })
      assert.deepStrictEqual([stored.records.length, stored.told.length], [2, 0])
    })))
  it.live("is read from JSON lines of shorter names, with passages of single questions", () =>
    onDisk(Effect.gen(function*() {
      const line = {
        id: "7",
        split: "test",
        image: "a.jpg",
        organ: "HEAD",
        answer_type: "CLOSED",
        question_type: "ABN"
      }
      const records = [{ ...line, question: "Why?", answer: "so" }, {
        ...line,
        id: "8",
        split: "train",
        question: "How?",
        answer: "thus"
      }]
      const { passages, questions } = yield* imported(
        vqaRad,
        { "r.jsonl": records.map((record) => JSON.stringify(record)).join("\n"), "images/a.jpg": "a" },
        "r.jsonl",
        { passages: "question" }
      )
      assert.deepStrictEqual(questions.map(({ id, split }) => [id, split]), [["8", "train"], ["7", "test"]])
      assert.deepStrictEqual(passages.map(({ _id, text }) => [_id, text]), [["8", "Head. How? thus."]])
    })))
  it.live("is asked nothing twice, and nothing of the test in training; equal pictures are one", () =>
    onDisk(Effect.gen(function*() {
      const { counts, questions } = yield* imported(
        vqaRad,
        files([
          osf(1, "a.jpg", "Air?", "yes"),
          osf(2, "c.jpg", " air? ", "Yes"),
          osf(3, "a.jpg", "Air?", "no"),
          osf(4, "b.jpg", "Air?", "yes"),
          osf(5, "b.jpg", "AIR?", "yes", { phrase_type: "test_para" }),
          osf(6, "b.jpg", "air?", "yes", { phrase_type: "test_para" })
        ]),
        json
      )
      assert.deepStrictEqual(questions.map(({ group, id }) => [id, group]), [
        ["1", "a.jpg"],
        ["3", "a.jpg"],
        ["5", "b.jpg"],
        ["6", "b.jpg"]
      ])
      const { also_judged, duplicates, equal_pictures, pictures } = counts
      assert.deepStrictEqual({ also_judged, duplicates, equal_pictures, pictures }, {
        also_judged: 1,
        duplicates: 1,
        equal_pictures: 1,
        pictures: 2
      })
    })))
  it.live("has two closed questions in place of each open one to train on, the same under the same seed", () =>
    onDisk(Effect.gen(function*() {
      const organs = ["liver", "The Liver.", "spleen", "heart", "left kidney"]
      const records = [
        ...organs.map((organ, i) => osf(i, "a.jpg", `Organ ${i}?`, organ, { question_type: "ORGAN" })),
        osf(10, "b.jpg", "Plane?", "axial", { question_type: "PLANE" }),
        osf(11, "b.jpg", "Air?", "no"),
        osf(12, "b.jpg", "Colour?", "red", { phrase_type: "test_freeform" })
      ]
      const closed = (seed: number) => imported(vqaRad, files(records), json, { closed: true, seed })
      const { counts, out, questions } = yield* closed(3)
      assert.deepStrictEqual([counts.train, counts.closed_of_open, counts.unclosable, counts.open], [11, 5, 1, 7])
      const { records: read } = yield* Dataset.questions(join(out, "questions.jsonl"), { where: { split: "train" } })
      assert.isTrue(read.every(({ options }) => options.join() === "yes,no"))
      const said = questions.filter(({ open }) => open !== undefined).map(({ answer, open, question }) => {
        const { answer: right, question: first } = open as { readonly answer: string; readonly question: string }
        const [, about] = /^(?:.*\?) Is the answer (.*)\?$/.exec(question as string)!
        assert.isTrue((question as string).startsWith(first))
        assert.strictEqual(normalise(about!) === normalise(right), answer === "yes")
        return about!
      })
      assert.isTrue(said.every((about) => organs.includes(about)))
      assert.deepStrictEqual((yield* closed(3)).questions, questions)
      assert.notDeepEqual((yield* closed(4)).questions, questions)
      assert.deepStrictEqual(questions.at(-1)!["answer"], "red")
    })))
  it.live("leaves questions about missing pictures out, and is refused where all are or a record is malformed", () =>
    onDisk(Effect.gen(function*() {
      const { counts } = yield* imported(
        vqaRad,
        files([osf(1, "a.jpg", "Air?", "yes"), osf(2, "z.jpg", "Air?", "yes"), osf(3, "z.jpg", "Why?", "so")]),
        json
      )
      assert.deepInclude(counts, { train: 1, left_out: { missing_pictures: 1, of_missing_pictures: 2 } })
      const refusal = (...records: ReadonlyArray<object>) =>
        Effect.map(Effect.flip(imported(vqaRad, files(records), json)), ({ message }) => message)
      assert.match(
        yield* refusal(osf(1, "z.jpg", "Air?", "yes")),
        /names 1 pictures, and none is in .*Image Folder, .*--images/
      )
      assert.match(yield* refusal({ ...osf(1, "a.jpg", "", "yes") }), /record 1, field "question": is missing/)
      assert.match(
        yield* refusal({ ...osf(1, "a.jpg", "A?", "b"), answer: ["b"] }),
        /field "answer": .*text or a number/
      )
      assert.match(yield* refusal({ ...osf(1, "a.jpg", "A?", "b"), split: "dev" }), /field "split": is train or test/)
      assert.match(yield* refusal(osf(1, "a.jpg", "A?", "b"), osf(1, "a.jpg", "C?", "d")), /question 1.*given twice/)
    })))
})

const ofSlake = (
  qid: number,
  img_name: string,
  q_lang: string,
  question: string,
  answer: string,
  more: object = {}
) => ({
  img_id: 1,
  img_name,
  question,
  answer,
  q_lang,
  location: "Pelvic_Cavity",
  modality: "MRI",
  answer_type: "OPEN",
  base_type: "vqa",
  content_type: "Plane",
  triple: ["vhead", "_", "_"],
  qid,
  ...more
})

describe("SLAKE", () => {
  const tree = {
    "train.json": JSON.stringify([
      ofSlake(0, "x1/source.jpg", "en", "Which plane?", "Axial"),
      ofSlake(1, "x1/source.jpg", "zh", "\u5e73\u9762\uff1f", "\u8f74\u4f4d")
    ]),
    "validate.json": JSON.stringify([
      ofSlake(0, "x2/source.jpg", "en", "Is it well?", "Yes", { answer_type: "CLOSED" })
    ]),
    "test.json": JSON.stringify([ofSlake(9, "x3/source.jpg", "en", "Left?", "Right lobe", { answer_type: "CLOSED" })]),
    "imgs/x1/source.jpg": "1",
    "imgs/x2/source.jpg": "2",
    "imgs/x3/source.jpg": "3"
  }
  it.live("is read a file a split, in English unless told otherwise", () =>
    onDisk(Effect.gen(function*() {
      const { counts, passages, questions } = yield* imported(slake("en"), tree, ".")
      assert.deepInclude(counts, { train: 1, dev: 1, test: 1, choice: 1, left_out: { other_language: 1 } })
      assert.deepStrictEqual(
        questions.map(({ answer, group, id, split, type }) => [id, split, group, type, answer]),
        [
          ["train/0", "train", "x1/source.jpg", "Plane", "Axial"],
          ["dev/0", "dev", "x2/source.jpg", "Plane", "yes"],
          ["test/9", "test", "x3/source.jpg", "Plane", "Right lobe"]
        ]
      )
      assert.deepStrictEqual(passages.map(({ text }) => text), ["MRI, pelvic cavity. Which plane? Axial."])
      const counted = (language: "all" | "zh") =>
        Effect.map(imported(slake(language), tree, "."), (own) => [own.counts.train, own.counts.left_out])
      assert.deepStrictEqual(yield* counted("all"), [2, {}])
      assert.deepStrictEqual(yield* counted("zh"), [1, { other_language: 3 }])
    })))
  it.live("is refused without files of splits", () =>
    onDisk(Effect.gen(function*() {
      const { "train.json": content, ...others } = tree
      const renamed = { ...others, "questions.json": content }
      const refusal = yield* Effect.flip(imported(slake("en"), renamed, "questions.json"))
      assert.match(refusal.message, /record 1: is in a file that is named by no split/)
      const empty = yield* Effect.flip(imported(slake("en"), { "a/b.json": content }, "a"))
      assert.match(empty.message, /has no file, nor has its folder data, .* ends in .json or .jsonl/)
    })))
})

/** Writes parquet files into a folder `data`, and imports the folder. */
const fromParquet = Effect.fnUntraced(function*(
  parts: Readonly<Record<string, Parameters<typeof picturesParquet>[0]>>,
  options: Partial<VqaOptions> = {}
) {
  const root = yield* folderOf({})
  mkdirSync(join(root, "in/data"), { recursive: true })
  for (const [name, own] of Object.entries(parts)) writeFileSync(join(root, "in/data", name), picturesParquet(own))
  const out = join(root, "out")
  const data = yield* readEither(join(root, "in"), undefined, out)
  const counts = yield* importAsked(data, out, { ...published, ...options })
  return { out, counts, questions: rows(join(out, "questions.jsonl")), passages: rows(join(out, "passages.jsonl")) }
})

describe("parquet with pictures in it", () => {
  const [png, jpeg] = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 255), Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0)]
  it.live("is questions about files of their bytes, each written once", () =>
    onDisk(Effect.gen(function*() {
      const { counts, out, passages, questions } = yield* fromParquet({
        "train-00000-of-00002.parquet": [
          { image: { bytes: png, path: null }, question: "Is it so?", answer: "Yes" },
          { image: { bytes: jpeg, path: "x.jpg" }, question: "What?", answer: "a cell" }
        ],
        "train-00001-of-00002.parquet": [
          { image: { bytes: png, path: null }, question: "Why?", answer: "so" },
          { image: { bytes: png, path: null }, question: "Which?", answer: " " }
        ],
        "validation-00000-of-00001.parquet": [
          { image: { bytes: jpeg, path: null }, question: "what?", answer: "A cell" },
          { image: { bytes: jpeg, path: null }, question: "Where?", answer: "there" }
        ]
      })
      assert.deepInclude(counts, {
        train: 2,
        dev: 2,
        test: 0,
        pictures: 2,
        also_judged: 1,
        left_out: { without_answer: 1 }
      })
      assert.deepStrictEqual(questions.map(({ answer, answer_type, id }) => [id, answer, answer_type]), [
        ["train/1", "yes", "yes/no"],
        ["train/3", "so", "open"],
        ["dev/1", "A cell", "open"],
        ["dev/2", "there", "open"]
      ])
      const pictures = questions.map(({ group, image }) => {
        assert.strictEqual(image, `pictures/${group}`)
        return image as string
      })
      assert.match(pictures[0]!, /^pictures\/[0-9a-f]{24}\.png$/)
      assert.match(pictures[2]!, /\.jpg$/)
      assert.deepStrictEqual(new Uint8Array(readFileSync(join(out, pictures[0]!))), png)
      assert.deepStrictEqual(new Uint8Array(readFileSync(join(out, pictures[2]!))), jpeg)
      assert.deepStrictEqual(passages.map(({ text }) => text), ["Is it so? Yes. Why? so."])
    })))
  it.live("is refused without bytes of pictures, and by names of no split; so are pickles", () =>
    onDisk(Effect.gen(function*() {
      const row = { image: { bytes: png, path: null }, question: "What?", answer: "x" }
      const bare = { ...row, image: { bytes: null, path: "1.png" } }
      const refused = yield* Effect.flip(fromParquet({ "train.parquet": [row, bare] }))
      assert.match(refused.message, /train\.parquet, row 2, field "image": is to have the bytes of a picture/)
      const unnamed = yield* folderOf({ "a.parquet": picturesParquet([row]), "train_vqa.pkl": "" })
      const told = (name: string) =>
        Effect.map(Effect.flip(readEither(join(unnamed, name), undefined, unnamed)), ({ message }) => message)
      assert.match(yield* told("a.parquet"), /is named by no split/)
      assert.match(yield* told("train_vqa.pkl"), /is a pickle/)
    })))
})

const shares = fc.record({
  asked: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.constantFrom("a", "b", "c")), { minLength: 1 }),
  dev: fc.double({ min: 0, max: 0.45, noNaN: true }),
  test: fc.double({ min: 0, max: 0.45, noNaN: true }),
  seed: fc.nat(99)
})
const askedOf = (all: ReadonlyArray<readonly [number, string]>): ReadonlyArray<Asked> =>
  all.map(([picture, question], i) => ({
    id: `q${i}`,
    split: (["train", "dev", "test"] as const)[i % 3]!,
    picture: `p${picture}`,
    path: `p${picture}.jpg`,
    question,
    answer: "x",
    type: "",
    about: ""
  }))

describe("splits", () => {
  it("by picture have no picture in common, and shares of the pictures", () => {
    fc.assert(fc.property(shares, ({ asked, dev, seed, test }) => {
      const all = askedOf(asked)
      const found = byPicture(all, { dev, test }, seed)
      assert.deepStrictEqual(found.map(({ id }) => id), all.map(({ id }) => id))
      const of = (name: string) => new Set(found.filter(({ split }) => split === name).map(({ picture }) => picture))
      const pictures = new Set(found.map(({ picture }) => picture)).size
      const [tests, devs] = [of("test"), of("dev")]
      assert.strictEqual(of("train").size + devs.size + tests.size, pictures)
      assert.deepStrictEqual([tests.size, devs.size], [Math.round(test * pictures), Math.round(dev * pictures)])
      assert.deepStrictEqual(byPicture(all.toReversed(), { dev, test }, seed).toReversed(), found)
    }))
  })
  it("have nothing in common, every question is in one of them or counted, and the test is whole", () => {
    fc.assert(fc.property(shares, ({ asked }) => {
      const all = askedOf(asked)
      const found = distinct(all)
      assert.strictEqual(found.asked.length + found.duplicates + found.shared, all.length)
      const key = ({ picture, question }: Asked) => `${picture} ${question}`
      const of = (name: string) => found.asked.filter(({ split }) => split === name).map(key)
      const learned = [...of("dev"), ...of("train")]
      assert.strictEqual(new Set([...learned, ...of("test")]).size, learned.length + new Set(of("test")).size)
      assert.strictEqual(of("test").length, all.filter(({ split }) => split === "test").length)
      assert.deepStrictEqual(new Set(found.asked.map(key)), new Set(all.map(key)))
    }))
  })
})

const real = join(import.meta.dirname, "../../../shared/data/vqa_rad/vqa_rad.jsonl")
describe.skipIf(!existsSync(real))(`VQA-RAD itself (${real})`, () => {
  it.live("has the numbers of its data card, and no picture in two splits by picture", () =>
    onDisk(Effect.gen(function*() {
      const data = yield* readJson(real, vqaRad)
      const out = yield* folderOf({})
      assert.deepInclude(yield* importAsked(data, out, published), {
        train: 1793,
        test: 451,
        duplicates: 3,
        also_judged: 1,
        judged_pictures_in_training: 202,
        pictures: 314
      })
      const own = { ...published, split: { dev: 0.1, test: 0.2 } } as const
      const { dev, duplicates, judged_pictures_in_training, test, train } = yield* importAsked(data, out, own)
      assert.deepStrictEqual([train + dev + test, duplicates, judged_pictures_in_training], [2244, 4, 0])
    })))
})
