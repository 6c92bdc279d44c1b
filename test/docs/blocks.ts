/** Code blocks of documents: what each is in, and whether it is to be run. */

export interface Block {
  readonly path: string
  /** Line of the opening fence, from 1. */
  readonly line: number
  /** The first word behind the fence; "" where there is none. */
  readonly language: string
  /** Why the block is not run; undefined where it is. */
  readonly notRun: string | undefined
  readonly text: string
}

const fence = /^( {0,3}|\s+(?=```))(`{3,}|~{3,})\s*(\S*)\s*(.*)$/

/** `not run: REASON` behind the language; any other word is a fault. */
const reasonOf = (at: string, info: string): string | undefined => {
  if (info === "") return undefined
  const reason = /^not run: (\S.*)$/.exec(info)?.[1]
  if (reason === undefined) throw new Error(`${at}: "${info}" is no "not run: REASON"`)
  return reason
}

/** The fenced blocks of a document; a fence that is not closed and code by indentation alone are faults. */
export const blocksOf = (path: string, markdown: string): ReadonlyArray<Block> => {
  const lines = markdown.split("\n")
  const blocks: Array<Block> = []
  let last = ""
  for (let i = 0; i < lines.length; i++) {
    const at = `${path}:${i + 1}`
    const open = fence.exec(lines[i]!)
    if (open === null) {
      const indented = /^( {4}|\t)/.test(lines[i]!) && lines[i - 1]?.trim() === "" &&
        !/^\s*([-*]|\d+\.) |^\s/.test(last)
      if (indented) throw new Error(`${at}: code by indentation: fence it`)
      if (lines[i]!.trim() !== "") last = lines[i]!
      continue
    }
    const [, indent, mark, language, info] = open as unknown as [string, string, string, string, string]
    const end = lines.findIndex((line, j) => j > i && line.trim().startsWith(mark) && /^[`~]+$/.test(line.trim()))
    if (end < 0) throw new Error(`${at}: the fence is not closed`)
    const text = lines.slice(i + 1, end).map((line) => line.startsWith(indent) ? line.slice(indent.length) : line)
    blocks.push({ path, line: i + 1, language, notRun: reasonOf(at, info.trim()), text: `${text.join("\n")}\n` })
    ;[i, last] = [end, ""]
  }
  return blocks
}

export const nameOf = ({ line, path }: Block): string => `${path}:${line}`
