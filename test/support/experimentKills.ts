/** Experiments killed at keyed places: the next start finishes what is missing, and nothing else, to the byte. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import { renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { end } from "./ended.ts"
import { differing, ended, left, prepare, run } from "./experimentRun.ts"
import * as Tiny from "./tiny.ts"

const program = join(import.meta.dirname, "experimentRun.ts")

/** Kills an experiment at so many places, each time from its beginning, and goes on with it. */
export const kills = Effect.fnUntraced(function*(places: number, name: string) {
  const folder = yield* Tiny.weighted
  prepare(folder)
  /** All run in one folder: its path is in what they leave. */
  const out = join(folder, "out")
  const said = execFileSync(process.execPath, [program, folder, out], { encoding: "utf8" })
  const events = said.match(/event \d+;/g)!.length
  const whole = yield* left(out)
  renameSync(out, join(folder, "whole"))
  assert.isAbove(events, 12)
  let unfinished = 0
  for (let i = 0; i < places; i++) {
    const key = Key.fold(Key.make(Number(process.env["KILLS"] ?? 1)), name, i)
    /** Not after the last; a process that ends by itself before it is killed is one more that nothing is missing of. */
    const place = { line: `event ${1 + Key.integer(key, 0, events - 2)};`, wait: Key.integer(key, 1, 150) }
    const told = `${name} ${i}: ${JSON.stringify(place)}`
    yield* Effect.promise(() => end(program, { ...place, signal: "SIGKILL" }, folder, out).catch(() => 0))
    const done = ended(out)
    if (done.size < 3) unfinished++
    yield* run(folder, out)
    assert.deepStrictEqual(differing(yield* left(out), whole), [], told)
    const after = ended(out)
    for (const [arm, bytes] of done) assert.strictEqual(after.get(arm), bytes, `${told}: ${arm} was run again`)
    rmSync(out, { recursive: true })
  }
  assert.isAbove(unfinished, 0)
})
