/** Runs killed at system calls of every kind, anywhere: each ends, once it is gone on with, as one that was not killed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Key from "../../src/domain/Key.ts"
import { onDisk } from "../support/files.ts"
import { differences, straight } from "../support/finished.ts"
import { run, STEPS } from "../support/run.ts"
import * as Tiny from "../support/tiny.ts"

const hasStrace = spawnSync("strace", ["-V"]).status === 0
const program = join(import.meta.dirname, "..", "support", "run.ts")

/** What changes a disk, and what only looks at it. */
const calls =
  "openat,write,pwrite64,fsync,fdatasync,rename,link,unlink,unlinkat,mkdir,rmdir,ftruncate,utimensat,close,statx"

/** Runs the program under strace; how it ended does not matter. */
const traced = (folder: string, out: string, ...flags: ReadonlyArray<string>) =>
  promisify(execFile)("strace", ["-f", "-qq", ...flags, process.execPath, program, folder, out], {
    env: { ...process.env, UV_THREADPOOL_SIZE: "1", GLIBC_TUNABLES: "" }
  }).catch(() => undefined)

/** How often each call is made in a whole run, by any thread. */
const countCalls = async (folder: string, out: string): Promise<ReadonlyMap<string, number>> => {
  const table = join(mkdtempSync(join(tmpdir(), "calls-")), "counts")
  await traced(folder, out, "-c", "-o", table, "-e", `trace=${calls}`)
  const rows = readFileSync(table, "utf8").split("\n").map((line) => line.trim().split(/\s+/))
  rmSync(table)
  return new Map(
    rows.filter((row) => calls.split(",").includes(row.at(-1)!)).map((row) => [row.at(-1)!, Number(row[3])])
  )
}

const KILLS = 40

describe.skipIf(!hasStrace)(`a run killed at a system call${hasStrace ? "" : " (strace is not there)"}`, () => {
  it.live.each(["weights", "adapters", "margin"])(
    "of %s ends in the same bytes",
    (kind) =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const whole = yield* straight(folder, kind)
        const counts = [...yield* Effect.promise(() => countCalls(folder, join(folder, `${kind}-counted`)))]
        assert.isAbove(counts.length, 8)
        let killed = 0
        for (let i = 0; i < KILLS; i++) {
          const key = Key.fold(Key.make(0), "kill", kind, i)
          const [call, count] = counts[Key.integer(key, 0, counts.length)]!
          const when = 1 + Key.integer(key, 1, count)
          const out = join(folder, `${kind}-${i}`)
          const inject = ["-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL:when=${when}`]
          yield* Effect.promise(() => traced(folder, out, ...inject))
          if (!existsSync(join(out, `checkpoint-${STEPS}`))) killed++
          yield* run(folder, out)
          assert.deepStrictEqual(yield* differences(out, whole), [], `${kind} killed at ${call} ${when}`)
        }
        assert.isAbove(killed, KILLS / 2)
      })),
    1_200_000
  )
})
