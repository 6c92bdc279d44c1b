import { assert, describe, it } from "@effect/vitest"
import { limited, TookTooLong } from "../../../src/runtime/files/timeLimit.ts"

describe("a function under a limit of time", () => {
  it("returns and throws as it does without", () => {
    const list = [1, 2]
    assert.strictEqual(limited(1000, () => list), list)
    assert.strictEqual(limited(1000, () => limited(500, () => 1) + limited(500, () => 2)), 3)
    assert.throws(() => limited(1000, () => [].reduce((a) => a)), TypeError)
  })
  for (
    const [what, run] of [
      ["a loop", () => {
        for (;;);
      }],
      ["a regular expression", () => /^([a-z._0-9]+)+X$/.test("model.layers.0.self_attn.q_proj.weight.of.the.layer")]
    ] as const
  ) {
    it(`is stopped within ${what}`, () => {
      const began = performance.now()
      assert.throws(() => limited(100, run), TookTooLong, /0.1 s/)
      assert.isBelow(performance.now() - began, 2000)
    })
  }
})
