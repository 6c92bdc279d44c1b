/** Vocabularies, and the tokenizers they make, on text of every kind. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as fc from "fast-check"
import * as Tokenizer from "../../../src/runtime/tokenizers/tokenizer.ts"
import { basicWords, tokenizerJson, vocabulary, type VocabularyOptions } from "../../../src/runtime/tokenizers/train.ts"
import { passages } from "../../support/tiny.ts"

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
const options = (rest: VocabularyOptions["rest"], size = 150): VocabularyOptions => ({
  size,
  minCount: 2,
  rest,
  special
})
const texts = passages.map((p) => p.text)

/** The tokenizer of a vocabulary, as it is loaded from its file. */
const tokenizer = (tokens: ReadonlyArray<string>): Tokenizer.Tokenizer => {
  const json = JSON.stringify(tokenizerJson(tokens, special, "[UNK]"))
  const files = FileSystem.layerNoop({
    exists: (path) => Effect.succeed(path.endsWith("tokenizer.json")),
    stat: (path) => {
      const type = path.endsWith("tokenizer.json") ? "File" : "Directory"
      return Effect.succeed({ size: 0n, type } as FileSystem.File.Info)
    },
    readFile: () => Effect.succeed(new TextEncoder().encode(json))
  })
  return Effect.runSync(Tokenizer.load("model").pipe(Effect.provide(files)))
}

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.array(fc.constantFrom("gene", "GLA", "±5°C", "naïve", "α-Gal", "x²", "≥", "中文", "don't", "\u200bzero"), {
    maxLength: 9
  })
    .map((words) => words.join(" "))
)
const anyRest = fc.constantFrom("pieces" as const, "characters" as const)

describe("a vocabulary", () => {
  it("spells every word of its texts: nothing is unknown", () => {
    fc.assert(fc.property(text, anyRest, (some, rest) => {
      const { encode, id } = tokenizer(vocabulary([some], options(rest)))
      assert.notInclude(encode(some), id("[UNK]"))
    }))
  })
  it("splits text into the words that its tokenizer splits it into", () => {
    fc.assert(fc.property(text, anyRest, (some, rest) => {
      const tokens = vocabulary([some], options(rest))
      const pieces = tokenizer(tokens).encode(some).map((id) => tokens[id]!)
      const words: Array<string> = []
      for (const piece of pieces) {
        if (piece.startsWith("##")) words.push(words.pop()! + piece.slice(2))
        else words.push(piece)
      }
      assert.deepStrictEqual(words, basicWords(some))
    }))
  })
  it("has each token once, the special ones first, and the size it is given at most", () => {
    fc.assert(fc.property(anyRest, fc.integer({ min: 80, max: 200 }), (rest, size) => {
      const tokens = vocabulary(texts, options(rest, size))
      assert.strictEqual(new Set(tokens).size, tokens.length)
      assert.deepStrictEqual(tokens.slice(0, special.length), special)
      const characters = tokens.filter((t) => [...t.replace("##", "")].length === 1).length
      assert.isAtMost(tokens.length, Math.max(size, special.length + characters))
    }))
  })
  it("is the same for the same texts in the same order, to the last token", () => {
    for (const rest of ["pieces", "characters"] as const) {
      assert.deepStrictEqual(vocabulary(texts, options(rest)), vocabulary(texts, options(rest)))
    }
  })
  it("holds the words that are frequent enough, most frequent first", () => {
    const words = vocabulary(["b b b a a c d d"], { ...options("characters"), special: [] })
    assert.deepStrictEqual(words.filter((w) => !w.startsWith("##")), ["a", "b", "c", "d"])
    const longer = vocabulary(["bb bb bb aa aa cc dd dd"], { ...options("characters"), special: [] })
    assert.deepStrictEqual(longer.filter((w) => w.length === 2), ["bb", "aa", "dd"])
  })
  it("merges the most frequent pair of pieces first, as byte-pair encoding does", () => {
    const pieces = vocabulary(["low low low lower lowest new new"], { ...options("pieces"), special: [] })
    assert.deepStrictEqual(pieces.filter((p) => p.replace("##", "").length > 1).slice(0, 3), ["##ow", "low", "##ew"])
  })
})

describe("a tokenizer", () => {
  for (const rest of ["pieces", "characters"] as const) {
    it(`gives back the words it was given, spelled by ${rest}`, () => {
      const { decode, encode } = tokenizer(vocabulary(texts, options(rest)))
      const corpusWords = fc.array(fc.constantFrom(...texts.flatMap(basicWords)), { maxLength: 12 })
      fc.assert(fc.property(corpusWords, (words) => {
        assert.deepStrictEqual(basicWords(decode(encode(words.join(" ")))), words)
      }))
    })
  }
  it("does not see case, accents or how wide the spaces are", () => {
    const { encode } = tokenizer(vocabulary(texts, options("pieces")))
    assert.deepStrictEqual(encode("Fàbry\u00a0\n  DISEASE"), encode("fabry disease"))
  })
  it("adds tokens around a text only where it is asked to, and knows its special ones by name", () => {
    const tokens = vocabulary(texts, options("pieces"))
    const { decode, encode, id, size, start } = tokenizer(tokens)
    assert.deepStrictEqual([encode(""), decode([])], [[], ""])
    assert.strictEqual(id("[MASK]"), 4)
    assert.strictEqual(id("[unused0]"), undefined)
    assert.deepStrictEqual(start, [2])
    assert.strictEqual(size, tokens.length)
  })
})
