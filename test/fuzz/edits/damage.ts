/** What befalls bytes and lines, whatever they mean: places are shares of the length, so that they shrink to its beginning. */
import * as fc from "fast-check"
import { strange } from "./mutations.ts"

/** What is done to bytes. `at` and `from` are places in [0, 1). */
export type Damage =
  | { readonly does: "cut" | "zero"; readonly at: number }
  | { readonly does: "flip"; readonly at: number; readonly bit: number }
  | { readonly does: "remove" | "repeat" | "blank"; readonly at: number; readonly bytes: number }
  | { readonly does: "insert" | "write"; readonly at: number; readonly bytes: ReadonlyArray<number> }
  | { readonly does: "copy"; readonly at: number; readonly from: number; readonly bytes: number }

const at = fc.noBias(fc.nat(9999)).map((place) => place / 10_000)
const some = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }) }, fc.integer({ min: 1, max: 300 }))
const content = fc.oneof(
  fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }),
  fc.constantFrom(...strange, "\n", "\r\n", "\"", "}", "]", "{", ",", "\ufeff", "<", "&", "#", "- ").map((text) =>
    Array.from(new TextEncoder().encode(text))
  )
)
const record = <T>(arbitraries: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(arbitraries, { noNullPrototype: true })
const bits = record({ does: fc.constant("flip" as const), at, bit: fc.nat(7) })

/** One to three damages, mostly one; flipped bits first. */
export const damages: fc.Arbitrary<ReadonlyArray<Damage>> = (() => {
  const one: fc.Arbitrary<Damage> = fc.oneof(
    { weight: 4, arbitrary: bits },
    { weight: 2, arbitrary: record({ does: fc.constant("cut" as const), at }) },
    { weight: 1, arbitrary: record({ does: fc.constant("zero" as const), at }) },
    {
      weight: 3,
      arbitrary: record({ does: fc.constantFrom("remove" as const, "repeat", "blank"), at, bytes: some })
    },
    { weight: 3, arbitrary: record({ does: fc.constantFrom("insert" as const, "write"), at, bytes: content }) },
    { weight: 2, arbitrary: record({ does: fc.constant("copy" as const), at, from: at, bytes: some }) }
  )
  return fc.oneof(
    { weight: 6, arbitrary: one.map((damage) => [damage]) },
    { weight: 1, arbitrary: fc.array(one, { minLength: 2, maxLength: 3 }) }
  )
})()

const damaged = (bytes: Uint8Array, damage: Damage): Uint8Array => {
  const whole = [...bytes]
  const place = Math.floor(damage.at * bytes.length)
  switch (damage.does) {
    case "cut":
      return bytes.slice(0, place)
    case "zero":
      return bytes.slice().fill(0, place)
    case "flip":
      return bytes.map((byte, i) => i === place ? byte ^ 1 << damage.bit : byte)
    case "remove":
      return Uint8Array.from(whole.toSpliced(place, damage.bytes))
    case "repeat":
      return Uint8Array.from(whole.toSpliced(place, 0, ...whole.slice(place, place + damage.bytes)))
    case "blank":
      return bytes.slice().fill(0, place, place + damage.bytes)
    case "insert":
      return Uint8Array.from(whole.toSpliced(place, 0, ...damage.bytes))
    case "write":
      return Uint8Array.from(whole.toSpliced(place, damage.bytes.length, ...damage.bytes))
    case "copy": {
      const from = Math.floor(damage.from * bytes.length)
      return Uint8Array.from(whole.toSpliced(place, damage.bytes, ...whole.slice(from, from + damage.bytes)))
    }
  }
}

/** A copy of the bytes after all that befell them. */
export const after = (bytes: Uint8Array, all: ReadonlyArray<Damage>): Uint8Array =>
  all.reduce(damaged, Uint8Array.from(bytes))

/** What is done to the lines of a text, of whatever kind. */
export type LineEdit =
  | { readonly does: "drop" | "twin" | "blank"; readonly line: number }
  | { readonly does: "move"; readonly line: number; readonly to: number }
  | { readonly does: "put" | "instead" | "append"; readonly line: number; readonly text: string }

/** Edits of a text of so many lines, with these texts among what is put in. */
export const lineEdits = (lines: number, texts: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<LineEdit>> => {
  const line = fc.nat(lines - 1)
  const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...texts) }, fc.constantFrom(...strange))
  const one: fc.Arbitrary<LineEdit> = fc.oneof(
    record({ does: fc.constantFrom("drop" as const, "twin", "blank"), line }),
    record({ does: fc.constant("move" as const), line, to: line }),
    record({ does: fc.constantFrom("put" as const, "instead", "append"), line, text })
  )
  return fc.array(one, { minLength: 1, maxLength: 2 })
}

const relined = (lines: ReadonlyArray<string>, edit: LineEdit): ReadonlyArray<string> => {
  const own = lines[edit.line] ?? ""
  switch (edit.does) {
    case "drop":
      return lines.toSpliced(edit.line, 1)
    case "twin":
      return lines.toSpliced(edit.line, 0, own)
    case "blank":
      return lines.toSpliced(edit.line, 0, "")
    case "move":
      return lines.toSpliced(edit.line, 1).toSpliced(edit.to, 0, own)
    case "put":
      return lines.toSpliced(edit.line, 0, edit.text)
    case "instead":
      return lines.toSpliced(edit.line, 1, edit.text)
    case "append":
      return lines.toSpliced(edit.line, 1, own + edit.text)
  }
}

/** The text after the edits of its lines. */
export const rewritten = (text: string, all: ReadonlyArray<LineEdit>): string =>
  all.reduce(relined, text.split("\n")).join("\n")
