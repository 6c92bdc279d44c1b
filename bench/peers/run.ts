/**
 * The joint step here and in PyTorch, block by block in turn, so that both meet the machine in the same moods.
 *
 *     node bench/peers/run.ts --python PYTHON [--size demo|wide] [--threads 2] [--blocks 5] [--compile] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { cpus, loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { contestant, median } from "./contestant.ts"

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

/** Without these, PyTorch gives every large array back to the system and spins between products: many times slower. */
const tuned = {
  ...process.env,
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "1000000000000",
  MALLOC_TOP_PAD_: "268435456",
  OMP_WAIT_POLICY: "passive"
}

interface Time {
  readonly seconds: number
  /** Of all its threads. */
  readonly cpu: number
}

const here = (file: string) => join(import.meta.dirname, file)
const folder = mkdtempSync(join(tmpdir(), "peers-"))
const threads = ["--threads", options.threads]
const ours = [here("ours.ts"), "--record", folder, "--size", options.size, ...threads]
const theirs = [here("joint_step.py"), folder, ...threads]

const began = loadavg()[0]!
const contestants = [await contestant<Time>("here", process.execPath, ours)]
contestants.push(await contestant<Time>("PyTorch, eager", options.python, theirs, tuned))
if (options.compile) {
  contestants.push(await contestant<Time>("PyTorch, compiled", options.python, [...theirs, "--compile"], tuned))
}
const turns = Array.from({ length: Number(options.blocks) }, () => contestants.map(({ turn }) => () => turn())).flat()
await turns.reduce((before, turn) => before.then(turn), Promise.resolve())
contestants.forEach(({ end }) => end())
rmSync(folder, { recursive: true })

const first = contestants[0]!
const results = contestants.map(({ name, ready, turns: times }) => ({
  name,
  ready,
  times,
  seconds: median(times.map((t) => t.seconds)),
  cpu: median(times.map((t) => t.cpu)),
  ratio: median(first.turns.map((t) => t.seconds)) / median(times.map((t) => t.seconds)),
  cpuRatio: median(first.turns.map((t) => t.cpu)) / median(times.map((t) => t.cpu)),
  pairs: times.map((t, i) => first.turns[i]!.seconds / t.seconds)
}))

const fixed = (value: number): string => value.toFixed(2)
const lines = results.map(({ cpu, cpuRatio, name, pairs, ratio, ready, seconds }) =>
  [
    `${name.padEnd(18)} ${fixed(seconds)} s a block, ${fixed(cpu)} s of CPU`,
    `here takes ${fixed(ratio)} of its time (pairs ${fixed(Math.min(...pairs))} to ${fixed(Math.max(...pairs))}), `
    + `${fixed(cpuRatio)} of its CPU time`,
    JSON.stringify(ready)
  ].join("\n  ")
)
const machine = { cpu: cpus()[0]!.model, cores: cpus().length, load: [began, loadavg()[0]!] }
const title =
  `${machine.cpu}, ${machine.cores} cores, load ${machine.load.map(fixed).join(" to ")}; size ${options.size}, `
  + `${options.threads} threads, ${options.blocks} blocks`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine, size: options.size, threads: Number(options.threads), results })}\n`
    : `${[title, ...lines].join("\n")}\n`
)
