import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { due, parse, refreshOf } from "../../src/domain/RefreshSchedule.ts"

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

describe("a refresh", () => {
  const never = { probe: 0, below: undefined }
  it("is a schedule, measured or not, with or without a condition", () => {
    assert.deepStrictEqual(refreshOf(25), { schedule: parse(25)!, ...never })
    assert.deepStrictEqual(refreshOf("never"), { schedule: [], ...never })
    assert.deepStrictEqual(refreshOf(" 0-9:2, 10-12:1 probe 64"), {
      schedule: parse("0-9:2,10-12:1")!,
      probe: 64,
      below: undefined
    })
    assert.deepStrictEqual(refreshOf("25 probe 8 below 0.9"), { schedule: parse(25)!, probe: 8, below: 0.9 })
    assert.strictEqual(refreshOf("25 probe 8 below .5")!.below, 0.5)
    assert.strictEqual(refreshOf("25 probe 8 below 1")!.below, 1)
  })
  for (
    const setting of [
      "25 below 0.9",
      "25 probe",
      "25 probe 0",
      "probe 8",
      "25 probe 8 below",
      "25 probe 8 below 1.5",
      "25 probe 8 below -1",
      "x probe 8"
    ]
  ) {
    it(`is not spelled ${JSON.stringify(setting)}`, () => assert.isUndefined(refreshOf(setting)))
  }
})
