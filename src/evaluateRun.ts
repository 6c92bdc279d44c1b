/** Program: a run judged on a split; its figures, predictions and ranking are written beside it. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import type { RunConfig } from "./domain/RunConfig.ts"
import { environment } from "./environment.ts"
import { evaluate } from "./evaluate.ts"
import type { Judged } from "./judge.ts"
import { fitting } from "./preflight.ts"
import { json, trained } from "./run.ts"
import { replace } from "./runtime/layers/files.ts"
import * as Lock from "./runtime/layers/lock.ts"
import { answering, corpus, judged, type Split } from "./system.ts"

const text = (lines: ReadonlyArray<string>): Uint8Array => new TextEncoder().encode(lines.map((l) => `${l}\n`).join(""))

/** The ranking as trec_eval reads it: query, Q0, document, rank, score, run. */
const trec = (judged: ReadonlyArray<Judged>): ReadonlyArray<string> =>
  judged.flatMap(({ found, id }) =>
    found.map(([doc, score], rank) => [id, "Q0", doc, rank + 1, score, "anamnesis"].join("\t"))
  )

/** Writes `metrics.json`, `predictions.jsonl` and `run.trec` to `eval-<split>` of the run's folder. */
export const evaluateRun = Effect.fn("evaluateRun")(function*(c: RunConfig, split: Split) {
  const { config } = yield* trained(c)
  const data = yield* corpus(config)
  const { long, records } = yield* fitting(config, split, "answer", yield* judged(config, split, data))
  const passages = config.mode === "oracle" ? "gold" : "found"
  const evaluation = yield* evaluate(records, { passages, read: config.mode !== "lexical", task: split }).pipe(
    Effect.provide(answering(config, data.passages))
  )
  const { summary } = evaluation
  const folder = join(c.output_dir, `eval-${split}`)
  yield* Lock.hold(folder)
  const excess = long.length === 0 ? {} : { too_long: { excess_length: config.excess_length, questions: long.length } }
  yield* replace(join(folder, "metrics.json"), json({ ...summary, ...excess, environment: yield* environment }))
  yield* replace(join(folder, "predictions.jsonl"), text(evaluation.judged.map((j) => JSON.stringify(j))))
  yield* replace(join(folder, "run.trec"), text(trec(evaluation.judged)))
  return summary
}, Effect.scoped)
