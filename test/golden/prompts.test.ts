/** Prompts against those that transformers makes of the same messages, and modules against those PEFT matches. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fullMatch } from "../../src/domain/pattern.ts"
import * as Sequences from "../../src/runtime/language/sequences.ts"
import * as ChatTemplate from "../../src/runtime/language/templates/chatTemplate.ts"
import * as Tokenizer from "../../src/runtime/tokenizers/tokenizer.ts"
import { answerOf, ask } from "../../src/stages/prompt.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"
import { folderOf, onDisk } from "../support/files.ts"

const json = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, name), "utf8"))

interface Chats {
  readonly texts: ReadonlyArray<string>
  readonly document_prompt: string
  readonly question_prompt: string
  readonly chats: ReadonlyArray<{
    readonly about: string
    readonly tokenizer: string
    readonly bos_token: string | null
    readonly eos_token: string | null
    readonly template: string
    readonly cases: ReadonlyArray<
      & { readonly ids: ReadonlyArray<number> }
      & ({ readonly said: string } | { readonly docs: ReadonlyArray<number>; readonly asked: string })
    >
  }>
}
const { chats, texts, ...parts } = json("prompts.json") as Chats

const tokenizerOf = Effect.fnUntraced(function*(kind: string, config: object) {
  const path = yield* folderOf({
    "tokenizer.json": readFileSync(join(import.meta.dirname, "tokenizers", kind, "tokenizer.json")),
    "tokenizer_config.json": JSON.stringify(config)
  })
  return yield* Tokenizer.load(path)
})

describe("a chat prompt has the ids of transformers' apply_chat_template", () => {
  for (const { about, bos_token, cases, eos_token, template, tokenizer: kind } of chats) {
    it.live(about, () =>
      onDisk(Effect.gen(function*() {
        const tokenizer = yield* tokenizerOf(kind, { bos_token, eos_token, chat_template: template })
        const wrap = yield* ChatTemplate.load(tokenizer)
        const config = yield* decode("test", {
          ...parts,
          output_dir: "o",
          passages_file: "p",
          retriever_name_or_path: "r",
          reader_name_or_path: "r",
          options_in_prompt: false,
          answer_format: "text"
        })
        const sequences = Sequences.make({ tokenizer, wrap, max_length: config.max_length, end: 0 })
        for (const one of cases) {
          if ("said" in one) {
            const [text] = yield* wrap.render([[{ role: "user", content: one.said }]])
            assert.deepStrictEqual(tokenizer.encode(text!), one.ids, one.said)
          } else {
            const prompt = ask(config, one.docs.map((doc) => ({ text: texts[doc]! })), {
              question: one.asked,
              options: []
            })
            assert.deepStrictEqual((yield* sequences.open(prompt, config.max_new_tokens)).ids, one.ids, one.asked)
            const { ids } = yield* sequences.one(prompt, answerOf(config, { options: [] }, "B"), 0)
            assert.deepStrictEqual(ids, [...one.ids, ...tokenizer.encode(" B"), 0])
          }
        }
      })))
  }
})

describe("a pattern of modules", () => {
  const { cases, names } = json("patterns.json") as {
    readonly names: ReadonlyArray<string>
    readonly cases: ReadonlyArray<{ readonly pattern: string; readonly matched: ReadonlyArray<string> | null }>
  }
  for (const { matched, pattern } of cases) {
    it(`${JSON.stringify(pattern)} ${matched ? "matches as in Python" : "is refused as in Python"}`, () => {
      if (matched === null) assert.throws(() => fullMatch(pattern))
      else assert.deepStrictEqual(names.filter((name) => fullMatch(pattern).test(name)), matched)
    })
  }
  for (const pattern of ["(?>a)b", ".*+q", "(a)?(?(1)b|c)", "x{2}+", "(?x) q", "\\N{DIGIT ONE}"]) {
    it(`${JSON.stringify(pattern)}, which JavaScript has not, is refused`, () =>
      assert.throws(() => fullMatch(pattern)))
  }
})
