/**
 * The `README.md` of a saved model: what it is, how it was trained, on what data, and its metrics, from the run's
 * files.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { basename, join } from "node:path"
import { brief, cut, several } from "../domain/brief.ts"
import {
  benchFolder,
  benchSummary,
  evaluationFiles,
  evaluationFolder,
  type PartName,
  runFiles
} from "../domain/fileNames.ts"
import { problemsOf } from "../domain/issues.ts"
import { folders } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { markdown } from "../domain/textTable.ts"
import { exists, type FileError, located, readJson } from "../runtime/files/disk.ts"
import { decode, modeOf } from "../systems/all.ts"
import { licenceText, LINEAGE, lineageOf, matterOf, originOf } from "./cards/origin.ts"
import { syntheticData, taskResults } from "./cards/sections.ts"
import { quantizationOf } from "./models.ts"
import { splits } from "./prepare.ts"

/** The contents of a card. */
export interface Card {
  readonly name: string
  /** Additional front-matter fields. */
  readonly matter: Readonly<Record<string, string>>
  /** Sections: title and text. */
  readonly sections: ReadonlyArray<readonly [title: string, text: string]>
}

const kinds: Readonly<Record<PartName, { readonly tag: string; readonly pipeline: string; readonly about: string }>> = {
  retriever: {
    tag: "ColBERT",
    pipeline: "sentence-similarity",
    about: "A ColBERT retriever: one vector a token, texts compared by MaxSim."
  },
  reader: {
    tag: "question-answering",
    pipeline: "text-generation",
    about: "A language model that answers questions from passages put before them."
  }
}

/** What a part is; a reader of a mode that learns texts answers from no passages. */
const kindOf = (c: RunConfig, part: PartName) =>
  modeOf(c).traits.questions === "texts"
    ? { ...kinds[part], tag: "text-generation", about: "A language model, trained on texts." }
    : kinds[part]

const caution = "Research software, not medical advice."

/** Renders the card as Markdown with front matter. */
export const text = ({ matter, name, sections }: Card): string => {
  const front = Object.entries(matter).map(([key, value]) => `${key}: ${value}`)
  const body = sections.map(([title, own]) => `## ${title}\n\n${own}`)
  return [`---\n${front.join("\n")}\n---`, `# ${name}`, ...body, caution].join("\n\n") + "\n"
}

const Figures = Schema.Record(Schema.String, Schema.Unknown)
const Ran = Schema.Struct({ corpus: Schema.String, environment: Figures })

/** An optional file of a run's folder; an invalid one is reported and ignored. */
const optional = <A, E extends { readonly message: string }>(
  path: string,
  decode: (json: unknown) => Effect.Effect<A, E>
): Effect.Effect<A | undefined, FileError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    if (!(yield* fs.exists(path).pipe(located(path)))) return undefined
    const read = yield* Effect.result(Effect.flatMap(readJson(path), decode))
    if (Result.isSuccess(read)) return read.success
    const { message } = read.failure
    yield* Effect.logWarning(
      `${message.startsWith(path) ? message : `${path}: ${message}`}; the model card goes without it`
    )
    return undefined
  })

const decodeAs = <A>(schema: Schema.Codec<A, any>) => (json: unknown): Effect.Effect<A, { readonly message: string }> =>
  Effect.mapError(Schema.decodeUnknownEffect(schema)(json), (error) => ({ message: problemsOf(error).join("; ") }))
const decodeSettings = (path: string) => (json: unknown) =>
  decodeAs(Figures)(json).pipe(
    Effect.flatMap((raw) =>
      Effect.mapError(decode(path, raw), ({ problems }) => ({ message: several(problems, 3).join("; ") }))
    )
  )

/** Maximum characters of a value, and depth of nested figures. */
const [LONG, DEEP] = [2000, 6]

const show = (value: unknown): string => {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  return typeof value === "string" ? cut(value, LONG) : brief(value, LONG)
}

/** Figures by dotted names; lists and texts unchanged. */
const figures = (value: unknown, names: ReadonlyArray<string> = []): ReadonlyArray<readonly [string, string]> => {
  const whole = typeof value !== "object" || value === null || Array.isArray(value) || names.length >= DEEP
  if (whole) return [[names.join("."), show(value)]]
  return Object.entries(value).flatMap(([key, own]) => figures(own, [...names, key]))
}

