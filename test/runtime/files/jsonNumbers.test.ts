/** Numbers of a JSON text keep their spelling where the text is written anew. */
import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { spelledAs } from "../../../src/runtime/files/json/numbers.ts"

it("spells whole numbers as the text does, at the same places, while they are the same", () => {
  const text = "{\"a\": 2.0, \"b\": {\"c\": [1.0, 1, 1e4], \"d\": 5.0}, \"e\": 0.5}"
  const told = JSON.parse(text) as { b: { d: number } }
  told.b.d = 6
  assert.strictEqual(
    spelledAs({ ...told, f: 3 }, text).replaceAll(/\s/g, ""),
    "{\"a\":2.0,\"b\":{\"c\":[1.0,1,1e4],\"d\":6},\"e\":0.5,\"f\":3}"
  )
})

it("means what the value is", () =>
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (value, other) => {
    assert.deepStrictEqual(JSON.parse(spelledAs(value, JSON.stringify(other))), JSON.parse(JSON.stringify(value)))
  })))
