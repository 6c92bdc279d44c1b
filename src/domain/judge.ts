/** What is reported of one question, and of many. */
import { isCorrect } from "./answers/correct.ts"
import * as Metric from "./Metric.ts"
import { isAnswered, type QuestionRecord, rightAnswers } from "./records/Records.ts"
import { ranked, type Ranking } from "./trec.ts"

/** What figures are made of: the outcome of one question. Where something cannot be told it is `null`. */
export interface Verdict {
  readonly id: string
  readonly group: string
  readonly type: string
  /** 1 where the answer is right, 0 where it is not; `null` where nobody answered, or no answer is known. */
  readonly correct: 0 | 1 | null
  /** What the reader wrote names none of the options: counts as wrong. `null` where there are none, or nobody answered. */
  readonly unparsed: boolean | null
  /** Places of the passages found are known, and so are gold passages. */
  readonly ranked: boolean
  readonly reciprocalRank: number | null
  /** Recall of the gold passages at each of `depths`. */
  readonly recall: ReadonlyArray<number | null>
  readonly ndcg: number | null
}

/** One question, judged, with all that it takes to judge it again. */
export interface Judged extends Verdict {
  readonly options: ReadonlyArray<string>
  /** All right answers, and the place of the first among the options (-1 where it is free). */
  readonly answers: ReadonlyArray<string>
  readonly answerIndex: number
  readonly prediction: string
  readonly predictionIndex: number
  /** What the reader wrote beside, where it wrote. */
  readonly written: string
  readonly gold: ReadonlyArray<string>
  /** Ids of the passages found with their scores, as trec_eval ranks them; `DEPTH` of them at most. */
  readonly found: Ranking
}

/** Ranks at which recall is reported. */
export const depths = [1, 5, 10, 100] as const
/** Passages of a ranking that are judged. */
export const DEPTH = depths.at(-1)!
const NDCG_DEPTH = 10

/** What came of a question: the answer given (`undefined` where none was asked for), and the passages found. */
export interface Outcome {
  readonly answered:
    | { readonly prediction: string; readonly predictionIndex: number; readonly written: string }
    | undefined
  readonly ranking: Ranking
}

const correctOf = (q: QuestionRecord, answered: Outcome["answered"]): Verdict["correct"] => {
  if (!answered || !isAnswered(q)) return null
  return isCorrect(q, answered.prediction, answered.predictionIndex) ? 1 : 0
}

/** The verdict on a question: whether it was answered right, and where its gold passages stand among the first 100. */
export const judge = (q: QuestionRecord, { answered, ranking }: Outcome): Judged => {
  const found = ranked(ranking).slice(0, DEPTH)
  const [ids, gold] = [found.map(([id]) => id), new Set(q.gold)]
  const known = gold.size > 0 && found.length > 0
  const { prediction, predictionIndex, written } = answered ?? { prediction: "", predictionIndex: -1, written: "" }
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
    gold: [...gold],
    found
  }
}

/** A judged question without what only a file of predictions needs. */
export const verdict = (judged: Judged): Verdict => {
  const { correct, group, id, ndcg, ranked, recall, reciprocalRank, type, unparsed } = judged
  return { id, group, type, correct, unparsed, ranked, reciprocalRank, recall, ndcg }
}

/** Figures of many questions; `null` where none of them has one. */
export interface Summary {
  readonly questions: number
  /** Questions that do not fit the reader and were left unanswered, which counts as wrong. */
  readonly skipped: number
  readonly accuracy: Metric.Interval | null
  /** Answers that name no option, and their share of those that should have. */
  readonly unparsed: { readonly count: number; readonly share: number | null }
  /** Questions that the figures of the ranking are means over: those with gold passages, and with passages found. */
  readonly ranked: number
  readonly "mrr@100": number | null
  readonly "ndcg@10": number | null
  readonly recall: Readonly<Record<string, number | null>>
  /** Accuracy by type of question. */
  readonly byType: Readonly<Record<string, number | null>>
  readonly seconds: number
}

/** The questions that were answered, by id, as what is resampled. */
export const answers = (verdicts: ReadonlyArray<Verdict>): ReadonlyArray<Metric.Keyed> =>
  verdicts.flatMap(({ correct, group, id }) => correct === null ? [] : [{ key: id, group, value: correct }])

/** The figures of many verdicts; `seconds` is what they took, `skipped` counts questions that were left out. */
export const summarise = (verdicts: ReadonlyArray<Verdict>, seconds: number, skipped = 0): Summary => {
  const parsed = verdicts.flatMap(({ unparsed }) => unparsed === null ? [] : [unparsed ? 1 : 0])
  return {
    questions: verdicts.length,
    skipped,
    accuracy: Metric.interval(answers(verdicts)),
    unparsed: { count: parsed.filter((one) => one === 1).length, share: Metric.mean(parsed) },
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
