import { readFileSync } from "node:fs"
import type { Facet } from "./wordings.ts"

/** The four modes, as they stand in the table, in the passages and in the options. */
export const modes = ["autosomal dominant", "autosomal recessive", "X-linked", "mitochondrial"] as const

/** One row of the facts table. `chromosome` is the cytogenetic band of `gene`, or `MT` for the mitochondrial genome. */
export interface Disease {
  readonly id: string
  readonly name: string
  readonly synonyms: ReadonlyArray<string>
  readonly abbreviations: ReadonlyArray<string>
  readonly gene: string
  readonly chromosome: string
  readonly inheritance: (typeof modes)[number]
  readonly findings: ReadonlyArray<string>
  readonly field: string
}

export interface Alias {
  readonly text: string
  readonly kind: "name" | "synonym" | "abbreviation"
}

const directory = new URL(".", import.meta.url)

export const loadDiseases = (): ReadonlyArray<Disease> =>
  readFileSync(new URL("diseases.jsonl", directory), "utf8").trim().split("\n").map((line) =>
    JSON.parse(line) as Disease
  )

/** All names of a disease, its name first. */
export const aliases = (disease: Disease): ReadonlyArray<Alias> => [
  { text: disease.name, kind: "name" },
  ...disease.synonyms.map((text) => ({ text, kind: "synonym" as const })),
  ...disease.abbreviations.map((text) => ({ text, kind: "abbreviation" as const }))
]

/** Whether an alias can stand alone: an abbreviation needs three letters. */
export const standsAlone = ({ kind, text }: Alias): boolean =>
  kind !== "abbreviation" || text.replace(/[^A-Za-z]/g, "").length >= 3

/** The values of a facet, each of which its passage states verbatim. */
export const values = (disease: Disease, facet: Facet): ReadonlyArray<string> => {
  switch (facet) {
    case "names":
      return aliases(disease).map(({ text }) => text)
    case "gene":
      return [disease.gene]
    case "location":
      return [disease.chromosome]
    case "inheritance":
      return [disease.inheritance]
    case "findings":
      return disease.findings
  }
}

/** Name without its type or number: the types of one disease are a family. */
export const family = ({ name }: Disease): string =>
  name.toLowerCase().replace(/ (type|complementation group|group|syndrome type) .*$/, "").replace(/ \d+[a-z]?$/, "")

/** Aliases, in lower case, that belong to more than one disease. */
export const ambiguous = (diseases: ReadonlyArray<Disease>): ReadonlySet<string> => {
  const owners = new Map<string, string>()
  const shared = new Set<string>()
  for (const disease of diseases) {
    for (const { text } of aliases(disease)) {
      const owner = owners.get(text.toLowerCase())
      if (owner !== undefined && owner !== disease.id) shared.add(text.toLowerCase())
      owners.set(text.toLowerCase(), disease.id)
    }
  }
  return shared
}
