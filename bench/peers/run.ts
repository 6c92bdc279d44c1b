/**
 * The joint step here and in PyTorch, block by block in turn.
 *
 *     node bench/peers/run.ts --python PYTHON [--size demo|wide] [--threads 2] [--blocks 5] [--compile] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { contestant } from "./contestant.ts"
import { compared, inTurns, machine, type Time, tuned } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    size: { type: "string", default: "demo" },
    threads: { type: "string", default: "2" },
    blocks: { type: "string", default: "5" },
    compile: { type: "boolean", default: false },
    json: { type: "boolean", default: false }
  }
})

const here = (file: string) => join(import.meta.dirname, file)
const folder = mkdtempSync(join(tmpdir(), "peers-"))
const threads = ["--threads", options.threads]
const ours = [here("ours.ts"), "--record", folder, "--size", options.size, ...threads]
const theirs = [here("joint_step.py"), folder, ...threads]

const measured = machine()
const contestants = [await contestant<Time>("here", process.execPath, ours)]
contestants.push(await contestant<Time>("PyTorch, eager", options.python, theirs, tuned))
if (options.compile) {
  contestants.push(await contestant<Time>("PyTorch, compiled", options.python, [...theirs, "--compile"], tuned))
}
await inTurns(contestants, Array.from({ length: Number(options.blocks) }, () => ({})))
rmSync(folder, { recursive: true })
const results = compared(contestants)

const fixed = (value: number): string => value.toFixed(2)
const lines = results.map(({ cpu, cpuRatio, name, pairs, ratio, ready, seconds }) =>
  [
    `${name.padEnd(18)} ${fixed(seconds)} s a block, ${fixed(cpu)} s of CPU`,
    `here takes ${fixed(ratio)} of its time (pairs ${fixed(Math.min(...pairs))} to ${fixed(Math.max(...pairs))}), `
    + `${fixed(cpuRatio)} of its CPU time`,
    JSON.stringify(ready)
  ].join("\n  ")
)
const found = measured()
const title = `${found.cpu}, ${found.cores} cores, load ${found.load.map(fixed).join(" to ")}; size ${options.size}, `
  + `${options.threads} threads, ${options.blocks} blocks`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine: found, size: options.size, threads: Number(options.threads), results })}\n`
    : `${[title, ...lines].join("\n")}\n`
)
