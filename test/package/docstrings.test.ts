/** Whatever may be imported says what it is: the pages of `npm run docs:api` have nothing without a word. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { entryPoints } from "../../scripts/entryPoints.ts"

const declared = /^export (?:declare |abstract |async )*(?:const|let|function\*?|class|interface|type|enum) (\w+)/

/** Exported declarations with no docstring right above them. The format has each at the beginning of a line. */
const undocumented = (path: string, text: string): ReadonlyArray<string> => {
  const lines = text.split("\n")
  const isEnd = (line: string | undefined) => line?.endsWith("*/") ?? false
  /** The first comment of a file is about the file. */
  const head = lines[0]!.startsWith("/**") ? lines.findIndex(isEnd) : -1
  return lines.flatMap((line, i) => {
    const name = declared.exec(line)?.[1]
    return name === undefined || (isEnd(lines[i - 1]) && i - 1 > head) ? [] : [`${path}:${i + 1} ${name}`]
  })
}

describe("docstrings", () => {
  it("are there for every file and every symbol that may be imported", () => {
    const texts = entryPoints().map((module) => [`src/${module}.ts`, readFileSync(`src/${module}.ts`, "utf8")] as const)
    assert.isAbove(texts.length, 150)
    assert.deepStrictEqual(texts.filter(([, text]) => !text.startsWith("/**")).map(([path]) => path), [])
    assert.deepStrictEqual(texts.flatMap(([path, text]) => undocumented(path, text)), [])
  })
  it("would be missed", () => {
    const text = [
      "/** A file. */",
      "export const a = 1",
      "/** B. */",
      "export interface B {",
      "}",
      "export type C = B",
      "",
      "/**",
      " * D.",
      " */",
      "export class D {}",
      "const e = 1",
      "export { e }",
      "export abstract class F {}",
      "/** G. */",
      "",
      "export function g() {}"
    ].join("\n")
    assert.deepStrictEqual(undocumented("a.ts", text), ["a.ts:2 a", "a.ts:6 C", "a.ts:14 F", "a.ts:17 g"])
  })
})
