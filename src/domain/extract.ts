/** What a written answer says. */

const letterOf = (letter: string | undefined, options: number): number => {
  const at = letter === undefined ? -1 : letter.charCodeAt(0) - 65
  return at < options ? at : -1
}

/** Words of letters and digits in lower case, between spaces. */
const words = (text: string): string => ` ${(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(" ")} `

/** The option whose words come first in the text, the longest of those that begin together; -1 for none. */
const namedFirst = (text: string, options: ReadonlyArray<string>): number => {
  const said = words(text)
  const found = options.map(words).map((own, i) => ({
    i,
    at: own === "  " ? -1 : said.indexOf(own),
    length: own.length
  }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at || b.length - a.length)
  return found[0]?.i ?? -1
}

/** Letters of options, from the plainest way to write them to the vaguest: a statement, a letter that stands alone. */
const statement = /\b(?:answer|option|choice)(?:\s+is)?\s*:?\s*[("'*]*([A-Z])(?![\p{L}\p{N}])/iu
const alone = /^[^\p{L}\p{N}]*([A-Z])(?:[^\p{L}\p{N}\s]|\s*$)/u
const leading = /^[^\p{L}\p{N}]*([A-Z])(?![\p{L}\p{N}])/u
const listed = /\(([A-Z])\)|(?<![\p{L}\p{N}])([A-Z])[.):]/u

/**
 * The place of the option that a text names, by letter or by its words; -1 where it names none. The text is read as
 * answers are written: an option in full, "Answer: B", "(B) because", an option within a sentence, "B" at the start.
 */
export const optionOf = (text: string, options: ReadonlyArray<string>): number => {
  const stated = statement.exec(text)?.[1]
  const inList = listed.exec(text)
  const readings = [
    () => options.findIndex((option) => words(option) === words(text)),
    () => stated === stated?.toUpperCase() ? letterOf(stated, options.length) : -1,
    () => letterOf(alone.exec(text)?.[1], options.length),
    () => namedFirst(text, options),
    () => letterOf(leading.exec(text)?.[1], options.length),
    () => letterOf(inList?.[1] ?? inList?.[2], options.length)
  ]
  for (const reading of readings) {
    const at = reading()
    if (at >= 0) return at
  }
  return -1
}
