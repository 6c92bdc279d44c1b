/** Lengths of the reader's prompts, before it is loaded. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { QuestionRecord } from "../domain/records/Records.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as ReaderFolder from "../runtime/language/folder.ts"
import * as Sequences from "../runtime/language/sequences.ts"
import * as Reading from "../runtime/pictures/reading.ts"
import type { Tokenizer } from "../runtime/tokenizers/tokenizer.ts"
import { answersOf, ask, targetOf } from "../stages/prompt.ts"
import { mostTokens } from "./cutTexts.ts"
import { imagesOf } from "./pictures.ts"

/** Suppresses warnings about the folders; they are logged when the models are loaded. */
export const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

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
      { answer, explanation = "", image = "", options, question }: Pick<
        QuestionRecord,
        "question" | "options" | "answer" | "explanation" | "image"
      >
    ) {
      const bare = yield* least(ask(c, [], { question, options, image }))
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
export const promptsOf = Effect.fnUntraced(function*(c: RunConfig) {
  const opened = yield* quietly(ReaderFolder.open(c.reader_name_or_path, c))
  const { ends, folder, generation, pictures, tokenizer, wrap } = opened
  const sight = pictures && (yield* Effect.provide(Reading.sight(pictures, { hashes: false }), imagesOf(c)))
  const sequences = Sequences.make({ tokenizer, wrap, max_length: c.max_length, end: ends.end, sight, folder })
  return { generation, tokenizer, pictures, needs: needsOf(c, tokenizer, sequences) }
})
/** How long prompts become. */
export type Prompts = Effect.Success<ReturnType<typeof promptsOf>>

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
export const tooLong = Effect.fnUntraced(
  function*(c: RunConfig, use: Use, records: ReadonlyArray<QuestionRecord>, p: Prompts) {
    const empty = new Map<string, number>()
    const found: Array<Long> = []
    for (const record of records) {
      const { id, image = "", options } = record
      const n = options.length
      const key = `${n} ${image}`
      if (!empty.has(key)) {
        const bare = { question: "", options: Array<string>(n).fill(""), answer: "", image }
        empty.set(key, tokensOf(c, use, n, yield* p.needs(bare)))
      }
      const room = c.max_length - empty.get(key)!
      if (added(c, use, record, mostTokens) <= room) continue
      const apart = (text: string) => p.tokenizer.encode(text).length + 1
      if (added(c, use, record, apart) + SEAMS <= room) continue
      const tokens = tokensOf(c, use, n, yield* p.needs(record))
      if (tokens > c.max_length) found.push({ id, tokens })
    }
    return found
  }
)
