/** Event files against TensorBoard's own reader and writer (eventFiles.py). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { decode, encode, type Event } from "../../src/runtime/files/tensorboard/events.ts"
import { crc32c, read, record } from "../../src/runtime/files/tensorboard/records.ts"
import { bytes, events } from "./eventFiles.ts"

const file = (name: string) => readFileSync(join(import.meta.dirname, "eventFiles", name))

describe("event files", () => {
  it("are what TensorBoard read: every scalar, but those that a later start made void", () => {
    assert.deepStrictEqual(bytes, file("ours.tfevents"))
    const scalars = new Map<string, Array<readonly [time: number, step: number, value: number]>>()
    for (const { step, time, what } of events) {
      if (what._tag === "Start") {
        for (const [tag, all] of scalars) scalars.set(tag, all.filter(([, own]) => own < step))
      }
      if (what._tag !== "Scalars") continue
      for (const [tag, value] of Object.entries(what.scalars)) {
        scalars.set(tag, [...scalars.get(tag) ?? [], [time, step, Math.fround(value)]])
      }
    }
    assert.deepStrictEqual(JSON.parse(file("read.json").toString()), Object.fromEntries(scalars))
  })
  it("have the bytes that TensorBoard writes of the same events, and are read back", () => {
    const theirs: ReadonlyArray<Event> = [
      { time: 1.5, step: 0, what: { _tag: "Version" } },
      { time: 2.25, step: 7, what: { _tag: "Start" } },
      { time: 3, step: 300, what: { _tag: "Scalars", scalars: { "a/b": 0.1, "ü": -2e10 } } }
    ]
    assert.deepStrictEqual(Buffer.concat(theirs.map((own) => record(encode(own)))), file("theirs.tfevents"))
    const { records, whole } = read(file("theirs.tfevents"))
    assert.strictEqual(whole, file("theirs.tfevents").length)
    assert.deepStrictEqual(records.map(decode), [
      theirs[0]!,
      theirs[1]!,
      { ...theirs[2]!, what: { _tag: "Scalars", scalars: { "a/b": Math.fround(0.1), "ü": -2e10 } } }
    ])
  })
  it("have the sum of RFC 3720, and end at the first record that is not whole", () => {
    assert.strictEqual(crc32c(new TextEncoder().encode("123456789")), 0xe3069283)
    assert.strictEqual(crc32c(new Uint8Array(32)), 0x8a9136aa)
    const whole = file("theirs.tfevents")
    for (let at = 0; at < whole.length; at++) {
      const cut = read(whole.subarray(0, at))
      assert.isTrue(cut.whole <= at && cut.records.length < 3)
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0x10
      assert.isBelow(read(damaged).records.length, 3)
    }
  })
})
