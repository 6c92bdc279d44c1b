/**
 * One kind's cases, in a process of their own: `node test/fuzz/child.ts KIND CASES SEED [PATH]`; of a path, which is that
 * of a case that failed, this one alone. It tells the number of each case as it begins, and in the end what became of
 * them all.
 */
import * as fc from "fast-check"
import { mkdtempSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Fault, type Kind, type Verdict } from "./kind.ts"

/** What a process tells at its end. */
export interface Told {
  readonly verdicts: Readonly<Record<Verdict, number>>
  /** The first fault with its case, as small as it can be, and the command that repeats it; all where there is FUZZ_ALL. */
  readonly faults: ReadonlyArray<string>
  /** Bytes of memory at the most, above what was taken before the first case. */
  readonly growth: number
  /** How much of that a single case took at the most, and which one did. */
  readonly greediest: { readonly bytes: number; readonly of: string }
  readonly milliseconds: number
}

const [name, cases, seed, path] = process.argv.slice(2) as [string, string, string, string?]
const { default: own } = (await import(`./kinds/${name}.ts`)) as { readonly default: Kind<unknown> }
const folder = mkdtempSync(join(tmpdir(), `fuzz-${name}-`))
const all = process.env["FUZZ_ALL"] !== undefined

const verdicts: Record<Verdict, number> = { refused: 0, changed: 0, same: 0, told: 0 }
const faults: Array<string> = []
let [begun, greediest] = [0, { bytes: 0, of: "" }]

/** The process's greatest size so far. */
const peak = (): number => process.resourceUsage().maxRSS * 1024
const shown = (c: unknown): string => fc.stringify(c).slice(0, 1000)

const judge = async (c: unknown): Promise<void> => {
  writeSync(1, `${begun++}\n`)
  const size = peak()
  try {
    verdicts[await own.judge(c, join(folder, "case"))]++
  } catch (error) {
    if (!all) throw error
    faults.push(`${faultOf(error)}\n  ${shown(c)}`)
  }
  if (peak() - size > greediest.bytes) greediest = { bytes: peak() - size, of: shown(c) }
}

const faultOf = (error: unknown): string => {
  const { message, stack } = error as Error
  return error instanceof Fault ? message : stack ?? message
}

const before = peak()
const started = performance.now()
const details = await fc.check(fc.asyncProperty(own.cases, judge), {
  numRuns: Number(cases),
  seed: Number(seed),
  ...(path === undefined ? {} : { path }),
  examples: (own.examples ?? []).map((example): [unknown] => [example])
})
if (details.failed) {
  const { counterexample, counterexamplePath, errorInstance } = details
  const command = `node test/fuzz/child.ts ${name} ${cases} ${seed} ${counterexamplePath}`
  faults.push(`${faultOf(errorInstance)}\n  ${shown(counterexample?.[0])}\n  ${command}`)
}
rmSync(folder, { recursive: true, force: true })
const told: Told = { verdicts, faults, growth: peak() - before, greediest, milliseconds: performance.now() - started }
writeSync(1, `${JSON.stringify(told)}\n`)
process.exit(0)
