/** Instructions in four stages: what each asks, drops and leaves, against a server that does all that can go wrong. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync, writeFileSync } from "node:fs"
import { parse } from "yaml"
import * as Key from "../../../src/domain/Key.ts"
import { sameSchema, strangers } from "../../../src/domain/synthesis/jsonShape.ts"
import { draw, instructionLists, taskKinds, tuples } from "../../../src/domain/synthesis/lists.ts"
import {
  type InstructionOptions,
  instructions,
  planInstructions
} from "../../../src/programs/synthesize/instructions/instructions.ts"
import { defaults } from "../../../src/programs/synthesize/instructions/judge.ts"
import type * as Server from "../../support/endpoint.ts"
import { asked, type Setting, setting } from "../../support/writing.ts"

const lists = {
  task_types: ["summarization"],
  input_data: ["note", "report", "short", "echo", "same"],
  output_formats: ["plain_text", { name: "json", weight: 2 }],
  difficulty_levels: ["hard"],
  error_types: ["omission", { name: "sameness", about: "none at all" }]
}
const COUNT = 24
const drawn = await Effect.runPromise(Effect.map(instructionLists("x", lists), (own) => tuples(own, COUNT, 0)))
const isGood = ({ tuple }: typeof drawn[number]) => /note|report/.test(tuple.input_data.name)
const good = drawn.filter(isGood)
const count = (name: string) => drawn.filter(({ tuple }) => tuple.input_data.name === name).length
/** Instructions that pass: all good ones, and the first of the same. */
const kept = [...good, ...drawn.filter(({ tuple }) => tuple.input_data.name === "same").slice(0, 1)]
const isJson = ({ tuple }: typeof drawn[number]) => tuple.output_format.name === "json"
const [json, plain] = [kept.filter(isJson).length, kept.filter((own) => !isJson(own)).length]

const instruction = (text: string, times: number): string => {
  const [, name = ""] = /given after the instruction: (\w+)/.exec(text)!
  if (name === "short") return "Do it."
  if (name === "echo") {
    return "It contains no document, no example and no answer, and names no person. Answer with that."
  }
  if (name === "same") return "Say in one word what the given document is."
  const format = text.includes("answer: json") ? "json" : "plain"
  return `Sum up the ${name} of case ${times} in ${format} form for ${name}${times} readers with care.`
}

const pair = (text: string, times: number): string => {
  const own = text.split("Instruction:\n")[1]!.split("\n")[0]!
  const input = `k${times} of: ${own.split(" ").toReversed().join(` k${times} `)}`
  if (text.includes("in this form: json")) {
    const outputs = [`{"a": ${own.length}}`, { a: null }, { b: 1 }, "no JSON"]
    return JSON.stringify({ input, output: outputs[times] })
  }
  if (times === 1) return JSON.stringify({ input: input.replaceAll("k1", "k0"), output: "again" })
  if (times === 2) return JSON.stringify({ input, output: input })
  return times === 3 ? `Input: ${input}\nOutput: all is\nwell` : JSON.stringify({ input, output: "all is well here" })
}

const mind: Server.Mind = (seen) => {
  const text = asked(seen)
  const times = Number(seen.body["seed"])
  if (text.startsWith("Write one instruction")) return instruction(text, times)
  if (text.includes("Write an input for it")) return pair(text, times)
  if (text.startsWith("Judge")) {
    const low = text.includes("Input:\nk3") ? 2 : 5
    return JSON.stringify({ quality: low, alignment: 5, coherence: 5, realism: 4, difficulty: 1 })
  }
  const output = text.split("Right output:\n")[1]!.split("\n\nAnswer with")[0]!
  if (text.includes("The error: sameness: none at all")) return output
  return output.startsWith("{") ? output.replace(/:.*}/, ": 99}") : `${output} after all`
}

const live = (name: string, test: (s: Setting) => Effect.Effect<void, unknown>) =>
  it.live(name, () =>
    setting(mind, { "lists.yaml": JSON.stringify(lists) }).pipe(
      Effect.flatMap(test),
      Effect.scoped,
      Effect.provide(NodeFileSystem.layer)
    ), 60_000)

