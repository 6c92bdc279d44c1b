/** Ratings on disk, and how far raters agree. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { agree } from "../../../src/programs/evaluation/agree.ts"
import { agreementTable } from "../../../src/report/agreementTable.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const csv = "id,ann,bob,judge\n1,1,1,1.0\n2,1,3,\n3,3,3,3\n4,5,3,4\n5,5,5,5\n"

describe("agreement", () => {
  it.effect("is that of every two raters, over what both have rated", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "r.csv": csv }), "r.csv")
      const [both, ...others] = yield* agree(path, ["ann", "bob", "judge"], "quadratic")
      assert.deepStrictEqual([both!.raters, both!.items, both!.same], [["ann", "bob"], 5, 0.6])
      /** By hand: squares 0, 4, 0, 4, 0 of five; expected under the raters' own frequencies (2, 1, 2) and (1, 3, 1) is 5.6 - 1.6. */
      assert.closeTo(both!.kappa!, 1 - (8 / 5) / ((2 * (3 * 4 + 16) + (4 + 4) + 2 * (16 + 3 * 4)) / 25), 1e-12)
      assert.deepStrictEqual(others.map(({ items, raters }) => [raters, items]), [
        [["ann", "judge"], 4],
        [["bob", "judge"], 4]
      ])
      assert.match(agreementTable([both!]), /^raters +items +same +kappa\nann, bob +5 +0\.600 +0\.\d{3}$/)
    })))

  it.effect("counts a level that nobody gave", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "r.csv": "a,b\n1,1\n1,2\n5,5\n2,5\n" }), "r.csv")
      const [linear] = yield* agree(path, ["a", "b"], "linear")
      /** Distances 0, 1, 0, 3 of four; expected: of (1, 1, 5, 2) and (1, 2, 5, 5) the mean of all sixteen distances. */
      const expected = [1, 1, 5, 2].flatMap((x) => [1, 2, 5, 5].map((y) => Math.abs(x - y))).reduce((p, q) => p + q) /
        16
      assert.closeTo(linear!.kappa!, 1 - 1 / expected, 1e-12)
    })))

  it.effect("is refused where there is no such column, and where weights have no scale", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "r.csv": "a,b\ngood,1\n" }), "r.csv")
      const said = (...given: Parameters<typeof agree>) => Effect.map(Effect.flip(agree(...given)), (e) => e.message)
      assert.match(yield* said(path, ["a", "c"], "none"), /has no column "c"; there are a, b/)
      assert.match(yield* said(path, ["a", "b"], "linear"), /record 1: "good" is no whole number/)
      const [none] = yield* agree(path, ["a", "b"], "none")
      assert.deepStrictEqual([none!.items, none!.same], [1, 0])
    })))
})
