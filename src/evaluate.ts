/** Program: how well questions are answered, and how high their gold passages rank. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { query } from "./curriculum.ts"
import * as Frame from "./domain/Frame.ts"
import * as Metric from "./domain/Metric.ts"
import type { QuestionRecord } from "./domain/Records.ts"
import { Settings } from "./domain/RunConfig.ts"
import { Reporter } from "./progress.ts"
import * as Questions from "./questions.ts"
import { Passages } from "./runtime/ports/Passages.ts"
import { answerGold, answerOne } from "./stages/pipelines.ts"

/** One question, judged. */
export interface Judged {
  readonly id: string
  readonly group: string
  readonly type: string
  readonly prediction: string
  readonly correct: number
  /** Ids of the passages found, best first, with their scores. */
  readonly found: ReadonlyArray<readonly [id: string, score: number]>
  readonly reciprocalRank: number
  /** Recall of the gold passages at each of `depths`; NaN where there is no gold. */
  readonly recall: ReadonlyArray<number>
  readonly ndcg: number
}

export const depths = [1, 5, 10, 100] as const

/** Free answers are compared as SQuAD does: lower case, no punctuation, no articles, single spaces. */
export const normalise = (text: string): string =>
  text.toLowerCase().replaceAll(/[\p{P}]/gu, "").replaceAll(/\b(a|an|the)\b/g, " ").split(/\s+/).filter(Boolean).join(
    " "
  )

const judge = (
  q: QuestionRecord,
  prediction: string,
  index: number,
  ranking: ReadonlyArray<readonly [string, number]>
): Judged => {
  const ids = ranking.map(([id]) => id)
  const gold = new Set(q.gold.map((id) => ids.indexOf(id)).filter((at) => at >= 0))
  const places = ids.map((_, i) => i)
  const relevant = new Set([...gold, ...q.gold.filter((id) => !ids.includes(id)).map((_, i) => -1 - i)])
  const known = q.gold.length > 0
  return {
    id: q.id,
    group: q.group,
    type: q.type,
    prediction,
    correct: (q.answerIndex >= 0 ? index === q.answerIndex : normalise(prediction) === normalise(q.answer)) ? 1 : 0,
    found: ranking,
    reciprocalRank: known ? 1 / Metric.firstRelevant(places, relevant) : NaN,
    recall: depths.map((k) => known ? Metric.recallAt(places, relevant, k) : NaN),
    ndcg: known ? Metric.ndcgAt(places, relevant, 10) : NaN
  }
}

export interface Evaluation {
  readonly judged: ReadonlyArray<Judged>
  readonly summary: Summary
}

export interface Summary {
  readonly questions: number
  readonly accuracy: Metric.Interval
  readonly "mrr@100": number
  readonly "ndcg@10": number
  readonly recall: Readonly<Record<string, number>>
  readonly byType: Readonly<Record<string, number>>
  readonly seconds: number
}

const mean = (values: ReadonlyArray<number>): number => {
  const known = values.filter((v) => !Number.isNaN(v))
  return known.reduce((a, b) => a + b, 0) / known.length
}

export const summarise = (judged: ReadonlyArray<Judged>, seconds: number): Summary => ({
  questions: judged.length,
  accuracy: Metric.interval(judged.map((j) => j.correct), judged.map((j) => j.group)),
  "mrr@100": mean(judged.map((j) => j.reciprocalRank)),
  "ndcg@10": mean(judged.map((j) => j.ndcg)),
  recall: Object.fromEntries(depths.map((k, i) => [`recall@${k}`, mean(judged.map((j) => j.recall[i]!))])),
  byType: Object.fromEntries(
    [...Map.groupBy(judged, (j) => j.type)].map(([type, own]) => [type, mean(own.map((j) => j.correct))])
  ),
  seconds
})

/**
 * Judges every question, with the index as it is; with `gold` the reader is given the gold passage instead of what is
 * found.
 */
export const evaluate = Effect.fn("evaluate")(function*(
  records: ReadonlyArray<QuestionRecord>,
  options: { readonly gold: boolean; readonly task: string }
) {
  const c = yield* Settings
  const passages = yield* Passages
  const reporter = yield* Reporter
  const n = Math.min(Math.max(depths.at(-1)!, c.n_candidates), passages.ids.length)
  const stage = options.gold
    ? answerGold
    : answerOne({ n, c: c.n_context, rerank: false, query: query(c) })
  const began = yield* Clock.currentTimeMillis
  const judged: Array<Judged> = []
  yield* Questions.once(records, c.per_device_eval_batch_size, passages.row).pipe(
    Stream.runForEach(Effect.fnUntraced(function*(rows) {
      const answered = yield* stage.run(rows)
      const [docs, scores] = [Frame.column(answered, "docs"), Frame.column(answered, "docScore")]
      const [texts, indices] = [Frame.column(answered, "prediction"), Frame.column(answered, "predictionIndex")]
      const width = docs.length / rows.rows
      texts.forEach((text, r) => {
        const ranking = Array.from(
          docs.subarray(r * width, (r + 1) * width),
          (doc, i) => [passages.ids[doc] ?? "", scores[r * width + i]!] as const
        ).filter(([id]) => id !== "")
        judged.push(judge(records[judged.length]!, text, indices[r]!, ranking))
      })
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      const done = judged.length
      const figures = { accuracy: mean(judged.map((j) => j.correct)) }
      yield* reporter.report({
        task: options.task,
        done,
        total: records.length,
        start: 0,
        seconds,
        unit: "questions",
        each: 1,
        figures
      })
    }))
  )
  const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
  return { judged, summary: summarise(judged, seconds) } satisfies Evaluation as Evaluation
})
