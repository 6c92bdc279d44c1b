/** Ids as fields of TREC's files: one field each, told apart, and given back. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compareBytes, field, qrelLines, ranked, runLines } from "../../src/domain/trec.ts"

const text = fc.string({ unit: "binary", minLength: 1, maxLength: 8 })
/** With half characters, blanks and percent signs more often than they are. */
const id = fc.array(fc.oneof(text, fc.constantFrom(" ", "\t", "%", "%20", "#", "\ud800", "\u3000", "\u0000")), {
  minLength: 1,
  maxLength: 5
}).map((parts) => parts.join(""))

describe("an id in a file", () => {
  it("is one field for C and for Python, and is given back", () => {
    fc.assert(fc.property(id, (id) => {
      const own = field(id)
      assert.match(own, /^[^\s\p{Z}\p{Cc}\p{Cs}#][^\s\p{Z}\p{Cc}\p{Cs}]*$/u)
      assert.isTrue(own.isWellFormed())
      if (id.isWellFormed()) assert.strictEqual(decodeURIComponent(own), id)
    }))
  })
  it("is another than every other's", () => {
    fc.assert(fc.property(id, id, (a, b) => assert.strictEqual(field(a) === field(b), a === b)))
  })
  it("is as it was where it can be", () => {
    for (const plain of ["PMC12-3_a.b", "é病𝔸", "a#b", "q:1"]) assert.strictEqual(field(plain), plain)
    assert.deepStrictEqual(
      ["Wilson disease", "50%", "#1", "a\u00a0b", "\ud800"].map(field),
      ["Wilson%20disease", "50%25", "%231", "a%C2%A0b", "%uD800"]
    )
  })
})

describe("an order of ids", () => {
  it("is that of their bytes", () => {
    const whole = fc.string({ unit: "grapheme", maxLength: 4 })
    fc.assert(fc.property(whole, whole, (a, b) => {
      assert.strictEqual(Math.sign(compareBytes(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }))
  })
})

describe("the lines of a question", () => {
  it("are those that trec_eval reads", () => {
    const ranking = ranked([["d 1", 0.5], ["d2", 1.25]])
    assert.deepStrictEqual(runLines("q 1", ranking), [
      "q%201\tQ0\td2\t1\t1.25\tanamnesis",
      "q%201\tQ0\td%201\t2\t0.5\tanamnesis"
    ])
    assert.deepStrictEqual(qrelLines("q 1", ["d 1", "x", "d 1"]), ["q%201\t0\td%201\t1", "q%201\t0\tx\t1"])
  })
})
