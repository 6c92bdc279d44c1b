/** What `hallucinations` has found of a run, as it lies in the run's folder. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { type Checked, judgements, places, type SupportFigures, supportFigures } from "../../domain/concepts/support.ts"
import { analysisFiles, evaluationFiles } from "../../domain/fileNames.ts"
import { decodeFile, exists, FileError, hashFile, replace } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { json } from "../run.ts"
import { besides } from "./kept.ts"

/** What is written besides the answers' lines. */
const About = Schema.Struct({
  /** Hash of the predictions that were checked. */
  predictions: Schema.String,
  /** Questions without a written answer. */
  silent: Schema.Natural,
  /** Types of the concepts that were found, where the vocabulary has them. */
  types: Schema.Record(Schema.String, Schema.String)
})

const Line = Schema.Struct({
  id: Schema.String,
  group: Schema.String,
  concepts: Schema.optionalKey(Schema.Array(Schema.Struct({
    name: Schema.String,
    concepts: Schema.Array(Schema.String),
    place: Schema.Literals(places)
  }))),
  statements: Schema.optionalKey(Schema.Array(Schema.Struct({
    text: Schema.String,
    judgement: Schema.Literals([...judgements, "unparsed"])
  })))
})

/** Checked answers of a run. */
export interface CheckedRun {
  readonly checked: ReadonlyArray<Checked & { readonly id: string }>
  readonly silent: number
}

/** A run's checked answers with the types of their concepts. */
export interface KeptChecks extends CheckedRun {
  readonly types: ReadonlyMap<string, string>
}

/** Figures of the checked answers of a system's runs. */
export interface Hallucinated extends SupportFigures {
  readonly name: string
  /** Questions without a written answer: an option alone says nothing of its reasons. */
  readonly silent: number
}

/** The figures of a system. */
export const hallucinatedOf = (
  name: string,
  runs: ReadonlyArray<CheckedRun>,
  types: ReadonlyMap<string, string>
): Hallucinated => {
  const figures = supportFigures(runs.flatMap(({ checked }) => checked), (concept) => types.get(concept))
  return { name, silent: runs.reduce((sum, { silent }) => sum + silent, 0), ...figures }
}

/** Writes a run's checked answers into the folder of its analysis. */
export const keep = Effect.fnUntraced(function*(
  folder: string,
  predictions: string,
  { checked, silent, types }: KeptChecks
) {
  const lines = checked.map((own) => `${JSON.stringify(own)}\n`).join("")
  const ids = new Set(checked.flatMap(({ concepts = [] }) => concepts.flatMap((own) => own.concepts)))
  const about: typeof About.Type = {
    predictions,
    silent,
    types: Object.fromEntries([...types].filter(([id]) => ids.has(id)))
  }
  yield* replace(join(folder, analysisFiles.hallucinations), new TextEncoder().encode(lines))
  yield* replace(join(folder, analysisFiles.hallucinated), json(about))
})

const linesIn = (path: string) =>
  LineFile.read(path).pipe(
    Stream.mapEffect((line) =>
      Effect.mapError(
        Schema.decodeUnknownEffect(Schema.fromJsonString(Line))(line),
        () =>
          new FileError({ path, place: "", reason: "has a line that is no checked answer; run hallucinations again" })
      )
    ),
    Stream.map(({ concepts, statements, ...own }) => ({ ...own, concepts, statements })),
    Stream.runCollect
  )

/** What was checked of an evaluation; `undefined` if nothing was. Fails if it is of other predictions, or damaged. */
export const checkedBeside = Effect.fn("keptHallucinations")(function*(evaluation: string) {
  const folder = besides(evaluation)
  const path = join(folder, analysisFiles.hallucinated)
  if (!(yield* exists(path))) return undefined
  const { predictions, silent, types } = yield* decodeFile(path, Schema.decodeUnknownEffect(About))
  if (predictions !== (yield* hashFile(join(evaluation, evaluationFiles.predictions)))) {
    const reason = "is of another evaluation than there is now; run hallucinations again"
    return yield* new FileError({ path, place: "", reason })
  }
  const checked = yield* linesIn(join(folder, analysisFiles.hallucinations))
  return { checked, silent, types: new Map(Object.entries(types)) } satisfies KeptChecks as KeptChecks
})
