/** Program: writes a hard negative for each training triple (STM, section 3.2: synthetic hard negatives). */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Triple, triplesOf } from "../../datasets/triples.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { FileError } from "../../runtime/files/disk.ts"
import type { Corpus } from "../../runtime/ports/Corpus.ts"
import type { Retriever, RetrieverError } from "../../runtime/ports/Retriever.ts"
import type { Writer, WriteRequest, WriterError } from "../../runtime/ports/Writer.ts"
import { load, type Template } from "../writing/template.ts"
import { band, judged, type Negative, ofTexts, sourceOf } from "./filters.ts"
import { apart, written } from "./output.ts"
import { estimate, type Provenance, type Task, writeText } from "./pipeline.ts"
import { fileSource } from "./source.ts"

/** What is written, and where. */
export interface HardNegativeOptions {
  /** Triples in FlagEmbedding's form. */
  readonly input: string
  readonly output: string
  /** Prompt files; those of the package if omitted. */
  readonly prompt: string | undefined
  readonly judgePrompt: string | undefined
  /** Whether the writer judges its own negatives. */
  readonly judge: boolean
  /** Negatives written for each triple. */
  readonly samples: number
  /** Whether a negative takes the place of the mined one it was written from, or joins the others. */
  readonly negatives: "replace" | "join"
  /** Greatest length of a negative in tokens. */
  readonly maxTokens: number
  /** What is searched for, where a record has no `prompt` of its own. */
  readonly task: string
  readonly skipBad: boolean
  /** The licence of the triples, for the card. */
  readonly licence: string | undefined
}

/** The retrieval task of records that name none. */
export const TASK = "Given a query, find the documents that answer it."

const places = { query: "needed", positive: "needed", negative: "possible", task: "possible" } as const
const judgePlaces = { query: "needed", document: "needed" } as const

const taskOf = ({ fields }: Triple, otherwise: string): string => {
  const own = fields["prompt"]
  return typeof own === "string" && own.trim() !== "" ? own : otherwise
}

const requestOf = (o: HardNegativeOptions, { turns }: Template) => (item: Triple, sample: number): WriteRequest => {
  const { negative, positive } = sourceOf(item, sample)
  const own = turns({ query: item.query, positive, negative: negative ?? "(none)", task: taskOf(item, o.task) })
  return { turns: own, max_tokens: o.maxTokens, sample }
}

/** A synthetic negative's place in `neg`, and where it is from. */
interface Synthetic extends Provenance {
  readonly index: number
}

/** Scores of a teacher, which new negatives have none of. */
const scores = ["pos_scores", "neg_scores"] as const

/**
 * The record of a triple with its new negatives, and where each is from in `synthetic`; a record without any is as it
 * was. Scores of passages are left out of a record that changes.
 */
export const recordOf = (
  { fields, neg }: Triple,
  drafts: ReadonlyArray<Negative>,
  negatives: HardNegativeOptions["negatives"],
  from: (draft: Negative) => Provenance
): Triple["fields"] => {
  if (drafts.length === 0) return fields
  const texts = [...neg]
  const made = drafts.map((draft): Synthetic => {
    const replaced = negatives === "replace" && draft.sample < neg.length
    const index = replaced ? draft.sample : texts.length
    texts[index] = draft.value
    return { index, ...from(draft) }
  })
  const before = Array.isArray(fields["synthetic"]) ? fields["synthetic"] as ReadonlyArray<Synthetic> : []
  const places = new Set(made.map(({ index }) => index))
  const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => !scores.some((own) => own === name)))
  return { ...rest, neg: texts, synthetic: [...before.filter(({ index }) => !places.has(index)), ...made] }
}

/** What reading the whole input tells, before anything is asked. */
const surveyed = Effect.fnUntraced(function*({ input, skipBad }: HardNegativeOptions) {
  const found = { items: 0, bare: 0, scored: 0, bad: 0 }
  let first: FileError | undefined
  const skip = (error: FileError) => {
    first ??= error
    found.bad++
  }
  yield* Stream.runForEach(triplesOf(input, skipBad ? skip : undefined), ({ fields, neg }) =>
    Effect.sync(() => {
      found.items++
      if (neg.length === 0) found.bare++
      if (scores.some((name) => fields[name] !== undefined)) found.scored++
    }))
  if (found.items === 0) return yield* new ConfigError({ source: input, problems: ["has no triple"] })
  const told = [
    found.bad > 0 && `${found.bad} malformed records are left out (first: ${first!.place}: ${first!.reason})`,
    found.bare > 0 &&
    `${found.bare} of ${found.items} records have no negative: theirs are written without one to go by`,
    found.scored > 0 && `${found.scored} records have scores of their passages, which those that change lose`
  ].filter((line) => line !== false)
  for (const line of told) yield* Effect.logWarning(`${input}: ${line}`)
  return found.items
})

const lenient = ({ input, skipBad }: HardNegativeOptions) => triplesOf(input, skipBad ? () => undefined : undefined)

/** How negatives are scored: a layer of the retriever over a corpus of them. */
export type Scorer<E, R> = Layer.Layer<Retriever, E, R | Corpus> | undefined

const taskFor = Effect.fnUntraced(function*<E, R>(o: HardNegativeOptions, scorer: Scorer<E, R>) {
  const prompt = yield* load(o.prompt, "hard-negative", places)
  const judge = o.judge ? yield* load(o.judgePrompt, "judge-relevance", judgePlaces) : undefined
  const task: Task<Triple, string, E | RetrieverError | WriterError, Exclude<R, Corpus> | Writer> = {
    name: "hard negatives",
    samples: o.samples,
    request: requestOf(o, prompt),
    write: writeText,
    filters: [
      ...ofTexts(prompt),
      ...(scorer ? [band(scorer)] : []),
      ...(judge ? [judged(judge, o.maxTokens)] : [])
    ]
  }
  return { prompt, task }
})

/** What writing the negatives would take, without a request. */
export const plan = Effect.fnUntraced(function*(o: HardNegativeOptions) {
  yield* surveyed(o)
  const { task } = yield* taskFor(o, undefined)
  return yield* estimate(task, lenient(o))
})

/**
 * Writes the records with their new negatives, in the order of the input, and a report and a card beside them; nothing, if
 * requests wait in files for their answers.
 */
export const hardNegatives = Effect.fn("hardNegatives")(function*<E, R>(o: HardNegativeOptions, scorer: Scorer<E, R>) {
  yield* apart([o.input], [o.output])
  const { prompt, task } = yield* taskFor(o, scorer)
  const total = yield* surveyed(o)
  const about = {
    what: "Training triples with hard negatives that a model wrote (`synthetic` names them).",
    source: yield* fileSource(o.input),
    licence: o.licence
  }
  return yield* written(
    o.output,
    { task, prompt, items: lenient(o), total },
    about,
    (item, drafts, from) => [recordOf(item, drafts, o.negatives, (draft) => from(draft, [item.id]))]
  )
})
