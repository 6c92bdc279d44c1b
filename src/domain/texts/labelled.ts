/** Fields as lines of plain text, "Question: ...", for models that write no JSON. */

/** A field. */
export interface Label {
  /** At the beginning of its line, before a colon. */
  readonly name: string
  /** Its key in a JSON object. */
  readonly key: string
  /** What belongs there, as the model is told. */
  readonly about: string
  /** So many lines of it, as a list. */
  readonly count?: number
  /** Whether it is a number. */
  readonly number?: boolean
}

/** How the form is asked for, in words. */
export const instructions = (labels: ReadonlyArray<Label>): string =>
  [
    "Answer only with these lines:",
    ...labels.flatMap(({ about, count, name }) => Array<string>(count ?? 1).fill(`${name}: <${about}>`))
  ].join("\n")

/** A line that begins with a label: emphasis, a bullet or a number around it is no part of it. */
const patternOf = (labels: ReadonlyArray<Label>): RegExp => {
  const names = labels.map(({ name }) => name.replaceAll(/[^\w ]/g, "\\$&")).join("|")
  return new RegExp(`^[\\s*_#>-]*(?:\\d+[.)]\\s*)?[*_]*(${names})(?:\\s*\\d+)?[*_]*\\s*:[*_]*`, "i")
}

/** Texts under labels, in order; the text before the first label is left out. */
const partsOf = (text: string, labels: ReadonlyArray<Label>): ReadonlyArray<readonly [Label, string]> => {
  const pattern = patternOf(labels)
  const parts: Array<[Label, string]> = []
  for (const line of text.split("\n")) {
    const match = pattern.exec(line)
    const label = match && labels.find(({ name }) => name.toLowerCase() === match[1]!.toLowerCase())
    if (match && label) parts.push([label, line.slice(match[0].length)])
    else if (parts.length > 0) parts.at(-1)![1] += `\n${line}`
  }
  return parts.map(([label, own]) => [label, own.trim()])
}

const valueOf = ({ number }: Label, text: string): unknown => {
  const digits = /^-?\d+(?:\.\d+)?/.exec(text)?.[0]
  return number === true && digits !== undefined ? Number(digits) : text
}

/**
 * The fields of a text as an object, or the name of a label that it lacks. Of a label that occurs more often than it
 * should, the first ones count; what was only copied from the instructions does not.
 */
export const read = (
  text: string,
  labels: ReadonlyArray<Label>
): { readonly value: Readonly<Record<string, unknown>> } | { readonly lacks: string } => {
  const parts = partsOf(text, labels).filter(([{ about }, own]) => own !== "" && own !== `<${about}>`)
  const found = labels.map((label) => {
    const own = parts.filter(([other]) => other === label).map(([, part]) => valueOf(label, part))
    return [label, own] as const
  })
  const lacking = found.find(([{ count = 1 }, own]) => own.length < count)
  if (lacking) return { lacks: lacking[0].name }
  return {
    value: Object.fromEntries(
      found.map(([{ count, key }, own]) => [key, count === undefined ? own[0] : own.slice(0, count)])
    )
  }
}
