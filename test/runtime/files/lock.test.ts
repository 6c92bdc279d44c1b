/** A folder that one process at a time writes to. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Lock from "../../../src/runtime/files/lock.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const refused = (folder: string) => Effect.map(Effect.flip(Effect.scoped(Lock.hold(folder))), (error) => error.message)
const taken = (folder: string) =>
  Effect.scoped(Effect.andThen(Lock.hold(folder), Effect.sync(() => readFileSync(join(folder, Lock.LOCK), "utf8"))))

/** The lock of a process that took it and was killed with it in its hands. */
const killed = (folder: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const text = `
      import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
      import * as Effect from "effect/Effect"
      import { hold } from ${JSON.stringify(join(import.meta.dirname, "../../../src/runtime/files/lock.ts"))}
      const held = Effect.scoped(Effect.andThen(hold(${
      JSON.stringify(folder)
    }), Effect.sync(() => process.kill(process.pid, "SIGKILL"))))
      await Effect.runPromise(held.pipe(Effect.provide(NodeFileSystem.layer)))`
    const child = spawn(process.execPath, ["--input-type=module", "-e", text], { stdio: "inherit" })
    child.on("close", (_, signal) => signal === "SIGKILL" ? resolve() : reject(new Error("was not killed")))
  })

describe("a lock", () => {
  it.live("is held by one at a time, who is named, and given back", () =>
    onDisk(Effect.gen(function*() {
      const folder = join(yield* folderOf({}), "new")
      const message = yield* Lock.holding(folder)(refused(folder))
      assert.strictEqual(
        message,
        `${folder}: is being written by process ${process.pid}; wait for it, or choose another folder`
      )
      assert.include(yield* taken(folder), `"process":${process.pid}`)
      assert.deepStrictEqual(readdirSync(folder), [])
    })))
  it.live("is given back where the work fails", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* Effect.exit(Lock.holding(folder)(Effect.die("of it")))
      assert.isFalse(existsSync(join(folder, Lock.LOCK)))
    })))
  it.live("of a process that was killed is taken over", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* Effect.promise(() => killed(folder))
      assert.isTrue(existsSync(join(folder, Lock.LOCK)))
      yield* taken(folder)
      assert.deepStrictEqual(readdirSync(folder), [])
    })))
  it.live("of a process of the same number that started earlier is taken over", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const own = JSON.parse(yield* taken(folder)) as object
      writeFileSync(join(folder, Lock.LOCK), JSON.stringify({ ...own, started: "1" }))
      yield* taken(folder)
    })))
  it.live("of another machine holds while it is touched now and then", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const own = JSON.parse(yield* taken(folder)) as object
      const path = join(folder, Lock.LOCK)
      writeFileSync(path, JSON.stringify({ ...own, host: "elsewhere", place: "elsewhere", process: 7 }))
      assert.match(yield* refused(folder), /is being written by process 7 on elsewhere \(.lock in it may be removed/)
      const before = new Date(Date.now() - 3_600_000)
      utimesSync(path, before, before)
      yield* taken(folder)
    })))
  it.live("that says nothing is nobody's after a moment", () =>
    onDisk(Effect.gen(function*() {
      for (const text of ["", "{}", "not JSON"]) {
        const folder = yield* folderOf({ [Lock.LOCK]: text })
        const before = new Date(Date.now() - 60_000)
        utimesSync(join(folder, Lock.LOCK), before, before)
        yield* taken(folder)
      }
    })))
  it.live("is one's alone of many who want it at once, left by one that is gone", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const own = JSON.parse(yield* taken(folder)) as object
      writeFileSync(join(folder, Lock.LOCK), JSON.stringify({ ...own, started: "1" }))
      let [inside, most] = [0, 0]
      const work = Effect.gen(function*() {
        most = Math.max(most, ++inside)
        yield* Effect.sleep("20 millis")
        inside--
      })
      const all = Array.from({ length: 20 }, () => Effect.result(Lock.holding(folder)(work)))
      const done = yield* Effect.all(all, { concurrency: "unbounded" })
      assert.strictEqual(most, 1)
      assert.isAtLeast(done.filter((one) => one._tag === "Success").length, 1)
    })))
})
