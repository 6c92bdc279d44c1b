/** Rows as tokens: what is learned of them, and templates that would teach something else, which are refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Row } from "../../../src/domain/examples/rows.ts"
import type { Turn } from "../../../src/domain/examples/turns.ts"
import { tokensBefore } from "../../../src/runtime/language/examples/boundaries.ts"
import {
  examplesOf,
  type ExampleSources,
  type LearnedOptions,
  pairOf,
  tokenise
} from "../../../src/runtime/language/examples/examples.ts"
import { load, withMarks } from "../../../src/runtime/language/examples/marked.ts"
import * as Tokenizer from "../../../src/runtime/tokenizers/tokenizer.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const tokenizerJson = readFileSync(join(import.meta.dirname, "..", "..", "golden", "texts", "tokenizer.json"))
const defaults: LearnedOptions = {
  train_on_inputs: false,
  last_turn_only: false,
  split_turns: false,
  thinking: "keep",
  tools: "template",
  document_tasks: "none",
  apply_chat_template: false,
  question_prompt: "Q: {question}\n",
  answer_prompt: "A: {answer}"
}

const sourcesOf = Effect.fnUntraced(function*(template: string, options: Partial<LearnedOptions> = {}) {
  const config = { eos_token: "<|endoftext|>", chat_template: template }
  const folder = yield* folderOf({ "tokenizer.json": tokenizerJson, "tokenizer_config.json": JSON.stringify(config) })
  const tokenizer = yield* Tokenizer.load(folder)
  const own = { ...defaults, ...options }
  const end = tokenizer.id("<|endoftext|>")!
  return { tokenizer, start: [], end, template: Effect.succeed(yield* load(tokenizer)), options: own }
})

const ask = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
const chatml =
  "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}" + ask
const turns = (...said: ReadonlyArray<readonly [role: string, content: string]>): ReadonlyArray<Turn> =>
  said.map(([role, content]) => ({ role, content }))
const chat = (messages: ReadonlyArray<Turn>, tools?: ReadonlyArray<unknown>): Row => ({
  id: "r",
  _tag: "Chat",
  messages,
  prompt: undefined,
  tools
})
const two = turns(["user", "Hi"], ["assistant", "A1"], ["user", "B"], ["assistant", "C2"])

/** The words that are learned of each example, runs apart. */
const learnedWords = (o: ExampleSources & { readonly tokenizer: Tokenizer.Tokenizer }, row: Row) =>
  Effect.map(tokenise(o, row), (examples) =>
    examples.map(({ ids, learned }) => {
      const runs: Array<string> = []
      ids.forEach((id, i) => {
        if (learned[i] === 0) return
        const word = o.tokenizer.specials.find((own) => o.tokenizer.id(own) === id) ?? o.tokenizer.decode([id])
        if (i > 0 && learned[i - 1] === 1) runs[runs.length - 1] += word
        else runs.push(word)
      })
      return runs
    }))

const refusal = Effect.fnUntraced(function*(template: string, row: Row, options: Partial<LearnedOptions> = {}) {
  const error = yield* Effect.flip(tokenise(yield* sourcesOf(template, options), row))
  return error.message
})

