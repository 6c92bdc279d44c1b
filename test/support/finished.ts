/** What a finished run of `run.ts` leaves, to be compared byte by byte. */
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Journal from "../../src/runtime/files/journal.ts"
import { run, STEPS } from "./run.ts"

export interface Finished {
  /** Every file of the last checkpoint, by name. */
  readonly files: ReadonlyMap<string, Buffer>
  /** Every row of the journal, as it prints. */
  readonly rows: ReadonlyArray<string>
}

export const finished = Effect.fnUntraced(function*(out: string, steps = STEPS) {
  const folder = join(out, `checkpoint-${steps}`)
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
  const rows = (yield* Journal.read(out)).flatMap((batch) => batch.toArray().map((row) => JSON.stringify(row)))
  const files = new Map(names.toSorted().map((name) => [name, readFileSync(join(folder, name))]))
  return { files, rows } satisfies Finished as Finished
})

/** A run that nothing happens to. */
export const straight = Effect.fnUntraced(function*(folder: string, kind: string) {
  const out = join(folder, `${kind}-straight`)
  yield* run(folder, out)
  return yield* finished(out)
})

/** What a finished run has otherwise than another, or what is left lying about. */
export const differences = Effect.fnUntraced(function*(out: string, whole: Finished, steps = STEPS) {
  const own = yield* finished(out, steps)
  const names = new Set([...own.files.keys(), ...whole.files.keys()])
  const differing = [...names].filter((name) => !own.files.get(name)?.equals(whole.files.get(name) ?? Buffer.of()))
  const left = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) => /partial|\.lock/.test(name))
  return [...differing, ...left, ...(own.rows.join() === whole.rows.join() ? [] : ["the journal"])]
})
