/** The time of a run is that of all its starts, those included that were killed before they saved a step. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Trained from "../../src/programs/training/trained.ts"
import { folderOf, onDisk } from "../support/files.ts"

const run = { learning_rate: "1e-5" }
const kept = (step: number) => ({
  step,
  size: 4,
  losses: undefined,
  skipped: undefined,
  checkpoint: `checkpoint-${step}`
})

/** A start of a run from a step: it takes 15 seconds to the next, and then maybe ends without saving it. */
const leg = Effect.fnUntraced(function*(folder: string, from: number, saves: boolean, identity = run) {
  const clock = yield* Trained.clock(folder, from, identity)
  yield* TestClock.adjust("15 seconds")
  yield* clock.tick
  yield* TestClock.adjust("2 seconds")
  yield* clock.tick
  return saves ? yield* clock.keep(kept(from + 1)) : undefined
})

describe("the time of a run", () => {
  it.effect("has what was killed before the first checkpoint, and between two, but for ten seconds", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* leg(folder, 0, false)
      assert.strictEqual((yield* leg(folder, 0, true))!.seconds, 15 + 17)
      yield* leg(folder, 1, false)
      const last = (yield* leg(folder, 1, true))!
      assert.strictEqual(last.seconds, 32 + 15 + 17)
      assert.strictEqual(last.questionsPerSecond, 2 * 4 / 64)
      assert.deepStrictEqual(yield* Trained.read(folder), last)
      const again = yield* Trained.clock(folder, 2, run)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* again.keep(kept(2))).seconds, 64, "nothing was left to train")
    })))

  it.effect("is not another run's, and is unknown where its files are gone", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* leg(folder, 0, false)
      assert.strictEqual((yield* leg(folder, 0, true, { learning_rate: "1e-4" }))!.seconds, 17)
      assert.strictEqual(JSON.parse(readFileSync(join(folder, "clock.json"), "utf8")).seconds, 17)
      rmSync(Trained.clockOf(folder))
      assert.strictEqual((yield* leg(folder, 1, true, { learning_rate: "1e-4" }))!.seconds, 17 + 17)
      for (const path of [Trained.clockOf(folder), Trained.pathOf(folder)]) rmSync(path)
      assert.isNull((yield* leg(folder, 2, true))!.seconds)
      assert.isFalse(existsSync(Trained.clockOf(folder)))
    })))
})
