/** Runs killed at system calls of every kind, anywhere: each ends, once it is gone on with, as one that was not killed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import { execFile, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Key from "../../src/domain/Key.ts"
import { folderOf, onDisk } from "../support/files.ts"
import { differences, finished, straight } from "../support/finished.ts"
import { run, STEPS } from "../support/run.ts"
import * as Texts from "../support/textRun.ts"
import * as Tiny from "../support/tiny.ts"

const hasStrace = spawnSync("strace", ["-V"]).status === 0
const support = join(import.meta.dirname, "..", "support")
const [program, ofTexts] = [join(support, "run.ts"), join(support, "textRun.ts")]

/** What changes a disk, and what only looks at it. */
const calls =
  "openat,write,pwrite64,fsync,fdatasync,rename,link,unlink,unlinkat,mkdir,rmdir,ftruncate,utimensat,close,statx"

/** Runs a program under strace; how it ended does not matter. */
const traced = (program: string, folder: string, out: string, ...flags: ReadonlyArray<string>) =>
  promisify(execFile)("strace", ["-f", "-qq", ...flags, process.execPath, program, folder, out], {
    env: { ...process.env, UV_THREADPOOL_SIZE: "1", GLIBC_TUNABLES: "" }
  }).catch(() => undefined)

/** How often each call is made in a whole run, by any thread. */
const countCalls = async (program: string, folder: string, out: string): Promise<ReadonlyMap<string, number>> => {
  const table = join(mkdtempSync(join(tmpdir(), "calls-")), "counts")
  await traced(program, folder, out, "-c", "-o", table, "-e", `trace=${calls}`)
  const rows = readFileSync(table, "utf8").split("\n").map((line) => line.trim().split(/\s+/))
  rmSync(table)
  return new Map(
    rows.filter((row) => calls.split(",").includes(row.at(-1)!)).map((row) => [row.at(-1)!, Number(row[3])])
  )
}

const KILLS = 40

/** A call of a whole run, and which of its times, drawn for the `i`-th kill of a kind. */
const drawn = (counts: ReadonlyArray<readonly [string, number]>, kind: string, i: number) => {
  const key = Key.fold(Key.make(0), "kill", kind, i)
  const [call, count] = counts[Key.integer(key, 0, counts.length)]!
  return { call, when: 1 + Key.integer(key, 1, count) }
}

/** A program that trains, and how a run of it is compared with one that nothing happened to. */
interface Subject {
  readonly program: string
  readonly steps: number
  readonly run: (out: string) => Effect.Effect<unknown, unknown>
  readonly compare: (out: string) => Effect.Effect<ReadonlyArray<string>, unknown, FileSystem>
}

/** Kills runs of a kind at system calls, and goes on with them. */
const kills = Effect.fnUntraced(function*(kind: string, folder: string, { compare, program, run, steps }: Subject) {
  const counts = [...yield* Effect.promise(() => countCalls(program, folder, join(folder, `${kind}-counted`)))]
  assert.isAbove(counts.length, 8)
  let killed = 0
  for (let i = 0; i < KILLS; i++) {
    const { call, when } = drawn(counts, kind, i)
    const out = join(folder, `${kind}-${i}`)
    const inject = ["-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL:when=${when}`]
    yield* Effect.promise(() => traced(program, folder, out, ...inject))
    if (!existsSync(join(out, `checkpoint-${steps}`))) killed++
    yield* run(out)
    assert.deepStrictEqual(yield* compare(out), [], `${kind} killed at ${call} ${when}`)
  }
  assert.isAbove(killed, KILLS / 2)
})

describe.skipIf(!hasStrace)(`a run killed at a system call${hasStrace ? "" : " (strace is not there)"}`, () => {
  it.live.each(["weights", "adapters", "margin"])(
    "of %s ends in the same bytes",
    (kind) =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.weighted
        const whole = yield* straight(folder, kind)
        yield* kills(kind, folder, {
          program,
          steps: STEPS,
          run: (out) => run(folder, out),
          compare: (out) => differences(out, whole)
        })
      })),
    1_200_000
  )
  it.live.each(["sft", "dpo"])(
    "on texts, %s, ends in the same bytes",
    (kind) =>
      onDisk(Effect.gen(function*() {
        const folder = yield* folderOf({})
        Texts.prepare(folder)
        const out = join(folder, `${kind}-straight`)
        yield* Texts.run(folder, out)
        const [whole, told] = [yield* finished(out, Texts.STEPS), JSON.stringify(Texts.beside(out))]
        yield* kills(kind, folder, {
          program: ofTexts,
          steps: Texts.STEPS,
          run: (own) => Texts.run(folder, own),
          compare: (own) =>
            Effect.map(differences(own, whole, Texts.STEPS), (found) =>
              JSON.stringify(Texts.beside(own)) === told ? found : [...found, "evaluations or reference"])
        })
      })),
    1_200_000
  )
})
