/** A run's event files for TensorBoard, one for each start of the run, each beginning where it went on. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, located, makeFolder, namesIn, readBytes, replace } from "../disk.ts"
import * as Events from "./events.ts"
import * as Records from "./records.ts"

/** Name of the file of a start; TensorBoard reads files in the order of their names. */
const nameOf = (start: number): string => `events.out.tfevents.${String(start).padStart(10, "0")}.anamnesis`
const isOurs = (name: string): boolean => /^events\.out\.tfevents\.\d{10}\.anamnesis$/.test(name)

/** Cuts what is told of later steps out of a file, and what a killed process left unfinished. */
const cut = Effect.fnUntraced(function*(path: string, start: number) {
  const file = yield* readBytes(path)
  const { records, whole } = Records.read(file)
  const kept = yield* Effect.try({
    try: () => records.filter((own) => (Events.decode(own)?.step ?? 0) <= start),
    catch: () => new FileError({ path, place: "", reason: "has events that are no protocol buffers; remove the file" })
  })
  if (kept.length < records.length || whole < file.length) {
    yield* replace(path, Buffer.concat(kept.map(Records.record)))
  }
})

/** Seconds of events that are kept back, at most, and their number. */
const [SECONDS, MANY] = [5, 64]

/** An event file that is being written. */
export interface Board {
  readonly add: (step: number, scalars: Events.Scalars) => Effect.Effect<void, FileError>
  readonly flush: Effect.Effect<void, FileError>
}

/** Opens the events of a run that goes on after step `start`: those of later steps, which it tells again, are gone. */
export const open = Effect.fnUntraced(function*(folder: string, start: number) {
  const fs = yield* FileSystem.FileSystem
  yield* makeFolder(folder)
  const path = join(folder, nameOf(start))
  for (const name of (yield* namesIn(folder)).filter(isOurs)) {
    const own = join(folder, name)
    /** A start at this step or later told of nothing else. */
    if (name >= nameOf(start)) yield* fs.remove(own, { force: true }).pipe(located(own))
    else yield* cut(own, start)
  }
  const now = Effect.map(Clock.currentTimeMillis, (millis) => millis / 1000)
  let pending: Array<Uint8Array> = []
  const push = (event: Events.Event) => void pending.push(Records.record(Events.encode(event)))
  let written = yield* now
  push({ time: written, step: 0, what: { _tag: "Version" } })
  push({ time: written, step: start + 1, what: { _tag: "Start" } })
  const flush = Effect.gen(function*() {
    if (pending.length === 0) return
    const bytes = Buffer.concat(pending)
    pending = []
    written = yield* now
    yield* fs.writeFile(path, bytes, { flag: "a" }).pipe(located(path))
  })
  return {
    add: Effect.fnUntraced(function*(step, scalars) {
      const time = yield* now
      const finite = Object.entries(scalars).filter(([, value]) => Number.isFinite(value))
      if (finite.length === 0) return
      push({ time, step, what: { _tag: "Scalars", scalars: Object.fromEntries(finite) } })
      if (pending.length >= MANY || time - written >= SECONDS) yield* flush
    }),
    flush
  } satisfies Board as Board
})

/** Writes a file of its own with the scalars of one step, in place of an earlier one. */
export const once = Effect.fnUntraced(function*(folder: string, step: number, scalars: Events.Scalars) {
  const time = (yield* Clock.currentTimeMillis) / 1000
  yield* makeFolder(folder)
  const events: ReadonlyArray<Events.Event> = [
    { time, step: 0, what: { _tag: "Version" } },
    { time, step, what: { _tag: "Scalars", scalars } }
  ]
  yield* replace(join(folder, nameOf(0)), Buffer.concat(events.map((own) => Records.record(Events.encode(own)))))
})
