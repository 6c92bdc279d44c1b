/** Pictures of files, arrays and data URIs, within a bound of memory. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer } from "../../../src/runtime/pictures/images.ts"
import { Kept } from "../../../src/runtime/pictures/kept.ts"
import { Images } from "../../../src/runtime/ports/Images.ts"
import { warned } from "../../support/warnings.ts"
import { suite } from "../ports/images.suite.ts"

const golden = join(import.meta.dirname, "../../golden")
const png = join(golden, "pictures/rgb.png")
const arrays = join(golden, "arrays/pneumoniamnist_28.npz")
const folder = mkdtempSync(join(tmpdir(), "images-"))
writeFileSync(join(folder, "empty.png"), "")
writeFileSync(join(folder, "words.png"), "no picture")

const made = (memory: number) => Layer.provide(layer({ memory }), NodeFileSystem.layer)
const wrong = {
  missing: join(folder, "none.png"),
  empty: join(folder, "empty.png"),
  undecodable: join(folder, "words.png")
}
const given = {
  ...wrong,
  same: [png, `data:image/png;base64,${readFileSync(png).toString("base64")}`],
  other: `${arrays}#train_images/0`
} as const

suite("of files", made(Infinity), given)
suite("that memory has no room for", made(0), given)
suite("of arrays", made(1000), {
  ...wrong,
  same: [`${arrays}#train_images/2`, `${arrays}#train_images/2`],
  other: png,
  undecodable: `${arrays}#train_images/99`
})

describe("what is told of a picture that is none", () => {
  const message = (reference: string) =>
    Effect.map(
      Effect.flip(Effect.flatMap(Images, ({ read }) => read(reference))),
      (error) => error.message
    ).pipe(Effect.provide(made(Infinity)))
  it.live("is the path that was tried, and one of three reasons", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* message(wrong.missing), `${wrong.missing}: there is no such picture`)
      assert.strictEqual(yield* message(wrong.empty), `${wrong.empty}: is empty: it has no byte`)
      assert.match(
        yield* message(wrong.undecodable),
        /words\.png: cannot be decoded \(is no picture by its first bytes/
      )
      assert.match(
        yield* message(`${arrays}#train_images/99`),
        /npz, train_images\/99: cannot be decoded \(train_images has 7 rows/
      )
      assert.match(
        yield* message("data:image/png,xyz"),
        /^data:image\/png,xyz: cannot be decoded \(is no data URI in base64/
      )
      assert.match(yield* message(folder), /cannot be decoded \(is a folder where a file is needed\)/)
    }))
})

describe("a picture's file", () => {
  it.live("is read once while there is room, and again where there is none", () =>
    Effect.gen(function*() {
      for (const memory of [Infinity, 0]) {
        const path = join(folder, "once.png")
        writeFileSync(path, readFileSync(png))
        yield* Effect.gen(function*() {
          const images = yield* Images
          const { hash } = yield* images.read(path)
          yield* images.read(png)
          rmSync(path)
          const again = yield* Effect.exit(images.read(path))
          assert.strictEqual(again._tag, memory === 0 ? "Failure" : "Success")
          assert.strictEqual(yield* images.hash(path), hash)
        }).pipe(Effect.provide(made(memory)))
      }
    }))
})

describe("an array that is larger than the bound", () => {
  it.live("is told once", () =>
    Effect.gen(function*() {
      const read = Effect.flatMap(Images, (images) =>
        Effect.forEach([0, 1, 0], (row) => images.read(`${arrays}#train_images/${row}`)))
      const { lines } = yield* warned(Effect.provide(read, made(8)))
      assert.lengthOf(lines, 1)
      assert.match(lines[0]!, /train_images takes .*, more than images_in_memory/)
    }))
})

describe("what is kept", () => {
  it("is what was used last, within the room", () => {
    const kept = new Kept<number>(10)
    kept.set("a", 1, 4)
    kept.set("b", 2, 4)
    assert.strictEqual(kept.get("a"), 1)
    kept.set("c", 3, 4)
    assert.deepStrictEqual(["a", "b", "c"].map((key) => kept.get(key)), [1, undefined, 3])
    kept.set("d", 4, 40)
    assert.deepStrictEqual(["a", "c", "d"].map((key) => kept.get(key)), [undefined, undefined, 4])
    kept.set("d", 5, 2)
    kept.set("e", 6, 8)
    assert.deepStrictEqual(["d", "e"].map((key) => kept.get(key)), [5, 6])
  })
})
