/** The tables, in the order in which a question passes through them. One row is one question, from file to gradient. */
import { integer, integers, ragged, raggedReals, real, reals, text, texts } from "./Columns.ts"

/**
 * A question as asked in step `step`, with the retriever's `query`: `answer` is the target text of the reader,
 * `image` the reference of its picture ("" for none), `group` what it is of (its patient, say), `options` its choices
 * (empty if the answer is free text), `answerIndex` the correct one (-1 if free text), `explanation` why it is right
 * (empty if unknown), `gold` the passages that contain the answer, as corpus rows (empty if unknown), `negatives` passages
 * that are known not to,
 * and `teacher` the scores that a teacher gives to both, in this order (empty if unknown).
 */
export const Question = {
  step: integer,
  qid: text,
  question: text,
  query: text,
  image: text,
  group: text,
  answer: text,
  options: texts,
  answerIndex: integer,
  explanation: text,
  gold: ragged,
  negatives: ragged,
  teacher: raggedReals
}

/** What every training row has: the step that it is learned in, and its id. */
export const Row = { step: integer, qid: text }

/**
 * A row of token ids to learn as they are: the places at which its examples begin, which do not attend to each other, and
 * which tokens are learned (1). Of a preference, the chosen text and then the rejected one.
 */
export const Tokens = { ids: ragged, starts: ragged, learned: ragged }

/** Log-likelihoods of a preference's answers under the model before training, sums in nats: the chosen, the rejected. */
export const Reference = { reference: reals(2) }

/** The same under the model before this update. */
export const Preferred = { chosenLogp: real, rejectedLogp: real }

/** The `n` best passages of the index, best first, as corpus rows; -1 is padding. */
export const Candidates = (n: number) => ({ docs: integers(n), docScore: reals(n) })

/**
 * The `m` passages that the reader scores one by one, in the order drawn; the candidates of lowest and highest score,
 * which fix the scale; and the `c` passages of the reader's training prompt, best last.
 */
export const Draw = (m: number, c: number) => ({
  drawn: integers(m),
  extremes: integers(2),
  context: integers(c)
})

/** Mean negative log-likelihood of the answer given each drawn passage alone, in nats per token. */
export const Reading = (m: number) => ({ nll: reals(m) })

/** Mean negative log-likelihood of the answer given all drawn passages but this one, in nats per token. */
export const Leaving = (m: number) => ({ nllWithout: reals(m) })

/**
 * The score of each of at most `k` options given each of `m` drawn passages alone, [m, k] per row: minus its negative
 * log-likelihood in nats, as `option_score` says. -Infinity beyond a question's options, and for what was not read.
 */
export const ClassScores = (m: number, k: number) => ({ scores: reals(m * k) })

/** How much each of `n` passages counts in a fused answer: they sum to 1, or are 0 if there is none. */
export const Weighted = (n: number) => ({ docWeight: reals(n) })

/** The option that each of `n` passages leads to by itself (-1 is none), and the weighted sum of their options' scores. */
export const Fused = (n: number, k: number) => ({ verdicts: integers(n), fusedScores: reals(k) })

/**
 * How much each drawn passage is attended to while the answer is predicted from a prompt with all of them: attention times the
 * norm of the value, summed over the passage's tokens, mean over layers, heads and the answer's tokens.
 */
export const Attention = (m: number) => ({ attention: reals(m) })

/** How much drawn passage i should outrank passage j, for each ordered pair: [m, m] per row. */
export const Preference = (m: number) => ({ preference: reals(m * m) })

/** The retriever's target distribution over the drawn passages. */
export const Target = (m: number) => ({ target: reals(m) })

/** The reader's distribution over the drawn passages as logarithms, which the retriever's is to diverge from the least. */
export const LogTarget = (m: number) => ({ logTarget: reals(m) })

/**
 * The `n` passages that a query's positive is compared with in contrastive training, -1 is none, with the target; which of
 * the batch's `b` queries are candidates for its positive; and which of the passages are the row's own.
 */
export const Contrast = (n: number, b: number) => ({
  candidates: integers(n),
  target: reals(n),
  askers: integers(b),
  own: integers(n)
})

/**
 * How stale the index was when it was looked at before this step, means over the probed questions, the same in every row: the
 * rank correlation of its scores with those under the present weights, and the share of its first passages that are still first
 * after it was rebuilt. NaN where that was not measured; only where `refresh_index` has a probe.
 */
export const Staleness = { staleCorrelation: real, staleOverlap: real }

/** The losses of an update, the same in every row of the batch. */
export const Lesson = { retrieverLoss: real, readerLoss: real }

/**
 * Sums over the learned tokens of each of a row's texts, of a preference the chosen and the rejected answer, before this
 * update: tokens than which the model found none likelier, entropies of its predictions in nats, means of their logits.
 */
export const TokenSums = (texts: number) => ({
  correct: reals(texts),
  entropy: reals(texts),
  logits: reals(texts)
})

/**
 * The answer, the index of the option it names (-1 if none), its supporting passages, best last, and the reader's
 * generated text: the text an option was read from, or an explanation; empty if nothing was generated. `optionNll` has the
 * negative log-likelihood of each option in nats, as `option_score` says; empty if options were not scored.
 */
export const Answer = (c: number) => ({
  prediction: text,
  predictionIndex: integer,
  support: integers(c),
  written: text,
  optionNll: raggedReals
})

/**
 * Of a question whose options were scored, read in several orders of them: the mean over orders of each option's
 * probability, and the option chosen in each order, that of the given one first. Empty for others.
 */
export const Orders = { debiased: raggedReals, orderAnswers: ragged }

/**
 * Mean negative log-likelihood of the right answer, in nats per token: with all `c` passages of the prompt, without any, with
 * each alone, and with all but each. NaN where there is none, where no answer is known, and where the question was not asked.
 */
export const Influence = (c: number) => ({
  nllAll: real,
  nllNone: real,
  nllAlone: reals(c),
  nllBut: reals(c)
})
