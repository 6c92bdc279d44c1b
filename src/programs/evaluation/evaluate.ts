/** Program: evaluates answers, and the ranks of gold passages. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batches from "../../datasets/batches.ts"
import * as Frame from "../../domain/Frame.ts"
import {
  DEPTH,
  judge,
  type Judged,
  type Outcome,
  summarise,
  type Summary,
  type Verdict,
  verdict
} from "../../domain/judge.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import type { Answer, Candidates, Fused, Question } from "../../domain/tables.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import * as LanguageModel from "../../runtime/ports/LanguageModel.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { modeOf } from "../../systems/all.ts"
import type { Judges } from "../../systems/System.ts"
import { evalBatch } from "../costs/evalBatch.ts"
import { rowsOf } from "../training/course.ts"

/** The verdict on each question, and the metrics over all. */
export interface Evaluation {
  readonly judged: ReadonlyArray<Verdict>
  readonly summary: Summary
}

/** Evaluation options. */
export interface EvaluateOptions {
  /** Whether the reader answers; otherwise only the ranking is evaluated. */
  readonly read: boolean
  readonly task: string
  /** Ids of questions that do not fit the reader: left unanswered, counted as wrong and reported separately. */
  readonly skipped?: ReadonlySet<string>
}

type Answered = Frame.Frame<typeof Question & ReturnType<typeof Candidates> & ReturnType<typeof Answer>>

/** What was read again of a question. */
type ReadAgain = Pick<NonNullable<Outcome["answered"]>, "influence" | "optionProbabilities" | "orderAnswers">

/** Reads answered questions under other orders of their options, if the settings ask for it. */
const inOrders = Effect.fnUntraced(function*(c: RunConfig, n: number, rows: Answered) {
  if (c.option_permutations < 2 || c.answer_by !== "likelihood") return []
  const read = yield* modeOf(c).answering(n).orders(c.option_permutations, c.seed).run(rows)
  const answers = Frame.column(read, "orderAnswers")
  return Frame.column(read, "debiased").map((own, r): ReadAgain => ({
    optionProbabilities: Array.from(own),
    orderAnswers: Array.from(answers[r]!)
  }))
})

/** Reads answered questions with and without each passage, if the settings ask for it; passages are told best first. */
const byPassage = Effect.fnUntraced(function*(c: RunConfig, n: number, id: (row: number) => string, rows: Answered) {
  const support = Frame.column(rows, "support")
  const width = support.length / rows.rows
  if (!c.passage_influence || width === 0 || support.every((doc) => doc < 0)) return []
  const read = yield* modeOf(c).answering(n).influence.run(rows)
  const [all, none] = [Frame.column(read, "nllAll"), Frame.column(read, "nllNone")]
  const [alone, but] = [Frame.column(read, "nllAlone"), Frame.column(read, "nllBut")]
  return Array.from(all, (_, r): ReadAgain => ({
    influence: Array.from({ length: width }, (_, i) => (r + 1) * width - 1 - i).flatMap((at) => {
      const own = { alone: none[r]! - alone[at]!, beside: but[at]! - all[r]! }
      return support[at]! >= 0 && Number.isFinite(own.alone + own.beside) ? [{ id: id(support[at]!), ...own }] : []
    })
  }))
})

/** The places of a row's passages, each where its score is best: several heads may have found it. */
const bestOfEach = (places: ReadonlyArray<number>, docs: Int32Array, scores: Float32Array): ReadonlyArray<number> => {
  const best = new Map<number, number>()
  for (const i of places) {
    const known = best.get(docs[i]!)
    if (docs[i]! >= 0 && (known === undefined || scores[i]! > scores[known]!)) best.set(docs[i]!, i)
  }
  return [...best.values()]
}

/** The option that each passage found leads to, by the readings that an answer was fused from; nothing of other answers. */
const verdictsIn = (rows: Answered): Int32Array | undefined =>
  "verdicts" in rows.columns
    ? Frame.column(rows as unknown as Frame.Frame<ReturnType<typeof Fused>>, "verdicts")
    : undefined

