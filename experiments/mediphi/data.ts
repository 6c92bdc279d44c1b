/**
 * Data for MediPhi in small, from MTS-Dialog, MedQuAD and PubMedQA:
 *
 *     node experiments/mediphi/data.ts DATA OUT [WORDS]
 *
 * - `NAME.tasks.jsonl` (`question`, `answer`) and `NAME.documents.jsonl` (`text`, `tasks`): what the experts `dialogue`, `consumer` and
 *   `literature` learn from: notes of conversations, answers to consumers' questions, conclusions of abstracts.
 * - `NAME.dev.jsonl`, `NAME.test.jsonl`: records of dev.yaml and test.yaml.
 *
 * Documents of more than WORDS (350) words are left out of training; nothing is cut. What a later split has as well (test, then dev,
 * by the words of a question or conversation) is left out of training; all that is left out is counted. PubMedQA has no dev split: a
 * hundred of its training questions are that, or a quarter of fewer than 400. Options of a consumer's question are its answer and those to three others, drawn by
 * the question's id.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"

const [data, out, most = "350"] = process.argv.slice(2)
if (data === undefined || out === undefined) throw new Error("usage: data.ts DATA OUT [WORDS]")
mkdirSync(out, { recursive: true })

type Split = "train" | "dev" | "test"
/** A question about a document, with its answer and what its records have besides. */
interface Item {
  readonly id: string
  readonly split: Split
  readonly document: string
  readonly question: string
  /** The question as it is asked after the document. */
  readonly after: string
  readonly answer: string
  readonly record: Readonly<Record<string, unknown>>
}

const linesOf = <A>(path: string): ReadonlyArray<A> => {
  const bytes = readFileSync(join(data, path))
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as A)
}
const hash = (text: string): string => createHash("sha256").update(text).digest("hex")
const drawn = <A extends { readonly id: string }>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
  items.toSorted((a, b) => hash(a.id) < hash(b.id) ? -1 : 1)
const words = (text: string): number => text.split(/\s+/).length
const same = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, " ").trim()

const lines = (name: string, records: ReadonlyArray<object>): void =>
  writeFileSync(join(out, name), records.map((record) => `${JSON.stringify(record)}\n`).join(""))

/** Writes an expert's files; `key` is what must not be in two splits. */
const expert = (name: string, items: ReadonlyArray<Item>, key: (item: Item) => string): void => {
  const seen = new Set<string>()
  const kept: Array<Item> = []
  let repeated = 0
  for (const split of ["test", "dev", "train"] as const) {
    for (const item of drawn(items.filter((own) => own.split === split))) {
      if (seen.has(same(key(item)))) repeated++
      else kept.push(item)
      seen.add(same(key(item)))
    }
  }
  const train = kept.filter(({ split }) => split === "train")
  const short = train.filter(({ document }) => words(document) <= Number(most))
  lines(`${name}.tasks.jsonl`, short.map(({ answer, id, question }) => ({ id, question, answer })))
  const documents = Map.groupBy(short, ({ document }) => document)
  lines(
    `${name}.documents.jsonl`,
    [...documents].map(([text, tasks]) => ({
      text,
      tasks: tasks.map(({ after, answer }) => ({ question: after, answer }))
    }))
  )
  for (const split of ["dev", "test"] as const) {
    lines(`${name}.${split}.jsonl`, kept.filter((own) => own.split === split).map(({ id, record }) => Object.assign({ id }, record)))
  }
  process.stdout.write(
    `${name}: ${short.length} tasks of ${documents.size} documents (${train.length - short.length} of more than ${most} words, `
      + `${repeated} repeated or in a later split left out), ${kept.filter(({ split }) => split === "dev").length} dev, `
      + `${kept.filter(({ split }) => split === "test").length} test\n`
  )
}

const noteQuestion = (section: string): string => `Write the section ${section} of the note.`
interface Dialogue {
  readonly id: string
  readonly split: Split | "test1" | "test2"
  readonly section: string
  readonly note: string
  readonly dialogue: string
}
expert(
  "dialogue",
  linesOf<Dialogue>("mts_dialog/mts_dialog.jsonl").filter(({ split }) => split !== "test2").map((own) => ({
    id: own.id,
    split: own.split === "train" || own.split === "dev" ? own.split : "test",
    document: own.dialogue,
    question: `Conversation:\n${own.dialogue}\n\n${noteQuestion(own.section)}`,
    after: noteQuestion(own.section),
    answer: own.note,
    record: { dialogue: own.dialogue, section: own.section, note: own.note }
  })),
  ({ document }) => document
)

interface Passage {
  readonly id: string
  readonly text: string
}
interface Question {
  readonly id: string
  readonly split: Split
  readonly text: string
  readonly doc: string
  readonly gold: ReadonlyArray<string>
}
/** Passages by id, without those whose id stands for several: a question of such an id would get the answer to another. */
const byId = Map.groupBy(linesOf<Passage>("medquad/passages.jsonl.gz"), ({ id }) => id)
const single = [...byId.values()].filter((own) => own.length === 1).flat()
const passages = new Map(single.map(({ id, text }) => [id, text]))
process.stdout.write(`consumer: ${byId.size - single.length} ids of several passages left out\n`)
const consumers = linesOf<Question>("medquad/questions.jsonl.gz").filter(({ gold }) => passages.has(gold[0]!))
const first = (text: string): string => text.split(/(?<=[.!?])\s+/).slice(0, 2).join(" ").split(/\s+/).slice(0, 40).join(" ")
/** The beginnings of the right answer and of three others, and the right one's place. */
const options = ({ gold, id }: Question) => {
  const right = first(passages.get(gold[0]!)!)
  const start = Number.parseInt(hash(id).slice(0, 8), 16)
  const others: Array<string> = []
  for (let i = 0; i < consumers.length && others.length < 3; i++) {
    const other = first(passages.get(consumers[(start + 7919 * i) % consumers.length]!.gold[0]!)!)
    if (other !== right && !others.includes(other)) others.push(other)
  }
  if (others.length < 3) throw new Error(`question ${id}: there are ${others.length} other answers, and 3 are needed`)
  return { choices: others.toSpliced(start % 4, 0, right), gold: start % 4 }
}
expert(
  "consumer",
  consumers.map((own) => ({
    id: own.id,
    split: own.split,
    document: passages.get(own.gold[0]!)!,
    question: own.text,
    after: own.text,
    answer: passages.get(own.gold[0]!)!,
    record: own.split === "train" ? {} : { question: own.text, doc: own.doc, ...options(own) }
  })),
  ({ question }) => question
)

interface Abstract {
  readonly id: string
  readonly split: "train_cv" | "test"
  readonly question: string
  readonly contexts: ReadonlyArray<string>
  readonly long_answer: string
  readonly answer: string
}
const abstracts = linesOf<Abstract>("pubmedqa/pqal.jsonl.gz")
const training = drawn(abstracts.filter(({ split }) => split === "train_cv"))
const dev = new Set(training.slice(0, Math.min(100, Math.floor(training.length / 4))).map(({ id }) => id))
expert(
  "literature",
  abstracts.map((own) => ({
    id: own.id,
    split: own.split === "test" ? "test" : dev.has(own.id) ? "dev" : "train",
    document: own.contexts.join(" "),
    question: `Abstract: ${own.contexts.join(" ")}\nQuestion: ${own.question}`,
    after: `Question: ${own.question}`,
    answer: own.long_answer,
    record: { question: own.question, contexts: own.contexts, answer: own.answer }
  })),
  ({ question }) => question
)
