/**
 * A folder that one process at a time writes to: a file in it names the holder, and is touched while it is held. The lock of
 * a process that is gone, killed or crashed, is taken over.
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
 * What the file says. `place` tells where process numbers mean the same: a boot of a machine, or of a container on it;
 * `started` tells a process from a later one of the same number.
 */
const Holder = Schema.Struct({
  process: Schema.Int,
  host: Schema.String,
  place: Schema.String,
  started: Schema.String,
  token: Schema.String
})
type Holder = typeof Holder.Type

/** Name of the file that says which process writes to its folder. */
export const LOCK = runFiles.lock

/** A file of Linux's /proc; empty elsewhere, and where the process is gone. */
const proc = (path: string): string => {
  try {
    return readFileSync(join("/proc", path), "utf8")
  } catch {
    return ""
  }
}

/** Clock ticks from the boot to the start of a process: the 22nd field, behind a name in parentheses. */
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

/** A lock that was not touched for so many milliseconds is nobody's, wherever its holder ran; one that says nothing, sooner. */
const [SILENCE, MOMENT] = [300_000, 5000]
const BEAT = Duration.seconds(20)

/** Milliseconds since the lock was touched; of one that is gone, more than any. */
const silence = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const touched = Option.flatMap(yield* Effect.option(fs.stat(path)), ({ mtime }) => mtime)
  return (yield* Clock.currentTimeMillis) - Option.match(touched, { onNone: () => 0, onSome: (at) => at.getTime() })
})

/** Whether the holder may still write: by its process where that is of this machine, else by when it touched the lock. */
const mayWrite = Effect.fnUntraced(function*(path: string, holder: Holder) {
  if (holder.place === place()) return isAlive(holder.process) && startOf(holder.process) === holder.started
  return (yield* silence(path)) < SILENCE
})

/** The holder a lock file names; `undefined` where it is gone or names none. */
const holderOf = (path: string) =>
  Effect.orElseSucceed(decodeFile(path, Schema.decodeUnknownEffect(Holder)), () => undefined)

/** Makes a file of this text unless there is one of its name; whether it did. */
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

/** Whether a lock has a holder that may still write, or is just being written. */
const isHeld = Effect.fnUntraced(function*(path: string) {
  const holder = yield* holderOf(path)
  return holder === undefined ? (yield* silence(path)) < MOMENT : yield* mayWrite(path, holder)
})

/**
 * Removes a lock that nobody holds. Who does so has a second file meanwhile, so that one process at a time decides and
 * removes: nobody's new lock is taken for the old one.
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

const acquire = Effect.fnUntraced(function*(folder: string) {
  yield* makeFolder(folder)
  const [path, own] = [join(folder, LOCK), self()]
  while (!(yield* create(path, JSON.stringify(own)))) {
    if (!(yield* isHeld(path))) yield* discard(path)
    else {
      const holder = yield* holderOf(path)
      if (holder !== undefined) return yield* held(folder, holder)
      yield* Effect.sleep("20 millis")
    }
  }
  return { path, own }
})

/** Gives the lock back where it is still ours. */
const release = Effect.fnUntraced(function*({ own, path }: { readonly path: string; readonly own: Holder }) {
  const fs = yield* FileSystem.FileSystem
  if ((yield* holderOf(path))?.token === own.token) yield* Effect.ignore(fs.remove(path, { force: true }))
})

/** Makes the folder where it is not there, and holds it until the scope ends; fails where another process holds it. */
export const hold = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const { path } = yield* Effect.acquireRelease(acquire(folder), release)
  const touch = Effect.flatMap(Clock.currentTimeMillis, (now) => fs.utimes(path, new Date(now), new Date(now)))
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(touch), Schedule.spaced(BEAT)))
})

/** Runs while the folder is held. */
export const holding = (folder: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.andThen(hold(folder), effect))
