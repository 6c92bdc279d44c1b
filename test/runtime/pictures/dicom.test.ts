/** DICOM files as pictures: what is shown of their numbers, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { decode } from "../../../src/runtime/pictures/decode.ts"
import { fileOf, reader } from "../../../src/runtime/pictures/reference.ts"
import { dicom, type Element, gray, pixels16 } from "../../support/dicom.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const window: ReadonlyArray<Element> = [["00281050", "DS", "50"], ["00281051", "DS", "100"]]
const limits = { max_pixels: 10_000 }
const shown = (bytes: Uint8Array, frame?: number) =>
  Effect.map(decode(bytes, "x.dcm", limits, frame), ({ done, format, picture }) => {
    assert.deepStrictEqual([format, picture.channels], ["dicom", 3])
    return { done, size: [picture.width, picture.height], data: [...picture.data] }
  })
/** The levels of a gray picture. */
const levels = (bytes: Uint8Array, frame?: number) =>
  Effect.map(shown(bytes, frame), ({ data }) => {
    const own = data.filter((_, i) => i % 3 === 0)
    assert.deepStrictEqual(data, own.flatMap((level) => [level, level, level]))
    return own
  })
const refusal = (bytes: Uint8Array, frame?: number) =>
  Effect.map(Effect.flip(decode(bytes, "x.dcm", limits, frame)), ({ message }) => message)

