import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { opaque, type Picture } from "../../../src/domain/pictures/Picture.ts"
import {
  mostPixels,
  type Pixels,
  preprocess,
  shaped,
  targetSize,
  unfold
} from "../../../src/domain/pictures/preprocess.ts"
import { filters, resize } from "../../../src/domain/pictures/resample.ts"

const side = fc.integer({ min: 1, max: 12 })
const pictures = (channels: 3 | 4): fc.Arbitrary<Picture> =>
  fc.tuple(side, side).chain(([width, height]) =>
    fc.uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
      .map((data) => ({ width, height, channels, data }))
  )
const plain = { alpha: "drop", sizes: [], filter: "bicubic", scale: 1 } as const

describe("a picture", () => {
  it("without alpha is itself, whatever is done about alpha", () => {
    fc.assert(fc.property(pictures(3), (picture) => {
      assert.strictEqual(opaque(picture, "drop"), picture)
      assert.strictEqual(opaque(picture, "white"), picture)
    }))
  })
  it("is as it was where opaque, and white where clear", () => {
    fc.assert(fc.property(pictures(4), fc.constantFrom(0, 255), (picture, alpha) => {
      const data = picture.data.map((value, at) => at % 4 === 3 ? alpha : value)
      const laid = opaque({ ...picture, data }, "white").data
      assert.deepStrictEqual(laid, alpha === 0 ? laid.map(() => 255) : opaque({ ...picture, data }, "drop").data)
    }))
  })
  it("over white lies between its colour and white", () => {
    for (let alpha = 0; alpha < 256; alpha++) {
      const { data } = opaque({ width: 1, height: 1, channels: 4, data: Uint8Array.of(0, 100, 255, alpha) }, "white")
      const exact = [0, 100, 255].map((colour) => (colour * alpha + 255 * (255 - alpha)) / 255)
      assert.isTrue(exact.every((value, c) => Math.abs(data[c]! - value) <= 0.51), `${[...data]} for alpha ${alpha}`)
    }
  })
})

describe("resizing", () => {
  it("to its own size leaves a picture", () => {
    fc.assert(fc.property(pictures(3), fc.constantFrom(...filters), (picture, filter) => {
      assert.strictEqual(resize(picture, { width: picture.width, height: picture.height }, filter), picture)
    }))
  })
  it("leaves a picture of one colour in that colour", () => {
    fc.assert(
      fc.property(pictures(3), side, side, fc.constantFrom(...filters), ({ height, width }, w, h, filter) => {
        const data = new Uint8Array(width * height * 3).map((_, at) => [7, 128, 250][at % 3]!)
        const got = resize({ width, height, channels: 3, data }, { width: w, height: h }, filter)
        assert.deepStrictEqual([got.width, got.height, got.data.length], [w, h, w * h * 3])
        assert.isTrue(got.data.every((value, at) => value === [7, 128, 250][at % 3]))
      })
    )
  })
})

describe("the size of a prepared picture", () => {
  it("by its shortest edge keeps proportions, cut to whole pixels", () => {
    assert.deepStrictEqual(targetSize({ width: 301, height: 200 }, { shortest: 224 }), { width: 337, height: 224 })
    assert.deepStrictEqual(targetSize({ width: 200, height: 301 }, { shortest: 224 }), { width: 224, height: 337 })
    assert.deepStrictEqual(targetSize({ width: 9, height: 9 }, { shortest: 224 }), { width: 224, height: 224 })
  })
  it("by its longest edge is even across, and at most 4096", () => {
    assert.deepStrictEqual(targetSize({ width: 300, height: 200 }, { longest: 2048 }), { width: 2048, height: 1366 })
    assert.deepStrictEqual(targetSize({ width: 256, height: 170 }, { longest: 2048 }), { width: 2048, height: 1360 })
    assert.deepStrictEqual(targetSize({ width: 10, height: 5000 }, { longest: 2048 }), { width: 4, height: 2048 })
    assert.deepStrictEqual(targetSize({ width: 500, height: 1000 }, { longest: 8192 }), { width: 2048, height: 4096 })
  })
  it("is told before it is made, however thin the picture", () => {
    assert.strictEqual(mostPixels({ width: 1, height: 50_000 }, { sizes: [{ shortest: 224 }] }), 224 * 224 * 50_000)
    assert.strictEqual(mostPixels({ width: 2, height: 30 }, { sizes: [], square: [0, 0, 0] }), 900)
  })
})

describe("preparing", () => {
  it("crops the middle, and surrounds what is too small with zeros", () => {
    const picture: Picture = { width: 3, height: 1, channels: 3, data: Uint8Array.from({ length: 9 }, (_, i) => i + 1) }
    const red = (width: number, height: number) =>
      [...shaped(picture, { ...plain, crop: { width, height } }).data].filter((_, i) => i % 3 === 0)
    assert.deepStrictEqual(red(1, 1), [4])
    assert.deepStrictEqual(red(2, 1), [1, 4])
    assert.deepStrictEqual(red(4, 2), [0, 0, 0, 0, 0, 1, 4, 7])
  })
  it("puts a picture into the middle of a square", () => {
    const picture: Picture = { width: 1, height: 3, channels: 3, data: new Uint8Array(9).fill(9) }
    const { data, height, width } = shaped(picture, { ...plain, square: [1, 1, 1] })
    assert.deepStrictEqual([width, height], [3, 3])
    assert.deepStrictEqual([...data].filter((_, i) => i % 3 === 0), [1, 9, 1, 1, 9, 1, 1, 9, 1])
  })
  it("scales and normalises each channel by itself", () => {
    const picture: Picture = { width: 1, height: 1, channels: 3, data: Uint8Array.of(0, 255, 51) }
    const normalise = { mean: [0.5, 0.5, 0.2], std: [0.5, 0.25, 1] } as const
    const { data } = preprocess(picture, { ...plain, scale: 1 / 255, normalise })
    assert.deepStrictEqual([...data], [-1, 2, 0])
  })
})

const refold = (patches: Float32Array, { height, width }: Pixels, p: number): Float32Array => {
  const out = new Float32Array(3 * width * height)
  const columns = Math.floor(width / p)
  for (let at = 0; at < patches.length; at++) {
    const [patch, within] = [Math.floor(at / (3 * p * p)), at % (3 * p * p)]
    const [c, y, x] = [Math.floor(within / (p * p)), Math.floor(within / p) % p, within % p]
    out[(c * height + Math.floor(patch / columns) * p + y) * width + patch % columns * p + x] = patches[at]!
  }
  return out
}

describe("patches", () => {
  it("hold every pixel once", () => {
    fc.assert(fc.property(side, side, fc.integer({ min: 1, max: 4 }), (columns, rows, p) => {
      const [width, height] = [columns * p, rows * p]
      const pixels = { width, height, data: Float32Array.from({ length: 3 * width * height }, (_, i) => i) }
      assert.deepStrictEqual(refold(unfold(pixels, p), pixels, p), pixels.data)
    }))
  })
  it("leave out what is less than a patch, at the right and below", () => {
    const pixels = { width: 5, height: 3, data: Float32Array.from({ length: 45 }, (_, i) => i) }
    assert.deepStrictEqual([...unfold(pixels, 2)].slice(0, 8), [0, 1, 5, 6, 15, 16, 20, 21])
    assert.strictEqual(unfold(pixels, 2).length, 2 * 12)
  })
})
