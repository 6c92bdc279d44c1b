import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { issuesOf, problemsOf } from "../../src/domain/issues.ts"

const even = Schema.makeFilter((n: number) => n % 2 === 0 || "is odd")
const Config = Schema.Struct({
  name: Schema.String,
  layers: Schema.Array(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  size: Schema.Int.check(even),
  rope: Schema.Struct({ factor: Schema.Finite }),
  kind: Schema.optionalKey(Schema.Literals(["bert", "llama"]))
})
const decode = Schema.decodeUnknownResult(Config, { errors: "all", onExcessProperty: "error" })

const given = { layers: [2, 0], size: 3, rope: { factor: "8" }, kind: "gpt", "other\nkey": 1 }
const refused = (value: unknown) => {
  const decoded = decode(value)
  if (Result.isSuccess(decoded)) throw new Error("it was accepted")
  return decoded.failure
}

describe("what a schema finds wrong", () => {
  it("is a line a problem, with its path", () => {
    assert.sameMembers([...problemsOf(refused(given))], [
      "name: is missing",
      "layers[1]: expected a value greater than or equal to 1",
      "size: is odd",
      "rope.factor: expected number",
      "kind: expected \"bert\" | \"llama\"",
      "\"other\\nkey\": is no key here"
    ])
  })
  it("is told apart by its kind, whatever its words", () => {
    const kinds = Object.fromEntries(issuesOf(refused(given)).map(({ kind, path }) => [String(path[0]), kind]))
    assert.deepStrictEqual(kinds, {
      name: "Missing",
      layers: "Type",
      size: "Own",
      rope: "Type",
      kind: "Type",
      "other\nkey": "Unknown"
    })
  })
  it("may be the value itself", () => assert.deepStrictEqual(problemsOf(refused(3)), ["expected object"]))
})
