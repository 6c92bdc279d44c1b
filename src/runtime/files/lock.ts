/**
 * Locks a folder for one writing process: a lock file names the holder and is touched while held. A dead process's lock
 * is taken over.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { runFiles } from "../../domain/fileNames.ts"
import { decodeFile, FileError, located, makeFolder } from "./disk.ts"

/**
 * Contents of the lock file. `place` identifies a PID namespace of one boot of a machine; `started` distinguishes
 * processes that reuse a PID.
 */
const Holder = Schema.Struct({
  process: Schema.Int,
  host: Schema.String,
  place: Schema.String,
  started: Schema.String,
  token: Schema.String
})
type Holder = typeof Holder.Type

/** Name of the lock file. */
export const LOCK = runFiles.lock

/** A file of Linux's /proc; empty on other systems, or if the process is gone. */
const proc = (path: string): string => {
  try {
    return readFileSync(join("/proc", path), "utf8")
  } catch {
    return ""
  }
}

/** Start time of a process in clock ticks since boot: field 22 of stat; the name before it is in parentheses. */
const startOf = (process: number): string => {
  const stat = proc(`${process}/stat`)
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
}

const place = (): string => {
  try {
    return `${hostname()} ${proc("sys/kernel/random/boot_id").trim()} ${readlinkSync("/proc/self/ns/pid")}`
  } catch {
    return hostname()
  }
}

const self = (): Holder => ({
  process: process.pid,
  host: hostname(),
  place: place(),
  started: startOf(process.pid),
  token: `${process.pid}-${process.hrtime.bigint()}`
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as { readonly code?: unknown }).code === "EPERM"
  }
}

/** Milliseconds without a touch until a lock expires; a lock file without a readable holder expires sooner. */
const [SILENCE, MOMENT] = [300_000, 5000]
const BEAT = Duration.seconds(20)

/** Milliseconds since the lock was touched; time since the epoch if it is gone. */
const silence = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const touched = Option.flatMap(yield* Effect.option(fs.stat(path)), ({ mtime }) => mtime)
  return (yield* Clock.currentTimeMillis) - Option.match(touched, { onNone: () => 0, onSome: (at) => at.getTime() })
})

/** Whether the holder may still write: by its process if it is on this machine, else by the lock's age. */
const mayWrite = Effect.fnUntraced(function*(path: string, holder: Holder) {
  if (holder.place === place()) return isAlive(holder.process) && startOf(holder.process) === holder.started
  return (yield* silence(path)) < SILENCE
})

/** The holder in a lock file; `undefined` if it is missing or unreadable. */
const holderOf = (path: string) =>
  Effect.orElseSucceed(decodeFile(path, Schema.decodeUnknownEffect(Holder)), () => undefined)

/** Creates a file exclusively; returns whether it did not exist before. */
const create = Effect.fnUntraced(
  function*(path: string, text: string) {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(path, { flag: "wx" })
    yield* file.writeAll(new TextEncoder().encode(text))
    return true
  },
  Effect.scoped,
  Effect.catch((error) => error.reason._tag === "AlreadyExists" ? Effect.succeed(false) : Effect.fail(error)),
  (effect, path) => located(path)(effect)
)

const remove = (path: string) => FileSystem.FileSystem.use((fs) => fs.remove(path, { force: true })).pipe(located(path))

/** Whether the lock's holder may still write, or the lock is just being written. */
const isHeld = Effect.fnUntraced(function*(path: string) {
  const holder = yield* holderOf(path)
  return holder === undefined ? (yield* silence(path)) < MOMENT : yield* mayWrite(path, holder)
})

/**
 * Removes a stale lock. A second file guards the removal, so that only one process checks and removes at a time and a
 * new lock is never mistaken for the stale one.
 */
const discard = Effect.fnUntraced(function*(path: string) {
  const guard = `${path}.taking`
  if (yield* create(guard, "")) {
    if (!(yield* isHeld(path))) yield* remove(path)
    return yield* remove(guard)
  }
  return (yield* silence(guard)) < MOMENT ? yield* Effect.sleep("20 millis") : yield* remove(guard)
})

const held = (path: string, holder: Holder) => {
  const elsewhere = holder.place === place() ? "" : ` on ${holder.host} (${LOCK} in it may be removed if that is gone)`
  const reason = `is being written by process ${holder.process}${elsewhere}; wait for it, or choose another folder`
  return new FileError({ path, place: "", reason })
}

/** Takes the lock; while another process holds it, `wait` is run with the holder. */
const acquire = Effect.fnUntraced(function*<E>(folder: string, wait: (holder: Holder) => Effect.Effect<void, E>) {
  yield* makeFolder(folder)
  const [path, own] = [join(folder, LOCK), self()]
  while (!(yield* create(path, JSON.stringify(own)))) {
    if (!(yield* isHeld(path))) yield* discard(path)
    else {
      const holder = yield* holderOf(path)
      yield* holder === undefined ? Effect.sleep("20 millis") : wait(holder)
    }
  }
  return { path, own }
})

/** Removes the lock if it is still ours. */
const release = Effect.fnUntraced(function*({ own, path }: { readonly path: string; readonly own: Holder }) {
  const fs = yield* FileSystem.FileSystem
  if ((yield* holderOf(path))?.token === own.token) yield* Effect.ignore(fs.remove(path, { force: true }))
})

/** Holds the lock until the scope ends, touching it now and then. */
const keep = Effect.fnUntraced(function*<E>(folder: string, wait: (holder: Holder) => Effect.Effect<void, E>) {
  const fs = yield* FileSystem.FileSystem
  const { path } = yield* Effect.acquireRelease(acquire(folder, wait), release)
  const touch = Effect.flatMap(Clock.currentTimeMillis, (now) => fs.utimes(path, new Date(now), new Date(now)))
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(touch), Schedule.spaced(BEAT)))
})

/** Creates the folder if needed and locks it until the scope ends; fails if another process holds it. */
export const hold = (folder: string) => keep(folder, (holder) => Effect.fail(held(folder, holder)))

/** The same, but waits for the other process, whose number is told once. */
export const waiting = (folder: string, tell: (process: number) => Effect.Effect<void>) => {
  let told = false
  return keep(folder, ({ process }) =>
    Effect.gen(function*() {
      if (!told) yield* tell(process)
      told = true
      yield* Effect.interruptible(Effect.sleep("200 millis"))
    }))
}

/** Locks the folder until the scope ends, unless another process holds it: whether it is locked now. */
export const attempt = (folder: string) =>
  keep(folder, () => Effect.fail("held" as const)).pipe(
    Effect.as(true),
    Effect.catchIf((error) => error === "held", () => Effect.succeed(false))
  )

/** Runs an effect with the folder locked. */
export const holding = (folder: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.andThen(hold(folder), effect))
