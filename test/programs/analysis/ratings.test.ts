/** Sheets of ratings: what raters see, and what is read back. What the runs cost. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { csvRecords } from "../../../src/datasets/benchmarks/csv.ts"
import { exportRatings, readRatings, type SheetOptions } from "../../../src/programs/analysis/ratings.ts"
import { compareCosts } from "../../../src/programs/costs/compareCosts.ts"
import { collect } from "../../../src/programs/reporting/collect.ts"
import { costsTable } from "../../../src/report/costsTable.ts"
import { pageOf } from "../../../src/report/page/page.ts"
import { ratingsTable } from "../../../src/report/ratingsTable.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { silent } from "../../../src/runtime/ports/Reporter.ts"
import { judgeOf } from "../../support/judges.ts"
import { experimented, options as reportOptions } from "../../support/reported.ts"
import * as Tiny from "../../support/tiny.ts"

let folder: string
beforeAll(async () => {
  folder = await experimented()
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const services = Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent)
const quiet = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof services>>) =>
  Effect.runPromise(
    effect.pipe(Effect.provide(services), Effect.provideService(References.MinimumLogLevel, "None"))
  )
const systems = () =>
  ["frozen", "joint"].map((name) => ({ name, folders: [join(folder, "experiment", "seed-1", name)] }))
const options = (out: string, more: Partial<SheetOptions> = {}): SheetOptions => ({
  split: "test",
  out: join(folder, out),
  questions: undefined,
  seed: 4,
  overrides: {},
  ...more
})
type Row = Readonly<Record<string, string>>
const rowsOf = async (path: string) => await quiet(csvRecords(path)) as ReadonlyArray<Row>
const keyOf = (sheet: string) =>
  JSON.parse(readFileSync(`${sheet}.key.json`, "utf8")) as {
    readonly items: ReadonlyArray<Readonly<Record<"item" | "system" | "question", string>>>
  }
/** A sheet as a rater gives it back. */
const given = (name: string, rows: ReadonlyArray<readonly [item: string, rating: string]>) => {
  const path = join(folder, name)
  writeFileSync(path, `item,rating\n${rows.map((row) => row.join(",")).join("\n")}\n`)
  return path
}