const options = (s: Setting, own: Partial<InstructionOptions> = {}): InstructionOptions => ({
  lists: s.path("lists.yaml"),
  output: s.path("out.jsonl"),
  count: COUNT,
  pairs: 4,
  judge: defaults,
  preferences: s.path("dpo.jsonl"),
  preferenceLeast: 4,
  form: "auto",
  nearDuplicate: 0.8,
  maxTokens: 64,
  prompts: { instruction: undefined, pair: undefined, judge: undefined, corrupt: undefined },
  licence: "ours",
  ...own
})

const columns = [
  "instruction",
  "input",
  "output",
  "task_type",
  "input_data",
  "output_format",
  "difficulty_level",
  "rejected_output",
  "error_type"
]

describe("synthetic instructions", () => {
  live("pass four stages, each counted", (s) =>
    Effect.gen(function*() {
      const { value: [first, second, third, fourth] } = yield* s.run(instructions(options(s)))
      assert.deepInclude(first!, { task: "instructions", items: COUNT, requests: COUNT, kept: kept.length })
      assert.deepStrictEqual(first!.dropped, {
        "repeats the prompt": count("echo"),
        "fewer than 5 words": count("short"),
        "same instruction as an earlier one": count("same") - 1,
        "near-duplicate of an earlier instruction": 0
      })
      assert.deepInclude(second!, { requests: 4 * kept.length, plain, kept: 2 * kept.length })
      assert.deepStrictEqual(second!.dropped, {
        "repeats the prompt": 0,
        "input repeats the instruction": 0,
        "output is the input": plain,
        "output is no JSON object or list": json,
        "output is of another schema than its instruction's others": json,
        "same input as an earlier one": plain,
        "near-duplicate of an earlier input": 0
      })
      assert.deepInclude(third!, { requests: 2 * kept.length, kept: 2 * kept.length - plain })
      assert.strictEqual(third!.dropped["quality below 3"], plain)
      const preferences = s.lines("dpo.jsonl")
      assert.deepInclude(fourth!, { requests: third!.kept, kept: preferences.length })
      assert.strictEqual(fourth!.dropped["same as the right output"], third!.kept - preferences.length)
      assert.isAbove(preferences.length, 0)
      assert.isAbove(third!.kept, preferences.length)
    }))
  live("leave MediFlow's columns, and preferences in TRL's form", (s) =>
    Effect.gen(function*() {
      yield* s.run(instructions(options(s)))
      const rows = s.lines("out.jsonl")
      assert.isTrue(rows.every((row) => columns.every((name) => typeof row[name] === "string")))
      assert.isTrue(rows.every(({ error_type, rejected_output }) => error_type === "" && rejected_output === ""))
      const row = rows.find(({ output_format }) => output_format === "json")
      assert.deepInclude(row!, { task_type: "summarization", difficulty_level: "hard", quality: 5, difficulty: 1 })
      assert.match(row!["id"], /^instruction-\d+-1$/)
      assert.deepStrictEqual(row!["synthetic"].output.sources, [row!["id"].slice(0, -2)])
      assert.deepStrictEqual(Object.keys(row!["synthetic"]), ["instruction", "output", "scores"])
      for (const own of s.lines("dpo.jsonl")) {
        assert.deepStrictEqual(own["prompt"], [
          { role: "system", content: own["instruction"] },
          { role: "user", content: own["input"] }
        ])
        assert.deepStrictEqual(own["chosen"], [{ role: "assistant", content: own["output"] }])
        assert.deepStrictEqual(own["rejected"], [{ role: "assistant", content: own["rejected_output"] }])
        assert.strictEqual(own["error_type"], "omission")
      }
      const card = s.text("dpo.jsonl.README.md")
      for (const task of ["instructions", "examples", "judgements", "worse outputs"]) {
        assert.match(card, new RegExp(`\\| ${task} +\\| count`))
        assert.include(card, `| prompt of ${task} |`)
      }
      assert.include(card, "| licence | ours |")
    }))
  live("are not judged unless asked, and asked for once", (s) =>
    Effect.gen(function*() {
      const plan = yield* s.run(planInstructions(options(s)))
      assert.deepInclude(plan.value, { requests: COUNT, kept: 0, later: COUNT * 4 * 3 })
      const { value } = yield* s.run(instructions(options(s, { judge: undefined, preferences: undefined })))
      assert.deepStrictEqual(value.map(({ task }) => task), ["instructions", "examples"])
      assert.isUndefined(s.lines("out.jsonl")[0]!["quality"])
      const [calls, text] = [s.server.seen.length, s.text("out.jsonl")]
      yield* s.run(instructions(options(s, { judge: undefined, preferences: undefined })))
      assert.deepStrictEqual([s.server.seen.length, s.text("out.jsonl")], [calls, text])
      assert.strictEqual((yield* s.run(planInstructions(options(s)))).value.kept, COUNT)
    }))
  live("need error types for preferences, and files apart", (s) =>
    Effect.gen(function*() {
      const twice = yield* Effect.flip(s.run(instructions(options(s, { preferences: s.path("out.jsonl") }))))
      assert.match(String((twice as Error).message), /out\.jsonl: is named twice/)
      writeFileSync(s.path("lists.yaml"), JSON.stringify({ ...lists, error_types: undefined }))
      const none = yield* Effect.flip(s.run(instructions(options(s))))
      assert.match(String((none as Error).message), /has no error_types/)
      assert.strictEqual(s.server.seen.length, 0)
    }))
})

