/** Where parts of messages stand in a text that a chat template renders. */

/** Tokens of a chat by its parts. */
export interface Parted {
  readonly ids: ReadonlyArray<number>
  /** For each token, which of the parts that yield it belongs to, in their order; -1 for none. */
  readonly parts: ReadonlyArray<number>
}

/** Where the parts that yield stand in a rendered text: characters from..to-1; `undefined` if a message is not in it as it is. */
export const placesIn = (
  text: string,
  messages: ReadonlyArray<ReadonlyArray<{ readonly text: string; readonly yields: boolean }>>
) => {
  const places: Array<readonly [number, number]> = []
  let after = 0
  for (const parts of messages) {
    const whole = parts.map((own) => own.text).join("")
    const trimmed = whole.trim()
    const found = text.indexOf(trimmed, after)
    if (found < 0) return undefined
    let at = found - whole.indexOf(trimmed)
    for (const own of parts) {
      if (own.yields) places.push([Math.max(found, at), Math.min(found + trimmed.length, at + own.text.length)])
      at += own.text.length
    }
    after = found + trimmed.length
  }
  return places
}