describe("of a chat", () => {
  it.live("every turn is learned, the last alone, each on its own, or everything", () =>
    onDisk(Effect.gen(function*() {
      const o = yield* sourcesOf(chatml)
      const under = (options: Partial<LearnedOptions>) => ({ ...o, options: { ...defaults, ...options } })
      const found = (options: Partial<LearnedOptions>) => learnedWords(under(options), chat(two))
      assert.deepStrictEqual(yield* found({}), [["A1<|im_end|>\n", "C2<|im_end|>\n"]])
      assert.deepStrictEqual(yield* found({ last_turn_only: true }), [["C2<|im_end|>\n"]])
      assert.deepStrictEqual(yield* found({ split_turns: true }), [["A1<|im_end|>\n"], ["C2<|im_end|>\n"]])
      assert.deepStrictEqual(yield* found({ split_turns: true, last_turn_only: true }), [["C2<|im_end|>\n"]])
      const all = (yield* found({ train_on_inputs: true }))[0]![0]!
      assert.isTrue(all.startsWith("user\nHi<|im_end|>") && all.endsWith("C2<|im_end|>\n"))
      const apart = yield* examplesOf(under({ split_turns: true }), "r", chat(two))
      assert.deepStrictEqual(apart.map(({ id }) => id), ["r", "r/2"])
    })))
  it.live("calls of tools are learned where the template prints them", () =>
    onDisk(Effect.gen(function*() {
      const calling = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content }}{%- if m.tool_calls %}"
        + "{{- '[CALL ' + m.tool_calls[0].name + ']' }}{%- endif %}{{- '<|im_end|>\n' }}{%- endfor %}" + ask
      const messages = [
        ...turns(["user", "Look"]),
        { role: "assistant", content: "", tool_calls: [{ name: "look" }] },
        ...turns(["tool", "seen"], ["assistant", "Done"])
      ]
      const found = yield* learnedWords(yield* sourcesOf(calling), chat(messages))
      assert.deepStrictEqual(found, [["[CALL look]<|im_end|>\n", "Done<|im_end|>\n"]])
      assert.match(yield* refusal(chatml, chat(messages)), /drops the tool_calls of message 2/)
    })))
})

describe("a template is refused", () => {
  const cases: Readonly<Record<string, readonly [template: string, row: Row, reason: RegExp]>> = {
    "that drops a role": [
      `{%- for m in messages if m.role != 'system' %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}${ask}`,
      chat([...turns(["system", "Be brief."]), ...two]),
      /drops or changes message 1 \(role system\)/
    ],
    "that says why": [
      `{%- if messages[0].role == 'system' %}{{- raise_exception('no system here') }}{%- endif %}${chatml}`,
      chat([...turns(["system", "Be brief."]), ...two]),
      /no system here/
    ],
    "that drops thoughts of earlier turns": [
      "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' }}{%- if m.role == 'assistant' and not loop.last %}"
      + `{{- m.content.split('</think>')[-1] }}{%- else %}{{- m.content }}{%- endif %}{{- '<|im_end|>\n' }}{%- endfor %}${ask}`,
      chat(turns(["user", "Hi"], ["assistant", "<think>hm</think>A1"], ["user", "B"], ["assistant", "C2"])),
      /message 2 \(role assistant\).*split_turns: true, or thinking: drop/
    ],
    "that ends no turn": [
      "{%- for m in messages %}{{- m.role + ': ' + m.content + '\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- 'assistant: ' }}{%- endif %}",
      chat(two),
      /no special token at the end of message 2/
    ],
    "that asks otherwise than it answers": [
      `{%- if add_generation_prompt %}{{- 'ASK' }}{%- endif %}${chatml}`,
      chat(two),
      /renders the messages before message 2 otherwise/
    ],
    "that says twice what the assistant says": [
      `{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + m.content + '<|im_end|>\n' }}{%- endfor %}${ask}`,
      chat(two),
      /drops or rewrites what the assistant says: of 2 turns, 4 end/
    ],
    "that prints no tools": [chatml, chat(two, [{ name: "look" }]), /does not print tools; set tools: ignore/],
    "whose marks a row has": [chatml, chat(turns(["user", "a\uE001"], ["assistant", "b"])), /has U\+E000 or U\+E001/]
  }
  for (const [name, [template, row, reason]] of Object.entries(cases)) {
    it.live(name, () => onDisk(Effect.map(refusal(template, row), (message) => assert.match(message, reason))))
  }
  it.live("unless the settings say otherwise", () =>
    onDisk(Effect.gen(function*() {
      const [thinking, row] = cases["that drops thoughts of earlier turns"]!
      const dropping = yield* learnedWords(yield* sourcesOf(thinking, { thinking: "drop" }), row)
      assert.deepStrictEqual(dropping, [["A1<|im_end|>\n", "C2<|im_end|>\n"]])
      const split = yield* learnedWords(yield* sourcesOf(thinking, { split_turns: true }), chat(two.slice(0, 2)))
      assert.deepStrictEqual(split, [["A1<|im_end|>\n"]])
      const [, tools] = cases["that prints no tools"]!
      assert.strictEqual((yield* tokenise(yield* sourcesOf(chatml, { tools: "ignore" }), tools)).length, 1)
    })))
})

