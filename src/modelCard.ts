/** The `README.md` of a saved model: what it is, what made it, on what, and how well it does, by the run's own files. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import type { RunConfig } from "./domain/RunConfig.ts"
import { located, readJson } from "./runtime/layers/files.ts"
import { splits } from "./system.ts"

export type Part = "retriever" | "reader"

/** What a card tells. */
export interface Card {
  readonly name: string
  /** Settings of the front matter, beside those that hold for all. */
  readonly matter: Readonly<Record<string, string>>
  /** Sections: title and text. */
  readonly sections: ReadonlyArray<readonly [title: string, text: string]>
}

const kinds: Readonly<Record<Part, { readonly tag: string; readonly pipeline: string; readonly about: string }>> = {
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

const caution = "Research software, not medical advice."

export const text = ({ matter, name, sections }: Card): string => {
  const front = Object.entries(matter).map(([key, value]) => `${key}: ${value}`)
  const body = sections.map(([title, own]) => `## ${title}\n\n${own}`)
  return [`---\n${front.join("\n")}\n---`, `# ${name}`, ...body, caution].join("\n\n") + "\n"
}

/** JSON of a run's folder, where it has it. */
const optional = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  return (yield* fs.exists(path).pipe(located(path)))
    ? (yield* readJson(path)) as Readonly<Record<string, unknown>>
    : undefined
})

const show = (value: unknown): string => {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toPrecision(4)
  return typeof value === "string" ? value : JSON.stringify(value)
}

/** Figures by dotted names, lists and texts as they are. */
const figures = (value: unknown, prefix = ""): ReadonlyArray<readonly [string, string]> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[prefix, show(value)]]
  return Object.entries(value).flatMap(([key, own]) => figures(own, prefix === "" ? key : `${prefix}.${key}`))
}

/** Two columns: names, and values as text. */
export const table = (head: readonly [string, string], value: object): string => {
  const rows = figures(value).map(([name, own]) => [name, own.replaceAll("|", "\\|").replaceAll("\n", "\\n")])
  return [head, ["---", "---"], ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")
}

/** Settings that name the data. */
const isData = (key: string): boolean => /_(file|where)$|^(holdout|group_field|distractors)$/.test(key)

const dataOf = (c: RunConfig, corpus: unknown): string => {
  const named = Object.entries(c).filter(([key, v]) => isData(key) && v !== "" && JSON.stringify(v) !== "{}")
  return table(["data", "value"], { ...Object.fromEntries(named), ...(corpus === undefined ? {} : { corpus }) })
}

/** The card of a part of the run in a folder, under the settings that it ran with; its corpus is told by SHA-256. */
export const ofRun = Effect.fnUntraced(function*(given: RunConfig, part: Part) {
  const at = (...names: ReadonlyArray<string>) => optional(join(given.output_dir, ...names))
  const c: RunConfig = { ...given, ...yield* at("settings.json") }
  const [run, trained] = [yield* at("run.json"), yield* at("trained.json")]
  const judged = yield* Effect.forEach(
    splits,
    (split) => Effect.map(at(`eval-${split}`, "metrics.json"), (metrics) => [split, metrics] as const)
  )
  const settings = Object.entries(c).filter(([key]) => !isData(key))
  const measured = judged.filter(([, metrics]) => metrics !== undefined).map(([split, metrics]) => {
    const own = Object.entries(metrics!).filter(([key]) => key !== "environment")
    return [`Evaluation on ${split}`, table(["metric", "value"], Object.fromEntries(own))] as const
  })
  const { about, pipeline, tag } = kinds[part]
  return text({
    name: `${part} of ${c.output_dir}`,
    matter: {
      library_name: "transformers",
      pipeline_tag: pipeline,
      base_model: JSON.stringify(c[`${part}_name_or_path`]),
      tags: `[anamnesis, ${tag}]`
    },
    sections: [
      ["Model", `${about} Trained by Anamnesis, mode ${c.mode}, seed ${c.seed}.`],
      ["Data", dataOf(c, run?.["corpus"])],
      ...measured,
      ...(trained ? [["Training", table(["figure", "value"], trained)] as const] : []),
      ["Settings", table(["setting", "value"], Object.fromEntries(settings))],
      ...(run ? [["Environment", table(["what", "value"], run["environment"] as object)] as const] : [])
    ]
  })
})
