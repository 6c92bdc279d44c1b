/** An analysis as it lies in a run's folder. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { basename, dirname, join } from "node:path"
import { analysisFiles, analysisFolder, evaluationFiles, evaluationFolder } from "../../domain/fileNames.ts"
import type { Judged } from "../../domain/judge.ts"
import type { ReadAlone } from "../../domain/verdicts/analysis.ts"
import { decodeFile, exists, FileError, hashFile } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { Readings } from "./readings.ts"

/** What is written of an analysis besides its figures, which its readings give. */
export const About = Schema.Struct({
  /** Hash of what the readings depend on, and of the predictions that they are compared with. */
  conditions: Schema.String,
  predictions: Schema.String,
  /** File of the readings, beside. */
  readings: Schema.String,
  passages: Schema.Natural,
  /** By question, the place of the passage that a judge chose where passages disagree; `null` without a judge. */
  choices: Schema.NullOr(Schema.Array(Schema.Tuple([Schema.String, Schema.Int]))),
  /** By question, whether each passage's caption is the right label, and whether that of most by score is; empty where they are none. */
  labels: Schema.Array(Schema.Tuple([Schema.String, Schema.Array(Schema.Literals([0, 1])), Schema.Literals([0, 1])]))
    .pipe(
      Schema.withDecodingDefaultKey(Effect.succeed([]))
    )
})
/** One of `About`. */
export type About = typeof About.Type

/** What captions say of a question: whether each is its label, and whether that of most by score is. */
export interface Labelled {
  readonly labelled: ReadonlyArray<0 | 1>
  readonly copied: 0 | 1
}

/** Readings of a run's questions, a judge's choices, and captions as labels. */
export interface Kept {
  readonly readings: ReadonlyArray<Readings>
  readonly choices: ReadonlyMap<string, number> | undefined
  readonly labels: ReadonlyMap<string, Labelled>
}

/** The folder of the analysis of an evaluation. */
export const besides = (evaluation: string): string =>
  join(dirname(evaluation), analysisFolder(basename(evaluation).slice(evaluationFolder("").length)))

const stale = (path: string) =>
  new FileError({ path, place: "", reason: "is of another evaluation than there is now; analyse the run again" })

const readingsIn = (path: string) =>
  LineFile.read(path).pipe(
    Stream.mapEffect((line) =>
      Effect.mapError(
        Schema.decodeUnknownEffect(Schema.fromJsonString(Readings))(line),
        () => new FileError({ path, place: "", reason: "has a line that is no reading; analyse the run again" })
      )
    ),
    Stream.runCollect
  )

/** The analysis beside an evaluation; `undefined` if there is none. Fails if it is of other predictions, or damaged. */
export const keptBeside = Effect.fn("keptAnalysis")(function*(evaluation: string) {
  const folder = besides(evaluation)
  const path = join(folder, analysisFiles.figures)
  if (!(yield* exists(path))) return undefined
  const { choices, labels, predictions, readings } = yield* decodeFile(path, Schema.decodeUnknownEffect(About))
  if (predictions !== (yield* hashFile(join(evaluation, evaluationFiles.predictions)))) return yield* stale(path)
  return {
    readings: yield* readingsIn(join(folder, readings)),
    choices: choices === null ? undefined : new Map(choices),
    labels: new Map(labels.map(([id, labelled, copied]) => [id, { labelled, copied }]))
  } satisfies Kept as Kept
})

/** Questions as figures take them; keys have the seed. Questions that were not judged are left out. */
export const readAlone = (
  judged: ReadonlyMap<string, Pick<Judged, "correct" | "group" | "options">>,
  seed: number,
  { choices, labels, readings }: Kept
): ReadonlyArray<ReadAlone> =>
  readings.flatMap(({ found, id, random }) => {
    const own = judged.get(id)
    return own === undefined ? [] : [{
      key: `${seed}, ${id}`,
      group: own.group,
      options: own.options.length,
      answered: own.correct,
      verdicts: found.verdicts,
      scores: found.optionNll.map((nll) => nll.map((one) => -one)),
      right: found.right,
      chance: random.right,
      ...labels.get(id),
      judged: choices && (choices.get(id) ?? 0)
    }]
  })