describe("lists", () => {
  const problems = (raw: unknown) => Effect.map(Effect.flip(instructionLists("l.yaml", raw)), ({ message }) => message)
  it.effect("are refused with all that is wrong", () =>
    Effect.gen(function*() {
      const wrong = yield* problems({
        ...lists,
        input_data: [],
        output_formats: ["xml"],
        task_types: [{ name: "a", weight: 0 }],
        more: 1
      })
      for (const key of ["input_data", "output_formats", "task_types", "more"]) assert.include(wrong, key)
      assert.match(yield* problems({ ...lists, input_data: ["a", { name: "a" }] }), /input_data: "a" is given twice/)
    }))
  it.effect("come with the package", () =>
    Effect.gen(function*() {
      const read = (name: string) => parse(readFileSync(`prompts/${name}.yaml`, "utf8")) as unknown
      const own = yield* instructionLists("instructions.yaml", read("instructions"))
      assert.deepStrictEqual([own.task_types.length, own.difficulty_levels.length], [14, 6])
      assert.isAbove(own.input_data.length, 80)
      assert.isAbove((yield* taskKinds("tasks.yaml", read("tasks"))).length, 3)
    }))
  it("are drawn by weight, the same under the same seed", () => {
    const list = [{ name: "a", weight: 1, about: "a" }, { name: "b", weight: 3, about: "b" }]
    const names = Array.from({ length: 4000 }, (_, i) => draw(list, Key.make(1), i).name)
    assert.closeTo(names.filter((name) => name === "b").length / 4000, 0.75, 0.03)
    assert.isAbove(Math.max(...drawn.map(({ repeat }) => repeat)), 0)
    assert.strictEqual(new Set(drawn.map(({ repeat, tuple }) => JSON.stringify([repeat, tuple]))).size, COUNT)
  })
})

describe("one schema", () => {
  it("is of the same keys and types, whatever is null or empty", () => {
    assert.isTrue(sameSchema({ a: 1, b: ["x"] }, { b: [], a: 2.5 }))
    assert.isTrue(sameSchema({ a: null }, { a: { b: 1 } }))
    assert.isTrue(sameSchema([{ a: 1 }], [{ a: 2 }, { a: 3 }]))
    assert.isFalse(sameSchema({ a: 1 }, { a: "1" }))
    assert.isFalse(sameSchema({ a: 1 }, { a: 1, b: 1 }))
    assert.isFalse(sameSchema([{ a: 1 }], [{ b: 1 }]))
    assert.isFalse(sameSchema({ a: 1 }, [1]))
  })
  it("is that of most, or of the first", () => {
    assert.deepStrictEqual(strangers([{ b: 1 }, { a: 1 }, { a: 2 }]), [true, false, false])
    assert.deepStrictEqual(strangers([{ b: 1 }, { a: 1 }]), [false, true])
    assert.deepStrictEqual(strangers([]), [])
  })
})
