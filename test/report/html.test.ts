/** Text in templates stays text, and JSON in a script element cannot end it. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { escaped, html, json, trusted } from "../../src/report/page/html.ts"
import { csv } from "../../src/report/page/table.ts"
import { hostile } from "../support/hostile.ts"

describe("a template", () => {
  it("escapes text between tags and in attributes, in lists and in templates within", () => {
    const made = html`<p title="${"\"a' <b>"}">${["<i>", html`<b>${"&"}</b>`, 3, undefined, false]}</p>`
    assert.strictEqual(made.text, "<p title=\"&quot;a&#39; &lt;b&gt;\">&lt;i&gt;<b>&amp;</b>3</p>")
  })
  it("lets nothing through but what is trusted", () => {
    assert.strictEqual(html`${trusted("<hr>")}${"<hr>"}`.text, "<hr>&lt;hr&gt;")
    assert.notMatch(escaped(hostile), /[<>"']/)
  })
  it("has no characters that HTML forbids", () => {
    assert.strictEqual(escaped("a\u0000b\u001bc\ud800d\te\n"), "a\ufffdb\ufffdc\ufffdd\te\n")
  })
})

describe("JSON in a page", () => {
  it("says what was put in, without a character that could end a script", () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.constant(hostile)), (text) => {
      const written = json({ [text]: [text] }).text
      assert.notMatch(written, /[<>&\u2028\u2029]/)
      assert.deepStrictEqual(JSON.parse(written), { [text]: [text] })
    }))
  })
})

describe("CSV", () => {
  it("quotes what it must, and starts no formula", () => {
    const rows = [{ a: "x,\"y\"\nz", b: 1.5 }, { a: "=SUM(A1)", b: null }]
    assert.strictEqual(csv({ rows }), "a,b\r\n\"x,\"\"y\"\"\nz\",1.5\r\n'=SUM(A1),\r\n")
  })
})
