/** Rows to learn from: every published form of chats, completions, instructions, documents and preferences. */
import { assert, describe, it } from "@effect/vitest"
import { toPreference } from "../../../src/domain/examples/preferences.ts"
import { toRow } from "../../../src/domain/examples/rows.ts"
import type { Notes } from "../../../src/domain/records/fields.ts"

const none: ReadonlySet<string> = new Set()
const noted = () => {
  const lines: Array<string> = []
  const notes: Notes = { unused: (field) => lines.push(`unused ${field}`), remark: (what) => lines.push(what) }
  return { lines, notes }
}
const read = (line: unknown) => toRow(line, none)
const [asked, said] = [{ role: "user", content: "Which gene?" }, { role: "assistant", content: "GBA1" }]
const refused = (line: unknown, reason: RegExp, decode: (line: unknown) => unknown = read) =>
  assert.throws(() => decode(line), reason)

describe("a row", () => {
  it("is a chat, in OpenAI's columns or sharegpt's", () => {
    const chat = { id: undefined, _tag: "Chat", messages: [asked, said], prompt: undefined, tools: undefined } as const
    assert.deepStrictEqual(read({ messages: [asked, said] }), chat)
    const turns = [{ from: "human", value: "Which gene?" }, { from: "gpt", value: "GBA1" }]
    assert.deepStrictEqual(read({ conversations: turns }), chat)
    const system = { role: "system", content: "Be brief." }
    assert.deepStrictEqual(read({ conversations: turns, system: "Be brief." }), {
      ...chat,
      messages: [system, asked, said]
    })
    assert.deepStrictEqual(
      read({ messages: [asked, { role: "assistant", content: [{ type: "text", text: "GBA1" }] }] }),
      chat
    )
    const call = { role: "assistant", content: null, tool_calls: [{ name: "look" }] }
    const tools = [{ name: "look" }]
    const seen = { from: "observation", value: "seen" }
    const found = read({ messages: [asked, call, seen, said], tools })
    assert.deepStrictEqual(found, {
      ...chat,
      messages: [asked, { role: "assistant", content: "", tool_calls: tools }, { role: "tool", content: "seen" }, said],
      tools
    })
  })
  it("is a prompt with its completion, as texts or as messages", () => {
    const texts = { prompt: "Which gene?", completion: " GBA1" }
    assert.deepStrictEqual(read({ id: 7, ...texts }), { id: "7", _tag: "Completion", ...texts })
    assert.deepStrictEqual(read({ prompt: [asked], completion: [said] }), {
      id: undefined,
      _tag: "Chat",
      messages: [asked, said],
      prompt: 1,
      tools: undefined
    })
  })
  it("is an instruction, with an input and a system or without", () => {
    const own = { id: undefined, _tag: "Instruction", instruction: "Name it.", output: "GBA1" } as const
    assert.deepStrictEqual(read({ instruction: "Name it.", input: "", output: "GBA1" }), own)
    assert.deepStrictEqual(read({ instruction: "Name it.", input: "Gaucher", output: "GBA1" }), {
      ...own,
      instruction: "Name it.\n\nGaucher"
    })
    const { messages } = read({ instruction: "Name it.", output: "GBA1", system: "Be brief." }) as {
      readonly messages: ReadonlyArray<{ readonly role: string }>
    }
    assert.deepStrictEqual(messages.map(({ role }) => role), ["system", "user", "assistant"])
  })
  it("is a question with its answer, but without options", () => {
    assert.deepStrictEqual(read({ id: "q", question: "Which?", answer: "GBA1" }), {
      id: "q",
      _tag: "Instruction",
      instruction: "Which?",
      output: "GBA1"
    })
    refused({ question: "Which?", answer: "A", options: ["GBA1", "GLA"] }, /with options is not learned as a text/)
    refused({ question: "q", instruction: "i", answer: "a" }, /both given/)
    refused({ question: "q" }, /is missing/)
  })
  it("is a text, with its title on a line before it and its tasks", () => {
    assert.deepStrictEqual(read({ _id: "d", title: "Gaucher", text: "GBA1." }), {
      id: "d",
      _tag: "Text",
      text: "Gaucher\nGBA1.",
      tasks: []
    })
    const tasks = [{ question: "Which?", answer: "GBA1" }, { instruction: "Name it.", input: "G.", output: "GBA1" }]
    assert.deepStrictEqual((read({ text: "t", tasks }) as { readonly tasks: unknown }).tasks, [
      { question: "Which?", answer: "GBA1" },
      { question: "Name it.\n\nG.", answer: "GBA1" }
    ])
  })
  it("tells of what is not used", () => {
    const { lines, notes } = noted()
    toRow({ messages: [{ ...asked, name: "x" }, said], source: "s", where: 1 }, new Set(["where"]), notes)
    toRow({ text: "a", content: "b" }, none, notes)
    assert.deepStrictEqual(lines, ["unused source", "unused messages.name", "unused content"])
  })
  it("is refused where it is none, or of two forms", () => {
    refused({ query: "q", target: "a" }, /has none of messages.*it has query, target/)
    refused({ messages: [asked], text: "t" }, /messages and text are both given/)
    refused({ messages: [asked], conversations: [asked] }, /messages and conversations are both given/)
    refused({ prompt: "p" }, /is missing/)
    refused({ prompt: "p", completion: [said] }, /both texts, or both lists/)
    refused({ messages: [{ role: "narrator", content: "x" }] }, /"narrator" is no role/)
    refused({ messages: [{ content: "x" }] }, /a message has a role/)
    refused({ messages: ["x"] }, /a message is expected/)
    refused({ messages: [{ role: "user" }] }, /a text is expected/)
    refused({ messages: [{ role: "user", content: [{ type: "image" }] }] }, /have no pictures yet/)
    refused({ messages: [{ ...asked, tool_calls: [1] }] }, /the assistant's alone/)
    refused({ conversations: [{ from: "function_call", value: "{}" }] }, /write tool_calls/)
    refused({ messages: [{ role: "system", content: "a" }, asked], system: "b" }, /is given twice/)
    refused({ text: "t", tasks: [{ answer: "a" }] }, /is missing/)
    refused([], /expected an object/)
  })
})

describe("a preference", () => {
  const prefer = (line: unknown) => toPreference(line, none)
  const texts = { prompt: "Which gene?", chosen: " GBA1", rejected: " GLA" }
  const other = { role: "assistant", content: "GLA" }
  it("has a prompt and two answers, as texts or as messages", () => {
    assert.deepStrictEqual(prefer(texts), { id: undefined, _tag: "Texts", ...texts })
    const chats = { prompt: [asked], chosen: [said], rejected: [other] }
    assert.deepStrictEqual(prefer({ id: "p", ...chats }), { id: "p", _tag: "Chats", ...chats, tools: undefined })
  })
  it("may have its prompt in both answers: what they begin with, less a space", () => {
    assert.deepStrictEqual(prefer({ chosen: "Long fingers? FBN1", rejected: "Long fingers? GLA" }), {
      id: undefined,
      _tag: "Texts",
      prompt: "Long fingers?",
      chosen: " FBN1",
      rejected: " GLA"
    })
    const found = prefer({ chosen: [asked, said], rejected: [asked, other] })
    assert.deepStrictEqual(found, {
      id: undefined,
      _tag: "Chats",
      prompt: [asked],
      chosen: [said],
      rejected: [other],
      tools: undefined
    })
  })
  it("is refused where there is nothing to prefer, or no prompt", () => {
    refused({ ...texts, rejected: texts.chosen }, /equals chosen/, prefer)
    refused({ prompt: [asked], chosen: [said], rejected: [said] }, /equals chosen/, prefer)
    refused({ ...texts, chosen: [said] }, /all texts, or all lists/, prefer)
    refused({ chosen: "a", rejected: "b" }, /do not begin alike/, prefer)
    refused({ chosen: [said], rejected: [other] }, /do not begin alike/, prefer)
    refused({ chosen: [asked], rejected: [asked, said] }, /has no message/, prefer)
    refused({ prompt: "p", chosen: "c" }, /is missing/, prefer)
  })
})
