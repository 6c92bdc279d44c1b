/**
 * The lines of a run as one table: node bench/cuda/table.ts FILE [PEAK]
 *
 * PEAK: TFLOP/s of the GPU's dense products in bfloat16, 989 by default (H100 and H200, SXM): 100% of the column MFU.
 */
import { readFileSync } from "node:fs"

interface Line {
  readonly part: string
  readonly torch?: string
  readonly provider?: string
  readonly size?: string
  readonly steps?: string
  readonly products?: string
  readonly stored?: string
  readonly dropout?: string
  readonly run?: number
  readonly ms?: number
  readonly tflops?: number
  readonly gpuMiB?: number
  readonly peakMiB?: number
  readonly questionsPerSecond?: number
  readonly tokensPerSecond?: number
  readonly off?: number
}
const peak = Number(process.argv[3] ?? 989)
const lines = readFileSync(process.argv[2]!, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Line)

const nameOf = ({ dropout, part, products, provider, size, steps, stored, torch }: Line): string =>
  torch
    ? `${part}, PyTorch ${torch}`
    : [
      size ? `${part} ${size}` : part,
      provider,
      part === "score" || part === "write" ? "" : `K ${steps}`,
      products === "float32" ? "" : `products ${products}`,
      stored && stored !== "float32" ? `stored ${stored}` : "",
      dropout && dropout !== "0" ? `dropout ${dropout}` : ""
    ].filter(Boolean).join(", ")

const number = (value: number | undefined, digits = 1): string => value === undefined ? "" : value.toFixed(digits)

/** The fastest run of each, which is none of the first that compile and warm up. */
const best = [...Map.groupBy(lines.filter(({ ms }) => ms !== undefined), nameOf)].map(([name, own]) =>
  [name, own.toSorted((a, b) => a.ms! - b.ms!)[0]!] as const
)
/** Operations of a part, as counted for our programs, in TFLOP: PyTorch's do the same work. */
const work = new Map(best.flatMap(([_, { ms, part, tflops }]) => tflops ? [[part, tflops * ms! / 1000] as const] : []))

const answered = (line: Line): string => {
  if (line.part === "write") return `${number(line.tokensPerSecond, 0)} tokens/s`
  return line.part === "score" ? "" : number(line.questionsPerSecond ?? 1000 / line.ms!)
}
const rows = best.map(([name, line]) => {
  const { gpuMiB, ms, off, part, peakMiB } = line
  const rate = work.has(part) ? work.get(part)! / ms! * 1000 : undefined
  return [
    name,
    number(ms),
    answered(line),
    number(rate),
    rate === undefined ? "" : `${(100 * rate / peak).toFixed(0)}%`,
    number((gpuMiB ?? peakMiB ?? 0) / 1024 || undefined, 2),
    off === undefined ? "" : off.toExponential(1)
  ]
})
const head = ["what", "ms a step", "questions/s", "TFLOP/s", "MFU", "GiB", "losses off"]
const table = [head, head.map((_, i) => i === 0 ? "---" : "--:"), ...rows]
process.stdout.write(`${table.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`)
