/** A run that is killed and resumed ends as one that was not: the same bytes, the same journal. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { end, type Fate } from "../support/ended.ts"
import { onDisk } from "../support/files.ts"
import { differences, straight } from "../support/finished.ts"
import { run, STEPS } from "../support/run.ts"
import * as Tiny from "../support/tiny.ts"

const program = join(import.meta.dirname, "..", "support", "run.ts")

/** Where runs are killed: elsewhere for every seed, which `KILLS` of the environment names. */
const key = Key.fold(Key.make(Number(process.env["KILLS"] ?? 1)), "resume")
const random = (i: number, from: number, to: number): number => from + Key.integer(key, i, to - from)

/** Five kills at random: three at some moment of the run, two within a write; and an interrupt, as from a keyboard. */
const fates: Readonly<Record<string, Fate>> = {
  "killed early": { signal: "SIGKILL", line: "step 1", wait: random(1, 0, 100) },
  "killed halfway": { signal: "SIGKILL", line: `step ${random(2, 4, 10)}`, wait: random(3, 0, 20) },
  "killed late": { signal: "SIGKILL", line: `step ${random(4, 10, STEPS - 9)}`, wait: random(5, 0, 20) },
  "killed within an early write": { signal: "SIGKILL", line: "hanging", wait: 0, write: random(6, 1, 20) },
  "killed within a later write": { signal: "SIGKILL", line: "hanging", wait: 0, write: random(7, 20, 80) },
  "interrupted": { signal: "SIGINT", line: `step ${random(8, 3, 10)}`, wait: random(9, 0, 20) }
}

describe("a run", () => {
  it.live.each(["weights", "adapters", "margin", "runs", "halves", "lagged"])(
    "of %s that is killed and resumed ends as one that was not",
    (kind) =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const whole = yield* straight(folder, kind)
        assert.strictEqual(whole.rows.length, 2 * STEPS)
        const { skipped } = JSON.parse(readFileSync(join(folder, `${kind}-straight`, "trained.json"), "utf8"))
        if (kind === "halves") { for (const part of ["retriever", "reader"]) assert.isAbove(skipped[part], 0) }
        else assert.isUndefined(skipped)
        assert.strictEqual(whole.files.has(join("reader", "adapter_model.safetensors")), kind === "adapters")
        for (const [how, fate] of Object.entries(fates)) {
          const out = join(folder, `${kind}-${how.replaceAll(" ", "-")}`)
          const told = `${how}: ${JSON.stringify(fate)}`
          const last = yield* Effect.promise(() => end(program, fate, folder, out))
          assert.isFalse(existsSync(join(out, `checkpoint-${STEPS}`)), told)
          if (fate.signal === "SIGINT") assert.isTrue(existsSync(join(out, `checkpoint-${last}`)), told)
          const { steps } = yield* run(folder, out)
          assert.strictEqual(steps, STEPS)
          assert.deepStrictEqual(yield* differences(out, whole), [], told)
        }
      })),
    240_000
  )
})
