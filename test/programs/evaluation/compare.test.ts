/** Evaluations on disk, compared. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { compare, systemOf, systemsOf } from "../../../src/programs/evaluation/compare.ts"
import { compareTable } from "../../../src/report/compareTable.ts"
import { folderOf, onDisk } from "../../support/files.ts"

/** A line of predictions, as far as it is read. */
const line = (id: string, correct: 0 | 1 | null, group = id) =>
  JSON.stringify({
    id,
    group,
    type: "",
    correct,
    unparsed: null,
    ranked: false,
    reciprocalRank: null,
    recall: [null, null, null, null],
    ndcg: null
  })

/** Runs by name, each with the answers of its questions in order. */
const runs = Effect.fnUntraced(function*(answers: Readonly<Record<string, string>>, group?: (i: number) => string) {
  const folder = yield* folderOf({})
  for (const [name, all] of Object.entries(answers)) {
    mkdirSync(join(folder, name, "eval-test"), { recursive: true })
    const lines = [...all].map((c, i) => line(`q${i}`, c === "?" ? null : c === "1" ? 1 : 0, group?.(i)))
    writeFileSync(join(folder, name, "eval-test/predictions.jsonl"), lines.map((own) => `${own}\n`).join(""))
  }
  return (...systems: ReadonlyArray<string>) =>
    compare(systemsOf(systems.map((own) => own.replaceAll("@", `${folder}/`))), { figure: "accuracy", split: "test" })
})

describe("a system", () => {
  const seeds = (cell: string) => ["runs/x/seed-1", "runs/x/seed-2"].map((seed) => `${seed}/${cell}`)
  it("has a name and folders, cells of a grid too", () => {
    for (const cell of ["joint", "sampling,sampling=top", "both,n_context=3,sampling=top"]) {
      const folders = seeds(cell)
      assert.deepStrictEqual(systemOf(`top=${folders.join(",")}`), { name: "top", folders })
      assert.deepStrictEqual(systemOf(folders.join(",")), { name: cell, folders })
      assert.deepStrictEqual(systemOf(cell), { name: cell, folders: [cell] })
    }
    assert.deepStrictEqual(systemOf("runs/x/eval-test"), { name: "x", folders: ["runs/x/eval-test"] })
  })
  it("is an arm under all seeds that are given", () => {
    const [frozen, joint] = [seeds("frozen"), seeds("joint")]
    assert.deepStrictEqual(systemsOf([...frozen.toReversed(), ...joint]), [
      { name: "frozen", folders: frozen },
      { name: "joint", folders: joint }
    ])
    const evaluations = joint.map((folder) => `${folder}/eval-test`)
    assert.deepStrictEqual(systemsOf(evaluations), [{ name: "joint", folders: evaluations }])
    const apart = ["runs/x/seed-1/joint", "runs/y/seed-2/joint", "one=runs/x/seed-2/joint", "runs/x/joint"]
    assert.deepStrictEqual(systemsOf(apart).map(({ folders }) => folders.length), [1, 1, 1, 1])
  })
})

describe("compare", () => {
  it.effect("tells how systems differ from the first", () =>
    onDisk(Effect.gen(function*() {
      const of = yield* runs({ a: "0000011111", b: "1110011111", c: "0111111111" })
      const [a, b, c] = yield* of("@a", "@b", "see=@c/eval-test")
      assert.deepStrictEqual([a!.name, a!.mean, a!.against], ["a", 0.5, undefined])
      assert.deepStrictEqual([b!.name, b!.mean, b!.against!.won, b!.against!.lost], ["b", 0.8, 3, 0])
      assert.closeTo(b!.against!.difference.mean, 0.3, 1e-12)
      assert.closeTo(b!.against!.mcnemar!, 0.25, 1e-12)
      assert.deepStrictEqual([b!.against!.permutation, b!.against!.holm], [0.25, 0.25])
      assert.deepStrictEqual([c!.name, c!.against!.permutation, c!.against!.holm], ["see", 0.125, 0.25])
      const table = compareTable([a!, b!, c!])
      assert.match(table, /\| b +\| 0\.800 +\| \[.*\| \+0\.300 +\| \[.*\| 3\/0 +\| 0\.250 \| 0\.250 +\| 0\.250 +\| \d+/)
      assert.match(table, /10 answers in 10 groups$/)
    })))

  it.effect("pairs seeds by their order, and makes no claim of independence for groups", () =>
    onDisk(Effect.gen(function*() {
      const of = yield* runs({ a1: "0011", a2: "0001", b1: "1111", b2: "0011" }, (i) => String(i % 2))
      const [, b] = yield* of("a=@a1,@a2", "b=@b1,@b2")
      assert.deepStrictEqual([b!.questions, b!.groups, b!.against!.won, b!.against!.mcnemar], [8, 2, 3, null])
    })))

  it.effect("refuses what cannot be paired", () =>
    onDisk(Effect.gen(function*() {
      const of = yield* runs({ a: "0011", b: "00", c: "????" })
      const said = (...systems: ReadonlyArray<string>) =>
        Effect.map(Effect.flip(of(...systems)), (error) => error.message)
      assert.match(yield* said("@a", "@b"), /a and b: 2 questions are of one of them alone, .*\(first: 1, q2\)/)
      assert.match(yield* said("@a", "b=@a,@a"), /b has 2 folders, and a has 1/)
      assert.match(
        yield* said("@seed-1/a", "@seed-2/a", "@seed-1/b", "@seed-3/b"),
        /b is of the seeds 1, 3, and a of 1, 2/
      )
      assert.match(yield* said("@a", "@a"), /a is the name of two systems/)
      assert.match(yield* said("@a", "@c"), /c: no question has a figure accuracy/)
      assert.match(yield* said("@a", "@d"), /d: has neither d\/predictions\.jsonl nor eval-test\/predictions\.jsonl/)
    })))
})
