/** The metadata of a model's own architecture, each key of which must have been understood. */
import { brief, several } from "../../../domain/brief.ts"
import { Malformed } from "./malformed.ts"
import type { Metadata } from "./metadata.ts"

/** Metadata under the name of an architecture, by keys without it. Keys that are asked for count as understood. */
export interface Section extends Pick<Metadata, "has" | "number" | "count" | "flag" | "text" | "value"> {
  /** The whole key. */
  readonly at: (key: string) => string
  /** @throws Malformed if there are keys that nobody asked for, unless their values request nothing. */
  readonly finish: () => void
}

/** Keys that do not change what is computed from a text, or that the shapes of tensors state too. */
const idle: ReadonlySet<string> = new Set([
  "pooling_type",
  "rope.scaling.finetuned",
  "rope.scaling.original_context_length",
  "tensor_data_layout"
])

/** Whether a value requests nothing: no experts, no cap, no bias of positions. */
const isNeutral = (value: unknown): boolean => value === 0 || value === false || value === ""

/** The section of an architecture. */
export const sectionOf = (metadata: Metadata, architecture: string): Section => {
  const asked = new Set<string>()
  const at = (key: string) => {
    asked.add(key)
    return `${architecture}.${key}`
  }
  return {
    at,
    has: (key) => metadata.has(at(key)),
    value: (key) => metadata.value(at(key)),
    number: (key, otherwise) => metadata.number(at(key), otherwise),
    count: (key, otherwise) => metadata.count(at(key), otherwise),
    flag: (key, otherwise) => metadata.flag(at(key), otherwise),
    text: (key, otherwise) => metadata.text(at(key), otherwise),
    finish: () => {
      const prefix = `${architecture}.`
      const left = metadata.keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
        .filter((key) => !asked.has(key) && !idle.has(key) && !isNeutral(metadata.value(prefix + key)))
      if (left.length === 0) return
      const shown = several(left.map((key) => `${prefix}${key} ${brief(metadata.value(prefix + key))}`)).join(", ")
      throw new Malformed(prefix + left[0]!, `changes what is computed, and is not known here: ${shown}`)
    }
  }
}
