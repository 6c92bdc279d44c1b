/** Program: questions through the stages of their mode, a step at a time; journal, checkpoints and index refresh. */
import type { RecordBatch } from "apache-arrow"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { course } from "./curriculum.ts"
import * as Frame from "./domain/Frame.ts"
import { type RunConfig, Settings, stepSize } from "./domain/RunConfig.ts"
import * as Journal from "./journal.ts"
import { Reporter } from "./progress.ts"
import type * as Questions from "./questions.ts"
import { sha256 } from "./runtime/layers/files.ts"
import { Checkpoints } from "./runtime/ports/Checkpoints.ts"
import type { ParameterGroup } from "./runtime/ports/Learning.ts"
import { Passages } from "./runtime/ports/Passages.ts"
import { Retriever } from "./runtime/ports/Retriever.ts"

/** Settings that do not change what is learned. */
const incidental: ReadonlySet<string> = new Set<keyof RunConfig>([
  "output_dir",
  "validation_file",
  "validation_where",
  "test_file",
  "test_where",
  "index_path",
  "per_device_eval_batch_size",
  "answer_by",
  "generation_prompt",
  "rationale_prompt",
  "rationale_max_new_tokens",
  "do_sample",
  "temperature",
  "top_k",
  "top_p",
  "min_p",
  "repetition_penalty",
  "no_repeat_ngram_size",
  "min_new_tokens",
  "stop_strings",
  "logging_steps",
  "save_steps",
  "save_total_limit"
])

/** What a run is a run of: the settings that matter, the questions and the corpus. */
const identity = (c: RunConfig, epochs: Questions.Epochs, corpus: string): string => {
  const settings = Object.entries(c).filter(([key]) => !incidental.has(key))
  return sha256(JSON.stringify(settings), JSON.stringify(epochs(0)), corpus)
}

const table = (groups: ReadonlyArray<ParameterGroup>, norms: ReadonlyMap<string, number>): string => {
  const rows = groups.map((g) => [
    g.name,
    g.parameters.toLocaleString("en"),
    g.trainable ? `lr ${g.learningRate}` : "frozen",
    norms.has(g.name) ? `|grad| ${norms.get(g.name)!.toExponential(2)}` : ""
  ])
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows.map((row) =>
    row.map((cell, i) => i === 1 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
  )
    .join("\n")
}

const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length

export interface Trained {
  readonly steps: number
  readonly seconds: number
  readonly questionsPerSecond: number
  readonly retrieverLoss: number
  readonly readerLoss: number
  readonly checkpoint: string
}

/** Trains to the last step of the settings, from the newest checkpoint where `resume`. */
export const train = Effect.fn("train")(function*(epochs: Questions.Epochs, options: { readonly resume: boolean }) {
  const c = yield* Settings
  const passages = yield* Passages
  const checkpoints = yield* Checkpoints
  const retriever = yield* Retriever
  const reporter = yield* Reporter
  const { gate, groups, learn: learning, refreshes, steps } = yield* course(epochs)
  const run = identity(c, epochs, passages.hash)

  const position = options.resume ? yield* checkpoints.restore(run) : undefined
  const start = position?.step ?? 0
  yield* Journal.truncate(c.output_dir, start)

  const norms = start < c.max_steps ? yield* gate(start) : new Map<string, number>()
  yield* reporter.note(table(groups, norms))

  const began = yield* Clock.currentTimeMillis
  let [step, kept, last] = [start, start, { retrieverLoss: NaN, readerLoss: NaN }]
  let pending: Array<RecordBatch> = []
  const keep = Effect.fnUntraced(function*() {
    if (step === kept) return yield* checkpoints.save({ step, run })
    yield* Journal.write(c.output_dir, kept, step, pending)
    pending = []
    kept = step
    return yield* checkpoints.save({ step, run })
  })
  const learn = Effect.fnUntraced(function*(rows: Questions.QuestionFrame) {
    if (refreshes(step)) yield* retriever.refresh
    const learned = yield* learning(rows)
    pending.push(learned.batch)
    step++
    last = {
      retrieverLoss: mean(Frame.column(learned, "retrieverLoss")),
      readerLoss: mean(Frame.column(learned, "readerLoss"))
    }
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    yield* reporter.report({
      task: c.mode,
      done: step,
      total: c.max_steps,
      start,
      seconds,
      unit: "questions",
      each: stepSize(c),
      figures: last,
      every: c.logging_steps
    })
    if (c.save_steps > 0 && step % c.save_steps === 0 && step < c.max_steps) yield* keep()
  })

  yield* steps(start, c.max_steps).pipe(
    Stream.runForEach((rows) => Effect.uninterruptible(learn(rows))),
    Effect.onInterrupt(() => Effect.flatMap(Effect.orDie(keep()), (path) => reporter.note(`stopped, saved ${path}`)))
  )
  const checkpoint = yield* keep()
  const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
  const questionsPerSecond = (step - start) * stepSize(c) / Math.max(seconds, 1e-9)
  return { steps: step, seconds, questionsPerSecond, ...last, checkpoint } satisfies Trained
})
