/** A run to be analysed: its kept evaluation, and its questions and passages as its reader reads them. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { checkpointFiles, evaluationFiles, evaluationFolder, runFiles } from "../../domain/fileNames.ts"
import type { Judged } from "../../domain/judge.ts"
import type { QuestionRecord, Split } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw, RunConfig } from "../../domain/settings/RunConfig.ts"
import { exists, hashFile } from "../../runtime/files/disk.ts"
import type { Corpus } from "../../runtime/ports/Corpus.ts"
import { modeOf } from "../../systems/all.ts"
import { metricsIn, predictionsIn, sourceOf } from "../evaluation/evaluationFiles.ts"
import * as Prepare from "../prepare.ts"
import { type Chosen, trained } from "../run.ts"
import { load } from "../settings.ts"

/** What a run's reader was asked, from what, and what it answered. */
export interface Opened {
  readonly folder: string
  /** The settings with the models that were evaluated, which need not be at hand. */
  readonly config: RunConfig
  readonly corpus: Corpus["Service"]
  readonly records: ReadonlyArray<QuestionRecord>
  /** The kept evaluation, by question. */
  readonly judged: ReadonlyMap<string, Judged>
  /** Hashes of what the evaluation was made of, and of its predictions. */
  readonly made: { readonly questions: unknown; readonly passages: string; readonly predictions: string }
}

const refused = (folder: string, problem: string) => new ConfigError({ source: folder, problems: [problem] })

/** The kept predictions, and what they were made of. */
const evaluationOf = Effect.fnUntraced(function*(folder: string, split: Split) {
  const own = join(folder, evaluationFolder(split))
  if (!(yield* exists(join(own, evaluationFiles.metrics)))) {
    return yield* refused(folder, `has no evaluation of its ${split} questions; make it by anamnesis evaluate`)
  }
  const path = join(own, evaluationFiles.predictions)
  const judged = yield* Stream.runCollect(predictionsIn(path))
  return { source: (yield* metricsIn(own)).judged, judged, predictions: yield* hashFile(path) }
})

const hashOf = (source: Readonly<Record<string, unknown>>, part: string): unknown =>
  (source[part] as { readonly sha256?: unknown } | undefined)?.sha256

/** The manifest of the checkpoint that would be used now, as an evaluation names it. */
const manifestOf = ({ checkpoint }: Chosen) =>
  checkpoint ? hashFile(join(checkpoint.path, checkpointFiles.manifest)) : Effect.succeed(null)

/** Opens a run whose evaluation is of the questions, passages and checkpoint that there are now, until the scope ends. */
export const open = Effect.fn("openAnalysed")(function*(folder: string, split: Split, overrides: Raw) {
  const settings = join(folder, runFiles.settings)
  if (!(yield* exists(settings))) return yield* refused(folder, `holds no run: there is no ${runFiles.settings}`)
  const { judged, predictions, source } = yield* evaluationOf(folder, split)
  const given = { ...yield* load(settings, overrides), output_dir: folder }
  const chosen = yield* trained(given, (own) => Effect.succeed(own))
  const { config } = chosen
  const data = yield* Prepare.corpus(config)
  const records = yield* Prepare.judged(config, split, data)
  const now = { ...sourceOf(config, split, records, data.passages.hash), models: { sha256: yield* manifestOf(chosen) } }
  const changed = ["questions", "passages", "models"].filter((part) => hashOf(now, part) !== hashOf(source, part))
  if (changed.length > 0) {
    const problem = `its evaluation was made of other ${changed.join(" and ")} than there are now; evaluate it again`
    return yield* refused(folder, problem)
  }
  return {
    folder,
    config,
    corpus: data.passages,
    records,
    judged: new Map(judged.map((own) => [own.id, own])),
    made: { questions: hashOf(now, "questions"), passages: data.passages.hash, predictions }
  } satisfies Opened as Opened
})

/** Whether a run's reader answers from passages that were found. */
export const readsFound = ({ config }: Opened): boolean => {
  const { judges, traits } = modeOf(config)
  return judges.reads && judges.passages === "found" && traits.passages !== "none"
}
