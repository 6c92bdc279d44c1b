/** What users gave, quoted: short, in a line, JSON where it is whole. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { brief, cut, several } from "../../src/domain/brief.ts"

describe("a value in brief", () => {
  it("is its JSON where that is short", () => {
    const told = [1, "a\"b", null, true, [1, "x"], { a: [] }, { "b c": { d: 1 } }].map((value) => brief(value))
    assert.deepStrictEqual(told, [
      "1",
      "\"a\\\"b\"",
      "null",
      "true",
      "[1, \"x\"]",
      "{\"a\": []}",
      "{\"b c\": {\"d\": 1}}"
    ])
  })
  it("is cut where it is long, and does not look at the rest", () => {
    const began = performance.now()
    const bomb = Array.from({ length: 60 }).reduce<unknown>((inner) => [inner, inner, inner, inner], "x")
    const deep = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`) as unknown
    const circle: Array<unknown> = []
    circle.push(circle)
    const large = ["x".repeat(1e7), Array.from({ length: 1e6 }, (_, i) => i), bomb, deep, circle, {
      ["k".repeat(1e7)]: 1
    }]
    for (const value of large) {
      assert.isAtMost(brief(value).length, 80)
      assert.isAtLeast(brief(value).length, 20)
    }
    assert.isBelow(performance.now() - began, 1000)
  })
  it("has no character that ends a line or that a terminal obeys", () => {
    assert.strictEqual(brief("\u001b[31m\n\u2028\u202e\u009b"), "\"\\u001b[31m\\n\\u2028\\u202e\\u009b\"")
    fc.assert(fc.property(fc.anything(), fc.integer({ min: 2, max: 100 }), (value, most) => {
      const told = brief(value, most)
      assert.isAtMost(told.length, most)
      // oxlint-disable-next-line no-control-regex
      assert.notMatch(told, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
      assert.isTrue(told.isWellFormed())
    }))
  })
})

describe("a list in brief", () => {
  it("is its first items and how many more there are", () => {
    assert.deepStrictEqual(several(["a", "b"], 2), ["a", "b"])
    assert.deepStrictEqual(several(["a", "b", "c", "d"], 3), ["a", "b", "and 2 more"])
    assert.strictEqual(cut("abcdef", 4), "abc…")
  })
})