/** Evaluates a frame's rows against their records. */
const judgeRows = (
  rows: Answered,
  records: ReadonlyArray<QuestionRecord>,
  id: (row: number) => string,
  passages: Judges["passages"],
  again: (row: number) => ReadAgain,
  { read, skipped }: EvaluateOptions
): ReadonlyArray<Judged> => {
  const [docs, scores] = [Frame.column(rows, "docs"), Frame.column(rows, "docScore")]
  const [texts, indices] = [Frame.column(rows, "prediction"), Frame.column(rows, "predictionIndex")]
  const written = Frame.column(rows, "written")
  const nll = Frame.column(rows, "optionNll").map((own) => own.every(Number.isFinite) ? Array.from(own) : [])
  const width = docs.length / rows.rows
  const verdicts = verdictsIn(rows)
  return records.map((record, r) => {
    const all = Array.from({ length: width }, (_, i) => r * width + i)
    const own = passages === "found" ? bestOfEach(all, docs, scores) : []
    const judged = judge(record, {
      answered: read
        ? {
          prediction: texts[r]!,
          predictionIndex: indices[r]!,
          written: written[r]!,
          optionNll: nll[r]!,
          ...(verdicts && record.options.length > 0
            ? { verdicts: own.map((i) => [id(docs[i]!), verdicts[i]!] as const) }
            : {}),
          ...again(r)
        }
        : undefined,
      ranking: own.map((i) => [id(docs[i]!), scores[i]!] as const)
    })
    return skipped?.has(record.id) ? { ...judged, unparsed: null } : judged
  })
}

/** A running mean, omitted until there is a value. */
class Running {
  private sum = 0
  private count = 0
  readonly add = (value: number | null): void => {
    if (value === null) return
    this.sum += value
    this.count++
  }
  readonly told = (name: string): Readonly<Record<string, number>> =>
    this.count === 0 ? {} : { [name]: this.sum / this.count }
}

/** Evaluates all questions, passing the results of each batch to `keep`. */
export const evaluate = Effect.fn("evaluate")(function*<E = never, R = never>(
  c: RunConfig,
  records: ReadonlyArray<QuestionRecord>,
  options: EvaluateOptions,
  keep: (judged: ReadonlyArray<Judged>) => Effect.Effect<void, E, R> = () => Effect.void
) {
  const corpus = yield* Corpus
  const mode = modeOf(c)
  const reporter = yield* Reporter
  const n = Math.min(Math.max(DEPTH, mode.context), corpus.size)
  const { run } = mode.answering(n).stage
  const answers = (rows: Batches.QuestionFrame) =>
    options.read ? run(rows) : Effect.provide(run(rows), LanguageModel.none)
  const size = yield* evalBatch(c)
  const [began, verdicts] = [yield* Clock.currentTimeMillis, new Array<Verdict>()]
  const [accuracy, mrr] = [new Running(), new Running()]
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  yield* Batches.once(records, size, rowsOf(c, corpus)).pipe(Stream.runForEach(Effect.fnUntraced(function*(rows) {
    const answered = yield* answers(rows)
    const own = records.slice(verdicts.length, verdicts.length + size)
    const orders = options.read ? yield* inOrders(c, n, answered) : []
    const influence = options.read ? yield* byPassage(c, n, corpus.id, answered) : []
    const again = (row: number): ReadAgain => ({ ...orders[row], ...influence[row] })
    const judged = judgeRows(answered, own, corpus.id, mode.judges.passages, again, options)
    yield* keep(judged)
    for (const one of judged) {
      verdicts.push(verdict(one))
      accuracy.add(one.correct)
      mrr.add(one.reciprocalRank)
    }
    const figures = { ...accuracy.told("accuracy"), ...mrr.told("mrr@100") }
    const [done, total] = [verdicts.length, records.length]
    const seconds = yield* elapsed
    yield* reporter.report({ task: options.task, done, total, start: 0, seconds, unit: "questions", each: 1, figures })
  })))
  return {
    judged: verdicts,
    summary: summarise(verdicts, yield* elapsed, options.skipped?.size)
  } satisfies Evaluation as Evaluation
})
