/**
 * Merges of four decoders here and in mergekit 0.1.5 (PyTorch, CPU), merge by merge in turn: time, CPU time and peak resident
 * memory, and how far the merged weights are apart.
 *
 *     node bench/peers/merge.ts --python PYTHON [--size 135M|120M|30M] [--methods linear,ties,slerp,breadcrumbs]
 *       [--rounds 3] [--threads 2] [--json]
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { sizes, write } from "../randomModel.ts"
import { contestant, median } from "./contestant.ts"
import { compared, inTurns, machine, type Time } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    size: { type: "string", default: "30M" },
    methods: { type: "string", default: "linear,ties,slerp,breadcrumbs" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false }
  }
})
if (!Object.hasOwn(sizes, options.size)) throw new Error(`--size is one of ${Object.keys(sizes).join(", ")}`)

interface Merge extends Time {
  readonly peak: number
}

const folder = mkdtempSync(join(tmpdir(), "merge-"))
const [base, ...experts] = ["base", "a", "b", "c"].map((name) => join(folder, name)) as [string, ...Array<string>]
write(base, options.size as keyof typeof sizes)

/** The offset of a safetensors file's values. */
const valuesAt = (bytes: Buffer): number => 8 + Number(bytes.readBigUInt64LE(0))
const valuesOf = (path: string): Float32Array => {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + valuesAt(bytes), bytes.byteOffset + bytes.length))
}

/** Experts: the base, with other small numbers added to each weight. */
for (const [k, expert] of experts.entries()) {
  cpSync(base, expert, { recursive: true })
  const path = join(expert, "model.safetensors")
  const bytes = readFileSync(path)
  let state = k + 1
  for (let at = valuesAt(bytes); at < bytes.length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes.writeFloatLE(bytes.readFloatLE(at) + 0.01 * state / 2 ** 31, at)
  }
  writeFileSync(path, bytes)
}

const sparse = (more: string) => ({
  base_model: base,
  models: experts.map((model, k) => ({ model, parameters: { weight: 0.2 + 0.2 * k, density: 0.5 } })),
  ...(more === "" ? {} : { parameters: { gamma: 0.01 } })
})
const configs: Readonly<Record<string, object>> = {
  linear: { models: experts.map((model, k) => ({ model, parameters: { weight: 0.2 + 0.2 * k } })) },
  ties: sparse(""),
  breadcrumbs: sparse("gamma"),
  slerp: { base_model: base, models: [{ model: experts[0] }], parameters: { t: 0.3 } }
}
const methods = options.methods.split(",")
const unknown = methods.find((method) => !Object.hasOwn(configs, method))
if (unknown !== undefined) throw new Error(`--methods has ${unknown}, and knows ${Object.keys(configs).join(", ")}`)

const here = (file: string) => join(import.meta.dirname, file)
const contestants = (method: string) => {
  const config = join(folder, `${method}.yaml`)
  writeFileSync(config, JSON.stringify({ merge_method: method, ...configs[method], dtype: "float32" }))
  const threads = ["--threads", options.threads]
  return Promise.all([
    contestant<Merge>("here", process.execPath, [here("merge_ours.ts"), config, ...threads]),
    contestant<Merge>("mergekit", options.python, [here("merge_mergekit.py"), config, ...threads])
  ])
}

/** The greatest difference between two merges' weights, and how many are more than rounding (1e-6) apart. */
const off = (a: string, b: string) => {
  const [x, y] = [a, b].map((name) => valuesOf(join(folder, name, "model.safetensors"))) as [Float32Array, Float32Array]
  if (x.length !== y.length) throw new Error(`${x.length} and ${y.length} weights`)
  const apart = x.map((own, i) => Math.abs(own - y[i]!))
  return {
    most: apart.reduce((most, by) => Math.max(most, by), 0),
    apart: apart.reduce((n, by) => by > 1e-6 ? n + 1 : n, 0),
    weights: x.length
  }
}

const measured = machine()
const fixed = (value: number): string => value.toFixed(2)
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`

const once = async (method: string) => {
  const both = await contestants(method)
  const outs = Array.from({ length: Number(options.rounds) }, (_, round) => join(folder, `${method}-${round}`))
  await inTurns(both, outs.map((out) => ({ out })))
  const results = compared(both)
  const peaks = both.map(({ turns }) => median(turns.map(({ peak }) => peak)))
  return { method, results, peaks, off: off(`${method}-0-here`, `${method}-0-mergekit`) }
}
const all = await methods.reduce<Promise<ReadonlyArray<Awaited<ReturnType<typeof once>>>>>(
  async (before, method) => [...await before, await once(method)],
  Promise.resolve([])
)
rmSync(folder, { recursive: true })

const lines = all.map(({ method, off, peaks, results }) => {
  const [own, other] = results as unknown as readonly [typeof results[0], typeof results[0]]
  const { pairs, ratio } = other
  return [
    `${method}: weights off by ${off.most.toExponential(1)}; ${off.apart} of ${off.weights} by more than 1e-6`,
    ...[own, other].map((one, i) =>
      `${one.name.padEnd(9)} ${fixed(one.seconds)} s, ${fixed(one.cpu)} s of CPU, at most ${mebibytes(peaks[i]!)}`
    ),
    `here takes ${fixed(ratio)} of the time (pairs ${fixed(Math.min(...pairs))} to ${fixed(Math.max(...pairs))}), `
    + `${fixed(other.cpuRatio)} of the CPU time, ${fixed(peaks[0]! / peaks[1]!)} of the memory`
  ].join("\n  ")
})
const found = measured()
const title = `${found.cpu}, ${found.cores} cores, load ${found.load.map(fixed).join(" to ")}; four decoders of `
  + `${options.size} in float32, ${options.threads} threads, ${options.rounds} rounds`
process.stdout.write(
  options.json ? `${JSON.stringify({ machine: found, ...options, all })}\n` : `${[title, ...lines].join("\n")}\n`
)
