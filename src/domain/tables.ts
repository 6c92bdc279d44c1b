/** The relations, in the order a question meets them. One row is one question, from file to gradient. */
import { integer, integers, ragged, real, reals, text, texts } from "./Columns.ts"

/**
 * A question as it is asked in step `step`, and as the retriever is asked (`query`): `answer` is the text the reader should give, `options` what it may choose
 * from (empty where the answer is free), `answerIndex` the right one (-1 where free), `gold` the passages that hold the
 * answer, as rows of the corpus (none where unknown).
 */
export const Question = {
  step: integer,
  qid: text,
  question: text,
  query: text,
  answer: text,
  options: texts,
  answerIndex: integer,
  gold: ragged
}

/** The `n` best passages of the index, best first, as rows of the corpus; -1 stands for no passage. */
export const Candidates = (n: number) => ({ docs: integers(n), docScore: reals(n) })

/**
 * The `m` passages the reader judges one by one, in the order of their draw; the candidates of lowest and highest score, which fix the scale; and the `c` passages the reader learns from
 * together, best last.
 */
export const Draw = (m: number, c: number) => ({
  drawn: integers(m),
  extremes: integers(2),
  context: integers(c)
})

/** Mean negative log-likelihood of the answer given each drawn passage alone, in nats a token. */
export const Reading = (m: number) => ({ nll: reals(m) })

/** How much drawn passage i should outrank passage j, for each ordered pair: [m, m] a row. */
export const Preference = (m: number) => ({ preference: reals(m * m) })

/** The distribution over the drawn passages that the retriever should have. */
export const Target = (m: number) => ({ target: reals(m) })

/** The losses of an update, the same in every row of its batch. */
export const Lesson = { retrieverLoss: real, readerLoss: real }

/**
 * What was answered, which option that is (-1 where it is none), the passages it rests on, best last, and what the
 * reader wrote: the text that an option was taken from, an explanation; empty where it wrote nothing.
 */
export const Answer = (c: number) => ({
  prediction: text,
  predictionIndex: integer,
  support: integers(c),
  written: text
})
