import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { optionOf } from "../../src/domain/extract.ts"

const genes = ["GBA1", "GLA", "HEXA", "alpha galactosidase A"]

const cases: ReadonlyArray<readonly [text: string, at: number]> = [
  ["B", 1],
  [" B.", 1],
  ["(C) because the eye is red", 2],
  ["**D**", 3],
  ["HEXA", 2],
  ["hexa.", 2],
  ["It is HEXA, not GLA.", 2],
  ["The gene is GLA", 1],
  ["The answer is B", 1],
  ["Let us see. A red spot points to the enzyme. Correct Answer: C", 2],
  ["Answer: (D)\nQuestion: which", 3],
  ["The correct option is C.", 2],
  ["A gene called HEXA", 2],
  ["The answer is a gene", -1],
  ["A red spot", 0],
  ["I choose (B)", 1],
  ["Perhaps B) or so", 1],
  ["alpha-galactosidase A", 3],
  ["Answer: F", -1],
  ["Z", -1],
  ["GLAD", -1],
  ["none of these", -1],
  ["", -1]
]

describe("the option a written answer names", () => {
  for (const [text, at] of cases) {
    it(`${JSON.stringify(text)} names ${at < 0 ? "none" : genes[at]}`, () =>
      assert.strictEqual(optionOf(text, genes), at))
  }
  it("is the longest of those that begin at the same word", () =>
    assert.strictEqual(optionOf("type 2 diabetes", ["type 2", "type 2 diabetes", "diabetes"]), 1))
  it("is each option where it is written out, or its letter, whatever the options are", () => {
    const word = fc.stringMatching(/^[a-z]{3,8}$/)
    fc.assert(fc.property(fc.uniqueArray(word, { minLength: 2, maxLength: 6 }), (options) => {
      options.forEach((option, i) => {
        assert.strictEqual(optionOf(option, options), i)
        assert.strictEqual(optionOf(` ${String.fromCharCode(65 + i)}.`, options), i)
        assert.strictEqual(optionOf(`The answer is (${String.fromCharCode(65 + i)}).`, options), i)
      })
    }))
  })
  it("is none where no option is left to name", () => assert.strictEqual(optionOf("A", []), -1))
})
