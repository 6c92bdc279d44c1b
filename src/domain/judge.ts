/** Metrics of one question and of many. */
import { isCorrect } from "./answers/correct.ts"
import * as Metric from "./Metric.ts"
import { isAnswered, type QuestionRecord, rightAnswers } from "./records/Records.ts"
import { ranked, type Ranking } from "./trec.ts"

/** The outcome of one question, from which metrics are computed; `null` if unknown. */
export interface Verdict {
  readonly id: string
  readonly group: string
  readonly type: string
  /** 1 if the answer is correct, 0 if not; `null` if there was no prediction or no answer is known. */
  readonly correct: 0 | 1 | null
  /** The generated text names no option, which counts as wrong; `null` without options or without a prediction. */
  readonly unparsed: boolean | null
  /** Both a ranking and gold passages are known. */
  readonly ranked: boolean
  readonly reciprocalRank: number | null
  /** Recall of the gold passages at each of `depths`. */
  readonly recall: ReadonlyArray<number | null>
  readonly ndcg: number | null
  /** Whether the option of greatest mean probability over orders of the options is correct; `null` if it was read in one order. */
  readonly debiased: 0 | 1 | null
  /** Whether the option chosen depends on the order; likewise. */
  readonly orderDependent: 0 | 1 | null
}

/** How a passage changes the log-likelihood of the right answer, in nats per token: above 0 if it helps. */
export interface Influence {
  readonly id: string
  /** By itself, against no passage. */
  readonly alone: number
  /** Beside the other passages, against these. */
  readonly beside: number
}

/** One evaluated question, with everything needed to evaluate it again. */
export interface Judged extends Verdict {
  readonly options: ReadonlyArray<string>
  /** All correct answers, and the index of the first among the options (-1 if it is free text). */
  readonly answers: ReadonlyArray<string>
  readonly answerIndex: number
  readonly prediction: string
  readonly predictionIndex: number
  /** The reader's generated text, if any. */
  readonly written: string
  /** Negative log-likelihood of each option in nats, as `option_score` says, if options were scored; else empty. */
  readonly optionNll: ReadonlyArray<number>
  readonly gold: ReadonlyArray<string>
  /** Mean probability of each option over orders, and the option chosen in each; empty if it was read in one order. */
  readonly optionProbabilities: ReadonlyArray<number>
  readonly orderAnswers: ReadonlyArray<number>
  /** Of each passage that the reader was given, best first; empty if that was not read. */
  readonly influence: ReadonlyArray<Influence>
  /** The option that each passage leads to by itself, -1 for none, where the answer is fused from such readings; else empty. */
  readonly verdicts: ReadonlyArray<readonly [id: string, option: number]>
  /** Ids and scores of the retrieved passages, ranked as trec_eval ranks them; at most `DEPTH`. */
  readonly found: Ranking
}

/** Ranks at which recall is reported. */
export const depths = [1, 5, 10, 100] as const
/** Depth to which rankings are evaluated. */
export const DEPTH = depths.at(-1)!
const NDCG_DEPTH = 10

/** The outcome of a question: the answer given (`undefined` if none was asked for), and the ranking. */
export interface Outcome {
  readonly answered:
    | {
      readonly prediction: string
      readonly predictionIndex: number
      readonly written: string
      readonly optionNll?: ReadonlyArray<number>
      readonly optionProbabilities?: ReadonlyArray<number>
      readonly orderAnswers?: ReadonlyArray<number>
      readonly influence?: ReadonlyArray<Influence>
      readonly verdicts?: Judged["verdicts"]
    }
    | undefined
  readonly ranking: Ranking
}

const correctOf = (q: QuestionRecord, answered: Outcome["answered"]): Verdict["correct"] => {
  if (!answered || !isAnswered(q)) return null
  return isCorrect(q, answered.prediction, answered.predictionIndex) ? 1 : 0
}

/** What other orders of the options make of a question. */
const ordersOf = (q: QuestionRecord, answered: Outcome["answered"]) => {
  const { optionProbabilities = [], orderAnswers = [] } = answered ?? {}
  const known = orderAnswers.length > 1 && isAnswered(q)
  const best = optionProbabilities.indexOf(Math.max(...optionProbabilities))
  return {
    optionProbabilities,
    orderAnswers,
    debiased: known ? isCorrect(q, q.options[best]!, best) ? 1 : 0 : null,
    orderDependent: orderAnswers.length > 1 ? new Set(orderAnswers).size > 1 ? 1 : 0 : null
  } as const
}