describe("a sheet of ratings", () => {
  it("has every answer in random order, and does not tell whose it is", async () => {
    const { items, sheet } = await quiet(exportRatings(systems(), options("all.csv")))
    assert.strictEqual(items, 12)
    const rows = await rowsOf(sheet)
    const key = keyOf(sheet).items
    assert.deepStrictEqual(Object.keys(rows[0]!), ["item", "rating", "comment", "question", "answer", "passages"])
    assert.deepStrictEqual(rows.map(({ item }) => item), key.map(({ item }) => item))
    assert.notInclude(readFileSync(sheet, "utf8"), "frozen")
    assert.notDeepEqual(key.map(({ system }) => system), key.map(({ system }) => system).toSorted())
    const predictions = (system: string) =>
      readFileSync(join(folder, "experiment", "seed-1", system, "eval-test", "predictions.jsonl"), "utf8").trim()
        .split("\n").map((line) => JSON.parse(line) as Readonly<Record<string, any>>)
    rows.forEach((row, i) => {
      const { question, system } = key[i]!
      const judged = predictions(system).find(({ id }) => id === question)!
      assert.strictEqual(row["answer"], judged["prediction"])
      assert.isTrue(row["question"]!.startsWith(Tiny.questions.find(({ id }) => id === question)!.question))
      assert.strictEqual(row["passages"]!.split(/^\d+\. /m).length - 1, system === "joint" ? 1 : 2)
    })
    assert.include(readFileSync(`${sheet}.md`, "utf8"), "| 5 | right and complete")
    const again = await quiet(exportRatings(systems(), options("again.csv")))
    assert.strictEqual(readFileSync(again.sheet, "utf8"), readFileSync(sheet, "utf8"))
    const other = await quiet(exportRatings(systems(), options("other.csv", { seed: 5, questions: 2 })))
    assert.strictEqual(other.items, 4)
    const error = await quiet(Effect.flip(exportRatings(systems(), options("all.csv"))))
    assert.include(error.message, "is there already, and may have ratings")
    assert.isFalse(existsSync(join(folder, "none.csv")))
  }, 60_000)

  it("is read back from every rater, with what is wrong in it", async () => {
    const { sheet } = await quiet(exportRatings(systems(), options("rated.csv")))
    const ids = keyOf(sheet).items.map(({ item }) => item)
    const ann = given("ann.csv", ids.map((id, i) => [String(Number(id)), `${1 + i % 5}.0`]))
    const bob = given("bob.csv", [
      ...ids.slice(0, 9).map((id, i) => [id, String(1 + i % 5)] as const),
      [ids[9]!, "6"],
      [ids[10]!, ""],
      [ids[0]!, "3"],
      ["99", "3"]
    ])
    const { asked, judge } = judgeOf(() => "{\"score\": 4}")
    const rated = await quiet(readRatings([ann, `Bob=${bob}`], `${sheet}.key.json`, judge))
    assert.deepStrictEqual(rated.flaws, [
      { rater: "ann", missing: [], outside: [], unknown: [], twice: [] },
      { rater: "Bob", missing: ids.slice(10), outside: [`${ids[9]} ("6")`], unknown: ["\"99\""], twice: [ids[0]!] }
    ])
    assert.deepStrictEqual(rated.agreements.map(({ items, plain, raters }) => [raters, items, plain]), [
      [["ann", "Bob"], 9, 1],
      [["ann", "judge"], 12, 0],
      [["Bob", "judge"], 9, 0]
    ])
    assert.strictEqual(asked.length, 12)
    const judged = rated.systems.filter(({ rater }) => rater === "judge")
    assert.deepStrictEqual(judged.map(({ items, mean, system }) => [system, items, mean.mean]), [["frozen", 6, 4], [
      "joint",
      6,
      4
    ]])
    assert.strictEqual(judged[1]!.against!.mean, 0)
    const table = ratingsTable(rated)
    assert.include(table, "Bob: 2 items have no rating")
    assert.include(table, "Bob: 1 items are of no item of the sheet")
    // In a report, from what the command prints with --json.
    const printed = join(folder, "rated.json")
    writeFileSync(printed, JSON.stringify(rated, null, 2))
    const report = await quiet(collect([join(folder, "experiment")], { ...reportOptions, ratings: [printed] }))
    const { files, html } = await pageOf(report, "r.files")
    assert.include(html, "Ratings of answers")
    const csv = (name: string) => {
      const file = files.find((own) => own.name === `tables/${name}.csv`)!
      return "text" in file ? file.text : ""
    }
    assert.include(csv("ratings"), "joint,judge,1,6,4,4,4,0,0,0,")
    assert.match(csv("raters"), /^"ann, Bob",1,9,1,1,1,1,1,\r$/m)
    assert.match(csv("raters"), /^Bob,1,,,,,,,3\r$/m)
    // Where a spreadsheet separates by semicolons.
    writeFileSync(join(folder, "cas.csv"), `item;rating\n${ids.map((id) => `${id};4`).join("\n")}\n`)
    const semicolons = await quiet(readRatings([join(folder, "cas.csv")], `${sheet}.key.json`, undefined))
    assert.strictEqual(semicolons.systems[0]!.mean.mean, 4)
  }, 60_000)

  it("may be rated by a judge alone, who sees explanations of right answers", async () => {
    const explained = Tiny.questions.map((own) => Object.assign({}, own, { explanation: `Because of ${own.id}.` }))
    const file = join(folder, "explained.jsonl")
    writeFileSync(file, explained.map((own) => `${JSON.stringify(own)}\n`).join(""))
    const { key } = await quiet(exportRatings(systems(), options("judged.csv")))
    const { asked, judge } = judgeOf(() => "{\"score\": 2}")
    const rated = await quiet(readRatings([], key, judge))
    assert.deepStrictEqual(rated.systems.map(({ items, mean }) => [items, mean.mean]), [[6, 2], [6, 2]])
    assert.match(asked[0]!, /Reference:\n\S+\n\nAnswer:/)
    // Other questions than were evaluated are no reference.
    const overrides = { test_file: file }
    const error = await quiet(Effect.flip(exportRatings(systems(), options("other-file.csv", { overrides }))))
    assert.include(error.message, "was made of other questions")
    const none = await quiet(Effect.flip(readRatings([], key, undefined)))
    assert.include(none.message, "give sheets with ratings, or --key and a judge")
  }, 60_000)

  it("is refused without its key, or without its columns", async () => {
    const path = given("lone.csv", [["1", "2"]])
    const said = async (...args: Parameters<typeof readRatings>) =>
      (await quiet(Effect.flip(readRatings(...args)))).message
    assert.include(await said([path], undefined, undefined), "--key names the file")
    const { key } = await quiet(exportRatings(systems(), options("keyed.csv")))
    writeFileSync(join(folder, "bare.csv"), "id,rating\n1,2\n")
    assert.include(await said([join(folder, "bare.csv")], key, undefined), "has no column item; there are id, rating")
    assert.include(await said([path, path], key, undefined), "two raters are named lone")
  }, 60_000)
})

