/** `mine` from outside: records, counts, going on from what is kept, and what is refused. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Mined } from "../../src/domain/mining/formats.ts"
import type { MineSummary } from "../../src/programs/mining/mine.ts"
import { anamnesis, type Ended, jsonLines, prepare } from "../support/cli.ts"
import * as Tiny from "../support/tiny.ts"

let folder: string
/** `mine` into an output folder of its own: the tests run side by side. */
const into = (out: string) => (...args: ReadonlyArray<string>) =>
  anamnesis(folder, ["mine", "--config", "run.yaml", "--json", "--set", `output_dir=${out}`, ...args])
const lexical = ["--set", "mode=bm25_rag", "--set", "options_in_query=false"]
const told = ({ code, err, out }: Ended): MineSummary => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as MineSummary
}
const read = (file: string): string => readFileSync(join(folder, file), "utf8")
const records = (file: string) => read(file).trimEnd().split("\n").map((line) => JSON.parse(line) as Mined)
const kept = (out: string): ReadonlyArray<string> =>
  readdirSync(join(folder, out, "mined")).filter((name) => name.startsWith("kept-"))

beforeAll(async () => {
  folder = await prepare()
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("mine", () => {
  it("writes a record a query, whose negatives are never its positives, and counts the others", async () => {
    const summary = told(await into("first")(...lexical))
    const mined = records(summary.file)
    assert.strictEqual(summary.file, join("first", "mined", "train.jsonl"))
    assert.deepStrictEqual([summary.queries, summary.kept], [6, 0])
    assert.strictEqual(mined.length, 6 - summary.none)
    assert.strictEqual(mined.reduce((sum, { neg }) => sum + neg.length, 0), summary.negatives)
    for (const { id, neg, neg_ids, neg_scores, pos, pos_ids, pos_scores, query } of mined) {
      const question = Tiny.questions.find((one) => one.id === id)!
      assert.deepStrictEqual([query, pos_ids], [question.question, question.gold])
      const texts = (ids: ReadonlyArray<string>) => ids.map((own) => Tiny.passages.find((p) => p.id === own)!.text)
      assert.deepStrictEqual([pos, neg], [texts(pos_ids), texts(neg_ids)])
      assert.deepStrictEqual([pos_scores.length, neg_scores.length], [pos.length, neg.length])
      assert.isFalse(neg_ids.some((own) => pos_ids.includes(own)))
      assert.isTrue(neg_scores.every((score, i) => score > 0 && (i === 0 || score <= neg_scores[i - 1]!)))
    }
    assert.isAbove(summary.dropped["positive"]!, 0)
  })
  it("goes on from what is kept, a line cut off in the middle included, to the same bytes", async () => {
    const run = into("resumed")
    const { file } = told(await run(...lexical))
    const before = read(file)
    const path = join(folder, "resumed", "mined", kept("resumed")[0]!)
    const whole = readFileSync(path)
    const half = whole.subarray(0, Math.floor(whole.length / 2))
    writeFileSync(path, half)
    const lines = half.toString().split("\n").length - 1
    assert.isTrue(lines > 0 && lines < 6)
    assert.strictEqual(told(await run(...lexical)).kept, lines)
    assert.strictEqual(read(file), before)
    assert.deepStrictEqual(readFileSync(path), whole)
    writeFileSync(path, `${half.toString().split("\n")[0]!}\n{}\n`)
    const { code, err } = await run(...lexical)
    assert.strictEqual(code, 1)
    assert.match(err, /kept-[0-9a-f]{16}\.jsonl, line 2: is no line of mined negatives; remove the file/)
  })
  it("mines only what is new of a longer file, and again under other options", async () => {
    const added = { ...Tiny.questions[0]!, id: "new", question: "Which valve is narrow?", gold: ["p8"] }
    writeFileSync(join(folder, "more.jsonl"), jsonLines([...Tiny.questions, added]))
    const run = into("longer")
    const more = [...lexical, "--set", "train_file=more.jsonl"]
    told(await run(...lexical))
    assert.strictEqual(told(await run(...more)).kept, 6)
    assert.strictEqual(told(await run(...more, "--output-format", "triplet", "--out", "t.jsonl")).kept, 7)
    assert.deepStrictEqual(Object.keys(records("t.jsonl")[0]!), ["anchor", "positive", "negative"])
    assert.strictEqual(told(await run(...more, "--num-negatives", "1")).kept, 0)
    assert.strictEqual(kept("longer").length, 2)
  })
  it("asks the retriever of the settings, and draws the same again", async () => {
    const args = ["--set", "mode=frozen_rag", "--sampling-strategy", "random", "--range-max", "8"]
    const summary = told(await into("dense")(...args))
    const mined = records(summary.file)
    assert.deepStrictEqual([mined.length, summary.short], [6, 0])
    assert.isTrue(mined.every(({ neg, pos_scores }) => neg.length === 3 && Number.isFinite(pos_scores[0])))
    assert.strictEqual(read(told(await into("dense-again")(...args)).file), read(summary.file))
  })
  it("joins the positives of questions of one text, and leaves out those without any", async () => {
    const [first, second] = Tiny.questions
    const some = [first!, { ...second!, question: first!.question }, { ...second!, id: "bare", gold: [] }]
    writeFileSync(join(folder, "joined.jsonl"), jsonLines(some))
    const ended = await into("joined")(...lexical, "--set", "train_file=joined.jsonl")
    const { file, queries } = told(ended)
    assert.strictEqual(queries, 1)
    assert.deepStrictEqual(records(file)[0]!.pos_ids, [...first!.gold, ...second!.gold])
    assert.match(ended.err, /1 of 3 questions have no gold passage/)
    assert.match(ended.err, /1 questions repeat the text of an earlier one: their positives are joined/)
  })
  it("refuses what cannot be mined, in a line", async () => {
    writeFileSync(join(folder, "lost.jsonl"), jsonLines([{ ...Tiny.questions[0]!, gold: ["p999"] }]))
    const refusals: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
      [["--set", "mode=oracle"], /mode oracle has no retriever; set mode to bm25_rag/],
      [[...lexical, "--num-negatives", "0"], /num_negatives \(0\) must be at least 1/],
      [
        [...lexical, "--set", "train_file=lost.jsonl"],
        /1 questions name gold passages that passages\.jsonl lacks \(first: q0\)/
      ]
    ]
    await Promise.all(refusals.map(async ([args, why]) => {
      const { code, err, out } = await into("refused")(...args)
      assert.deepStrictEqual([code, out], [1, ""])
      assert.match(err, why)
    }))
  })
}, 300_000)
