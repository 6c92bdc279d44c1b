/** Rows that a language model learns from as they are: texts, prompts with completions, chats, documents. */
import * as Schema from "effect/Schema"
import {
  decoder,
  type Fields,
  Id,
  type Notes,
  optional,
  present,
  RecordError,
  silent,
  tellUnused,
  wellFormed
} from "../records/fields.ts"
import { type Turn, turnsOf } from "./turns.ts"

/** A task of a document: what is asked, and the answer. */
export interface DocumentTask {
  readonly question: string
  readonly answer: string
}

/** A row to learn from, in one of the forms of docs/data.md. */
export type Row =
  & { readonly id: string | undefined }
  & (
    | { readonly _tag: "Text"; readonly text: string; readonly tasks: ReadonlyArray<DocumentTask> }
    | { readonly _tag: "Completion"; readonly prompt: string; readonly completion: string }
    /** With `prompt`, the number of messages before those to learn; without it, all of the assistant's are learned. */
    | {
      readonly _tag: "Chat"
      readonly messages: ReadonlyArray<Turn>
      readonly prompt: number | undefined
      readonly tools: ReadonlyArray<unknown> | undefined
    }
    /** Alpaca's columns, or a question with its answer: a prompt and a completion, or a chat of two messages. */
    | { readonly _tag: "Instruction"; readonly instruction: string; readonly output: string }
  )

const Text = Schema.String
const List = Schema.Array(Schema.Unknown)
const Task = Schema.Struct({
  question: optional(Text),
  instruction: optional(Text),
  input: optional(Text),
  answer: optional(Text),
  output: optional(Text)
})

const shape = Schema.Struct({
  id: optional(Id),
  _id: optional(Id),
  text: optional(Text),
  title: optional(Text),
  contents: optional(Text),
  content: optional(Text),
  tasks: optional(Schema.Array(Task)),
  messages: optional(List),
  conversations: optional(List),
  system: optional(Text),
  tools: optional(List),
  prompt: optional(Schema.Union([Text, List])),
  completion: optional(Schema.Union([Text, List])),
  instruction: optional(Text),
  input: optional(Text),
  output: optional(Text),
  question: optional(Text),
  answer: optional(Text)
})
const decode = decoder(shape)
type Columns = typeof shape.Type

/** The fields that rows may have. */
export const rowFields: ReadonlySet<string> = new Set(Object.keys(shape.fields))

const bodies = ["text", "contents", "content"] as const
const chats = ["messages", "conversations"] as const

/** The columns that tell the form of a row, in the order in which they are looked for. */
const forms = [
  { _tag: "Chat", by: chats },
  { _tag: "Completion", by: ["prompt", "completion"] },
  { _tag: "Instruction", by: ["instruction", "output", "question", "answer"] },
  { _tag: "Text", by: bodies }
] as const

const formOf = (fields: Fields) => {
  const found = forms.filter(({ by }) => by.some((name) => name in fields))
  const [first, second] = found
  if (first === undefined) {
    throw new RecordError(
      "",
      "has none of messages, conversations, prompt and completion, instruction and output, question and answer, or text: it has "
        + (Object.keys(fields).slice(0, 12).join(", ") || "no field")
    )
  }
  if (second !== undefined) {
    const names = found.map(({ by }) => by.find((name) => name in fields)!)
    throw new RecordError(names[1]!, `${names.join(" and ")} are both given: which is to be learned?`)
  }
  return first._tag
}

const needed = <A>(field: string, value: A | undefined): A => {
  if (value === undefined) throw new RecordError(field, "is missing")
  return value
}

const clean = (notes: Notes) => (text: string): string => wellFormed(text, notes)

/** Where each form reads its columns. */
const used: Readonly<Record<Row["_tag"], ReadonlyArray<string>>> = {
  Text: ["text", "title", "contents", "content", "tasks"],
  Completion: ["prompt", "completion", "tools"],
  Chat: ["messages", "conversations", "system", "tools"],
  Instruction: ["instruction", "input", "output", "question", "answer", "system"]
}

