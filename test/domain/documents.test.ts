/** Documents in pieces: what a piece may be, whatever the document. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type ChunkOptions, chunksOf } from "../../src/domain/documents/chunks.ts"
import { DocumentBuilder } from "../../src/domain/documents/Document.ts"

const words = (text: string): number => text.match(/\S+/g)?.length ?? 0
const options: ChunkOptions = { by: "headings", size: 12, overlap: 0, count: words }

const blocks = fc.array(
  fc.record({
    text: fc.array(fc.constantFrom("copper", "liver.", "Wilson", "é", "𝛼", "a\nb", "x".repeat(50), "No?", "  "), {
      maxLength: 40
    }).map((own) => own.join(" ")),
    level: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined })
  }),
  { maxLength: 12 }
)
const documentOf = (own: ReadonlyArray<{ readonly text: string; readonly level: number | undefined }>) => {
  const document = new DocumentBuilder("line")
  own.forEach(({ level, text }, i) => document.add(text, i + 1, level))
  return document.finish()
}

describe("pieces of a document", () => {
  it("are spans of its text, in order, each of at most so many tokens", () => {
    fc.assert(fc.property(
      blocks,
      fc.constantFrom("headings" as const, "tokens" as const),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(8),
      (own, by, size, overlap) => {
        const document = documentOf(own)
        const chunks = chunksOf(document, { ...options, by, size, overlap: Math.min(overlap, size - 1) })
        chunks.forEach(({ end, start, text }, i) => {
          assert.strictEqual(text, document.text.slice(start, end))
          assert.strictEqual(text, text.trim())
          assert.isAtMost(words(text), size)
          if (i > 0) assert.isAbove(start, chunks[i - 1]!.start)
        })
      }
    ))
  })
  it("have every word of the document, once where nothing overlaps", () => {
    fc.assert(fc.property(blocks, fc.integer({ min: 1, max: 30 }), (own, size) => {
      const document = documentOf(own)
      const chunks = chunksOf(document, { ...options, by: "tokens", size })
      assert.deepStrictEqual(
        chunks.flatMap(({ text }) => text.match(/\S+/g) ?? []),
        [...document.text.match(/\S+/g) ?? []]
      )
    }))
  })
  it("repeat whole sentences of the piece before, as far as they fit", () => {
    const document = documentOf([{ text: "One two three. Four five. Six seven. Eight nine ten.", level: undefined }])
    const texts = (overlap: number) => chunksOf(document, { ...options, size: 5, overlap }).map(({ text }) => text)
    assert.deepStrictEqual(texts(0), ["One two three. Four five.", "Six seven. Eight nine ten."])
    assert.deepStrictEqual(texts(2), [
      "One two three. Four five.",
      "Four five. Six seven.",
      "Six seven. Eight nine ten."
    ])
  })
  it("stand under the headings that are open, without their text", () => {
    const document = documentOf([
      { text: "before", level: undefined },
      { text: "A", level: 1 },
      { text: "under a", level: undefined },
      { text: "B", level: 2 },
      { text: "under b", level: undefined },
      { text: "C", level: 2 },
      { text: "D", level: 1 },
      { text: "under d", level: undefined }
    ])
    assert.deepStrictEqual(chunksOf(document, options).map(({ headings, number, text }) => [text, headings, number]), [
      ["before", [], 1],
      ["under a", ["A"], 3],
      ["under b", ["A", "B"], 5],
      ["under d", ["D"], 8]
    ])
  })
  it("are cut within a word that is longer than a piece, between characters", () => {
    const document = documentOf([{ text: "𝛼".repeat(9), level: undefined }])
    const own = chunksOf(document, { ...options, size: 4, count: (text) => [...text].length })
    assert.deepStrictEqual(own.map(({ text }) => [...text].length).reduce((a, b) => a + b), 9)
    for (const { text } of own) assert.match(text, /^𝛼{1,4}$/u)
  })
})
