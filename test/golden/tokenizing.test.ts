/** A thousand lines by tokenizers of each kind: the ids are those of Hugging Face's own library (tokenizing.py). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as ChatTemplate from "../../src/runtime/language/templates/chatTemplate.ts"
import * as Tokenizer from "../../src/runtime/tokenizers/tokenizer.ts"
import { folderOf, onDisk } from "../support/files.ts"

const folder = join(import.meta.dirname, "tokenizers")
const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"))
const lines = json("lines.json") as ReadonlyArray<string>
const decoded = json("decoded.json") as Readonly<Record<string, Readonly<Record<string, string>>>>

/** The ids of each line, and of the first fifty lines with the tokenizer's own special tokens. */
const idsOf = (kind: string): ReadonlyArray<ReadonlyArray<number>> => {
  const bytes = readFileSync(join(folder, `${kind}.ids`))
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  const all: Array<ReadonlyArray<number>> = []
  for (let at = 0; at < words.length; at += 1 + words[at]!) all.push([...words.subarray(at + 1, at + 1 + words[at]!)])
  return all
}

const folders: Readonly<Record<string, string>> = {
  wordpiece: join(import.meta.dirname, "..", "..", "experiments", "demo", "retriever"),
  ...Object.fromEntries(["llama3", "gpt2", "llama2", "unigram"].map((kind) => [kind, join(folder, kind)]))
}

const user = (content: string) => ({ role: "user", content })

describe("a tokenizer", () => {
  it("is tried on a thousand lines of all scripts", () => {
    assert.strictEqual(lines.length, 1000)
    const scripts = ["Greek", "Cyrillic", "Han", "Hiragana", "Arabic", "Hebrew", "Thai", "Devanagari", "Hangul"]
    for (const script of scripts) {
      assert.isTrue(lines.some((line) => new RegExp(`\\p{Script=${script}}`, "u").test(line)), script)
    }
  })
  for (const [kind, path] of Object.entries(folders)) {
    it.live(`has the ids of Hugging Face's: ${kind}`, () =>
      onDisk(Effect.map(Tokenizer.load(path), ({ encode, start }) => {
        const expected = idsOf(kind)
        assert.strictEqual(expected.length, lines.length + 50)
        lines.forEach((line, i) => assert.deepStrictEqual(encode(line), expected[i], JSON.stringify(line)))
        const own = expected[lines.length]!.slice(0, expected[lines.length]!.indexOf(expected[0]![0]!))
        assert.deepStrictEqual(start ?? [], own)
      })))
  }
  for (const [kind, others] of Object.entries(decoded)) {
    it.live(`decodes as Hugging Face's does: ${kind}`, () =>
      onDisk(Effect.map(Tokenizer.load(folders[kind]!), ({ decode, encode }) => {
        lines.forEach((line, i) => {
          assert.strictEqual(decode(encode(line)), others[i] ?? line, JSON.stringify(line))
        })
      })))
  }
})

interface Chat {
  readonly template: string
  readonly bos_token: string | null
  readonly said: string
  readonly ids: ReadonlyArray<number>
}
const chats = json("chats.json") as Readonly<Record<string, Chat>>