/** A two-column table of names and values. */
export const table = (head: readonly [string, string], value: object): string =>
  markdown([head, ...figures(value)], { aligned: false })

/** Whether a setting names data. */
const isData = (key: string): boolean => /_(file|where)$|^(holdout|group_field|distractors|max_eval_samples)$/.test(key)

const dataOf = (c: RunConfig, corpus: unknown): string => {
  const named = Object.entries(c).filter(([key, v]) => isData(key) && v !== "" && JSON.stringify(v) !== "{}")
  return table(["data", "value"], { ...Object.fromEntries(named), ...(corpus === undefined ? {} : { corpus }) })
}

/** What a reader trained on quantised weights differs in from what is saved; nothing of others. */
const roundedBase = (c: RunConfig, part: PartName): string => {
  const own = part === "reader" ? quantizationOf(c) : undefined
  if (own === undefined) return ""
  return ` Its adapter was trained, and the figures below were measured, on a base quantised to ${own.type} in blocks of `
    + `${own.block_size}; the weights here are in the base's own precision, so that their figures may differ.`
}

/** The run as a step of a lineage. */
const stepOf = (c: RunConfig, steps: unknown, isSynthetic: boolean): string => {
  const taken = typeof steps === "number" ? `, ${steps} steps` : ""
  const data = c.train_file === "" ? "" : ` on ${basename(c.train_file)}${isSynthetic ? " (synthetic)" : ""}`
  return `trained in mode ${c.mode}${data}${taken}, seed ${c.seed}`
}

/** What tasks were evaluated in a run's folder. */
const benchedIn = Effect.fnUntraced(function*(folder: string) {
  if (!(yield* exists(join(folder, benchFolder, benchSummary)))) return []
  return [["Tasks", yield* taskResults({ name: folder, folder })] as const]
})

/** The card of a run's part, with the settings it was trained with; the corpus is identified by SHA-256. */
export const ofRun = Effect.fnUntraced(function*(given: RunConfig, part: PartName) {
  const at = (...names: ReadonlyArray<string>) => join(given.output_dir, ...names)
  const c: RunConfig = (yield* optional(at(runFiles.settings), decodeSettings(at(runFiles.settings)))) ?? given
  const run = yield* optional(at(runFiles.run), decodeAs(Ran))
  const trained = yield* optional(at(runFiles.trained), decodeAs(Figures))
  const judged = yield* Effect.forEach(splits, (split) =>
    Effect.map(
      optional(at(evaluationFolder(split), evaluationFiles.metrics), decodeAs(Figures)),
      (metrics) => [split, metrics] as const
    ))
  const settings = Object.entries(c).filter(([key]) => !isData(key))
  const measured = judged.filter(([, metrics]) => metrics !== undefined).map(([split, metrics]) => {
    const own = Object.entries(metrics!).filter(([key]) => key !== "environment")
    return [`Evaluation on ${split}`, table(["metric", "value"], Object.fromEntries(own))] as const
  })
  const { about, pipeline, tag } = kindOf(c, part)
  const [origin, synthetic] = [yield* originOf(c[folders[part]]), yield* syntheticData(c.train_file)]
  const step = stepOf(c, trained?.["steps"], synthetic !== undefined)
  return text({
    name: `${part} of ${c.output_dir}`,
    matter: {
      library_name: "transformers",
      pipeline_tag: pipeline,
      ...matterOf([origin], c.train_file === "" ? [] : [basename(c.train_file)]),
      tags: `[anamnesis, ${tag}]`
    },
    sections: [
      ["Model", `${about} Trained by Anamnesis, mode ${c.mode}, seed ${c.seed}.${roundedBase(c, part)}`],
      ["Licence", licenceText([origin])],
      [LINEAGE, lineageOf(step, [{ origin }])],
      ["Data", dataOf(c, run?.corpus)],
      ...(synthetic === undefined ? [] : [synthetic]),
      ...measured,
      ...yield* benchedIn(given.output_dir),
      ...(trained ? [["Training", table(["figure", "value"], trained)] as const] : []),
      ["Settings", table(["setting", "value"], Object.fromEntries(settings))],
      ...(run ? [["Environment", table(["what", "value"], run.environment)] as const] : [])
    ]
  })
})