describe("costs", () => {
  const runs = (name: string) => [1, 2].map((seed) => join(folder, "experiment", `seed-${seed}`, name))
  const secondsOf = (path: string) => (JSON.parse(readFileSync(path, "utf8")) as { readonly seconds: number }).seconds
  it("are summed over a system's runs, with published hours beside them", async () => {
    const plan = join(folder, "plan.json")
    const probe = { work: [{ flops: 100 }, { flops: 50 }], index: { flops: 1000, times: 2 } }
    writeFileSync(plan, JSON.stringify({ steps: 3, stepSize: 2, probe }))
    const costs = await quiet(
      compareCosts([{ name: "joint", folders: runs("joint") }, { name: "frozen", folders: runs("frozen").slice(1) }], {
        plans: { joint: plan },
        published: { large: 42_630 }
      })
    )
    const seconds = runs("joint").reduce((sum, run) => sum + secondsOf(join(run, "trained.json")), 0)
    const evaluated = runs("joint").flatMap((run) =>
      ["eval-before", "eval-test"].map((name) => join(run, name, "metrics.json"))
    )
    const [joint, frozen, large] = costs
    assert.deepStrictEqual([joint!.runs, joint!.steps, joint!.gpuHours], [2, 6, null])
    assert.closeTo(joint!.hours!, seconds / 3600, 1e-12)
    assert.closeTo(joint!.cpuHours!, seconds / 3600, 1e-12)
    assert.closeTo(joint!.evaluationHours!, evaluated.map(secondsOf).reduce((a, b) => a + b) / 3600, 1e-12)
    assert.strictEqual(joint!.flops, 2 * (3 * 2 * 150 + 2000))
    assert.deepStrictEqual([frozen!.runs, frozen!.flops, large!.gpuHours, large!.runs], [1, null, 42_630, 0])
    assert.match(joint!.devices.join(), /^cpu, 1 thread \(/)
    const table = costsTable(costs)
    assert.include(table, "42,630")
    assert.match(table, /\| joint .*\| 5\.80e\+3 +\| 1 ×/)
    // Hours of a GPU are not compared with those of a CPU.
    assert.match(table, /\| large .*\| - +\|$/m)
  }, 60_000)
  it("are refused of what is no run, and of plans of another system", async () => {
    const said = async (...args: Parameters<typeof compareCosts>) =>
      (await quiet(Effect.flip(compareCosts(...args)))).message
    const none = { plans: {}, published: {} }
    assert.include(await said([{ name: "x", folders: [folder] }], none), "holds no run")
    assert.include(
      await said([{ name: "x", folders: runs("joint") }], { ...none, plans: { y: "p" } }),
      "no system is named y"
    )
    assert.include(
      await said([{ name: "x", folders: runs("joint") }], { ...none, published: { x: 1 } }),
      "two systems are named x"
    )
  }, 60_000)
})
