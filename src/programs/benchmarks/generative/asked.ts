/** What a generative task asks of each record: its prompt, and its right answers. */
import * as Effect from "effect/Effect"
import type { Document } from "../../../datasets/benchmarks/records.ts"
import type { GenerativeTask } from "../../../domain/benchmarks/generativeTask.ts"
import { optionsIn, reordered } from "../../../domain/benchmarks/orders.ts"
import { beforeChoice, dialogue, plain, type PromptParts, type Shot } from "../../../domain/benchmarks/prompts.ts"
import { type Chat, type Text, text } from "../../../domain/Content.ts"
import * as Key from "../../../domain/Key.ts"
import { type Literal, literalOf } from "../../../domain/pythonLiteral.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import { ordersOf } from "../../../domain/verdicts/orders.ts"
import { recordTemplate } from "../../../runtime/language/templates/jinja/records.ts"

/** What is asked of a record. */
export interface Asked {
  /** Its place in the split. */
  readonly at: number
  readonly id: string
  readonly group: string
  readonly prompt: Chat
  /** Choices, if there are any, and what is put before each in a continuation. */
  readonly choices: ReadonlyArray<string>
  readonly before: string
  /** Right answers as texts; of choices, their places. */
  readonly references: ReadonlyArray<string>
  readonly gold: ReadonlyArray<number>
  /** The same record with its options in other orders, if a metric needs them. */
  readonly orders?: ReadonlyArray<Reordered>
}

/** A record with option `order[i]` as choice i. */
export interface Reordered extends Pick<Asked, "prompt" | "choices" | "before"> {
  readonly order: ReadonlyArray<number>
}

/** How prompts are made. */
export interface AskingOptions {
  readonly chat: boolean
  readonly seed: number
  /** Whether a prompt that is too long may lose its beginning. */
  readonly cuts: boolean
}

/** A record's field, a template over it, or a constant. */
type Reader<A> = (document: Document) => A

/** A text of a record: the column that is named, or a template. @throws TemplateError */
const textOf = (given: string, columns: ReadonlySet<string>): Reader<string> => {
  if (columns.has(given)) {
    return (document) => {
      const value = document[given]
      if (typeof value === "string" || typeof value === "number") return String(value)
      throw new Error(value === undefined ? `the record has no ${given}` : `${given} is no text`)
    }
  }
  const template = recordTemplate(given)
  return template.render
}

const isTexts = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every((own) => typeof own === "string")

/** The choices of a record: a constant list, a column, or a template of a list in Python's form. */
const choicesOf = (
  given: GenerativeTask["doc_to_choice"],
  columns: ReadonlySet<string>
): Reader<ReadonlyArray<string>> => {
  if (given === undefined) return () => []
  if (typeof given !== "string") return () => given
  const read = columns.has(given) ? (document: Document) => document[given] : (() => {
    const rendered = textOf(given, columns)
    return (document: Document) => literalOf(rendered(document))
  })()
  return (document) => {
    const value = read(document)
    const listed = Array.isArray(value)
      ? (value as ReadonlyArray<unknown>).map((own) => typeof own === "number" ? String(own) : own)
      : value
    if (isTexts(listed) && listed.length > 0) return listed
    throw new Error("doc_to_choice is no list of texts")
  }
}

/** The target of a record: an index, a text or a list. */
const targetOf = (
  { doc_to_choice, doc_to_target: given }: GenerativeTask,
  columns: ReadonlySet<string>
): Reader<Literal> => {
  if (typeof given === "number") return () => given
  if (columns.has(given)) {
    return (document) => {
      const value = document[given]
      if (typeof value === "string" || typeof value === "number") return value
      if (Array.isArray(value)) return value as ReadonlyArray<Literal>
      throw new Error(
        value === undefined ? `the record has no ${given}` : `${given} is neither a text, a number nor a list`
      )
    }
  }
  const rendered = textOf(given, columns)
  return (document) => {
    const text = rendered(document)
    if (doc_to_choice !== undefined && /^\d+$/.test(text)) return Number(text)
    return /^\[[^]*\]$/.test(text) ? literalOf(text) ?? text : text
  }
}

/** References and places of a target among the choices. */
const answersOf = (target: Literal, choices: ReadonlyArray<string>) => {
  const all = Array.isArray(target) ? target as ReadonlyArray<Literal> : [target]
  if (choices.length === 0) return { references: all.map(String), gold: [] }
  const gold = all.map((own) => typeof own === "number" ? own : choices.indexOf(String(own)))
  const lost = gold.findIndex((place) => choices[place] === undefined)
  if (lost >= 0) throw new Error(`the target ${JSON.stringify(all[lost])} is none of the ${choices.length} choices`)
  return { references: gold.map((place) => choices[place]!), gold }
}

/** The readers of a task's templates. */
const readersOf = (task: GenerativeTask, documents: ReadonlyArray<Document>) => {
  const columns = new Set(documents.flatMap((document) => Object.keys(document)))
  return {
    question: textOf(task.doc_to_text, columns),
    prefix: textOf(task.gen_prefix ?? "", columns),
    description: textOf(task.description ?? "", columns),
    choices: choicesOf(task.doc_to_choice, columns),
    target: targetOf(task, columns)
  }
}
type Readers = ReturnType<typeof readersOf>

