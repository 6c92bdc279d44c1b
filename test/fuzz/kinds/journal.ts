/** Files of a journal whose bytes were damaged: refused, or the same rows. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Journal from "../../../src/runtime/files/journal.ts"
import { frame } from "../../support/rows.ts"
import { after, type Damage, damages } from "../edits/damage.ts"
import { attempt, expectSame, Fault, fill, kind, refused } from "../kind.ts"

const rowsOf = (output: string) =>
  Effect.map(
    Journal.read(output),
    (batches) => batches.flatMap((own) => own.toArray().map((row) => JSON.stringify(row)))
  )

/** A journal of two files, by their names, and its rows. */
const whole = await (async () => {
  const folder = mkdtempSync(join(tmpdir(), "journal-"))
  const batch = (step: number) => frame(step).batch
  const written = await attempt(Effect.gen(function*() {
    yield* Journal.write(folder, 0, 2, [batch(0), batch(1)])
    yield* Journal.write(folder, 2, 3, [batch(2)])
    return yield* rowsOf(folder)
  }))
  const names = readdirSync(join(folder, "journal")).map((name) => join("journal", name))
  const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]))
  rmSync(folder, { recursive: true })
  return { files, rows: written._tag === "Read" ? written.value : [] }
})()

type Case = { readonly file: string; readonly damages: ReadonlyArray<Damage> } | {
  readonly file: string
  readonly named: string
}

const names = Object.keys(whole.files)
const others = [
  "00000000-00000003.arrow",
  "00000001-00000002.arrow",
  "00000002-00000002.arrow",
  "00000003-00000002.arrow"
]

export default kind<Case>({
  cases: fc.oneof(
    { weight: 9, arbitrary: fc.record({ file: fc.constantFrom(...names), damages }, { noNullPrototype: true }) },
    fc.record({ file: fc.constantFrom(...names), named: fc.constantFrom(...others) }, { noNullPrototype: true })
  ),
  judge: async (c, folder) => {
    const { [c.file]: bytes, ...rest } = whole.files
    const own = "damages" in c ? { [c.file]: after(bytes!, c.damages) } : { [join("journal", c.named)]: bytes! }
    fill(folder, { ...rest, ...own })
    const outcome = await attempt(rowsOf(folder))
    if (outcome._tag === "Refused") {
      if (Buffer.compare(Object.values(own)[0]!, bytes!) === 0 && "damages" in c) throw new Fault(outcome.message)
      return refused(outcome, join(folder, "journal"))
    }
    expectSame(outcome.value, whole.rows, "rows")
    return "same"
  }
})
