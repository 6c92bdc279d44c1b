/** Program: how well questions are answered, and how high their gold passages rank. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import * as Stream from "effect/Stream"
import { query } from "./curriculum.ts"
import * as Frame from "./domain/Frame.ts"
import type { QuestionRecord } from "./domain/Records.ts"
import { type RunConfig, Settings } from "./domain/RunConfig.ts"
import { Answer, type Candidates } from "./domain/tables.ts"
import { depths, judge, type Judged, mean, summarise, type Summary } from "./judge.ts"
import { Reporter } from "./progress.ts"
import * as Questions from "./questions.ts"
import { Passages } from "./runtime/ports/Passages.ts"
import { answerGold, answerOne } from "./stages/pipelines.ts"
import { retrieve } from "./stages/retrieve.ts"
import * as Stage from "./stages/Stage.ts"

export interface Evaluation {
  readonly judged: ReadonlyArray<Judged>
  readonly summary: Summary
}

export interface EvaluateOptions {
  /** Find passages with the index as it is, or be given the gold one. */
  readonly passages: "found" | "gold"
  /** Let the reader answer, or look at the ranking alone. */
  readonly read: boolean
  readonly task: string
}

/** Where no reader answers. */
const silent = Stage.make("answer", {
  needs: {},
  adds: Answer(1),
  run: ({ rows }) =>
    Effect.succeed({
      prediction: Array<string>(rows).fill(""),
      predictionIndex: new Int32Array(rows).fill(-1),
      support: new Int32Array(rows).fill(-1),
      written: Array<string>(rows).fill("")
    })
})

const stagesOf = (c: RunConfig, n: number, { passages, read }: EvaluateOptions) => {
  const options = { n, c: c.n_context, rerank: false, query: query(c), explains: c.rationale_prompt !== "" }
  if (!read) return pipe(retrieve(options), Stage.andThen(silent))
  return passages === "gold" ? answerGold(c.n_context, options.explains) : answerOne(options)
}

type Answered = Frame.Frame<ReturnType<typeof Candidates> & ReturnType<typeof Answer>>

/** The rows of a frame, judged against their records. */
const judgeRows = (rows: Answered, records: ReadonlyArray<QuestionRecord>, ids: ReadonlyArray<string>) => {
  const [docs, scores] = [Frame.column(rows, "docs"), Frame.column(rows, "docScore")]
  const [texts, indices] = [Frame.column(rows, "prediction"), Frame.column(rows, "predictionIndex")]
  const written = Frame.column(rows, "written")
  const width = docs.length / rows.rows
  return records.map((record, r) => {
    const own = Array.from(docs.subarray(r * width, (r + 1) * width))
    const ranking = own.map((doc, i) => [ids[doc] ?? "", scores[r * width + i]!] as const).filter(([id]) => id !== "")
    return { ...judge(record, texts[r]!, indices[r]!, ranking), written: written[r]! }
  })
}

/** Judges every question. */
export const evaluate = Effect.fn("evaluate")(function*(
  records: ReadonlyArray<QuestionRecord>,
  options: EvaluateOptions
) {
  const c = yield* Settings
  const { ids, row } = yield* Passages
  const reporter = yield* Reporter
  const n = Math.min(Math.max(depths.at(-1)!, c.n_candidates), ids.length)
  const stages = stagesOf(c, n, options)
  const size = c.per_device_eval_batch_size
  const [began, judged] = [yield* Clock.currentTimeMillis, new Array<Judged>()]
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  yield* Questions.once(records, size, row).pipe(Stream.runForEach(Effect.fnUntraced(function*(rows) {
    const answered = yield* stages.run(rows)
    judged.push(...judgeRows(answered, records.slice(judged.length, judged.length + size), ids))
    const figures = {
      ...(options.read ? { accuracy: mean(judged.map((j) => j.correct)) } : {}),
      "mrr@100": mean(judged.map((j) => j.reciprocalRank))
    }
    const [done, total] = [judged.length, records.length]
    const seconds = yield* elapsed
    yield* reporter.report({ task: options.task, done, total, start: 0, seconds, unit: "questions", each: 1, figures })
  })))
  return { judged, summary: summarise(judged, yield* elapsed) } satisfies Evaluation as Evaluation
})
