/** Keys that are given twice: found at any depth, in whatever pieces a text comes, and nowhere else. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { parse, type Repeated, repeatedIn, Survey, survey } from "../../../src/runtime/files/json/text.ts"

/** JSON as a text, and how many keys of it are there already. */
interface Written {
  readonly text: string
  readonly twice: number
}
/** None that is a backslash alone: once one was read, V8 takes a quote alone for it where the object is of the same shape. */
const keys = fc.constantFrom("a", "b", "\"", "a\\\"b", "a:", "\u00e9", "__proto__", "1")
const space = fc.constantFrom("", "", " ", "\n\t")
const scalar = fc.oneof(
  keys.map((key) => JSON.stringify(key)),
  fc.constantFrom("1", "null", "\"{\"", "\":x\"", "\"\\\":\"", "\"\\\\\"")
)

const { value } = fc.letrec<{ readonly value: Written }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar.map((text): Written => ({ text, twice: 0 })),
    fc.array(tie("value"), { maxLength: 3 }).map((all): Written => ({
      text: `[${all.map(({ text }) => text).join(",")}]`,
      twice: all.reduce((sum, { twice }) => sum + twice, 0)
    })),
    fc.array(fc.tuple(keys, space, tie("value")), { maxLength: 4 }).map((all): Written => ({
      text: `{${all.map(([key, blank, { text }]) => `${JSON.stringify(key)}${blank}:${text}`).join(",")}}`,
      twice: all.length - new Set(all.map(([key]) => key)).size + all.reduce((sum, [, , { twice }]) => sum + twice, 0)
    }))
  )
}))

const inPieces = (text: string, size: number): ReadonlyArray<Repeated> => {
  const found: Array<Repeated> = []
  const own = new Survey((repeated) => found.push(repeated))
  for (let i = 0; i < text.length; i += size) own.feed(text.slice(i, i + size))
  return found
}

describe("keys given twice", () => {
  it("are found, each of them, in pieces of any size", () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 9 }), ({ text, twice }, size) => {
        const whole = inPieces(text, text.length)
        assert.strictEqual(whole.length, twice)
        assert.deepStrictEqual(inPieces(text, size), whole)
        assert.deepStrictEqual(survey(text).repeated, whole[0])
        assert.deepStrictEqual(repeatedIn(text, JSON.parse(text)), whole[0])
      }),
      { numRuns: 2000 }
    )
  })
  it("are told with their place", () => {
    const text = "[{\"a\": 1}, {\"b\": {\"\\u0061\": 1, \"a\": 2}}]"
    assert.deepStrictEqual(survey(text).repeated, { key: "a", level: 3, at: text.lastIndexOf("a") + 1, element: 2 })
  })
  it("are looked for in values of any depth", () => {
    const deep = `${"[".repeat(50_000)}{"a":1,"a":2}${"]".repeat(50_000)}`
    assert.strictEqual(repeatedIn(deep, JSON.parse(deep))?.key, "a")
    const fine = deep.replace("\"a\":2", "\"b\":2")
    assert.isUndefined(repeatedIn(fine, JSON.parse(fine)))
  })
})

const read = (text: string): unknown => parse(text, survey(text))

describe("keys that are spelled with escapes", () => {
  it("are not taken for others that were read before", () => {
    for (const key of ["\\", "\"", "\n", "\\", "a\\", "a\"", "a\\", "\ue000", "\ue000\\"]) {
      const value = { [key]: 1, list: [{ [key]: "\\" }] }
      assert.deepStrictEqual(read(JSON.stringify(value)), value)
    }
    assert.deepStrictEqual(Object.keys(read("{\"__proto__\":1,\"\\\"\":{}}") as object), ["__proto__", "\""])
  })
  it("are as JSON has them", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      assert.deepStrictEqual(read(JSON.stringify(value)), JSON.parse(JSON.stringify(value)))
    }))
  })
  it("are errors where the text is none", () => {
    for (const text of ["", "{", "{\"\\\"\":", "{\"a\\x\":1}", "[\"]"]) assert.throws(() => read(text), SyntaxError)
  })
})
