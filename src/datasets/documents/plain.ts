/** Plain text: blocks are apart by blank lines. */
import { type Document, DocumentBuilder } from "../../domain/documents/Document.ts"

/** A plain text as document. */
export const plain = (text: string): Document => {
  const document = new DocumentBuilder("line")
  let [block, begun] = [new Array<string>(), 1]
  const close = () => {
    document.add(block.join("\n"), begun)
    block = []
  }
  text.split(/\r\n|[\n\r]/).forEach((line, i) => {
    if (line.trim() === "") return close()
    if (block.length === 0) begun = i + 1
    block.push(line)
  })
  close()
  return document.finish()
}