const shotOf = (r: Readers, document: Document): Shot => {
  const { references: [answer] } = answersOf(r.target(document), r.choices(document))
  if (answer === undefined) throw new Error("an example has no answer")
  return { text: r.question(document), prefix: r.prefix(document), answer }
}

/** The places of a record's examples: the first of the pool, or drawn under a key of the record; never the record itself. */
const drawn = (task: GenerativeTask, pool: ReadonlyArray<string>, self: string, at: number, seed: number) => {
  const { fewshot_config, num_fewshot: count } = task
  const order = fewshot_config?.sampler === "first_n" || fewshot_config?.samples !== undefined
    ? pool.keys()
    : Key.permutation(Key.fold(Key.make(seed), "fewshot", task.task, at), pool.length).values()
  const places: Array<number> = []
  for (const place of order) {
    if (places.length === count) break
    if (pool[place] !== self) places.push(place)
  }
  if (places.length === count) return places
  throw new Error(`there are ${places.length} examples to draw from, and num_fewshot is ${count}`)
}

/** The message of a dialogue; that of the record's question may lose its beginning. */
const messagesOf = (p: PromptParts, { chat, cuts }: AskingOptions): Chat => {
  const part = (own: string): Text => cuts && own !== "" ? { ...text(own), cut: [[0, own.length]] } : text(own)
  if (!chat) return [{ role: "user", content: [part(plain(p))] }]
  const said = dialogue(p)
  const last = said.findLastIndex(({ role }) => role === "user")
  return said.map(({ role, text: own }, i) => ({ role, content: [i === last ? part(own) : text(own)] }))
}

const idOf = ({ id, _id, qid }: Document, at: number): string => {
  const own = [id, _id, qid].find((value) => typeof value === "string" || typeof value === "number")
  return own === undefined ? String(at) : String(own)
}

/** The record in other orders of its options, drawn under a key of it, if a metric needs them. @throws Error */
const othersOf = (
  { metrics, task }: GenerativeTask,
  document: Document,
  at: number,
  choices: number,
  asked: (document: Document) => Omit<Reordered, "order">,
  seed: number
): Pick<Asked, "orders"> => {
  const spec = metrics.find(({ orders }) => orders !== undefined)?.orders
  if (spec === undefined) return {}
  const options = optionsIn(document, spec)
  if (options !== choices) {
    throw new Error(`${spec.options} has ${options} options, and doc_to_choice ${choices} (debiased_acc)`)
  }
  const key = Key.fold(Key.make(seed), "orders", task, at)
  const others = ordersOf(key, options, spec.count).slice(1)
  return { orders: others.map((order) => Object.assign(asked(reordered(document, order, spec)), { order })) }
}

/** What a task asks of each record; fails at a record that a template or a target does not fit. */
export const askedOf = Effect.fnUntraced(function*(
  task: GenerativeTask,
  documents: ReadonlyArray<Document>,
  examples: ReadonlyArray<Document>,
  options: AskingOptions
) {
  const fail = (place: string) => (cause: unknown) =>
    new ConfigError({ source: `task ${task.task}`, problems: [`${place}${(cause as Error).message}`] })
  const readers = yield* Effect.try({ try: () => readersOf(task, [...documents, ...examples]), catch: fail("") })
  const pool = task.num_fewshot === 0 ? [] : examples.map((own) => JSON.stringify(own))
  /** The prompt and choices of a record as it is, or with its options in another order; examples are never the record itself. */
  const bare = (document: Document, at: number, self: string) => {
    const places = pool.length === 0 ? [] : drawn(task, pool, self, at, options.seed)
    const choices = readers.choices(document)
    const parts: PromptParts = {
      system: task.system ?? "",
      description: readers.description(document),
      shots: places.map((place) => shotOf(readers, examples[place]!)),
      question: { text: readers.question(document), prefix: readers.prefix(document) },
      target_delimiter: task.target_delimiter,
      fewshot_delimiter: task.fewshot_delimiter
    }
    return { prompt: messagesOf(parts, options), choices, before: beforeChoice(parts, options.chat) }
  }
  const one = (document: Document, at: number): Asked => {
    const self = JSON.stringify(document)
    const asked = bare(document, at, self)
    const id = idOf(document, at)
    const group = task.group_field === undefined ? id : document[task.group_field]
    if (group === undefined) throw new Error(`has no ${task.group_field!} (group_field)`)
    return {
      at,
      id,
      group: String(group),
      ...asked,
      ...answersOf(readers.target(document), asked.choices),
      ...othersOf(task, document, at, asked.choices.length, (own) => bare(own, at, self), options.seed)
    }
  }
  if (task.num_fewshot > 0 && pool.length === 0) return yield* fail("")(new Error("num_fewshot needs examples"))
  return yield* Effect.forEach(
    documents,
    (document, at) => Effect.try({ try: () => one(document, at), catch: fail(`record ${idOf(document, at)}: `) })
  )
})
