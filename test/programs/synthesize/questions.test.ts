/** Questions that a model writes from passages: filters, forms, records, what lies beside them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync, writeFileSync } from "node:fs"
import * as Dataset from "../../../src/datasets/dataset.ts"
import { triplesOf } from "../../../src/datasets/triples.ts"
import { planQuestions, type QuestionOptions, questions } from "../../../src/programs/synthesize/questions.ts"
import { sampled } from "../../../src/programs/synthesize/source.ts"
import { reader } from "../../../src/programs/writing/writers.ts"
import { sha256 } from "../../../src/runtime/files/disk.ts"
import { jsonLines } from "../../support/cli.ts"
import type * as Server from "../../support/endpoint.ts"
import * as Tiny from "../../support/tiny.ts"
import { asked, type Setting, setting } from "../../support/writing.ts"

const json = (question: string, answer: string, own: object = {}) => JSON.stringify({ question, answer, ...own })
const ECHO = "It names what it is about, and does not speak of \"the passage\" or the like?"
/** What the model says of the passage that begins so. */
const said: Readonly<Record<string, string>> = {
  gaucher: json("Which gene is at fault in Gaucher disease?", "GBA1"),
  again: json("which gene is at fault in Gaucher disease", "GBA1"),
  nearly: json(
    "Which gene exactly is at fault in Gaucher disease of the usual kind, and of all of the other kinds?",
    "GBA1"
  ),
  near: json(
    "Which gene exactly is at fault in Gaucher disease of the usual kind, and of all of the other ones?",
    "GBA1"
  ),
  echo: json(ECHO, "GBA1"),
  told: json("Is GBA1 the gene?", "gba1"),
  loose: json("What is lacking?", "an enzyme"),
  lines: "Question: What grows?\n**Answer:** GBA1",
  prose: "GBA1 is a gene.",
  blank: json(" ", "GBA1")
}
const mind: Server.Mind = (seen) => {
  const name = /Passage:\n(\w+)/.exec(seen.body.messages[0]!.content)![1]!
  if (name === "prose" && asked(seen).endsWith("Answer: <the answer>")) return "Question: Which is it?\nAnswer: GBA1"
  return said[name]!
}
const passages = Object.keys(said).map((name, i) => ({ _id: `p${i}`, text: `${name}: GBA1 is at fault.`, part: i % 2 }))

const live = (name: string, test: (s: Setting) => Effect.Effect<void, unknown>, from = mind) =>
  it.live(name, () =>
    setting(from, { "passages.jsonl": jsonLines(passages) }).pipe(
      Effect.flatMap(test),
      Effect.scoped,
      Effect.provide(NodeFileSystem.layer)
    ), 30_000)

const options = (s: Pick<Setting, "path">, own: Partial<QuestionOptions> = {}): QuestionOptions => ({
  passages: s.path("passages.jsonl"),
  where: {},
  sampleSize: undefined,
  skipBad: false,
  output: s.path("out.jsonl"),
  prompt: undefined,
  samples: 1,
  distractors: 0,
  form: "auto",
  grounding: "exact",
  nearDuplicate: 0.8,
  format: "questions",
  maxTokens: 64,
  licence: undefined,
  ...own
})

