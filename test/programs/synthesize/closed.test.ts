/** Open questions made closed, by rule and by a model; tasks of documents. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Dataset from "../../../src/datasets/dataset.ts"
import { normalise } from "../../../src/domain/answers/correct.ts"
import {
  type ClosedByModel,
  closedByModel,
  type ClosedByRule,
  closedByRule,
  planClosed
} from "../../../src/programs/synthesize/closed.ts"
import { kindOf, planTasks, type TaskOptions, tasks } from "../../../src/programs/synthesize/tasks.ts"
import { jsonLines } from "../../support/cli.ts"
import type * as Server from "../../support/endpoint.ts"
import { asked, type Setting, setting } from "../../support/writing.ts"

const open = (id: string, answer: string, sort: string, own: object = {}) => ({
  id,
  question: `What of ${id}?`,
  answer,
  sort,
  image: `${id}.png`,
  ...own
})
const questions = [
  open("a", "the heart", "organ"),
  open("b", "Heart", "organ", { gold: ["p1"], group: "g" }),
  open("c", "liver", "organ"),
  open("d", "kidney", "organ"),
  open("e", "left", "side"),
  open("f", "Yes.", "organ"),
  open("g", "b", "organ", { answer: "liver", options: ["liver", "lung"] }),
  { id: "h", question: "Without?", sort: "organ" }
]

const live = (name: string, mind: Server.Mind, test: (s: Setting) => Effect.Effect<void, unknown>) =>
  it.live(name, () =>
    setting(mind, { "open.jsonl": jsonLines(questions), "passages.jsonl": jsonLines(passages) }).pipe(
      Effect.flatMap(test),
      Effect.scoped,
      Effect.provide(NodeFileSystem.layer)
    ), 30_000)

const options = (s: Setting, own: Partial<ClosedByModel & ClosedByRule> = {}): ClosedByModel & ClosedByRule => ({
  input: s.path("open.jsonl"),
  where: {},
  typeField: "sort",
  skipBad: false,
  output: s.path("closed.jsonl"),
  kind: "yes-no",
  distractors: 2,
  licence: undefined,
  prompt: undefined,
  form: "auto",
  maxTokens: 64,
  anyType: false,
  seed: 0,
  ...own
})
const silent: Server.Mind = () => ({ status: 500, body: "" })

describe("closed questions by rule", () => {
  live("are pairs of yes and no, with wrong answers of the same type", silent, (s) =>
    Effect.gen(function*() {
      const { value } = yield* s.run(closedByRule(options(s)))
      assert.deepInclude(value, {
        items: 8,
        requests: 0,
        kept: 4,
        dropped: {
          "is answered yes or no": 1,
          "has options already": 1,
          "has no answer": 1,
          "too few other answers of its type": 1
        }
      })
      const rows = s.lines("closed.jsonl")
      assert.deepStrictEqual(rows.map(({ id }) => id), [
        "a-yes",
        "a-no",
        "b-yes",
        "b-no",
        "c-yes",
        "c-no",
        "d-yes",
        "d-no"
      ])
      assert.deepStrictEqual(rows[2], {
        sort: "organ",
        image: "b.png",
        gold: ["p1"],
        group: "g",
        type: "organ",
        open: { id: "b", question: "What of b?", answer: "Heart" },
        id: "b-yes",
        question: "What of b? Is the answer Heart?",
        options: ["yes", "no"],
        answer: "yes",
        answerIndex: 0,
        synthetic: { rule: "yes-no", seed: 0, sources: ["b"] }
      })
      for (const { answer, open: own, question } of rows) {
        const [, shown] = /Is the answer (.*)\?$/.exec(question)!
        assert.strictEqual(normalise(shown!) === normalise(own.answer), answer === "yes")
        assert.notMatch(shown!, /left/)
      }
      const read = yield* s.run(Dataset.questions(s.path("closed.jsonl")))
      assert.deepInclude(read.value.records[3]!, { answer: "no", answerIndex: 1, group: "g", gold: ["p1"] })
      const card = s.text("closed.jsonl.README.md")
      assert.include(card, "a rule wrote it")
      assert.notInclude(card, "SHA-256 )")
      assert.strictEqual(s.server.seen.length, 0)
    }))
  live("are a choice of options, the same under the same seed", silent, (s) =>
    Effect.gen(function*() {
      const own = options(s, { kind: "options", seed: 3 })
      yield* s.run(closedByRule(own))
      const text = s.text("closed.jsonl")
      const rows = s.lines("closed.jsonl")
      assert.deepStrictEqual(rows.map(({ id }) => id), ["a-options", "b-options", "c-options", "d-options"])
      for (const { answer, answerIndex, options } of rows) {
        assert.strictEqual(options[answerIndex], answer)
        assert.strictEqual(new Set((options as ReadonlyArray<string>).map(normalise)).size, 3)
      }
      yield* s.run(closedByRule(own))
      assert.strictEqual(s.text("closed.jsonl"), text)
      yield* s.run(closedByRule({ ...own, seed: 4 }))
      assert.notStrictEqual(s.text("closed.jsonl"), text)
      const other = yield* s.run(closedByRule({ ...own, anyType: true }))
      assert.strictEqual(other.value.kept, 5)
      assert.deepStrictEqual(other.lines, ["1 questions have wrong answers to questions of other types"])
      assert.include(s.lines("closed.jsonl")[4]!["options"], "left")
      assert.include(s.text("closed.jsonl.README.md"), "| with wrong answers of other types | 1 |")
      const same = yield* Effect.flip(s.run(closedByRule(options(s, { output: own.input }))))
      assert.match(String((same as Error).message), /is the input, too/)
    }))
})

const verdicts = (wrong_answer: string, first_question: string, second_question: string): string =>
  JSON.stringify({ wrong_answer, first_question, second_question })
const about = (seen: Server.Seen): string => /What of (\w)\?/.exec(asked(seen))![1]!
const closing: Server.Mind = (seen) =>
  ({
    a: verdicts("the lung", "Is it the heart?", "Is it the lung?"),
    b: verdicts("the heart", "Is it the heart?", "Is it the heart?"),
    c: verdicts("lung", "Is it the organ?", "Is it the lung?"),
    d: verdicts("lung", "Is it the kidney?", "Is it the kidney, or the lung?"),
    e: "Wrong answer: right\nFirst question: Is it left?\nSecond question: Is it right?"
  })[about(seen)]!

describe("closed questions by a model", () => {
  live("name the answer that they ask about", closing, (s) =>
    Effect.gen(function*() {
      assert.deepInclude((yield* s.run(planClosed(options(s)))).value, { items: 5, requests: 5 })
      const { value } = yield* s.run(closedByModel(options(s)))
      assert.deepInclude(value, { items: 8, requests: 5, kept: 2, plain: 1 })
      assert.deepInclude(value.dropped, {
        "is answered yes or no": 1,
        "has options already": 1,
        "has no answer": 1,
        "wrong answer is a right one": 1,
        "first question does not name the right answer": 1,
        "second question names the right answer": 1
      })
      assert.deepStrictEqual(s.lines("closed.jsonl").map(({ answer, id, question }) => [id, question, answer]), [
        ["a-yes", "Is it the heart?", "yes"],
        ["a-no", "Is it the lung?", "no"],
        ["e-yes", "Is it left?", "yes"],
        ["e-no", "Is it right?", "no"]
      ])
    }))
  live(
    "have wrong options that differ from the right one and each other",
    (seen) =>
      JSON.stringify({ wrong_answers: about(seen) === "c" ? ["lung", "The Liver", "Lung."] : ["lung", "skin"] }),
    (s) =>
      Effect.gen(function*() {
        const { value } = yield* s.run(closedByModel(options(s, { kind: "options" })))
        assert.strictEqual(value.dropped["too few wrong answers that differ from the right ones and each other"], 1)
        const rows = s.lines("closed.jsonl")
        assert.deepStrictEqual(rows.map(({ open }) => open.id), ["a", "b", "d", "e"])
        assert.deepStrictEqual(rows[2]!["options"].toSorted(), ["kidney", "lung", "skin"])
        assert.deepInclude(rows[2]!["synthetic"], { model: "small-0125", sources: ["d"] })
      })
  )
})

const passages = ["one is a gene of two", "three is another", "of which nothing can be asked"].map((text, i) => ({
  _id: `p${i}`,
  text
}))
const kinds = ["x", "y", "z"].map((name) => ({ name, weight: 1, about: name }))
const tasking: Server.Mind = (seen) => {
  const [, kind] = /Kind of task: (\w+)/.exec(asked(seen))!
  const name = asked(seen).includes("another") ? "three" : "one"
  if (kind === "definition") return JSON.stringify({ question: `Define ${name}.`, answer: "nothing of the kind" })
  return JSON.stringify({ question: `${kind} of ${name}?`, answer: `${name} is` })
}
const taskOptions = (s: Setting, own: Partial<TaskOptions> = {}): TaskOptions => ({
  passages: s.path("passages.jsonl"),
  where: {},
  sampleSize: undefined,
  skipBad: false,
  output: s.path("tasks.jsonl"),
  prompt: undefined,
  kinds: undefined,
  samples: 6,
  form: "auto",
  grounding: "words",
  nearDuplicate: 0.9,
  format: "documents",
  maxTokens: 64,
  licence: undefined,
  ...own
})

describe("tasks of documents", () => {
  live("are of all kinds in turn; a document without one keeps its text", tasking, (s) =>
    Effect.gen(function*() {
      assert.deepInclude((yield* s.run(planTasks(taskOptions(s)))).value, { items: 3, requests: 18 })
      const { value } = yield* s.run(tasks(taskOptions(s)))
      assert.deepInclude(value, { items: 3, requests: 18, kept: 10 })
      assert.strictEqual(value.dropped["words of the answer are not in the document"], 8)
      const [first, second, third] = s.lines("tasks.jsonl")
      assert.deepInclude(first!, { id: "p0", text: passages[0]!.text })
      assert.deepStrictEqual(first!["tasks"].map(({ kind }: { readonly kind: string }) => kind).toSorted(), [
        "completion",
        "explanation",
        "question",
        "summary",
        "verification"
      ])
      assert.strictEqual(second!["synthetic"].length, second!["tasks"].length)
      assert.notDeepEqual(
        first!["tasks"].map(({ kind }: { readonly kind: string }) => kind),
        second!["tasks"].map(({ kind }: { readonly kind: string }) => kind)
      )
      assert.deepStrictEqual(third, { id: "p2", text: passages[2]!.text })
      assert.match(s.text("tasks.jsonl.README.md"), /kinds \| .*prompts\/tasks\.yaml \|/)
    }))
  live("are prompts and completions, too", tasking, (s) =>
    Effect.gen(function*() {
      yield* s.run(tasks(taskOptions(s, { format: "completions" })))
      const own = s.lines("tasks.jsonl").find(({ kind }) => kind === "summary")!
      assert.deepInclude(own, { prompt: "summary of one?", completion: "one is", document: "p0" })
    }))
  it("have each kind once before any comes again", () => {
    const names = Array.from({ length: 6 }, (_, i) => kindOf(kinds, 1, "doc", i).name)
    assert.strictEqual(new Set(names.slice(0, 3)).size, 3)
    assert.deepStrictEqual(names.slice(3), names.slice(0, 3))
  })
})
