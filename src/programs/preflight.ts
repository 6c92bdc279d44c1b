/** Checks whether questions and passages fit the configured lengths, before either model is loaded. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { MOST_OPTIONS, queryOf } from "../domain/records/options.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import { IMAGE, showsImage } from "../domain/settings/placeholders.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { refusal } from "../runtime/language/generation/writing.ts"
import type { Corpus, CorpusError } from "../runtime/ports/Corpus.ts"
import * as RetrieverFolder from "../runtime/retrieval/folder.ts"
import { modeOf } from "../systems/all.ts"
import { listed, passagesOf, type Share, share, spread, type Texts } from "./cutTexts.ts"
import { decodable, showable, unseen } from "./pictures.ts"
import { type Long, type Prompts, promptsOf, quietly, tooLong, type Use } from "./promptLengths.ts"

export type { Long, Use }

const reads = (c: RunConfig): boolean => modeOf(c).traits.reader !== "none"
/** Whether the mode's retriever encodes queries and passages as texts. */
const encodes = (c: RunConfig): boolean => {
  const { queries, retriever } = modeOf(c).traits
  return queries === undefined && (retriever === "frozen" || retriever === "trained")
}

/** Lines already logged: several parts of a command may check the same corpus or questions. */
const told = new Set<string>()
const warn = (line: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (told.has(line)) return Effect.void
    told.add(line)
    return Effect.logWarning(line)
  })

/** Logs that pictures are not shown to the reader. */
const tellUnseen = (c: RunConfig, source: string, part: Parameters<typeof unseen>[1], pictures: number) => {
  const line = unseen(c, part, pictures)
  return line === undefined ? Effect.void : warn(`${source}: ${line}`)
}

const FEW = 3
const named = (long: ReadonlyArray<Long>): string =>
  long.slice(0, FEW).map(({ id, tokens }) => `${id} (${tokens} tokens)`).join(", ") + (long.length > FEW ? ", ..." : "")

const questions = (n: number): string => `${n} question${n === 1 ? "" : "s"}`

/** Refuses questions with more options than there are letters. */
const unlettered = (source: string, records: ReadonlyArray<QuestionRecord>): Effect.Effect<void, ConfigError> => {
  const many = records.filter(({ options }) => options.length > MOST_OPTIONS)
  if (many.length === 0) return Effect.void
  const { id, options } = many[0]!
  const problem = `${questions(many.length)} with more than ${MOST_OPTIONS} options, the letters there are `
    + `(first: ${id}, ${options.length})`
  return Effect.fail(new ConfigError({ source, problems: [problem] }))
}

/** Refuses unsupported generation settings of the model folder, if anything would be generated. */
const writable = Effect.fnUntraced(function*(c: RunConfig, records: ReadonlyArray<QuestionRecord>, p: Prompts) {
  const writes = c.answer_by === "generation" || c.rationale_prompt !== "" ||
    records.some((q) => q.options.length === 0)
  const refused = writes ? refusal(c, p.generation) : undefined
  if (refused) return yield* refused
})

/** The question cut to its last character. */
const lastCharacter = (q: QuestionRecord): QuestionRecord =>
  Object.assign({}, q, { question: [...q.question].at(-1) ?? "" })

/** Handles questions that do not fit; returns those to ask. */
const settle = Effect.fnUntraced(function*(
  c: RunConfig,
  source: string,
  use: Use,
  records: ReadonlyArray<QuestionRecord>,
  p: Prompts
) {
  const long = yield* tooLong(c, use, records, p)
  if (long.length === 0) return { records, long }
  const what = use === "learn" ? "with options and answer" : "with options and room for an answer"
  const line = `${long.length} of ${questions(records.length)} ${what} exceed max_length (${c.max_length}): ${
    named(long)
  }`
  const fail = (problem: string) => new ConfigError({ source, problems: [problem] })
  if (c.excess_length === "raise") {
    return yield* fail(`${line}; raise max_length, or set excess_length: truncate or skip`)
  }
  if (c.excess_length === "truncate") {
    const ids = new Set(long.map(({ id }) => id))
    const bare = records.filter(({ id }) => ids.has(id)).map(lastCharacter)
    const hopeless = yield* tooLong(c, use, bare, p)
    if (hopeless.length > 0) {
      return yield* fail(
        `${questions(hopeless.length)} exceed max_length (${c.max_length}) without a word of their text: ${
          named(hopeless)
        }`
      )
    }
    yield* warn(`${source}: ${line}; the beginning of their text is cut`)
    return { records, long }
  }
  yield* warn(`${source}: ${line}; they are ${use === "learn" ? "not learned from" : "left unanswered"}`)
  const left = new Set(long.map(({ id }) => id))
  const kept = use === "learn" ? records.filter(({ id }) => !left.has(id)) : records
  if (kept.length === 0) return yield* fail("no question is left that fits max_length")
  return { records: kept, long }
})

const percent = ({ about, cut }: Share): string =>
  `${about ? "about " : ""}${cut < 0.001 ? "less than 0.1" : (100 * cut).toFixed(cut < 0.1 ? 1 : 0)}%`
const tellCut = (source: string, what: string, { about, cut }: Share, setting: string): Effect.Effect<void> =>
  cut === 0
    ? Effect.void
    : warn(`${source}: ${percent({ about, cut })} of the ${what} have more tokens than ${setting} and are cut`)

const retriever = (c: RunConfig) => quietly(RetrieverFolder.open(c.retriever_name_or_path, c))

