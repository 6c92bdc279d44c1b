/** Program: evaluates a run on a split and writes metrics, predictions and ranking to the run's folder. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { checkpointFiles, evaluationFolder } from "../../domain/fileNames.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { hashFile } from "../../runtime/files/disk.ts"
import { modeOf } from "../../systems/all.ts"
import { basesOf, quantizationOf } from "../models.ts"
import { fitting, skippedOf } from "../preflight.ts"
import { answering, corpus, judged, type Split } from "../prepare.ts"
import { type Chosen, trained } from "../run.ts"
import { evaluated } from "../training/board.ts"
import { evaluate } from "./evaluate.ts"
import { sourceOf, writing } from "./evaluationFiles.ts"

/** The models that were evaluated, as the metrics name them. */
export const modelsOf = Effect.fnUntraced(function*({ checkpoint, config }: Chosen) {
  return {
    retriever: config.retriever_name_or_path,
    reader: config.reader_name_or_path,
    /** Of adapters, by the setting that names them. */
    bases: yield* basesOf(config),
    /** Of the reader; figures of other quantisations are not its. */
    quantization: quantizationOf(config),
    checkpoint: checkpoint?.path ?? null,
    step: checkpoint?.step ?? null,
    /** SHA-256 of the checkpoint's manifest, which has those of its weights. */
    sha256: checkpoint ? yield* hashFile(join(checkpoint.path, checkpointFiles.manifest)) : null
  }
})

/** Writes `metrics.json`, `predictions.jsonl`, `run.trec` and `qrels.trec` to `eval-<split>` of the run's folder. */
export const evaluateRun = Effect.fn("evaluateRun")(function*(c: RunConfig, split: Split) {
  const chosen = yield* trained(c)
  const { config } = chosen
  const data = yield* corpus(config)
  const { long, records } = yield* fitting(config, split, "answer", yield* judged(config, split, data))
  const options = {
    read: modeOf(config).judges.reads,
    task: split,
    skipped: skippedOf(config, long)
  } as const
  const source = Effect.map(modelsOf(chosen), (models) => ({
    models,
    ...sourceOf(c, split, records, data.passages.hash)
  }))
  return yield* writing(
    join(c.output_dir, evaluationFolder(split)),
    source,
    (keep) => evaluate(config, records, options, keep)
  ).pipe(
    Effect.map(({ summary }) => summary),
    Effect.tap((summary) => evaluated(c, split, chosen.checkpoint?.step ?? 0, summary)),
    Effect.provide(answering(config, data.passages))
  )
}, Effect.scoped)