describe("of texts", () => {
  const on = <A, E>(
    check: (
      o: ExampleSources & { readonly tokenizer: Tokenizer.Tokenizer }
    ) => Effect.Effect<A, E, FileSystem.FileSystem>
  ) => onDisk(Effect.flatMap(sourcesOf(chatml), check))
  it.live("completions are learned with their end, and instructions as the prompts of the settings", () =>
    on(Effect.fnUntraced(function*(o) {
      const completion: Row = { id: "r", _tag: "Completion", prompt: "Which gene?", completion: " GBA1" }
      assert.deepStrictEqual(yield* learnedWords(o, completion), [[" GBA1<|endoftext|>"]])
      const instruction: Row = { id: "r", _tag: "Instruction", instruction: "Name it", output: "GBA1" }
      assert.deepStrictEqual(yield* learnedWords(o, instruction), [["A: GBA1<|endoftext|>"]])
      const [own] = yield* tokenise(o, instruction)
      assert.strictEqual(o.tokenizer.decode(own!.ids), "Q: Name it\nA: GBA1")
    })))
  it.live("documents are learned whole, and their tasks by the settings", () =>
    on(Effect.fnUntraced(function*(o) {
      const row: Row = { id: "r", _tag: "Text", text: "GBA1 it is.", tasks: [{ question: "Which?", answer: "GBA1" }] }
      const found = (document_tasks: LearnedOptions["document_tasks"]) =>
        learnedWords({ ...o, options: { ...defaults, document_tasks } }, row)
      const bare = (yield* found("none"))[0]![0]!
      assert.isTrue(bare.endsWith(" it is.<|endoftext|>"))
      const [runs] = yield* found("outputs")
      assert.strictEqual(runs!.length, 2)
      assert.strictEqual(runs![1], "A: GBA1<|endoftext|>")
      const [all] = yield* found("all")
      assert.strictEqual(all!.length, 1)
      assert.include(all![0], "\n\nQ: Which?\nA: GBA1")
    })))
  it.live("an end that the text has itself is not added again", () =>
    on(Effect.fnUntraced(function*(o) {
      const [own] = yield* tokenise(o, { id: "r", _tag: "Text", text: "a<|endoftext|>", tasks: [] })
      assert.strictEqual(own!.ids.filter((id) => id === o.end).length, 1)
    })))
  it.live("a pair has the tokens that its prompt and both answers have in common as its prompt", () =>
    on(Effect.fnUntraced(function*(o) {
      const pair = { id: "r", _tag: "Texts", prompt: "Which gene?", chosen: " GBA1", rejected: " GLA" } as const
      const found = yield* pairOf(o, pair)
      const { encode } = o.tokenizer
      assert.deepStrictEqual(found.chosen, [...encode("Which gene? GBA1"), o.end])
      assert.deepStrictEqual(found.chosen.slice(0, found.prompt), encode("Which gene?"))
    })))
})

describe("a place in a text", () => {
  /** Words, and pairs of line feeds as one. */
  const encode = (text: string) =>
    (text.match(/\n\n|\n|\w+|./gs) ?? []).map((word) => word.length * 1000 + word.charCodeAt(0))
  it("has so many tokens that begin before it", () => {
    const text = "ask\n\nyes no"
    const ids = encode(text)
    assert.strictEqual(ids.length, 5)
    const found = [0, 3, 4, 5, 8, 9, 11].map((at) => tokensBefore(text, ids, at, encode))
    assert.deepStrictEqual(found, [0, 1, 2, 2, 3, 4, 5])
  })
})

describe("tags of what is generated", () => {
  it("become marks without the white space that blocks lose", () => {
    assert.strictEqual(
      withMarks("a\n  {% generation %}\nb{%- endgeneration -%}\nc"),
      "a\n{{ \"\uE000\" }}b{{- \"\uE001\" -}}\nc"
    )
    assert.isUndefined(withMarks("{% if x %}a{% endif %}"))
  })
})
