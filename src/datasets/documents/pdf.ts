/** The text of a PDF: paragraphs from the places of its lines. */
import { getDocumentProxy } from "unpdf"
import { type Document, DocumentBuilder } from "../../domain/documents/Document.ts"

/** A line of a page: its text, the height of its letters, and how far from the page's bottom it stands. */
interface Line {
  readonly text: string
  readonly height: number
  readonly at: number
}

interface Item {
  readonly str: string
  readonly hasEOL: boolean
  readonly height: number
  readonly transform: ReadonlyArray<number>
}

const linesOf = (items: ReadonlyArray<Item>): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  let open: Array<Item> = []
  for (const item of items) {
    open.push(item)
    if (!item.hasEOL && item !== items.at(-1)) continue
    const text = open.map(({ str }) => str).join("").replaceAll(/\s+/g, " ").trim()
    if (text !== "") {
      lines.push({
        text,
        height: Math.max(...open.map(({ height }) => height)),
        at: open[0]!.transform[5]!
      })
    }
    open = []
  }
  return lines
}

/** Lines of text that stand first or last on most pages: running titles. Page numbers count as equal. */
const repeatedOf = (pages: ReadonlyArray<ReadonlyArray<Line>>): ReadonlySet<string> => {
  if (pages.length < 3) return new Set()
  const seen = new Map<string, number>()
  for (const page of pages) {
    for (const key of new Set([page[0], page.at(-1)].flatMap((line) => line ? [keyOf(line)] : []))) {
      seen.set(key, (seen.get(key) ?? 0) + 1)
    }
  }
  return new Set([...seen].filter(([, count]) => count > pages.length / 2).map(([key]) => key))
}
const keyOf = ({ text }: Line): string => text.replaceAll(/\d+/g, "#")

/** Whether a line begins a paragraph: it stands farther below the one before than lines of its height do. */
const begins = (line: Line, before: Line | undefined): boolean => {
  if (before === undefined) return true
  const [gap, height] = [before.at - line.at, Math.max(line.height, before.height)]
  return gap < 0 || gap > 1.8 * height
}

/** The lines of a paragraph as one text; words cut at the end of a line are joined. */
const joined = (lines: ReadonlyArray<string>, document: DocumentBuilder): string =>
  lines.reduce((text, line) => {
    if (!/\p{Ll}-$/u.test(text) || !/^\p{Ll}/u.test(line)) return text === "" ? line : `${text} ${line}`
    document.count("words joined that were cut at the end of a line")
    return text.slice(0, -1) + line
  }, "")

/** A PDF as document; rejects with pdf.js's errors. */
export const pdf = async (bytes: Uint8Array): Promise<Document> => {
  const file = await getDocumentProxy(bytes, { verbosity: 0 })
  const document = new DocumentBuilder("page")
  const pages = await Promise.all(Array.from({ length: file.numPages }, async (_, i) => {
    const page = await file.getPage(i + 1)
    const { items } = await page.getTextContent()
    return linesOf(items.filter((item) => "str" in item))
  }))
  const repeated = repeatedOf(pages)
  pages.forEach((page, i) => {
    if (page.length === 0) document.count("pages without text")
    const own = page.filter((line, l) => !((l === 0 || l === page.length - 1) && repeated.has(keyOf(line))))
    document.count("running titles left out", page.length - own.length)
    let paragraph: Array<string> = []
    own.forEach((line, l) => {
      if (begins(line, own[l - 1])) {
        document.add(joined(paragraph, document), i + 1)
        paragraph = []
      }
      paragraph.push(line.text)
    })
    document.add(joined(paragraph, document), i + 1)
  })
  const { info } = await file.getMetadata()
  const title = (info as Readonly<Record<string, unknown>>)["Title"]
  await file.loadingTask.destroy()
  return document.finish(typeof title === "string" ? title : "")
}
