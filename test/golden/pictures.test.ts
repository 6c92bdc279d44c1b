/** Pictures of every kind: the pixels that Pillow reads, and the values that transformers' processors make of them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ofGray, opaque } from "../../src/domain/pictures/Picture.ts"
import { preprocess } from "../../src/domain/pictures/preprocess.ts"
import { filters, resize } from "../../src/domain/pictures/resample.ts"
import { decodePreprocessor } from "../../src/runtime/files/vision/preprocessor.ts"
import { read } from "../../src/runtime/pictures/decode.ts"

interface Hashed {
  readonly shape: ReadonlyArray<number>
  readonly sha256: string
}
interface Expected {
  readonly pictures: Readonly<
    Record<string, { readonly size: ReadonlyArray<number>; readonly drop: string; readonly white: string }>
  >
  readonly processors: Readonly<Record<string, object>>
  readonly resized: ReadonlyArray<{ readonly size: [number, number]; readonly filter: number; readonly sha256: string }>
  readonly ramps: ReadonlyArray<
    { readonly width: number; readonly filter: number; readonly row: ReadonlyArray<number> }
  >
  readonly refused: ReadonlyArray<string>
}

const folder = join(import.meta.dirname, "pictures")
const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Expected
const sha = ({ buffer, byteLength, byteOffset }: ArrayBufferView): string =>
  createHash("sha256").update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)).digest("hex")
const decoded = (name: string) => read(join(folder, name)).pipe(Effect.provide(NodeFileSystem.layer))

const reasons: Readonly<Record<string, RegExp>> = {
  "empty.png": /is empty$/,
  "text.png": /is no picture by its first bytes; PNG, JPEG, WebP, GIF, TIFF and DICOM are read$/,
  "cut.jpg": /is damaged or truncated: it begins as a jpeg picture/,
  "cut.png": /is damaged or truncated: it begins as a png picture/,
  "damaged.png": /is damaged or truncated: it begins as a png picture/,
  "damaged.jpg": /is damaged or truncated: it begins as a jpeg picture/,
  "cut.webp": /is damaged or truncated: it begins as a webp picture/,
  "head.jpg": /is damaged or truncated: it begins as a jpeg picture/,
  "cmyk.jpg": /is in CMYK/,
  "deep-gray.png": /is gray with 16 bits a pixel/,
  "deep-gray-alpha.png": /is gray with 16 bits a pixel/,
  "real.tiff": /has pixels of type float/,
  "pages.tiff": /has 2 frames or pages/,
  "clear.gif": /is a GIF with transparent pixels/,
  "animated.gif": /has 3 frames or pages/,
  "animated.png": /has 3 frames or pages/,
  "animated.webp": /has 3 frames or pages/,
  "bomb.png": /has 30000 × 30000 pixels, which are more than max_pixels \(64000000\)$/,
  "plain.bmp": /is a BMP picture; PNG, JPEG, WebP, GIF, TIFF and DICOM are read$/
}

describe("a picture's file", () => {
  it("is in the list", () => {
    const named = [...Object.keys(expected.pictures), ...expected.refused, "expected.json"]
    assert.deepStrictEqual(readdirSync(folder).toSorted(), named.toSorted())
    assert.deepStrictEqual(Object.keys(reasons).toSorted(), expected.refused.toSorted())
    assert.isAtLeast(Object.keys(expected.pictures).length, 40)
  })
  for (const [name, wanted] of Object.entries(expected.pictures)) {
    it.effect(`has the pixels that Pillow reads: ${name}`, () =>
      Effect.map(decoded(name), ({ picture }) => {
        const got = {
          size: [picture.width, picture.height],
          drop: sha(opaque(picture, "drop").data),
          white: sha(opaque(picture, "white").data)
        }
        assert.deepStrictEqual(got, { size: wanted.size, drop: wanted.drop, white: wanted.white })
      }))
  }
  for (const name of expected.refused) {
    it.effect(`is refused: ${name}`, () =>
      Effect.map(Effect.flip(decoded(name)), (error) => {
        assert.strictEqual(error._tag, "FileError")
        assert.match(error.message, reasons[name]!)
        assert.notInclude(error.message, "\n")
      }))
  }
})

describe("a picture is prepared as transformers prepares it", () => {
  for (const [type, config] of Object.entries(expected.processors)) {
    it.effect(type, () =>
      Effect.gen(function*() {
        const p = yield* decodePreprocessor(config)
        let compared = 0
        for (const [name, wanted] of Object.entries(expected.pictures)) {
          const hashed = Reflect.get(wanted, type) as Hashed | undefined
          if (hashed === undefined) continue
          const { data, height, width } = preprocess((yield* decoded(name)).picture, p)
          assert.deepStrictEqual({ shape: [3, height, width], sha256: sha(data) }, hashed, `${type} of ${name}`)
          compared++
        }
        assert.isAtLeast(compared, 40)
      }))
  }
})

describe("resizing is Pillow's", () => {
  it.effect("at all sizes and with all filters", () =>
    Effect.map(decoded("rgb.png"), ({ picture }) => {
      for (const { filter, sha256, size: [width, height] } of expected.resized) {
        const got = resize(picture, { width, height }, filters[filter]!)
        assert.strictEqual(sha(got.data), sha256, `${filters[filter]} to ${width} × ${height}`)
      }
    }))
  it("of a ramp of four grays", () => {
    const ramp = ofGray({ width: 4, height: 1 }, Uint8Array.of(0, 64, 128, 255))
    for (const { filter, row, width } of expected.ramps) {
      const { data } = resize(ramp, { width, height: 1 }, filters[filter]!)
      assert.deepStrictEqual([...data].filter((_, i) => i % 3 === 0), row, `${filters[filter]} to ${width}`)
    }
  })
})