/** Evaluates a question: whether the answer is correct, and the ranks of its gold passages among the first 100. */
export const judge = (q: QuestionRecord, { answered, ranking }: Outcome): Judged => {
  const found = ranked(ranking).slice(0, DEPTH)
  const [ids, gold] = [found.map(([id]) => id), new Set(q.gold)]
  const known = gold.size > 0 && found.length > 0
  const { influence = [], optionNll = [], prediction, predictionIndex, verdicts = [], written } = answered
    ?? { prediction: "", predictionIndex: -1, written: "" }
  return {
    id: q.id,
    group: q.group,
    type: q.type,
    correct: correctOf(q, answered),
    unparsed: answered && q.options.length > 0 ? predictionIndex < 0 : null,
    ranked: known,
    reciprocalRank: known ? Metric.reciprocalRankAt(ids, gold, DEPTH) : null,
    recall: depths.map((k) => known ? Metric.recallAt(ids, gold, k) : null),
    ndcg: known ? Metric.ndcgAt(ids, gold, NDCG_DEPTH) : null,
    options: q.options,
    answers: rightAnswers(q),
    answerIndex: q.answerIndex,
    prediction,
    predictionIndex,
    written,
    optionNll,
    ...ordersOf(q, answered),
    influence,
    verdicts,
    gold: [...gold],
    found
  }
}

/** An evaluated question without the fields that only the predictions file needs. */
export const verdict = (judged: Judged): Verdict => {
  const { correct, debiased, group, id, ndcg, orderDependent, ranked, recall, reciprocalRank, type, unparsed } = judged
  return { id, group, type, correct, unparsed, ranked, reciprocalRank, recall, ndcg, debiased, orderDependent }
}

/** Metrics over many questions; `null` if no question has a value. */
export interface Summary {
  readonly questions: number
  /** Questions that do not fit the reader and were left unanswered, which counts as wrong. */
  readonly skipped: number
  readonly accuracy: Metric.Interval | null
  /** Answers that name no option, and their share of the questions with options. */
  readonly unparsed: { readonly count: number; readonly share: number | null }
  /** Accuracy by mean probabilities over orders of the options; `null` if questions were read in one order. */
  readonly debiased_accuracy: Metric.Interval | null
  /** The share of questions whose answer depends on the order; likewise. */
  readonly order_dependent: Metric.Interval | null
  /** Questions over which ranking metrics are averaged: those with gold passages and a ranking. */
  readonly ranked: number
  readonly "mrr@100": number | null
  readonly "ndcg@10": number | null
  readonly recall: Readonly<Record<string, number | null>>
  /** Accuracy by type of question. */
  readonly byType: Readonly<Record<string, number | null>>
  readonly seconds: number
}

/** The answered questions by id, as input to the bootstrap. */
export const answers = (verdicts: ReadonlyArray<Verdict>): ReadonlyArray<Metric.Keyed> =>
  verdicts.flatMap(({ correct, group, id }) => correct === null ? [] : [{ key: id, group, value: correct }])

const over = (verdicts: ReadonlyArray<Verdict>, of: (verdict: Verdict) => number | null): Metric.Interval | null =>
  Metric.interval(verdicts.flatMap((own) => {
    const value = of(own)
    return value === null ? [] : [{ group: own.group, value }]
  }))

/** Metrics over many verdicts; `seconds` is the time taken, `skipped` the number of questions left out. */
export const summarise = (verdicts: ReadonlyArray<Verdict>, seconds: number, skipped = 0): Summary => {
  const parsed = verdicts.flatMap(({ unparsed }) => unparsed === null ? [] : [unparsed ? 1 : 0])
  return {
    questions: verdicts.length,
    skipped,
    accuracy: Metric.interval(answers(verdicts)),
    unparsed: { count: parsed.filter((one) => one === 1).length, share: Metric.mean(parsed) },
    debiased_accuracy: over(verdicts, (v) => v.debiased),
    order_dependent: over(verdicts, (v) => v.orderDependent),
    ranked: verdicts.filter((v) => v.ranked).length,
    "mrr@100": Metric.mean(verdicts.map((v) => v.reciprocalRank)),
    "ndcg@10": Metric.mean(verdicts.map((v) => v.ndcg)),
    recall: Object.fromEntries(depths.map((k, i) => [`recall@${k}`, Metric.mean(verdicts.map((v) => v.recall[i]!))])),
    byType: Object.fromEntries(
      [...Map.groupBy(verdicts, (v) => v.type)].map(([type, own]) => [type, Metric.mean(own.map((v) => v.correct))])
    ),
    seconds
  }
}