describe("synthetic questions", () => {
  live("are counted at every filter, and say where they are from", (s) =>
    Effect.gen(function*() {
      const { value } = yield* s.run(questions(options(s, { licence: "CC BY 4.0" })))
      assert.deepInclude(value, {
        items: 10,
        requests: 10,
        lost: { failed: 0, rejected: 0, waiting: 0, truncated: 0, refused: 0, empty: 0, invalid: 1 },
        dropped: {
          "repeats the prompt": 1,
          "question contains the answer": 1,
          "answer is not in the passage": 1,
          "same question as an earlier one": 1,
          "near-duplicate of an earlier question": 1
        },
        kept: 4,
        plain: 2,
        models: ["small-0125"]
      })
      const [first, ...others] = s.lines("out.jsonl")
      const { synthetic, ...record } = first!
      assert.deepStrictEqual(record, {
        id: "p0-q1",
        question: "Which gene is at fault in Gaucher disease?",
        answer: "GBA1",
        gold: ["p0"],
        group: "p0"
      })
      assert.deepInclude(synthetic, { model: "small-0125", seed: 0, sample: 0, sources: ["p0"] })
      assert.strictEqual(synthetic.prompt_sha, sha256(readFileSync("prompts/question.md", "utf8").trim()))
      assert.deepStrictEqual(others.map(({ answer, question }) => [question, answer]), [
        [JSON.parse(said["nearly"]!).question, "GBA1"],
        ["What grows?", "GBA1"],
        ["Which is it?", "GBA1"]
      ])
      assert.deepStrictEqual(JSON.parse(s.text("out.jsonl.report.json")), value)
      const card = s.text("out.jsonl.README.md")
      for (
        const part of [
          "license_name: \"CC BY 4.0\"",
          "Synthetic, for research use only",
          "| model | small-0125 |",
          "| passages drawn | 10 of 10 |",
          `prompts/question.md (SHA-256 ${synthetic.prompt_sha})`
        ]
      ) assert.include(card, part)
      assert.match(card, /\|\s+answer is not in the passage\s+\| -1\s+\|/)
      /** What reads questions reads these. */
      const read = yield* s.run(Dataset.questions(s.path("out.jsonl")))
      assert.deepInclude(read.value.records[0]!, { id: "p0-q1", answer: "GBA1", gold: ["p0"], options: [] })
    }))
  live("resume with what is missing, and are the same then", (s) =>
    Effect.gen(function*() {
      yield* s.run(questions(options(s, { sampleSize: 4 })))
      const before = s.server.seen.length
      const all = yield* s.run(questions(options(s)))
      assert.isAbove(before, 3)
      assert.isBelow(all.value.spent.calls, 12 - 3)
      const text = s.text("out.jsonl")
      const { value } = yield* s.run(questions(options(s)))
      assert.strictEqual(value.spent.calls, 0)
      assert.strictEqual(s.text("out.jsonl"), text)
    }))
  live("come from passages that are selected, drawn, and planned without a request", (s) =>
    Effect.gen(function*() {
      const own = options(s, { where: { part: 1 }, sampleSize: 2, samples: 2 })
      const { value } = yield* s.run(planQuestions(own))
      assert.deepInclude(value, { items: 2, requests: 4, kept: 0 })
      assert.strictEqual(s.server.seen.length, 0)
      yield* s.run(questions(own))
      assert.isTrue(s.lines("out.jsonl").every(({ gold }) => Number(gold[0].slice(1)) % 2 === 1))
      assert.strictEqual((yield* s.run(planQuestions(own))).value.kept, 4)
    }))
  live("are triples, or have options in an order of their own", (s) =>
    Effect.gen(function*() {
      yield* s.run(questions(options(s, { format: "triples", where: { part: 0 } })))
      const [first] = yield* Stream.runCollect(triplesOf(s.path("out.jsonl"))).pipe(
        Effect.provide(NodeFileSystem.layer)
      )
      assert.deepInclude(first!, { query: "Which gene is at fault in Gaucher disease?", answers: ["GBA1"], neg: [] })
      assert.deepStrictEqual(first!.pos, [passages[0]!.text])
    }))
  live(
    "with too few wrong answers are dropped",
    (s) =>
      Effect.gen(function*() {
        const { value } = yield* s.run(questions(options(s, { distractors: 2, grounding: "off" })))
        const name = "too few wrong answers that differ from the right one and each other"
        assert.deepInclude(value, { kept: 6, plain: 0 })
        assert.strictEqual(value.dropped[name], 4)
        const read = yield* s.run(Dataset.questions(s.path("out.jsonl")))
        const { records } = read.value
        assert.isTrue(records.every(({ answer, options }) => options.length === 3 && answer === "GBA1"))
        assert.isAbove(new Set(records.map(({ answerIndex }) => answerIndex)).size, 1)
      }),
    ({ body }) => {
      const [{ content }] = body.messages as [Server.Message]
      const name = /Passage:\n(\w+)/.exec(content)![1]!
      assert.include(content, "Write 2 wrong answers, too")
      const distractors = name.length % 2 === 0 ? ["GLA", "the gba1", "GLA"] : ["GLA", "GAA", "ATP7B"]
      return json(`What of ${name}?`, "GBA1", { distractors })
    }
  )
  live("end with a word if nothing was kept, and never replace their passages", (s) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(s.run(questions(options(s, { output: s.path("passages.jsonl") }))))
      assert.match(String((error as Error).message), /is the input, too/)
      const { lines, value } = yield* s.run(questions(options(s, { form: "json", where: { part: 0, _id: "p8" } })))
      assert.deepInclude(value, { kept: 0, plain: 0 })
      assert.match(lines.join(), /nothing that was written passed all filters/)
    }))
  live(
    "in lines are asked for with examples, which are no questions of a passage",
    (s) =>
      Effect.gen(function*() {
        const own = options(s, { form: "text", sampleSize: undefined, where: { part: 0 } })
        const { value } = yield* s.run(questions(own))
        assert.deepInclude(value, { requests: 5, plain: 5, kept: 1 })
        assert.strictEqual(value.dropped["repeats the prompt"], 1)
        const { messages } = s.server.seen[0]!.body
        assert.deepStrictEqual(messages.map(({ role }) => role), ["user", "assistant", "user", "assistant", "user"])
        assert.match(messages.at(-1)!.content, /Answer only with these lines:/)
        assert.notMatch(messages[0]!.content, /Answer only with these lines:/)
      }),
    (seen) =>
      asked(seen).includes("gaucher")
        ? "Question: Where does the rash of measles begin?\nAnswer: GBA1"
        : "Question: What is it?\nAnswer: GBA1"
  )
  it("draw a sample without replacement, in order", () => {
    const rows = [...sampled(50, 20, 3)]
    assert.strictEqual(new Set(rows).size, 20)
    assert.deepStrictEqual(rows, rows.toSorted((a, b) => a - b))
    assert.notDeepEqual(rows, [...sampled(50, 20, 4)])
    assert.deepStrictEqual([...sampled(3, 9, 0)], [0, 1, 2])
  })
  it.live("are written by our own reader, too", () =>
    Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const path = (name: string) => `${folder}/${name}`
      const config = JSON.parse(readFileSync(path("reader/config.json"), "utf8")) as object
      writeFileSync(path("reader/config.json"), JSON.stringify({ ...config, max_position_embeddings: 4096 }))
      writeFileSync(path("passages.jsonl"), jsonLines(passages.slice(0, 2)))
      const settings = yield* Tiny.settings(folder, { max_length: 4096 })
      const common = { seed: 1, temperature: 1, cache: path("answers"), token_budget: 0 }
      const run = questions(options({ path }, { form: "text", maxTokens: 8 })).pipe(
        Effect.provide(reader(settings, common), { local: true }),
        Effect.provide(Tiny.surroundings)
      )
      const first = yield* run
      assert.deepInclude(first, { items: 2, requests: 2 })
      assert.strictEqual(first.spent.calls, 2)
      assert.deepInclude((yield* run).spent, { calls: 0, cached: 2 })
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)), 60_000)
})
