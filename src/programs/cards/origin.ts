/** What a model says of itself, for the cards of models that are made of it: licence, data, and how it came to be. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../domain/fileNames.ts"
import { exists, readText } from "../../runtime/files/disk.ts"
import { cardParts, sectionOf } from "../../runtime/files/frontMatter.ts"
import * as Gguf from "../../runtime/files/gguf/read.ts"
import { parse } from "../../runtime/files/hub/ids.ts"
import { locate } from "../../runtime/files/hub/models.ts"
import { isFile } from "../../runtime/files/model.ts"

/** The section of a card that tells how a model came to be: nested lists, the last step first. */
export const LINEAGE = "Lineage"

/** What is known of a model. */
export interface Origin {
  readonly name: string
  /** Ids at the Hub: its own, or those of the models that it was made of. */
  readonly ids: ReadonlyArray<string>
  /** In the Hub's words, such as `apache-2.0`; `undefined` if it does not say. */
  readonly licence: string | undefined
  /** Names of data that it was trained on here. */
  readonly datasets: ReadonlyArray<string>
  /** Lines of a Markdown list. */
  readonly lineage: ReadonlyArray<string>
}

const texts = (value: unknown): ReadonlyArray<string> =>
  [value].flat().filter((own): own is string => typeof own === "string")

/** A licence that says what may be done; none of "other" or "unknown". */
const stated = (value: unknown): string | undefined =>
  texts(value).find((own) => own !== "" && !/^(?:other|unknown)$/i.test(own))

const ofGguf = (path: string) =>
  Effect.scoped(Effect.map(Gguf.open(path), ({ metadata }) => stated(metadata.text("general.license", ""))))

/** What a folder's card says; nothing if it has none. */
const ofCard = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, modelFiles.card)
  const { body, matter } = cardParts((yield* exists(path)) ? yield* readText(path) : "")
  return {
    ids: texts(matter["base_model"]).filter((own) => parse(own) !== undefined),
    licence: stated(matter["license"]),
    datasets: texts(matter["datasets"]),
    lineage: sectionOf(body, LINEAGE)?.split("\n").filter((line) => /^ *- /.test(line)) ?? []
  }
})

/** What is known of a model by its name; what cannot be read is not known. */
export const originOf = Effect.fnUntraced(function*(name: string) {
  const id = parse(name)?.repo
  const unknown: Origin = {
    name,
    ids: id === undefined ? [] : [id],
    licence: undefined,
    datasets: [],
    lineage: [`- ${name}`]
  }
  const found = yield* Effect.result(Effect.gen(function*() {
    const { folder } = yield* locate(name)
    if (yield* isFile(folder)) return { ...unknown, licence: yield* ofGguf(folder) }
    const { datasets, ids, licence, lineage } = yield* ofCard(folder)
    return {
      name,
      ids: id === undefined ? ids : [id],
      licence,
      datasets,
      lineage: lineage.length === 0 ? unknown.lineage : lineage
    } satisfies Origin as Origin
  }))
  return found._tag === "Success" ? found.success : unknown
})

/** A step with the lineages of what it was made of, which are indented; `about` is put after the first line of each. */
export const lineageOf = (
  step: string,
  origins: ReadonlyArray<{ readonly origin: Origin; readonly about?: string }>
): string =>
  [
    `- ${step}`,
    ...origins.flatMap(({ about = "", origin: { lineage } }) =>
      lineage.map((line, i) => `  ${line}${i === 0 && about !== "" ? ` (${about})` : ""}`)
    )
  ].join("\n")

const list = (values: ReadonlyArray<string>): string => JSON.stringify(values)

/** Front matter of a model that is made of others: bases, data, licence; local paths are no bases for the Hub. */
export const matterOf = (
  origins: ReadonlyArray<Origin>,
  datasets: ReadonlyArray<string> = []
): Readonly<Record<string, string>> => {
  const ids = [...new Set(origins.flatMap((own) => own.ids))]
  const all = [...new Set([...origins.flatMap((own) => own.datasets), ...datasets])]
  const licence = licenceOf(origins)
  return {
    ...(ids.length === 0 ? {} : { base_model: JSON.stringify(ids.length === 1 ? ids[0] : ids) }),
    ...(all.length === 0 ? {} : { datasets: list(all) }),
    ...(licence === undefined ? { license: "other", license_name: "unknown" } : { license: licence })
  }
}

/** The licence that all of some models have; `undefined` if one does not say, or they differ. */
const licenceOf = (origins: ReadonlyArray<Origin>): string | undefined => {
  const [first, ...others] = [...new Set(origins.map(({ licence }) => licence))]
  return others.length === 0 ? first : undefined
}

/** The licence in words. */
export const licenceText = (origins: ReadonlyArray<Origin>): string => {
  const licence = licenceOf(origins)
  if (licence !== undefined) {
    return `${licence}, as ${origins.map(({ name }) => name).join(", ")}; the data may have terms of its own.`
  }
  const each = origins.map(({ licence: own = "not known here", name }) => `${name}: ${own}`)
  return `Not known: find it out before you share the model (${each.join("; ")}). The data may have terms of its own.`
}
