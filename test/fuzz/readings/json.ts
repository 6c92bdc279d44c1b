/** JSON and its bytes, read a second time. */

/** What JSON says, by JavaScript's own reading: of a key given twice the last one counts. */
export const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

/** How deep brackets are nested in a text, but for those in quotes. */
export const depth = (text: string): number => {
  let [level, deepest] = [0, 0]
  for (const c of text.replaceAll(/"(?:[^"\\]|\\.)*"/g, "")) {
    level += c === "[" || c === "{" ? 1 : c === "]" || c === "}" ? -1 : 0
    deepest = Math.max(level, deepest)
  }
  return deepest
}

/** Strict UTF-8 without its byte order mark; `undefined` where it is none. */
export const decoded = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

type Fields = Readonly<Record<string, unknown>>
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The elements of a text's outermost list, from 0, in which an object gives a key twice; 0 where the text is no list. */
export const repeating = (text: string): ReadonlySet<number> => {
  const seen: Array<Set<string>> = []
  const found = new Set<number>()
  let element = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\],]/gs)) {
    if (token === "{" || token === "[") seen.push(new Set())
    else if (token === "}" || token === "]") seen.pop()
    else if (token === ",") element += seen.length === 1 ? 1 : 0
    else if (token.endsWith(":")) {
      const key = JSON.parse(token.slice(0, -1)) as string
      if (seen.at(-1)?.has(key)) found.add(text.trimStart().startsWith("[") ? element : 0)
      seen.at(-1)?.add(key)
    }
  }
  return found
}

/** Whether an object of a JSON text gives a key twice, at any level. */
export const repeats = (text: string): boolean => repeating(text).size > 0

/** What a file of JSON says that gives no key twice and is of a depth that people write; `undefined` for any other. */
export const strictly = (bytes: Uint8Array): { readonly value: unknown } | undefined => {
  const text = decoded(bytes) ?? ""
  const json = depth(text) > 128 ? undefined : parsed(text)
  return json === undefined || repeats(text) ? undefined : json
}
