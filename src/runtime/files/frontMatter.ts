/** Cards of the Hub: Markdown with YAML front matter. */
import { parse } from "yaml"

/** A card's front matter as an object, which is empty if it has none that can be read, and the text after it. */
export const cardParts = (
  text: string
): { readonly matter: Readonly<Record<string, unknown>>; readonly body: string } => {
  const [all, yaml] = /^\uFEFF?---\r?\n([^]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text) ?? []
  if (all === undefined) return { matter: {}, body: text }
  const body = text.slice(all.length)
  try {
    const value: unknown = parse(yaml!, { logLevel: "error" })
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value)
    return { matter: isObject ? value as Record<string, unknown> : {}, body }
  } catch {
    return { matter: {}, body }
  }
}

/** The text under a heading of the second level, without it; `undefined` if there is none. */
export const sectionOf = (body: string, title: string): string | undefined => {
  const parts = body.split(/^## (.+)$/m)
  const at = parts.findIndex((part, i) => i % 2 === 1 && part.trim() === title)
  return at < 0 ? undefined : parts[at + 1]!.trim()
}
