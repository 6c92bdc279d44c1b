/** Results of bench, compared task by task: pairs of records, what has none, and what cannot be compared. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { compareTasks } from "../../../src/programs/benchmarks/compared/compareTasks.ts"
import { systemOf } from "../../../src/programs/benchmarks/compared/read.ts"
import { tasksTable } from "../../../src/report/tasksTable.ts"
import { folderOf, onDisk } from "../../support/files.ts"

interface Own {
  /** Exact matches of the records of the task `notes`. */
  readonly notes?: ReadonlyArray<number | null>
  /** The main score of the retrieval task `find`. */
  readonly find?: number
  /** The figure of each of its queries, where they are kept. */
  readonly queries?: ReadonlyArray<number>
  /** What `notes` asks. */
  readonly prompt?: string
}

const jsonl = (all: ReadonlyArray<object>) => all.map((own) => `${JSON.stringify(own)}\n`).join("")

/** Writes what bench would, as far as it is read. */
const bench = (folder: string, { find, notes, prompt = "{{text}}", queries }: Own) => {
  mkdirSync(folder, { recursive: true })
  const known = (notes ?? []).filter((own) => own !== null)
  const mean = known.reduce((a, b) => a + b, 0) / known.length
  const figures = [{ metric: "exact_match", filter: "none", mean, low: 0, high: 1, stderr: 0, records: known.length }]
  const retrieval = { task: "find", main: "ndcg_at_10", main_score: find, queries: 9, splits: ["test"] }
  const summary = {
    tasks: find === undefined ? [] : [retrieval],
    ...(notes === undefined ? {} : { generative: [{ task: "notes", main: "exact_match", figures }] }),
    main_score: 0
  }
  writeFileSync(join(folder, "summary.json"), JSON.stringify(summary))
  writeFileSync(join(folder, "notes.json"), JSON.stringify({ configs: { notes: { doc_to_text: prompt } } }))
  const samples = (notes ?? []).map((exact_match, i) => ({
    doc_id: i,
    id: `n${i}`,
    group: `g${i % 4}`,
    filter: "none",
    exact_match
  }))
  writeFileSync(join(folder, "samples_notes.jsonl"), jsonl(samples))
  if (queries === undefined) return
  const found = queries.map((ndcg_at_10, i) => ({ doc_id: i, id: `q${i}`, group: `q${i}`, filter: "none", ndcg_at_10 }))
  writeFileSync(join(folder, "samples_find.test.jsonl"), jsonl(found))
}

const compared = Effect.fnUntraced(function*(all: Readonly<Record<string, Own>>) {
  const folder = yield* folderOf({})
  for (const [name, own] of Object.entries(all)) bench(join(folder, name, "bench"), own)
  return yield* compareTasks(Object.keys(all).map((name) => ({ name, folder: join(folder, name) })))
})

describe("results of bench", () => {
  it.live("are compared in pairs of queries where retrieval kept them", () =>
    onDisk(Effect.gen(function*() {
      const some = Array.from({ length: 12 }, (_, i) => i % 3 / 4)
      const { figures } = yield* compared({
        base: { find: 0.25, queries: some },
        better: { find: 0.5, queries: some.map((own) => own + 0.25) },
        old: { find: 0.3 }
      })
      const [base, better, old] = figures[0]!.rows
      assert.deepStrictEqual([base!.value!.mean, base!.value!.records, old!.value!.low], [0.25, 9, null])
      assert.isBelow(base!.value!.low!, 0.25)
      assert.deepStrictEqual(better!.against!.difference, { mean: 0.25, low: 0.25, high: 0.25 })
      assert.deepStrictEqual([better!.against!.won, better!.against!.lost, old!.against], [12, 0, null])
    })))
  it.live("are compared in pairs of records, with a mean over the tasks that all systems have", () =>
    onDisk(Effect.gen(function*() {
      const found = yield* compared({
        base: { notes: [0, 0, 0, 1, 0, 0, 0, 0], find: 0.5 },
        better: { notes: [1, 1, 1, 0, 1, 1, 1, 1], find: 0.75 },
        same: { notes: [0, 0, 0, 1, 0, 0, 0, 0] }
      })
      assert.deepStrictEqual(found.figures.map(({ main, metric, task }) => [task, metric, main]), [
        ["find", "ndcg_at_10", true],
        ["notes", "exact_match", true]
      ])
      const [find, notes] = found.figures
      assert.deepStrictEqual(find!.rows.map(({ against, value }) => [value?.mean, against]), [
        [0.5, null],
        [0.75, null],
        [undefined, null]
      ])
      const [base, better, same] = notes!.rows
      assert.isNull(base!.against)
      assert.deepInclude(better!.against!, { won: 7, lost: 1 })
      assert.closeTo(better!.against!.difference.mean, 6 / 8, 1e-12)
      assert.isAtMost(better!.against!.difference.low!, 6 / 8)
      assert.isAtMost(better!.against!.p, better!.against!.holm)
      assert.deepInclude(same!.against!, { won: 0, lost: 0, p: 1, holm: 1 })
      assert.deepStrictEqual(found.means.map(({ mean, tasks }) => [mean, tasks]), [[1 / 8, 1], [7 / 8, 1], [1 / 8, 1]])
      const text = tasksTable(false)(found)
      assert.match(text, /\| better +\| 0\.750 +\| 0\.875 +\| 0\.875 +\|/)
      assert.match(text, /\| better +\| 0\.875 +\| \[0\.000, 1\.000\] +\| 8 +\| \+0\.750 +\|/)
      assert.match(text, /\| same +\| - +\| - +\| - +\|/)
    })))
  it.live("leave out of pairs the records without a figure", () =>
    onDisk(Effect.gen(function*() {
      const { figures } = yield* compared({ a: { notes: [1, null, 0] }, b: { notes: [1, 1, 1] } })
      const { difference, lost, won } = figures[0]!.rows[1]!.against!
      assert.deepStrictEqual([difference.mean, lost, won], [0.5, 0, 1])
    })))
  it.live("are refused where other records or other tasks were asked, or a name has no results", () =>
    onDisk(Effect.gen(function*() {
      const refused = (all: Readonly<Record<string, Own>>) =>
        Effect.map(Effect.flip(compared(all)), ({ message }) => message)
      assert.match(
        yield* refused({ a: { notes: [1, 1] }, b: { notes: [1, 1, 1] } }),
        /notes: a and b: 1 records are of one of them alone \(first: 2 n2 g2\); ask both the same/
      )
      assert.match(
        yield* refused({ a: { notes: [1] }, b: { notes: [1], prompt: "{{other}}" } }),
        /notes: a and b were asked different tasks of this name/
      )
      const folder = yield* folderOf({})
      const twice = [{ name: "x", folder }, { name: "x", folder }]
      assert.match((yield* Effect.flip(compareTasks(twice))).message, /x is the name of two systems/)
      const none = [{ name: "x", folder }, { name: "y", folder }]
      assert.match((yield* Effect.flip(compareTasks(none))).message, /x: neither .* has a summary\.json, as bench/)
    })))
  it("are named by their folders, unless a name is given", () => {
    assert.deepStrictEqual(systemOf("runs/a/bench"), { name: "a", folder: "runs/a/bench" })
    assert.deepStrictEqual(systemOf("b=runs/a"), { name: "b", folder: "runs/a" })
  })
})
