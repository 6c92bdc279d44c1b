/** What the text of a JSON value tells that the value itself does not: how deep it is, and which keys are given twice. */

/** How deep brackets are nested, in strings or not well-formed as the text may be. */
export const depth = (text: string): number => {
  let [level, deepest, quoted] = [0, 0, false]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (quoted) {
      if (code === 0x5c) i++
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++level)
    else if (code === 0x7d || code === 0x5d) level--
  }
  return deepest
}

/** The keys that objects of a well-formed text give more than once, as deep as `levels`; 1 is the outermost. */
export const repeatedKeys = (text: string, levels: number): ReadonlyArray<string> => {
  const twice = new Set<string>()
  const seen: Array<Set<string>> = []
  /** A string of the text, or one other character that matters. */
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/gs)) {
    if (token === "{" || token === "[") seen.push(new Set())
    else if (token === "}" || token === "]") seen.pop()
    else if (seen.length <= levels && token.endsWith(":")) {
      const key = JSON.parse(token.slice(0, token.lastIndexOf("\"") + 1)) as string
      if (seen.at(-1)!.has(key)) twice.add(key)
      seen.at(-1)!.add(key)
    }
  }
  return [...twice]
}