const document = (row: Columns, notes: Notes): Row => {
  const body = bodies.find((name) => row[name] !== undefined)!
  for (const name of bodies) if (name !== body && row[name] !== undefined) notes.unused(name)
  const own = clean(notes)
  const text = [row.title, row[body]].filter((part) => part !== undefined).map(own).join("\n")
  const tasks = (row.tasks ?? []).map((task, i) => {
    const question = [task.question ?? task.instruction, task.input].filter((part) => part !== undefined).join("\n\n")
    const answer = task.answer ?? task.output
    if (question === "") throw new RecordError(`tasks.${i}.question`, "is missing")
    return { question: own(question), answer: own(needed(`tasks.${i}.answer`, answer)) }
  })
  return { id: undefined, _tag: "Text", text, tasks }
}

const completion = ({ completion: after, prompt: before, tools }: Columns, notes: Notes): Row => {
  const [prompt, completion] = [needed("prompt", before), needed("completion", after)]
  if (typeof prompt === "string" && typeof completion === "string") {
    if (tools !== undefined) throw new RecordError("tools", "are for messages; prompt and completion are texts")
    return { id: undefined, _tag: "Completion", prompt: clean(notes)(prompt), completion: clean(notes)(completion) }
  }
  if (typeof prompt === "string" || typeof completion === "string") {
    throw new RecordError("completion", "prompt and completion are both texts, or both lists of messages")
  }
  const [asked, answered] = [turnsOf("prompt", prompt, notes), turnsOf("completion", completion, notes)]
  return { id: undefined, _tag: "Chat", messages: [...asked, ...answered], prompt: asked.length, tools }
}

const chat = (row: Columns, notes: Notes): Row => {
  const [name, other] = chats.filter((own) => row[own] !== undefined)
  if (other !== undefined) throw new RecordError(other, `${name} and ${other} are both given`)
  const turns = turnsOf(name!, row[name!]!, notes)
  const system = row.system === undefined ? [] : [{ role: "system", content: clean(notes)(row.system) }]
  if (system.length > 0 && turns[0]?.role === "system") {
    throw new RecordError("system", `is given twice: ${name} begins with a system message`)
  }
  return { id: undefined, _tag: "Chat", messages: [...system, ...turns], prompt: undefined, tools: row.tools }
}

/** Fields with the choices of a question, which its answer may name by a letter or a number. */
const choices = ["options", "choices"]

const instruction = (row: Columns, notes: Notes, fields: Fields): Row => {
  const { answer: right, input, instruction: task, output, question, system } = row
  const [what, own] = [question === undefined ? "instruction" : "question", clean(notes)]
  if (task !== undefined && question !== undefined) {
    throw new RecordError("question", "instruction and question are both given")
  }
  if (output !== undefined && right !== undefined) throw new RecordError("answer", "output and answer are both given")
  const options = choices.find((name) => name in fields)
  if (options !== undefined) {
    throw new RecordError(
      options,
      "a question with options is not learned as a text; write it out, with its answer's text"
    )
  }
  const said = [needed(what, task ?? question), input].filter((part) => part !== undefined).map(own).join("\n\n")
  const answer = own(needed(question === undefined ? "output" : "answer", output ?? right))
  if (system === undefined) return { id: undefined, _tag: "Instruction", instruction: said, output: answer }
  const messages = [{ role: "system", content: own(system) }, { role: "user", content: said }]
  return {
    id: undefined,
    _tag: "Chat",
    messages: [...messages, { role: "assistant", content: answer }],
    prompt: undefined,
    tools: undefined
  }
}

const readers = { Text: document, Completion: completion, Chat: chat, Instruction: instruction } as const

/**
 * A row in one of the forms: `messages` or sharegpt's `conversations` (with `system` and `tools`), `prompt` and
 * `completion` as texts or as messages, Alpaca's `instruction`, `input` and `output`, `question` and `answer`, or `text` with
 * a `title` before it and the document's `tasks`.
 *
 * @throws RecordError if it has no such columns, or those of two forms
 */
export const toRow = (line: unknown, also: ReadonlySet<string>, notes: Notes = silent): Row => {
  const fields = present(line)
  const tag = formOf(fields)
  const row = decode(fields)
  const known = new Set([...used[tag], "id", "_id"])
  tellUnused(fields, (name) => known.has(name) || also.has(name), notes)
  const id = row.id ?? row._id
  return { ...readers[tag](row, notes, fields), id: id === undefined ? undefined : String(id) }
}