/** Logs how many questions the retriever truncates. */
const tellQueries = Effect.fnUntraced(
  function*(c: RunConfig, source: string, records: ReadonlyArray<QuestionRecord>) {
    if (!encodes(c)) return
    const { lengths, text } = yield* retriever(c)
    const queries = records.map(queryOf(c))
    const cut = yield* share(listed(queries), lengths.query, (own) => text.tokens(own, "query") > lengths.query)
    yield* tellCut(source, "queries", cut, `query_max_len (${lengths.query})`)
  },
  Effect.scoped
)

/** Refuses, truncates or skips questions that do not fit, and logs which; returns those to ask. */
export const fitting = Effect.fn("fitting")(
  function*(c: RunConfig, source: string, use: Use, records: ReadonlyArray<QuestionRecord>) {
    yield* unlettered(source, records)
    yield* tellQueries(c, source, records)
    if (modeOf(c).traits.queries === "pictures") yield* decodable(c, source, records)
    if (!reads(c)) return { records, long: [] }
    yield* tellUnseen(c, source, "question_prompt", records.filter(({ image = "" }) => image !== "").length)
    const prompts = yield* promptsOf(c)
    const texts = records.map(({ answer, id, image, options, question }) => ({
      id,
      image,
      texts: [question, ...options, answer]
    }))
    yield* showable(c, { source, what: "questions", part: "question_prompt", prompts }, Stream.fromIterable(texts))
    if (prompts.pictures && showsImage(c, "question_prompt")) yield* decodable(c, source, records)
    if (use === "answer") yield* writable(c, records, prompts)
    return yield* settle(c, source, use, records, prompts)
  },
  Effect.scoped
)

/** The ids of questions to leave unanswered. */
export const skippedOf = ({ excess_length }: RunConfig, long: ReadonlyArray<Long>): ReadonlySet<string> =>
  new Set(excess_length === "skip" ? long.map(({ id }) => id) : [])

const tellCutByRetriever = Effect.fnUntraced(function*(c: RunConfig, texts: Texts<CorpusError>) {
  const { lengths, text } = yield* retriever(c)
  const cut = yield* share(texts, lengths.passage, (own) => text.tokens(own, "passage") > lengths.passage)
  yield* tellCut(c.passages_file, "passages", cut, `passage_max_len (${lengths.passage})`)
}, Effect.scoped)

/** Logs how many passages the retriever truncates. */
export const tellEncoded = (c: RunConfig, corpus: Corpus["Service"]) =>
  encodes(c) ? Effect.flatMap(passagesOf(corpus), (texts) => tellCutByRetriever(c, texts)) : Effect.void

/** Refuses a mode without a retriever, for a command that only ranks. */
export const needsRetriever = (c: RunConfig, command: string): Effect.Effect<void, ConfigError> => {
  if (modeOf(c).traits.retriever !== "none") return Effect.void
  const problem =
    `mode ${c.mode} has no retriever; set mode to bm25_rag for BM25, or to frozen_rag for the retriever of `
    + "retriever_name_or_path"
  return Effect.fail(new ConfigError({ source: command, problems: [problem] }))
}

/** Logs how many passages and questions the mode's retriever truncates, for a command that only ranks. */
export const tellRanked = Effect.fn("tellRanked")(function*(
  c: RunConfig,
  corpus: Corpus["Service"],
  source: string,
  records: ReadonlyArray<QuestionRecord>
) {
  if (encodes(c)) yield* tellEncoded(c, corpus)
  yield* tellQueries(c, source, records)
})

/** Logs how many passages the retriever and the reader truncate, and whether a prompt has room for them. */
export const tellPassages = Effect.fn("tellPassages")(function*(c: RunConfig, corpus: Corpus["Service"]) {
  const source = c.passages_file
  const texts = yield* passagesOf(corpus)
  if (encodes(c)) yield* tellCutByRetriever(c, texts)
  if (modeOf(c).traits.passages === "none") return
  if (reads(c)) yield* tellUnseen(c, source, "document_prompt", corpus.pictures)
  const prompts = yield* promptsOf(c)
  const { needs, pictures, tokenizer } = prompts
  const all = Stream.map(corpus.all, ({ id, image, text }) => ({ id, image, texts: [text] }))
  yield* showable(c, { source, what: "passages", part: "document_prompt", prompts }, all)
  const document_prompt = c.document_prompt.replace(IMAGE, "")
  const length = (text: string) => tokenizer.encode(document_prompt.replace("{text}", () => text)).length
  /** Tokens that a passage's picture takes, of all passages. */
  const seen = pictures && showsImage(c, "document_prompt") ? pictures.pictures.rows * corpus.pictures / corpus.size : 0
  yield* tellCut(
    source,
    "passages",
    yield* share(texts, c.text_maxlength, (own) => length(own) > c.text_maxlength),
    `text_maxlength (${c.text_maxlength})`
  )
  const some = (yield* texts.read(spread(texts.most.length, 200))).map(length)
  const each = seen + some.reduce((sum, n) => sum + Math.min(n, c.text_maxlength), 0) / Math.max(1, some.length)
  const { learned } = yield* needs({ question: "", options: [], answer: "" })
  const room = Math.floor((c.max_length - learned) / Math.max(1, each))
  const wanted = modeOf(c).context
  if (room < wanted) {
    const line = `max_length (${c.max_length}) has room for about ${Math.max(0, room)} of ${wanted} passages`
    yield* warn(`${source}: ${line}; the worst give way`)
  }
}, Effect.scoped)
