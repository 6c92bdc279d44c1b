import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { decode, read } from "../../../src/runtime/pictures/decode.ts"
import { formatOf, pngFrames } from "../../../src/runtime/pictures/format.ts"

const folder = join(import.meta.dirname, "../../golden/pictures")
const bytesOf = (name: string) => new Uint8Array(readFileSync(join(folder, name)))
const text = (value: string) => Uint8Array.from(value, (c) => c.charCodeAt(0))

describe("decoding", () => {
  it.effect("tells what a picture does not show", () =>
    Effect.gen(function*() {
      const done = (name: string) => Effect.map(decode(bytesOf(name), name), (decoded) => decoded.done)
      assert.deepStrictEqual(yield* done("rgb.png"), [])
      assert.deepStrictEqual(yield* done("turned-1.jpg"), [])
      assert.deepStrictEqual(yield* done("turned-6.png"), ["turned"])
      assert.deepStrictEqual(yield* done("profile.jpg"), ["profile"])
      assert.deepStrictEqual(yield* done("deep-alpha.png"), ["deep", "alpha"])
    }))
  it.effect("has a limit on pixels, which a picture may reach", () =>
    Effect.gen(function*() {
      const { picture } = yield* decode(bytesOf("rgb.png"), "rgb.png", { max_pixels: 61 * 43 })
      assert.deepStrictEqual([picture.width, picture.height, picture.channels], [61, 43, 3])
      const error = yield* Effect.flip(decode(bytesOf("rgb.png"), "a/rgb.png", { max_pixels: 61 * 43 - 1 }))
      assert.strictEqual(error.message, "a/rgb.png: has 61 × 43 pixels, which are more than max_pixels (2622)")
    }))
  it.effect("gives the same pixels of many pictures at once", () =>
    Effect.gen(function*() {
      const names = ["420.jpg", "cut.jpg", "rgb.png", "damaged.png", "lossy.webp", "cut.webp"]
      const alone = yield* Effect.forEach(names, (name) => Effect.result(decode(bytesOf(name), name)))
      const many = Array.from({ length: 4 }, () => names).flat()
      const together = yield* Effect.forEach(many, (name) => Effect.result(decode(bytesOf(name), name)), {
        concurrency: "unbounded"
      })
      together.forEach((result, i) => assert.deepStrictEqual(result, alone[i % names.length]))
    }))
  it.effect("of a file that is not there names it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read(join(folder, "none.png")))
      assert.match(error.message, /none\.png: there is no such file or folder$/)
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

describe("the format of a file", () => {
  it("is told by its first bytes, not by its name", () => {
    for (const name of ["rgb.png", "gray.jpg", "lossy.webp", "still.gif", "rgb.tiff"]) {
      assert.property(formatOf(bytesOf(name)), "format", name)
    }
  })
  it("is named where it is not read", () => {
    const refused = (bytes: Uint8Array) => Reflect.get(formatOf(bytes), "refused")
    const read = "; PNG, JPEG, WebP, GIF, TIFF and DICOM are read"
    assert.deepStrictEqual(formatOf(text(`${"\0".repeat(128)}DICM`)), { format: "dicom" })
    assert.strictEqual(refused(text("BM\0\0")), `is a BMP picture${read}`)
    assert.strictEqual(refused(text("\0\0\0\x1cftypheic")), `is a HEIF or AVIF picture${read}`)
    assert.strictEqual(refused(text("<svg>")), `is an SVG picture${read}`)
    assert.match(
      String(refused(text("version https://git-lfs.github.com/spec/v1"))),
      /is a Git LFS pointer.*git lfs pull`$/
    )
    assert.strictEqual(refused(text("RIFF\0\0\0\0WAVE")), `is no picture by its first bytes${read}`)
  })
  it("of an animated PNG counts its frames", () => {
    assert.strictEqual(pngFrames(bytesOf("animated.png")), 3)
    assert.strictEqual(pngFrames(bytesOf("rgb.png")), 1)
    assert.strictEqual(pngFrames(bytesOf("rgb.png").subarray(0, 20)), 1)
  })
})
