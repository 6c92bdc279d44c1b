import { assert, describe, it } from "@effect/vitest"
import { columns, markdown } from "../../src/domain/textTable.ts"

const rows = [["arm", "seconds"], ["joint", "7"], ["a|b\nc", "1234567890"]]

describe("a table of text", () => {
  it("has columns, the first flush left and the others flush right", () => {
    assert.strictEqual(
      columns([["arm", "n", "s"], ["joint", "7"], ["a", "10", "3"]]),
      "arm     n  s\njoint   7\na      10  3"
    )
  })
  it("leaves columns flush left where asked, and no blanks at the end", () => {
    assert.strictEqual(columns([["a", "1", "lr"], ["bb", "10", ""]], (i) => i !== 1), "a    1  lr\nbb  10")
  })
  it("is Markdown whose source is aligned, bars and line breaks escaped", () => {
    assert.strictEqual(
      markdown(rows),
      [
        "| arm     | seconds    |",
        "|---------|------------|",
        "| joint   | 7          |",
        "| a\\|b\\nc | 1234567890 |"
      ].join("\n")
    )
  })
  it("is Markdown with a single space around cells where they are long", () => {
    assert.strictEqual(
      markdown(rows, { aligned: false }),
      "| arm | seconds |\n|---|---|\n| joint | 7 |\n| a\\|b\\nc | 1234567890 |"
    )
  })
  it("may have no rows", () => assert.strictEqual(columns([]), ""))
})