describe("a DICOM file", () => {
  it.effect("is shown by its first window, or from its lowest value to its highest", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* shown(dicom(gray(3, [0, 50, 99], 16, window))), {
        done: ["window"],
        size: [3, 1],
        data: [0, 0, 0, 129, 129, 129, 255, 255, 255]
      })
      const two: ReadonlyArray<Element> = [["00281050", "DS", "50\\400"], ["00281051", "DS", "100\\40"]]
      assert.deepStrictEqual(yield* levels(dicom(gray(3, [0, 50, 99], 16, two))), [0, 129, 255])
      assert.deepStrictEqual(yield* levels(dicom(gray(3, [0, 50, 99], 16, two), "1.2.840.10008.1.2")), [0, 129, 255])
      const plain = yield* shown(dicom(gray(1, [10, 15, 20], 8)))
      assert.deepStrictEqual([plain.done, plain.size], [["range"], [1, 3]])
      assert.deepStrictEqual(plain.data.filter((_, i) => i % 3 === 0), [0, 128, 255])
    }))
  it.effect("has values of its numbers, by their bits, sign, slope and intercept", () =>
    Effect.gen(function*() {
      const ct: ReadonlyArray<Element> = [
        ["00280101", "US", 12],
        ["00280102", "US", 11],
        ["00281050", "DS", "-600"],
        ["00281051", "DS", "1501"],
        ["00281052", "DS", "-1024"],
        ["00281053", "DS", "1"]
      ]
      /** Bits above the twelfth are an overlay's. */
      assert.deepStrictEqual(yield* levels(dicom(gray(2, [0xf000, 424 | 0x8000], 16, ct))), [56, 128])
      const signed: ReadonlyArray<Element> = [["00280103", "US", 1], ...window]
      assert.deepStrictEqual(yield* levels(dicom(gray(2, [-3, 50], 16, signed))), [0, 129])
      const high: ReadonlyArray<Element> = [["00280101", "US", 12], ["00280102", "US", 15], ["00280103", "US", 1]]
      assert.deepStrictEqual(
        yield* levels(dicom(gray(3, [-16, 0, 16], 16, [...high, ["00281050", "DS", "0"], ["00281051", "DS", "3"]]))),
        [64, 191, 255]
      )
      const padded: ReadonlyArray<Element> = [["00280103", "US", 1], ["00280120", "SS", -2000]]
      assert.deepStrictEqual(yield* levels(dicom(gray(3, [-2000, 10, 20], 16, padded))), [0, 0, 255])
    }))
  it.effect("in MONOCHROME1 has its lowest value in white", () =>
    Effect.gen(function*() {
      const own = dicom(gray(3, [0, 50, 99], 16, [["00280004", "CS", "MONOCHROME1"], ...window]))
      assert.deepStrictEqual((yield* shown(own)).done, ["window", "inverted"])
      assert.deepStrictEqual(yield* levels(own), [255, 126, 0])
    }))
  it.effect("in colours has them pixel by pixel or plane by plane, in RGB or YCbCr", () =>
    Effect.gen(function*() {
      const colours = (name: string, planar: number, bytes: ReadonlyArray<number>) =>
        dicom(gray(2, [0, 0], 8, [
          ["00280002", "US", 3],
          ["00280004", "CS", name],
          ["00280006", "US", planar],
          ["7fe00010", "OB", Uint8Array.from(bytes)]
        ]))
      const { data, done } = yield* shown(colours("RGB", 0, [1, 2, 3, 4, 5, 6]))
      assert.deepStrictEqual([done, data], [[], [1, 2, 3, 4, 5, 6]])
      assert.deepStrictEqual((yield* shown(colours("RGB", 1, [1, 4, 2, 5, 3, 6]))).data, [1, 2, 3, 4, 5, 6])
      /** Pure red is (76, 85, 255) in YCbCr, and gray has 128 twice. */
      assert.deepStrictEqual((yield* shown(colours("YBR_FULL", 0, [76, 85, 255, 9, 128, 128]))).data, [
        254,
        0,
        0,
        9,
        9,
        9
      ])
    }))
  it.effect("of several frames wants one named, whose own window counts", () =>
    Effect.gen(function*() {
      const group = (center: string): ReadonlyArray<Element> => [[
        "00289132",
        "SQ",
        { items: [[["00281050", "DS", center], ["00281051", "DS", "100"]]] }
      ]]
      const shared: ReadonlyArray<Element> = [["00289145", "SQ", {
        items: [[["00281052", "DS", "1"], ["00281053", "DS", "1"]]]
      }]]
      const file = dicom(gray(1, [49, 49], 16, [
        ["00280008", "IS", "2"],
        ["00280010", "US", 1],
        ["52009229", "SQ", { items: [shared] }],
        ["52009230", "SQ", { items: [group("50"), group("99")] }]
      ]))
      assert.match(yield* refusal(file), /x\.dcm: has 2 frames; name one of them, from #frame\/1 to #frame\/2/)
      assert.deepStrictEqual([yield* levels(file, 1), yield* levels(file, 2)], [[129], [3]])
      assert.match(yield* refusal(file, 3), /frame 3: has 2 frames, and no frame 3; frames count from 1/)
      assert.match(yield* refusal(file, 0), /no frame 0/)
    }))
  it.effect("in JPEG of 8 bits is that JPEG, under the window", () =>
    Effect.gen(function*() {
      const golden = join(import.meta.dirname, "../../golden/pictures")
      const [jpeg, colour] = ["gray.jpg", "420.jpg"].map((name) => new Uint8Array(readFileSync(join(golden, name))))
      const plain = yield* decode(jpeg!, "gray.jpg")
      const { height, width } = plain.picture
      const syntax = "1.2.840.10008.1.2.4.50"
      const elements = (more: ReadonlyArray<Element>) =>
        gray(width, Array.from({ length: height * width }, () => 0), 8, more)
      const wide: ReadonlyArray<Element> = [["00281050", "DS", "128"], ["00281051", "DS", "256"]]
      const half = Math.ceil(jpeg!.length / 4) * 2
      const pieces = [jpeg!.subarray(0, half), jpeg!.subarray(half)]
      const own = dicom(elements([...wide, ["7fe00010", "OB", { pieces }]]), syntax)
      assert.deepStrictEqual((yield* shown(own)).data, [...plain.picture.data])
      const frames = dicom(
        elements([["00280008", "IS", "2"], ...wide, ["7fe00010", "OB", { pieces: [jpeg!, jpeg!] }]]),
        syntax
      )
      assert.deepStrictEqual((yield* shown(frames, 2)).data, [...plain.picture.data])
      const { picture } = yield* decode(colour!, "420.jpg")
      const ofColours = gray(picture.width, Array.from({ length: picture.height * picture.width }, () => 0), 8, [
        ["00280002", "US", 3],
        ["00280004", "CS", "YBR_FULL_422"],
        ["7fe00010", "OB", { pieces: [colour!] }]
      ])
      assert.deepStrictEqual((yield* shown(dicom(ofColours, syntax))).data, [...picture.data])
      const cut = dicom(elements([["7fe00010", "OB", { pieces: [jpeg!.subarray(0, half)] }]]), syntax)
      assert.match(yield* refusal(cut), /damaged or truncated: it begins as a jpeg picture/)
      const other = dicom(elements([["00280010", "US", 1], ["7fe00010", "OB", { pieces: [jpeg!] }]]), syntax)
      assert.match(yield* refusal(other), /has \d+ × 1 pixels, and a JPEG of/)
    }))
  it.effect("is refused by name where it would come out wrong, with what to do", () =>
    Effect.gen(function*() {
      const own = gray(2, [1, 2])
      const named: Readonly<Record<string, RegExp>> = {
        "1.2.840.10008.1.2.1.99": /is deflated, .*gdcmconv --raw/,
        "1.2.840.10008.1.2.2": /in big-endian order/,
        "1.2.840.10008.1.2.4.51": /JPEG of 12 bits/,
        "1.2.840.10008.1.2.4.70": /lossless JPEG/,
        "1.2.840.10008.1.2.4.80": /JPEG-LS/,
        "1.2.840.10008.1.2.4.90": /is compressed as JPEG 2000, which is not read; write it with plain pixels first/,
        "1.2.840.10008.1.2.4.102": /a video/,
        "1.2.840.10008.1.2.4.201": /JPEG 2000 \(high throughput\)/,
        "1.2.840.10008.1.2.5": /run lengths/,
        "1.2.3": /is in the transfer syntax 1\.2\.3/
      }
      for (const [syntax, why] of Object.entries(named)) assert.match(yield* refusal(dicom(own, syntax)), why)
      const changed: ReadonlyArray<readonly [more: ReadonlyArray<Element>, why: RegExp]> = [
        [[["00280004", "CS", "PALETTE COLOR"]], /pixels of 1 × PALETTE COLOR, which are not read; save it as PNG/],
        [[["00280100", "US", 32]], /has 32 bits/],
        [[["00280102", "US", 3]], /has 16 bits up to bit 3 of 16/],
        [[["00280010", "US", 9]], /has 4 bytes of pixels, fewer than/],
        [[["00280011", "US", 0]], /without a pixel/],
        [[["00280011", "US", 20_000]], /20000 × 1 pixels, which are more than max_pixels \(10000\)/],
        [[["00281050", "DS", "1"], ["00281051", "DS", "0"]], /center 1 and width 0, which shows nothing/],
        [[...window, ["00281056", "CS", "CURVE"]], /function CURVE; LINEAR, /],
        [[["00281053", "DS", "0"]], /rescale slope/],
        [[["00283000", "SQ", { items: [[["00283003", "LO", "x"]]] }]], /modality LUT/],
        [[["00283010", "SQ", { items: [[["00283003", "LO", "x"]]] }]], /VOI LUT/]
      ]
      for (const [more, why] of changed) assert.match(yield* refusal(dicom(gray(2, [1, 2], 16, more))), why)
      const bare = dicom(own.filter(([tag]) => tag !== "7fe00010"))
      assert.match(yield* refusal(bare), /has no picture in it/)
    }))
  it.effect("that is damaged or cut is an error of it, or a picture of its size", () =>
    Effect.promise(() => {
      const whole = dicom([...gray(4, Array.from({ length: 16 }, (_, i) => i * 9), 16, window), [
        "00400275",
        "SQ",
        { items: [[["00400007", "LO", "CT"]], [["00400009", "SH", "1"]]] }
      ]])
      const damage = fc.record({
        at: fc.integer({ min: 132, max: whole.length - 1 }),
        to: fc.integer({ min: 0, max: 255 }),
        end: fc.integer({ min: 132, max: whole.length })
      })
      return fc.assert(
        fc.asyncProperty(damage, async ({ at, end, to }) => {
          const bytes = whole.slice(0, end)
          bytes[at] = to
          const result = await Effect.runPromise(Effect.result(decode(bytes, "x.dcm", limits)))
          if (result._tag === "Failure") return assert.strictEqual(result.failure.path, "x.dcm")
          const { data, height, width } = result.success.picture
          assert.strictEqual(data.length, 3 * height * width)
        }),
        { numRuns: 300 }
      )
    }))
  it.live("is a record's picture, whatever its name, and so is one of its frames", () =>
    onDisk(Effect.gen(function*() {
      const two = dicom(gray(1, [0, 99], 16, [["00280008", "IS", "2"], ["00280010", "US", 1], ...window]))
      const folder = yield* folderOf({ "IM0001": dicom(gray(1, [99], 16, window)), "two.dcm": two, "a.png": "" })
      const records = join(folder, "q.jsonl")
      const look = reader()
      const first = (reference: string) => Effect.map(look(reference, records), ({ picture }) => picture.data[0])
      assert.deepStrictEqual(
        [yield* first("IM0001"), yield* first("two.dcm#frame/1"), yield* first("two.dcm#frame/2")],
        [
          255,
          0,
          255
        ]
      )
      assert.strictEqual(fileOf("/a/two.dcm#frame/2"), "/a/two.dcm")
      const { message } = yield* Effect.flip(look("two.dcm#frame/3", records))
      assert.match(message, /two\.dcm, frame 3: has 2 frames, and no frame 3/)
      const png = join(import.meta.dirname, "../../golden/pictures/rgb.png")
      assert.match((yield* Effect.flip(look(`${png}#frame/1`))).message, /is a png picture; #frame\/1 is for DICOM/)
      assert.strictEqual(
        (yield* decode(dicom(gray(1, [1, 2], 16, [["7fe00010", "OW", pixels16([1, 2])]])), "x")).picture.height,
        2
      )
    })))
})
