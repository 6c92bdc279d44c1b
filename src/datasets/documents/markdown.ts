/** Markdown (CommonMark) without its marks. */
import { fromMarkdown } from "mdast-util-from-markdown"
import { type Document, DocumentBuilder, inLine } from "../../domain/documents/Document.ts"

type Node = ReturnType<typeof fromMarkdown> | ReturnType<typeof fromMarkdown>["children"][number]

/** The text within a block; pictures stand for their description. */
const textOf = (node: Node): string => {
  if (node.type === "break") return "\n"
  if (node.type === "html") return ""
  if ("alt" in node) return node.alt ?? ""
  if ("value" in node) return node.value
  return "children" in node ? node.children.map((child) => textOf(child)).join("") : ""
}

/** A title from the lines between `---` at the beginning, and the text with these lines blank. */
const frontMatter = (text: string): readonly [title: string, rest: string] => {
  const found = /^---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text)
  if (found === null) return ["", text]
  const title = /^title:[ \t]*(.*)$/m.exec(found[1]!)?.[1]?.replaceAll(/^["']|["']$/g, "") ?? ""
  return [title, `${found[0].replaceAll(/[^\n]/g, "")}${text.slice(found[0].length)}`]
}

/** Markdown as document. HTML in it is left out, and counted. */
export const markdown = (text: string): Document => {
  const document = new DocumentBuilder("line")
  const [title, rest] = frontMatter(text)
  const visit = (node: Node): void => {
    const line = node.position?.start.line ?? 1
    if (node.type === "heading") document.add(inLine(textOf(node)), line, node.depth)
    else if (node.type === "paragraph" || node.type === "code") document.add(textOf(node), line)
    else if (node.type === "html") document.count("HTML in Markdown")
    else if ("children" in node) { for (const child of node.children) visit(child) }
  }
  visit(fromMarkdown(rest))
  return document.finish(title)
}
