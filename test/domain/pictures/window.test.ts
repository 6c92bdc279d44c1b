/** What a window shows of values: the functions of DICOM PS3.3, C.11.2.1, by hand. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Display, levels, shapes, type Window } from "../../../src/domain/pictures/window.ts"

const display = (window: Window | undefined, more: Partial<Display> = {}): Display => ({
  slope: 1,
  intercept: 0,
  window,
  inverted: false,
  padding: undefined,
  ...more
})
const shown = (numbers: ReadonlyArray<number>, given: Display) => [...levels(Int32Array.from(numbers), given)]

describe("levels", () => {
  it("are those of the window's function", () => {
    const window = (shape: Window["shape"], center = 50, width = 100) => display({ center, width, shape })
    /** 0 at center - 0.5 - 99 / 2 and below it, 255 at 99 and above: 255 · 50 / 99 = 128.8. */
    assert.deepStrictEqual(shown([-5, 0, 50, 99, 100, 300], window("LINEAR")), [0, 0, 129, 255, 255, 255])
    assert.deepStrictEqual(shown([-5, 0, 50, 99, 100, 300], window("LINEAR_EXACT")), [0, 0, 128, 252, 255, 255])
    /** 255 / (1 + e^2) = 30.4, 255 / (1 + e^-2) = 224.6. */
    assert.deepStrictEqual(shown([0, 50, 100], window("SIGMOID")), [30, 128, 225])
    assert.deepStrictEqual(shown([49, 50], window("LINEAR", 50, 1)), [0, 255])
  })
  it("are of values that are scaled, as of CT: a lung window of Hounsfield units", () => {
    const ct = display({ center: -600, width: 1501, shape: "LINEAR" }, { intercept: -1024 })
    /** -1350.5 is 0 and 149.5 is 255: -1024 is 255 · 326.5 / 1500 = 55.5. */
    assert.deepStrictEqual(shown([0, 424, 1173, 4095], ct), [56, 128, 255, 255])
    assert.deepStrictEqual(shown([0, 424, 1173, 4095], { ...ct, inverted: true }), [199, 127, 0, 0])
    assert.deepStrictEqual(shown([-424, 0], { ...ct, slope: -1 }), [128, 56])
  })
  it("without a window go from the lowest value to the highest, but for padding", () => {
    assert.deepStrictEqual(shown([10, 15, 20], display(undefined)), [0, 128, 255])
    const padded = display(undefined, { padding: [-2000, -1990] })
    assert.deepStrictEqual(shown([-2000, -1995, 10, 20], padded), [0, 0, 0, 255])
    assert.deepStrictEqual(shown([7, 7], display(undefined)), [0, 0])
    assert.deepStrictEqual(shown([-2000], { ...padded, inverted: true }), [255])
  })
  it("rise with the values, and inverted are what is left to white", () => {
    const window = fc.record({
      center: fc.double({ min: -2000, max: 2000, noNaN: true }),
      width: fc.double({ min: 1, max: 5000, noNaN: true }),
      shape: fc.constantFrom(...shapes)
    })
    const numbers = fc.array(fc.integer({ min: -32768, max: 65535 }), { minLength: 1 })
    fc.assert(fc.property(fc.option(window, { nil: undefined }), numbers, (own, some) => {
      const sorted = some.toSorted((a, b) => a - b)
      const found = shown(sorted, display(own))
      assert.deepStrictEqual(found, found.toSorted((a, b) => a - b))
      assert.deepStrictEqual(shown(sorted, display(own, { inverted: true })), found.map((level) => 255 - level))
    }))
  })
})
