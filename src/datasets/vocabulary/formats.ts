/** Lines of vocabularies as names of concepts: UMLS' MRCONSO.RRF, OBO, tables of ids, names and synonyms, JSON lines. */
import { brief } from "../../domain/brief.ts"

/** Which names of a vocabulary count. */
export interface VocabularyOptions {
  /** Of MRCONSO: languages (LAT), sources (SAB) and term types (TTY); all if empty. */
  readonly languages: ReadonlyArray<string>
  readonly sources: ReadonlyArray<string>
  readonly termTypes: ReadonlyArray<string>
  /** Of MRCONSO: whether suppressed and obsolete names count. */
  readonly suppressed: boolean
  /** Ids or names of semantic types (by MRSTY), or values of `type`; all if empty. */
  readonly types: ReadonlyArray<string>
  /** Of OBO: scopes of synonyms. */
  readonly scopes: ReadonlyArray<string>
}

/** What a line says. */
export interface Entry {
  readonly id: string
  readonly names: ReadonlyArray<string>
  /** What kind of concept it is, where the line tells: the column or key `type`, the namespace of OBO. */
  readonly type?: string
}

/** Reads lines one after another; `end` gives what the last of them leave. Returns a problem as a text. */
export interface LineReader {
  readonly line: (line: string) => ReadonlyArray<Entry> | string
  readonly end: () => ReadonlyArray<Entry>
}

const none: ReadonlyArray<Entry> = []
const kind = (type: string): Pick<Entry, "type"> => type === "" ? {} : { type }
const allows = (allowed: ReadonlyArray<string>) => {
  const known = new Set(allowed)
  return (value: string) => known.size === 0 || known.has(value)
}

/** Fields of MRCONSO.RRF, by place. */
const CONSO = { CUI: 0, LAT: 1, SAB: 11, TTY: 12, STR: 14, SUPPRESS: 16, count: 18 } as const

/** `typed`: whether a concept is of a type that counts. */
export const mrconso = (o: VocabularyOptions, typed: (cui: string) => boolean): LineReader => {
  const [language, source, termType] = [allows(o.languages), allows(o.sources), allows(o.termTypes)]
  return {
    line: (line) => {
      const fields = line.split("|")
      if (fields.length < CONSO.count) return `has ${fields.length - 1} of ${CONSO.count} fields of MRCONSO.RRF`
      const at = (name: Exclude<keyof typeof CONSO, "count">) => fields[CONSO[name]]!
      const kept = language(at("LAT")) && source(at("SAB")) && termType(at("TTY"))
        && (o.suppressed || at("SUPPRESS") === "N") && typed(at("CUI"))
      return kept ? [{ id: at("CUI"), names: [at("STR")] }] : none
    },
    end: () => none
  }
}

/** A line of MRSTY.RRF: a concept, and the id and the name of a type of it. */
export const mrsty = (line: string): readonly [cui: string, tui: string, name: string] | string => {
  const fields = line.split("|")
  return fields.length < 4 ? "is no line of MRSTY.RRF" : [fields[0]!, fields[1]!, fields[3]!]
}

const quoted = (text: string): string => text.replace(/\\(.)/g, "$1")

/** Terms of an OBO file that are not obsolete, with synonyms of the scopes. */
export const obo = (o: VocabularyOptions): LineReader => {
  const scope = allows(o.scopes)
  let [term, id, type, obsolete, names] = [false, "", "", false, new Array<string>()]
  const done = (): ReadonlyArray<Entry> =>
    term && id !== "" && !obsolete && names.length > 0 ? [{ id, names, ...kind(type) }] : none
  const begin = (stanza: string) => {
    const found = done()
    ;[term, id, type, obsolete, names] = [stanza === "[Term]", "", "", false, []]
    return found
  }
  return {
    line: (line) => {
      if (line.startsWith("[")) return begin(line.trim())
      if (!term) return none
      const [, tag, value] = /^([\w-]+):\s*(.*?)\s*$/.exec(line) ?? []
      if (tag === "id") id = value!
      if (tag === "name") names.push(value!)
      if (tag === "namespace") type = value!
      if (tag === "is_obsolete") obsolete = value === "true"
      const [, text, how] = tag === "synonym" ? /^"((?:[^"\\]|\\.)*)"\s+(\w+)/.exec(value!) ?? [] : []
      if (text !== undefined && scope(how!)) names.push(quoted(text))
      return none
    },
    end: done
  }
}

const SEPARATOR = "|"

/** A table with a head: `id`, `name`, `synonyms` (separated by "|"), `type`; columns separated by tabs. */
export const table = (o: VocabularyOptions): LineReader => {
  const typed = allows(o.types)
  let columns: ReadonlyMap<string, number> | undefined
  return {
    line: (line) => {
      const fields = line.split("\t").map((own) => own.trim())
      if (columns === undefined) {
        columns = new Map(fields.map((name, i) => [name.toLowerCase(), i]))
        const lacks = ["id", "name"].find((name) => !columns!.has(name))
        return lacks === undefined ? none : `is the head, and has no column ${lacks}; columns are separated by tabs`
      }
      const at = (name: string) => fields[columns!.get(name) ?? -1] ?? ""
      if (at("id") === "" || at("name") === "") return "has no id, or no name"
      const synonyms = at("synonyms").split(SEPARATOR).map((own) => own.trim()).filter((own) => own !== "")
      if (columns.has("type") && !typed(at("type"))) return none
      return [{ id: at("id"), names: [at("name"), ...synonyms], ...kind(at("type")) }]
    },
    end: () => none
  }
}

/** Keys of a JSON line whose values are names, besides `name`. */
const synonymKeys = ["synonyms", "exact", "abbrev"] as const

const textsOf = (value: unknown): ReadonlyArray<string> | undefined => {
  if (value === undefined || value === null) return []
  const all: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  return all.every((own) => typeof own === "string") ? all : undefined
}

/** JSON lines with `id`, `name`, lists of names under `synonyms`, `exact` or `abbrev`, and `type` if there is one. */
export const jsonLines = (o: VocabularyOptions): LineReader => {
  const typed = allows(o.types)
  return {
    line: (line) => {
      let found: unknown
      try {
        found = JSON.parse(line)
      } catch {
        return `is no JSON: ${brief(line)}`
      }
      const row = Object(found) as Readonly<Record<string, unknown>>
      const id = typeof row["id"] === "number" ? String(row["id"]) : row["id"]
      if (typeof id !== "string" || id === "") return "field \"id\": is missing, or no text"
      if (typeof row["name"] !== "string") return "field \"name\": is missing, or no text"
      const lists = synonymKeys.map((key) => [key, textsOf(row[key])] as const)
      const bad = lists.find(([, names]) => names === undefined)
      if (bad !== undefined) return `field "${bad[0]}": is no list of texts`
      if (row["type"] !== undefined && !typed(String(row["type"]))) return none
      const type = row["type"] === undefined ? "" : String(row["type"])
      return [{ id, names: [row["name"], ...lists.flatMap(([, names]) => names!)], ...kind(type) }]
    },
    end: () => none
  }
}
