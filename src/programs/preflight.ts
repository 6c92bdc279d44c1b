/** Checks whether questions and passages fit the configured lengths, before either model is loaded. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { MOST_OPTIONS, queryOf } from "../domain/records/options.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as ReaderFolder from "../runtime/language/folder.ts"
import { refusal } from "../runtime/language/generation/writing.ts"
import * as Sequences from "../runtime/language/sequences.ts"
import type { Corpus, CorpusError } from "../runtime/ports/Corpus.ts"
import * as RetrieverFolder from "../runtime/retrieval/folder.ts"
import type { Tokenizer } from "../runtime/tokenizers/tokenizer.ts"
import { answersOf, ask, targetOf } from "../stages/prompt.ts"
import { modeOf } from "../systems/all.ts"
import { listed, mostTokens, passagesOf, type Share, share, spread, type Texts } from "./cutTexts.ts"

const reads = (c: RunConfig): boolean => modeOf(c).traits.reader !== "none"
/** Whether the mode's retriever encodes queries and passages. */
const encodes = (c: RunConfig): boolean => ["frozen", "trained"].includes(modeOf(c).traits.retriever)

/** Suppresses warnings about the folders; they are logged when the models are loaded. */
const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

/**
 * Tokens of a question's prompt without passages, plus what follows it: the part that dropping passages cannot
 * shorten.
 */
interface Needs {
  /** For training on its answer. */
  readonly learned: number
  /** For scoring all options side by side. */
  readonly chosen: number
  /** For a generated answer. */
  readonly written: number
  /** For an answer, of the greatest length or the longest option, and its explanation. */
  readonly explained: number
}

const needsOf = (c: RunConfig, { encode }: Tokenizer, { continuation, least }: Sequences.Sequences) => {
  const [opening, reason] = [encode(c.generation_prompt).length, encode(c.rationale_prompt).length]
  return Effect.fnUntraced(
    function*(
      { answer, explanation = "", options, question }: Pick<
        QuestionRecord,
        "question" | "options" | "answer" | "explanation"
      >
    ) {
      const bare = yield* least(ask(c, [], { question, options }))
      const tails = answersOf(c, { options }).map((text) => continuation(text).length)
      const longest = Math.max(c.max_new_tokens, ...tails.map((length) => length - 1))
      return {
        learned: bare + continuation(targetOf(c, { options }, { answer, explanation })).length,
        chosen: bare + tails.reduce((sum, length) => sum + length, 0),
        written: bare + opening + c.max_new_tokens,
        explained: bare + longest + reason + c.rationale_max_new_tokens
      } satisfies Needs as Needs
    }
  )
}

/** The tokenised length of the reader's prompts without passages. */
const promptsOf = Effect.fnUntraced(function*(c: RunConfig) {
  const { ends, generation, tokenizer, wrap } = yield* quietly(ReaderFolder.open(c.reader_name_or_path, c))
  const sequences = Sequences.make({ tokenizer, wrap, max_length: c.max_length, end: ends.end })
  return { generation, tokenizer, needs: needsOf(c, tokenizer, sequences) }
})
type Prompts = Effect.Success<ReturnType<typeof promptsOf>>

/** What the questions are used for: training or answering. */
export type Use = "learn" | "answer"

/** Tokens that a question needs without passages, for its longest prompt. */
const tokensOf = (c: RunConfig, use: Use, options: number, needs: Needs): number => {
  if (use === "learn") return needs.learned
  const answered = c.answer_by === "likelihood" && options > 0 ? needs.chosen : needs.written
  return c.rationale_prompt === "" ? answered : Math.max(answered, needs.explained)
}

/** Upper bound on the tokens that a question's own texts add to a prompt, given a token count for texts. */
const added = (
  c: RunConfig,
  use: Use,
  { answer, explanation = "", options, question }: QuestionRecord,
  count: (text: string) => number
) => {
  const explained = use === "learn" ? times(c.rationale_target, "{explanation}") * count(explanation) : 0
  const listed = options.reduce((sum, option) => sum + count(option), 0)
  const answered = use === "learn" ? count(answer) : listed
  const isLetter = c.answer_format === "letter" && options.length > 0
  const asked = count(question) + (c.options_in_prompt ? listed : 0)
  return times(c.question_prompt, "{question}") * asked + times(c.answer_prompt, "{answer}") * (isLetter ? 0 : answered)
    + explained
}
const times = (text: string, place: string): number => text.split(place).length - 1

/** Tokens by which the sum over separately tokenised parts may differ from the whole. */
const SEAMS = 16

/** A question that does not fit, with the length of its prompt in tokens. */
export interface Long {
  readonly id: string
  readonly tokens: number
}

/** Questions that do not fit, with their tokens; for most, the number of characters already shows that they fit. */
const tooLong = Effect.fnUntraced(
  function*(c: RunConfig, use: Use, records: ReadonlyArray<QuestionRecord>, p: Prompts) {
    const empty = new Map<number, number>()
    const found: Array<Long> = []
    for (const record of records) {
      const { id, options } = record
      const n = options.length
      if (!empty.has(n)) {
        empty.set(
          n,
          tokensOf(c, use, n, yield* p.needs({ question: "", options: Array<string>(n).fill(""), answer: "" }))
        )
      }
      const room = c.max_length - empty.get(n)!
      if (added(c, use, record, mostTokens) <= room) continue
      const apart = (text: string) => p.tokenizer.encode(text).length + 1
      if (added(c, use, record, apart) + SEAMS <= room) continue
      const tokens = tokensOf(c, use, n, yield* p.needs(record))
      if (tokens > c.max_length) found.push({ id, tokens })
    }
    return found
  }
)

/** Lines already logged: several parts of a command may check the same corpus or questions. */
const told = new Set<string>()
const warn = (line: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (told.has(line)) return Effect.void
    told.add(line)
    return Effect.logWarning(line)
  })

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
    if (!reads(c)) return { records, long: [] }
    const prompts = yield* promptsOf(c)
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
  Effect.flatMap(passagesOf(corpus), (texts) => tellCutByRetriever(c, texts))

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
  const { needs, tokenizer } = yield* promptsOf(c)
  const length = (text: string) => tokenizer.encode(c.document_prompt.replace("{text}", () => text)).length
  yield* tellCut(
    source,
    "passages",
    yield* share(texts, c.text_maxlength, (own) => length(own) > c.text_maxlength),
    `text_maxlength (${c.text_maxlength})`
  )
  const some = (yield* texts.read(spread(texts.most.length, 200))).map(length)
  const each = some.reduce((sum, n) => sum + Math.min(n, c.text_maxlength), 0) / Math.max(1, some.length)
  const { learned } = yield* needs({ question: "", options: [], answer: "" })
  const room = Math.floor((c.max_length - learned) / Math.max(1, each))
  const wanted = modeOf(c).context
  if (room < wanted) {
    const line = `max_length (${c.max_length}) has room for about ${Math.max(0, room)} of ${wanted} passages`
    yield* warn(`${source}: ${line}; the worst give way`)
  }
}, Effect.scoped)
