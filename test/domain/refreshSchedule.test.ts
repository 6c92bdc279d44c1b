import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { due, parse } from "../../src/domain/RefreshSchedule.ts"

const dueSteps = (setting: string | number, until: number): ReadonlyArray<number> =>
  Array.from({ length: until }, (_, step) => step).filter((step) => due(parse(setting)!, step))

describe("a schedule", () => {
  it("is never, or every N steps, but not before the first", () => {
    assert.deepStrictEqual(dueSteps("never", 50), [])
    assert.deepStrictEqual(dueSteps(-1, 50), [])
    assert.deepStrictEqual(dueSteps(4, 14), [4, 8, 12])
    assert.deepStrictEqual(dueSteps(" 4 ", 14), [4, 8, 12])
  })
  it("is Atlas's ranges, each counted from its own start, none beyond the last", () => {
    assert.deepStrictEqual(dueSteps("0-10:4,10-30:7", 40), [4, 8, 10, 17, 24])
    assert.deepStrictEqual(dueSteps("5-9:2, 20-22:1", 40), [5, 7, 20, 21])
  })
  it("is decided by the first range that holds the step", () => {
    assert.deepStrictEqual(dueSteps("0-6:5,0-12:3", 12), [5, 6, 9])
  })
  for (const setting of ["", "sometimes", "0", 0, -2, 1.5, "1-2", "1-2:0", "1-2:3,", "1-2:3;4-5:6", "a-b:c"]) {
    it(`is not spelled ${JSON.stringify(setting)}`, () => assert.isUndefined(parse(setting)))
  }
  it("of ranges is due as a loop over the steps of each range is", () => {
    const range = fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9 }))
    fc.assert(fc.property(fc.array(range, { minLength: 1, maxLength: 3 }), (parts) => {
      let start = 0
      const ranges = parts.map(([gap, length, every]) => {
        const from = start + gap
        start = from + length
        return { from, to: start, every }
      })
      const expected = ranges.flatMap(({ every, from, to }) => {
        const steps = []
        for (let step = from; step < to; step += every) if (step > 0) steps.push(step)
        return steps
      })
      const setting = ranges.map(({ every, from, to }) => `${from}-${to}:${every}`).join(",")
      assert.deepStrictEqual(dueSteps(setting, 150), expected)
    }))
  })
})
