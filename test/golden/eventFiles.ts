/** Writes eventFiles/ours.tfevents, an event file of ours for eventFiles.py to read: `node test/golden/eventFiles.ts`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encode, type Event } from "../../src/runtime/files/tensorboard/events.ts"
import { record } from "../../src/runtime/files/tensorboard/records.ts"

const scalars = (time: number, step: number, own: Readonly<Record<string, number>>): Event => ({
  time,
  step,
  what: { _tag: "Scalars", scalars: own }
})

/** A run that stops after step 3 and goes on after step 2. */
export const events: ReadonlyArray<Event> = [
  { time: 1767225600.25, step: 0, what: { _tag: "Version" } },
  { time: 1767225600.25, step: 1, what: { _tag: "Start" } },
  scalars(1767225601.5, 1, { "train/reader_loss": 2.5, "train/retriever_loss": 0.125 }),
  scalars(1767225602, 2, { "train/reader_loss": 1.3333334, "train/learning_rate": 3e-5 }),
  scalars(1767225603, 3, { "train/reader_loss": -0.75 }),
  { time: 1767225610, step: 3, what: { _tag: "Start" } },
  scalars(1767225611, 3, { "train/reader_loss": 0.5, "eval/λ": 1e-20 }),
  scalars(1767225612, 100_000, { "train/reader_loss": 3e38 }),
  scalars(1767225613, 5_000_000_000, { "train/reader_loss": 0 })
]
export const bytes = Buffer.concat(events.map((own) => record(encode(own))))

if (import.meta.main) {
  const folder = join(import.meta.dirname, "eventFiles")
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "ours.tfevents"), bytes)
}
