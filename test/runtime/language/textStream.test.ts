import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TextStream } from "../../../src/runtime/language/generation/textStream.ts"

/** A tokenizer of bytes, in tokens of some of them each. */
const bytes = (ids: ReadonlyArray<number>, table: ReadonlyArray<Uint8Array>): string => {
  const parts = ids.map((id) => table[id]!)
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return new TextDecoder().decode(all)
}

/** A text cut into tokens at random places between its bytes. */
const cut = fc.tuple(fc.string({ unit: "grapheme", maxLength: 24 }), fc.infiniteStream(fc.integer({ min: 1, max: 5 })))
  .map(([text, sizes]) => {
    const whole = new TextEncoder().encode(text)
    const table: Array<Uint8Array> = []
    let at = 0
    while (at < whole.length) table.push(whole.slice(at, at += sizes.next().value!))
    return { text, table }
  })

const isWhole = (piece: string): boolean => piece.isWellFormed() && !piece.includes("\uFFFD")

/** All pieces of a text's tokens, up to the one that ends it. */
const pieces = (table: ReadonlyArray<Uint8Array>, stops: ReadonlyArray<string>) => {
  const stream = new TextStream((ids) => bytes(ids, table), stops)
  const told: Array<string> = []
  for (const id of table.keys()) {
    const piece = stream.add(id)
    told.push(piece.text)
    if (piece.stopped) return { told, stopped: true }
  }
  const last = stream.end()
  return { told: [...told, last.text], stopped: last.stopped }
}

describe("a text stream", () => {
  it("tells the whole text in pieces of whole characters, wherever the bytes are cut", () => {
    fc.assert(fc.property(cut.filter(({ text }) => !text.includes("\uFFFD")), ({ table, text }) => {
      const { told } = pieces(table, [])
      assert.strictEqual(told.join(""), text)
      assert.isTrue(told.every(isWhole))
    }))
  })
  it("ends before the first stop string, wherever its tokens are cut", () => {
    const texts = cut.filter(({ text }) => !text.includes("\uFFFD"))
    const stops = fc.array(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 3 })
    fc.assert(fc.property(texts, stops, fc.nat(), (one, some, at) => {
      const own = Array.from(one.text).slice(at % 5, at % 5 + 2).join("")
      const all = own === "" ? some : [...some, own]
      const { stopped, told } = pieces(one.table, all)
      const places = all.map((stop) => one.text.indexOf(stop)).filter((place) => place >= 0)
      assert.strictEqual(stopped, places.length > 0)
      assert.strictEqual(told.join(""), stopped ? one.text.slice(0, Math.min(...places)) : one.text)
    }))
  })
  it("tells nothing that a stop string may go on from, until it does not", () => {
    const stream = new TextStream((ids) => ids.map((id) => ["a\n", "\nQ", "x", "\n\nQ:"][id]).join(""), ["\n\nQ:"])
    assert.deepStrictEqual(stream.add(0), { text: "a", stopped: false })
    assert.deepStrictEqual(stream.add(1), { text: "", stopped: false })
    assert.deepStrictEqual(stream.add(2), { text: "\n\nQx", stopped: false })
    assert.deepStrictEqual(stream.add(3), { text: "", stopped: true })
  })
  it("decodes a token after its neighbour: spaces between words are kept", () => {
    const words = ["the", "##se", "words"]
    const decode = (ids: ReadonlyArray<number>) => ids.map((id) => words[id]).join(" ").replaceAll(" ##", "")
    const stream = new TextStream(decode, [])
    assert.deepStrictEqual([0, 1, 2].map((id) => stream.add(id).text), ["the", "se", " words"])
  })
  it("gives up on bytes that are no character when no token follows", () => {
    const stream = new TextStream((ids) => bytes(ids, [Uint8Array.of(0xe2), Uint8Array.of(0x82)]), [])
    assert.deepStrictEqual([stream.add(0).text, stream.add(1).text, stream.end().text], ["", "", "\uFFFD"])
  })
})
