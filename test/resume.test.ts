/** A run that is killed and resumed ends as one that was not: the same bytes, the same journal. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Journal from "../src/journal.ts"
import { onDisk } from "./support/files.ts"
import { run, STEPS } from "./support/run.ts"
import * as Tiny from "./support/tiny.ts"

/** Every file of the last checkpoint, by name. */
const finished = (out: string): ReadonlyMap<string, Buffer> => {
  const folder = join(out, `checkpoint-${STEPS}`)
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
  return new Map(names.toSorted().map((name) => [name, readFileSync(join(folder, name))]))
}

/** Every row of the journal, as it prints. */
const journal = (out: string) =>
  Effect.map(
    Journal.read(out),
    (batches) => batches.flatMap((batch) => batch.toArray().map((row) => JSON.stringify(row)))
  )

/** How a run is ended: by a signal, so long after a line it says, stuck in a write or not. */
interface Fate {
  readonly signal: "SIGKILL" | "SIGINT"
  readonly line: string
  readonly wait: number
  readonly write?: number
}

/** Starts a run and ends it as told: the last step it said to have made. */
const end = ({ line, signal, wait, write }: Fate, folder: string, out: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const program = join(import.meta.dirname, "support", "run.ts")
    const args = [program, folder, out, ...(write === undefined ? [] : [String(write)])]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
    let said = ""
    child.stdout.on("data", (text: Buffer) => {
      const before = said
      said += text.toString()
      if (!before.includes(line) && said.includes(line)) setTimeout(() => child.kill(signal), wait)
    })
    child.on("close", (code, by) => {
      if (by === signal || (signal === "SIGINT" && code === 130)) resolve(Number(said.match(/\d+/g)?.at(-1) ?? 0))
      else reject(new Error(`the run ended by itself, with ${code}, after ${said.trimEnd().split("\n").at(-1)}`))
    })
  })

const random = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from))

/** Five kills at random: three at some moment of the run, two within a write; and an interrupt, as from a keyboard. */
const fates: Readonly<Record<string, Fate>> = {
  "killed early": { signal: "SIGKILL", line: "step 1", wait: random(0, 100) },
  "killed halfway": { signal: "SIGKILL", line: `step ${random(6, 12)}`, wait: random(0, 60) },
  "killed late": { signal: "SIGKILL", line: `step ${random(12, STEPS - 6)}`, wait: random(0, 60) },
  "killed within an early write": { signal: "SIGKILL", line: "hanging", wait: 0, write: random(1, 20) },
  "killed within a later write": { signal: "SIGKILL", line: "hanging", wait: 0, write: random(20, 80) },
  "interrupted": { signal: "SIGINT", line: `step ${random(3, STEPS - 6)}`, wait: random(0, 30) }
}

describe("a run", () => {
  it.live.each(["weights", "adapters"])(
    "of %s that is killed and resumed ends as one that was not",
    (kind) =>
      onDisk(Effect.gen(function*() {
        const folder = yield* Tiny.folder
        if (kind === "adapters") yield* Tiny.writeWeights(folder)
        const straight = join(folder, `${kind}-straight`)
        yield* run(folder, straight)
        const [files, rows] = [finished(straight), yield* journal(straight)]
        assert.strictEqual(rows.length, 2 * STEPS)
        assert.strictEqual(files.has(join("reader", "adapter_model.safetensors")), kind === "adapters")
        for (const [how, fate] of Object.entries(fates)) {
          const out = join(folder, `${kind}-${how.replaceAll(" ", "-")}`)
          const told = `${how}: ${JSON.stringify(fate)}`
          const last = yield* Effect.promise(() => end(fate, folder, out))
          assert.isFalse(existsSync(join(out, `checkpoint-${STEPS}`)), told)
          if (fate.signal === "SIGINT") assert.isTrue(existsSync(join(out, `checkpoint-${last}`)), told)
          const { steps } = yield* run(folder, out)
          assert.strictEqual(steps, STEPS)
          assert.deepStrictEqual([...finished(out).keys()], [...files.keys()])
          for (const [name, bytes] of finished(out)) assert.isTrue(bytes.equals(files.get(name)!), `${told}: ${name}`)
          assert.deepStrictEqual(yield* journal(out), rows, told)
        }
      })),
    120_000
  )
})
