/** A document as text, and a builder for its readers. */

/** A heading in a document's text. */
export interface Heading {
  /** Its place in the text: start..end-1. */
  readonly start: number
  readonly end: number
  /** 1 for the highest. */
  readonly level: number
}

/** Where something of the source begins in the text: a line of a file, or a page. */
export interface Mark {
  readonly start: number
  /** Counted from 1. */
  readonly number: number
}

/** A document: blocks of text apart by blank lines. */
export interface Document {
  /** Empty if the document names none. */
  readonly title: string
  readonly text: string
  readonly headings: ReadonlyArray<Heading>
  /** What `marks` count. */
  readonly unit: "line" | "page"
  /** Rising by `start`. */
  readonly marks: ReadonlyArray<Mark>
  /** What was left out or changed in reading, by name: "pages without text". */
  readonly counts: Readonly<Record<string, number>>
}

/** Text in one line: runs of white space are single blanks. */
export const inLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** Collects blocks of text. */
export class DocumentBuilder {
  private text = ""
  private readonly headings: Array<Heading> = []
  private readonly marks: Array<Mark> = []
  private readonly counts: Record<string, number> = {}
  private readonly unit: Document["unit"]
  constructor(unit: Document["unit"]) {
    this.unit = unit
  }

  /** Adds a block, which begins at this line or on this page; a heading, if it has a level. Blocks without text are left out. */
  add(text: string, number: number, level?: number): void {
    if (text.trim() === "") return
    if (this.text !== "") this.text += "\n\n"
    const start = this.text.length
    this.text += text
    if (this.marks.at(-1)?.number !== number) this.marks.push({ start, number })
    if (level !== undefined) this.headings.push({ start, end: this.text.length, level })
  }

  /** Counts something. */
  count(what: string, by = 1): void {
    if (by > 0) this.counts[what] = (this.counts[what] ?? 0) + by
  }

  /** The document, under the title given, or else its only heading of the first level. */
  finish(title = ""): Document {
    const { counts, headings, marks, text, unit } = this
    const [first, second] = headings.filter(({ level }) => level === 1)
    const own = first === undefined || second !== undefined ? "" : text.slice(first.start, first.end)
    return { title: inLine(title) || inLine(own), text, headings, unit, marks, counts }
  }
}
