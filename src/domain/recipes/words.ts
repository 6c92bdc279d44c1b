/** Command lines as a shell splits them: words apart by white space, quotes around what is one word. */

const part = /"([^"]*)"|'([^']*)'|([^\s"']+)/y

/** The words of a line; a string that says what is wrong with it, if quotes do not close. */
export const wordsOf = (line: string): ReadonlyArray<string> | string => {
  const words: Array<string> = []
  let open = false
  for (let at = 0; at < line.length;) {
    if (/\s/.test(line[at]!)) {
      open = false
      at++
      continue
    }
    part.lastIndex = at
    const found = part.exec(line)
    if (found === null) return `a quote does not close: ${line.slice(at, at + 40)}`
    const text = found[1] ?? found[2] ?? found[3]!
    if (open) words.push(words.pop()! + text)
    else words.push(text)
    open = true
    at = part.lastIndex
  }
  return words
}
