import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { fill } from "../../../src/domain/settings/placeholders.ts"
import type { Raw, RunConfig } from "../../../src/domain/settings/RunConfig.ts"
import { decode } from "../../../src/systems/jmlr/settings.ts"

const needed = { output_dir: "o", passages_file: "p", retriever_name_or_path: "r", reader_name_or_path: "r" }
const config = (own: Raw): RunConfig => Effect.runSync(decode("run.json", { ...needed, ...own }))
const problems = (own: Raw) => Effect.runSync(Effect.flip(decode("run.json", { ...needed, ...own }))).problems

describe("a part of a prompt is refused", () => {
  const cases: ReadonlyArray<readonly [Raw, RegExp]> = [
    [{ document_prompt: "x" }, /^document_prompt: has no \{text\}/],
    [{ question_prompt: "" }, /^question_prompt: has no \{question\}/],
    [{ answer_prompt: "Answer:" }, /^answer_prompt: has no \{answer\}/],
    [{ rationale_target: "\nExplanation:" }, /^rationale_target: has no \{explanation\}/],
    [{ rationale_target: "{exp}" }, /^rationale_target: \{exp\} is not known; its place is \{explanation\}$/],
    [{ answer_prompt: "{ANSWER}" }, /^answer_prompt: \{ANSWER\} is not known; its place is \{answer\}$/],
    [{ document_prompt: "Context: {context}" }, /^document_prompt: \{context\} is not known; its place is \{text\}$/],
    [{ document_prompt: "{document}" }, /\{document\} is not known/],
    [
      { document_prompt: "{title}: {text}" },
      /^document_prompt: \{title\} is not known; a passage's title is part of its/
    ],
    [{ question_prompt: "{image}{question}" }, /\{image\} is not known; a picture's place is <image>$/],
    [{ question_prompt: "{query}" }, /^question_prompt: \{query\} is not known; its place is \{question\}$/],
    [{ question_prompt: "{{ question }}" }, /^question_prompt: \{\{ question \}\} is not known/],
    [
      { question_prompt: "{question}\n{options}" },
      /\{options\} is not known; the options are part of the \{question\}/
    ],
    [{ question_prompt: "{question} { choices }" }, /\{ choices \} is not known/],
    [{ generation_prompt: "{answer}" }, /^generation_prompt: \{answer\} is not known; nothing is put into it$/],
    [{ rationale_prompt: "Why {answer}?" }, /^rationale_prompt: \{answer\}/]
  ]
  for (const [own, reason] of cases) {
    it(JSON.stringify(own), () => {
      assert.strictEqual(problems(own).length, 1)
      assert.match(problems(own)[0]!, reason)
    })
  }
})

describe("a part of a prompt", () => {
  it("may hold braces of JSON and what TeX's commands are given", () => {
    const said = [
      "{\"answer_choice\": \"B\"}",
      "\\boxed{answer}",
      "\\text{x}",
      "{}",
      "{1}",
      "{ }",
      "{a b}",
      "set {x, y}"
    ]
    for (const own of said) assert.strictEqual(config({ generation_prompt: own }).generation_prompt, own)
    assert.include(config({ question_prompt: "{question} \\boxed{letter}" }).question_prompt, "letter")
  })
  it("is filled wherever it has its place, by any text", () => {
    const c = config({ question_prompt: "{question} Again: {question}" })
    fc.assert(fc.property(fc.string(), (text) => {
      assert.strictEqual(fill(c, "question_prompt", text), `${text} Again: ${text}`)
    }))
    assert.strictEqual(fill(config({}), "document_prompt", "$& $1 {text}"), "\nReference:\n$& $1 {text}")
  })
  it("is not called as Atlas calls the passages of its retriever", () =>
    assert.match(problems({ retriever_format: "{title} {text}" })[0]!, /unknown key "retriever_format"/))
})

describe("a pattern of modules is refused", () => {
  const cases: ReadonlyArray<readonly [Raw, RegExp]> = [
    [
      { lora_target_modules: "*.q_proj" },
      /^lora_target_modules: "\*\.q_proj" is no pattern of names: nothing to repeat/
    ],
    [{ lora_target_modules: "(" }, /^lora_target_modules: "\(" is no pattern/],
    [{ retriever_lora_target_modules: "[" }, /^retriever_lora_target_modules: "\[" is no pattern/]
  ]
  for (const [own, reason] of cases) it(JSON.stringify(own), () => assert.match(problems(own)[0]!, reason))
  it("but not names in a list, nor what Python reads otherwise", () => {
    assert.deepStrictEqual(config({ lora_target_modules: ["*.q_proj"] }).lora_target_modules, ["*.q_proj"])
    assert.strictEqual(config({ lora_target_modules: "(?i).*Q_PROJ" }).lora_target_modules, "(?i).*Q_PROJ")
  })
})
