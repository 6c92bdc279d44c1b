/** Patterns of tasks find what Python finds (search.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { findAll, PatternError, search } from "../../src/domain/pattern.ts"

type Case = readonly [pattern: string, text: string, found: ReadonlyArray<string | ReadonlyArray<string>>]
const cases = JSON.parse(readFileSync(join(import.meta.dirname, "search.json"), "utf8")) as ReadonlyArray<Case>

describe("a search", () => {
  it("finds what Python's findall does, in texts of any script and line", () => {
    for (const [pattern, text, found] of cases) {
      assert.deepStrictEqual(findAll(search(pattern), text), found, `${pattern} in ${JSON.stringify(text)}`)
    }
    assert.isAbove(cases.filter(([, , found]) => found.length > 0).length, 40)
  })
  it("is refused where JavaScript has no such thing", () => {
    for (const pattern of ["a++", "(?(1)a)", "[\\W]", "(?s:.)", "(", "(?x)a"]) {
      assert.throws(() => search(pattern), PatternError)
    }
  })
})