describe("a chat template", () => {
  const tokenizer = Effect.fnUntraced(function*(kind: string, config: object, files: Record<string, string> = {}) {
    const path = yield* folderOf({
      "tokenizer.json": readFileSync(join(folder, kind, "tokenizer.json")),
      "tokenizer_config.json": JSON.stringify(config),
      ...files
    })
    return yield* Tokenizer.load(path)
  })
  for (const [kind, { bos_token, ids, said, template }] of Object.entries(chats)) {
    it.live(`puts a user's words as transformers does: ${kind}`, () =>
      onDisk(Effect.gen(function*() {
        const told = yield* tokenizer(kind, { bos_token, chat_template: template })
        const idsBy = Effect.fnUntraced(function*(by: Tokenizer.Tokenizer) {
          const [text] = yield* (yield* ChatTemplate.load(by)).render([[user(said)]])
          return by.encode(text!)
        })
        assert.deepStrictEqual(yield* idsBy(told), ids)
        const named = [{ name: "tool_use", template: "" }, { name: "default", template }]
        const several = yield* tokenizer(kind, {
          bos_token: bos_token === null ? null : { content: bos_token },
          chat_template: named
        })
        assert.deepStrictEqual(yield* idsBy(several), ids)
        const byName = yield* tokenizer(kind, { bos_token, chat_template: { rag: "", default: template } })
        assert.deepStrictEqual(yield* idsBy(byName), ids)
        const apart = yield* tokenizer(kind, { bos_token, chat_template: "" }, { "chat_template.jinja": template })
        assert.deepStrictEqual(yield* idsBy(apart), ids)
      })))
  }
  const wrong: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ["is not there", undefined, /apply_chat_template: false/],
    ["is null", null, /apply_chat_template: false/],
    ["is a number", 5, /neither a text nor texts by name/],
    ["is a list of numbers", [5], /neither a text nor texts by name/],
    ["has no default among its names", [{ name: "rag", template: "x" }, { name: "tool_use" }], /\(rag, tool_use\)/],
    ["has a default that is none", [{ name: "default", template: 5 }], /\(default\)/],
    ["is none", "{% if %}", /./],
    ["refuses users", "{{ raise_exception('No users.') }}", /No users/],
    ["leaves the words out", "Hello", /0 times, not once/],
    ["says the words twice", "{% for m in messages %}{{ m.content + m.content }}{% endfor %}", /2 times/],
    ["asks for an unknown part of the day", "{{ strftime_now('%Q') }}{{ messages[0].content }}", /%Q is not known/],
    ["imports", "{% include 'x' %}{{ messages[0].content }}", /./],
    ["calls itself for ever", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", /./],
    ["is long", "{% for i in range(100000) %}{{ messages[0].content }}....{% endfor %}", /makes 500000 characters/]
  ]
  for (const [what, chat_template, reason] of wrong) {
    it.live(`that ${what} is refused`, () =>
      onDisk(Effect.gen(function*() {
        const told = yield* tokenizer("gpt2", { chat_template })
        const error = yield* Effect.flip(ChatTemplate.load(told))
        assert.strictEqual(error.place, "chat_template")
        assert.match(error.path, /tokenizer_config\.json$/)
        assert.match(error.reason, reason)
      })))
  }
  it.live("in a file of its own is blamed by the file's name", () =>
    onDisk(Effect.gen(function*() {
      const told = yield* tokenizer("gpt2", { chat_template: "x" }, { "chat_template.jinja": "{% if" })
      assert.match((yield* Effect.flip(ChatTemplate.load(told))).path, /chat_template\.jinja$/)
    })))
  const loop = (n: number) => `{% for a${n} in range(10000) %}`
  const endless: ReadonlyArray<readonly [string, string, RegExp]> = [
    ["time", `${loop(1)}${loop(2)}${loop(3)}${"{% endfor %}".repeat(3)}{{ messages[0].content }}`, /more than 4 s/],
    ["numbers of a range", "{{ range(4000000000) | length }}{{ messages[0].content }}", /range of more than 100000/],
    [
      "memory for a text",
      "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.x = (ns.x + ns.x) | upper %}{% endfor %}",
      /256 MB|4 s|string length/
    ],
    [
      "memory for a list",
      "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      /256 MB|4 s|string length/
    ]
  ]
  for (const [what, chat_template, reason] of endless) {
    it.live(`that takes all ${what} is stopped`, () =>
      onDisk(Effect.gen(function*() {
        const told = yield* tokenizer("gpt2", { chat_template })
        assert.match((yield* Effect.flip(ChatTemplate.load(told))).reason, reason)
      })), 20_000)
  }
  it.live("that is endless for some words alone fails for these", () =>
    onDisk(Effect.gen(function*() {
      const chat_template = `{% if 'x' in messages[0].content %}${loop(1)}${loop(2)}${loop(3)}${
        "{% endfor %}".repeat(3)
      }{% endif %}{{ messages[0].content }}`
      const { render } = yield* ChatTemplate.load(yield* tokenizer("gpt2", { chat_template }))
      assert.deepStrictEqual(yield* render([[user("a")], [user("b")]]), ["a", "b"])
      const error = yield* Effect.flip(render([[user("x")]]))
      assert.strictEqual(error._tag, "ModelRefused")
      assert.deepStrictEqual(yield* render([[user("a")]]), ["a"])
    })), 20_000)
})
