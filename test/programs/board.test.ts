/** Figures for TensorBoard: each step once, also of a run that was stopped and went on. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Board from "../../src/runtime/files/tensorboard/board.ts"
import { decode, type Event } from "../../src/runtime/files/tensorboard/events.ts"
import { read } from "../../src/runtime/files/tensorboard/records.ts"
import { anamnesis, prepare } from "../support/cli.ts"
import { folderOf } from "../support/files.ts"

let folder: string
beforeAll(async () => {
  folder = await prepare()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const eventsIn = (path: string): ReadonlyArray<Event> =>
  readdirSync(path).filter((name) => name.startsWith("events")).toSorted().flatMap((name) =>
    read(readFileSync(join(path, name))).records.map((own) => decode(own)!)
  )
/** Steps and values by tag. */
const scalarsIn = (path: string): Readonly<Record<string, ReadonlyArray<readonly [number, number]>>> => {
  const all: Record<string, Array<readonly [number, number]>> = {}
  for (const { step, what } of eventsIn(path)) {
    if (what._tag !== "Scalars") continue
    for (const [tag, value] of Object.entries(what.scalars)) (all[tag] ??= []).push([step, value])
  }
  return all
}

describe("events of a run", () => {
  it(
    "are told for each step, once though it was stopped, with the journal's figures, and of its evaluation",
    async () => {
      const run = (...args: ReadonlyArray<string>) =>
        anamnesis(folder, [
          ...args,
          "--config",
          "run.yaml",
          ...["output_dir=told", "report_to=tensorboard", "refresh_index=2 probe 3"].flatMap((own) => ["--set", own])
        ])
      assert.strictEqual((await run("train", "--set", "max_steps=3")).code, 0)
      assert.strictEqual((await run("train", "--resume", "--set", "max_steps=5")).code, 0)
      const found = scalarsIn(join(folder, "told/tensorboard"))
      for (
        const tag of [
          "train/retriever_loss",
          "train/reader_loss",
          "train/reader_learning_rate",
          "train/gold_among_candidates"
        ]
      ) {
        assert.deepStrictEqual(found[tag]!.map(([step]) => step), [1, 2, 3, 4, 5], tag)
      }
      assert.deepStrictEqual(found["train/index_rank_correlation"]!.map(([step]) => step), [3, 5])
      const trained = JSON.parse(readFileSync(join(folder, "told/trained.json"), "utf8")) as { readerLoss: number }
      assert.closeTo(found["train/reader_loss"]!.at(-1)![1], trained.readerLoss, 1e-6)
      assert.deepStrictEqual(
        eventsIn(join(folder, "told/tensorboard")).filter(({ what }) => what._tag === "Start").map(({ step }) => step),
        [1, 4]
      )
      assert.strictEqual((await run("evaluate", "--split", "test")).code, 0)
      assert.strictEqual((await run("evaluate", "--split", "test")).code, 0)
      const { accuracy } = JSON.parse(readFileSync(join(folder, "told/eval-test/metrics.json"), "utf8")) as any
      assert.deepStrictEqual(scalarsIn(join(folder, "told/tensorboard/test"))["test/accuracy"], [[
        5,
        Math.fround(accuracy.mean)
      ]])
      assert.strictEqual(
        (await anamnesis(folder, [
          "train",
          "--config",
          "run.yaml",
          "--set",
          "output_dir=quiet",
          "--set",
          "max_steps=1"
        ])).code,
        0
      )
      assert.isFalse(existsSync(join(folder, "quiet/tensorboard")))
    },
    120_000
  )

  it.live("lose what was told after the step that a run goes on from, and what was cut short", () =>
    Effect.gen(function*() {
      const own = yield* folderOf({})
      const told = Effect.fnUntraced(function*(start: number, ...steps: ReadonlyArray<number>) {
        const { add, flush } = yield* Board.open(own, start)
        for (const step of steps) yield* add(step, { loss: start + step / 100, none: NaN })
        yield* flush
      })
      yield* told(0, 1, 2, 3)
      yield* told(2, 3, 4, 5, 6)
      const last = readdirSync(own).toSorted().at(-1)!
      appendFileSync(join(own, last), "cut")
      yield* told(4, 5)
      assert.deepStrictEqual(scalarsIn(own), {
        loss: [[1, 0.01], [2, 0.02], [3, 2.03], [4, 2.04], [5, 4.05]].map(([s, v]) => [s!, Math.fround(v!)] as const)
      })
      yield* told(1, 2)
      assert.deepStrictEqual(scalarsIn(own)["loss"]!.map(([step]) => step), [1, 2])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
})
