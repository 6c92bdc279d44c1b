/** Runs on texts and on preferences that are killed and resumed end as those that were not: the same bytes, the same lines. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { end, type Fate } from "../support/ended.ts"
import { folderOf, onDisk } from "../support/files.ts"
import { differences, finished } from "../support/finished.ts"
import { beside, prepare, run, STEPS } from "../support/textRun.ts"

const program = join(import.meta.dirname, "..", "support", "textRun.ts")

/** Where runs are killed: elsewhere for every seed, which `KILLS` of the environment names. */
const key = Key.fold(Key.make(Number(process.env["KILLS"] ?? 1)), "resume", "texts")
const random = (i: number, from: number, to: number): number => from + Key.integer(key, i, to - from)

/** Kills at some moment of the run, and within a write: of the reference, a checkpoint, the journal, evaluations. */
const fates: Readonly<Record<string, Fate>> = {
  "killed early": { signal: "SIGKILL", line: "step 1", wait: random(1, 0, 20) },
  "killed late": { signal: "SIGKILL", line: `step ${random(2, 4, STEPS - 2)}`, wait: random(3, 0, 5) },
  "killed within an early write": { signal: "SIGKILL", line: "hanging", wait: 0, write: random(4, 1, 4) },
  "killed within a later write": { signal: "SIGKILL", line: "hanging", wait: 0, write: random(5, 4, 20) }
}

describe("a run on texts", () => {
  it.live.each(["sft", "dpo"] as const)(
    "%s that is killed and resumed ends as one that was not",
    (kind) =>
      onDisk(Effect.gen(function*() {
        const folder = yield* folderOf({})
        prepare(folder)
        const straight = join(folder, `${kind}-straight`)
        yield* run(folder, straight)
        const [whole, told] = [yield* finished(straight, STEPS), beside(straight)]
        assert.deepStrictEqual(
          told.map(([name]) => name.slice(0, 9)),
          kind === "dpo" ? ["evaluatio", "reference"] : ["evaluatio"]
        )
        assert.strictEqual(told[0]![1].trim().split("\n").length, STEPS / 2)
        for (const [how, fate] of Object.entries(fates)) {
          const out = join(folder, `${kind}-${how.replaceAll(" ", "-")}`)
          const about = `${how}: ${JSON.stringify(fate)}`
          yield* Effect.promise(() => end(program, fate, folder, out))
          assert.isFalse(existsSync(join(out, `checkpoint-${STEPS}`)), about)
          const { steps } = yield* run(folder, out)
          assert.strictEqual(steps, STEPS)
          assert.deepStrictEqual(yield* differences(out, whole, STEPS), [], about)
          assert.deepStrictEqual(beside(out), told, about)
        }
      })),
    600_000
  )
})
