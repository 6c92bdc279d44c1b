/** HTML without its marks, scripts and controls. */
import { defaultTreeAdapter as tree, type DefaultTreeAdapterTypes, parse } from "parse5"
import { type Document, DocumentBuilder, inLine } from "../../domain/documents/Document.ts"

type Node = DefaultTreeAdapterTypes.Node

/** Elements whose text is none of the document's. */
const dropped = new Set(
  "head script style template noscript svg math iframe object canvas audio video select button textarea input nav"
    .split(" ")
)
/** Elements whose text is a part of the line that they are in. */
const inline = new Set(
  ("a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark output q s samp small span strike strong "
    + "sub sup time tt u var wbr").split(" ")
)

/** What follows a cell and a row of a table, which is one block. */
const ends: Readonly<Record<string, string>> = { td: " | ", th: " | ", tr: "\n", tbody: "\n", thead: "\n", tfoot: "\n" }

/** Text of a document in blocks. */
class Blocks {
  readonly document = new DocumentBuilder("line")
  private text = ""
  private line = 1
  private level: number | undefined

  /** Ends the block that is open. */
  close(): void {
    const lines = this.text.split("\n").map((line) => inLine(line).replace(/ \|$/, "")).filter((line) => line !== "")
    this.document.add(this.level === undefined ? lines.join("\n") : lines.join(" "), this.line, this.level)
    this.text = ""
    this.level = undefined
  }

  /** Adds text to the block; it begins at this line if it is the first. */
  write(text: string, line: number): void {
    if (this.text.trim() === "") this.line = line
    this.text += text
  }

  heading(level: number): void {
    this.level = level
  }
}

const childrenOf = (node: Node): ReadonlyArray<Node> => "childNodes" in node ? node.childNodes : []
const lineOf = (node: Node): number => node.sourceCodeLocation?.startLine ?? 1

const visit = (node: Node, blocks: Blocks, verbatim: boolean): void => {
  if (tree.isTextNode(node)) {
    return blocks.write(verbatim ? node.value : node.value.replaceAll(/\s/g, " "), lineOf(node))
  }
  if (!tree.isElementNode(node)) {
    for (const child of childrenOf(node)) visit(child, blocks, verbatim)
    return
  }
  const name = node.tagName
  const written = () => childrenOf(node).forEach((child) => visit(child, blocks, verbatim || name === "pre"))
  if (dropped.has(name)) {
    if (name === "nav") blocks.document.count("navigation left out")
    return
  }
  if (name === "br") return blocks.write("\n", lineOf(node))
  if (name === "img") {
    return blocks.write(` ${node.attrs.find((own) => own.name === "alt")?.value ?? ""} `, lineOf(node))
  }
  const after = ends[name]
  if (after !== undefined || inline.has(name)) {
    written()
    return blocks.write(after ?? "", lineOf(node))
  }
  blocks.close()
  const level = /^h([1-6])$/.exec(name)?.[1]
  if (level !== undefined) blocks.heading(Number(level))
  written()
  blocks.close()
}

/** The text of an element, the first of this name. */
const firstOf = (node: Node, name: string): string | undefined => {
  if (tree.isElementNode(node) && node.tagName === name) {
    return childrenOf(node).map((child) => tree.isTextNode(child) ? child.value : "").join("")
  }
  for (const child of childrenOf(node)) {
    const found = firstOf(child, name)
    if (found !== undefined) return found
  }
  return undefined
}

/** The character encoding that the first bytes of a page name; UTF-8 if none. */
export const charsetOf = (bytes: Uint8Array): string => {
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be"
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le"
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 4096))
  return /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1] ?? "utf-8"
}

/** HTML as document. */
export const html = (text: string): Document => {
  const root = parse(text, { sourceCodeLocationInfo: true })
  const blocks = new Blocks()
  visit(root, blocks, false)
  blocks.close()
  return blocks.document.finish(firstOf(root, "title"))
}
