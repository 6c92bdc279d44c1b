/** Rows of the training file as tokens: examples and documents. */
import * as Effect from "effect/Effect"
import * as Examples from "../../datasets/examples.ts"
import { type Row, toRow } from "../../domain/examples/rows.ts"
import { type Example, learnedOf, packed, type TokenRecord } from "../../domain/examples/tokens.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { documentsOf, examplesOf, type ExampleSources } from "../../runtime/language/examples/examples.ts"
import type { TokenRows } from "../System.ts"
import { fitted } from "./fitting.ts"
import { type MediphiConfig, packingOf } from "./settings.ts"
import { inRow, sources } from "./sources.ts"

type Identified = Row & { readonly id: string }
type Document = Identified & { readonly _tag: "Text" }

const refused = (c: MediphiConfig, problem: string) => new ConfigError({ source: c.train_file, problems: [problem] })

const plain = (text: string): string => text.normalize("NFKC").toLowerCase().split(/\s+/).join(" ").trim()

/** Documents without those whose text has come before. */
const distinct = (documents: ReadonlyArray<Document>): ReadonlyArray<Document> => {
  const seen = new Set<string>()
  return documents.filter(({ text }) => {
    const key = plain(text)
    const first = !seen.has(key)
    seen.add(key)
    return first
  })
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((all, one) => all + one, 0)

/** Documents as examples: every token is learned, those of tasks as the settings say. */
const documents = Effect.fnUntraced(function*(c: MediphiConfig, o: ExampleSources, rows: ReadonlyArray<Identified>) {
  const other = rows.find(({ _tag }) => _tag !== "Text")
  if (other !== undefined) {
    return yield* refused(c, `row ${other.id} is no document with a text; mode sft learns from chats and completions`)
  }
  const all = rows as ReadonlyArray<Document>
  const own = c.deduplicate ? distinct(all) : all
  const tasks = sum(own.map((document) => document.tasks.length))
  const groups = Array.from(
    { length: Math.ceil(own.length / c.documents_per_example) },
    (_, i) => own.slice(i * c.documents_per_example, (i + 1) * c.documents_per_example)
  )
  const told = [
    own.length < all.length
    && `${all.length - own.length} of ${all.length} documents are given before, and are left out (deduplicate)`,
    tasks > 0 && c.document_tasks === "none" && `${tasks} tasks of documents are not learned (document_tasks: none)`,
    tasks === 0 && c.document_tasks !== "none" && "no document has tasks (document_tasks)"
  ].filter((line) => line !== false)
  const examples = groups.map((group): Example => {
    const { ids, learned } = documentsOf(o, group)
    return { id: group[0]!.id, ids, learned }
  })
  return { examples, told, counts: { documents: own.length, tasks: c.document_tasks === "none" ? 0 : tasks } }
})

const ofSft = Effect.fnUntraced(function*(o: ExampleSources, rows: ReadonlyArray<Identified>) {
  const examples = yield* Effect.forEach(rows, (row) => inRow(row.id, examplesOf(o, row.id, row)))
  const tasks = rows.filter((row) => row._tag === "Text" && row.tasks.length > 0)
  const told = tasks.length === 0 ? [] : [`${tasks.length} texts have tasks, which mode pretrain learns`]
  return { examples: examples.flat(), told, counts: {} }
})

const counted = (given: Readonly<Record<string, number>>, examples: number, rows: ReadonlyArray<TokenRecord>) => ({
  ...given,
  examples,
  tokens: sum(rows.map(({ ids }) => ids.length)),
  "learned tokens": sum(rows.map(learnedOf)),
  rows: rows.length
})

/** Refuses examples of which nothing is learned. */
const checkLearned = (c: MediphiConfig, examples: ReadonlyArray<Example>) => {
  const mute = examples.filter((own) => learnedOf(own) === 0)
  return mute.length === 0 ? Effect.void : Effect.fail(refused(
    c,
    `${mute.length} of ${examples.length} examples have no token to learn (first: ${
      mute[0]!.id
    }): nothing is said by the assistant, or the text is empty`
  ))
}

/** The training file as it is. */
const given = (c: MediphiConfig) =>
  Examples.rows<Row>(c.train_file, toRow, { where: c.train_where, skipBad: c.skip_bad_lines })

const wordsOf = (row: Row): ReadonlyArray<string> => {
  switch (row._tag) {
    case "Text":
      return [row.text, ...row.tasks.flatMap(({ answer, question }) => [question, answer])]
    case "Completion":
      return [row.prompt, row.completion]
    case "Instruction":
      return [row.instruction, row.output]
    case "Chat":
      return row.messages.map(({ content }) => content)
  }
}

/** The words of the rows. */
export const textWords = Effect.fnUntraced(function*(c: MediphiConfig) {
  return (yield* given(c)).records.flatMap(wordsOf)
})

/** The rows of the training file, packed. */
export const textRows = Effect.fnUntraced(function*(c: MediphiConfig) {
  const loaded = yield* given(c)
  const o = yield* sources(c, c.mode === "sft" ? c : { ...c, train_on_inputs: true })
  const rows = loaded.records as ReadonlyArray<Identified>
  const made = c.mode === "pretrain" ? yield* documents(c, o, rows) : yield* ofSft(o, rows)
  yield* checkLearned(c, made.examples)
  const packing = packingOf(c)
  const splits = packing === "bfd_split" || packing === "wrapped"
  const fit = splits ? { kept: made.examples, told: [] } : yield* fitted(c, made.examples)
  const records = packed(fit.kept, packing, c.max_length)
  return {
    records,
    texts: made.examples.map(({ ids }) => ids),
    told: [...loaded.told, ...made.told, ...fit.told],
    counts: counted(made.counts, fit.kept.length, records)
  } satisfies TokenRows as TokenRows
})
