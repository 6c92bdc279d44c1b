/** The lines of a run as one table: node bench/cuda/table.ts FILE */
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
  readonly off?: number
}
const lines = readFileSync(process.argv[2]!, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Line)

const nameOf = ({ dropout, part, products, provider, size, steps, stored, torch }: Line): string =>
  torch
    ? `${part}, PyTorch ${torch}`
    : [
      size ? `${part} ${size}` : part,
      provider,
      part === "score" ? "" : `K ${steps}`,
      products === "float32" ? "" : `products ${products}`,
      stored && stored !== "float32" ? `stored ${stored}` : "",
      dropout && dropout !== "0" ? `dropout ${dropout}` : ""
    ].filter(Boolean).join(", ")

const number = (value: number | undefined, digits = 1): string => value === undefined ? "" : value.toFixed(digits)

/** The fastest run of each, which is none of the first that compile and warm up. */
const best = [...Map.groupBy(lines.filter(({ ms }) => ms !== undefined), nameOf)].map(([name, own]) =>
  [name, own.toSorted((a, b) => a.ms! - b.ms!)[0]!] as const
)
const rows = best.map(([name, { gpuMiB, ms, off, part, peakMiB, questionsPerSecond, tflops }]) => [
  name,
  number(ms),
  number(questionsPerSecond ?? (part === "score" ? undefined : 1000 / ms!)),
  number(tflops),
  number((gpuMiB ?? peakMiB ?? 0) / 1024 || undefined, 2),
  off === undefined ? "" : off.toExponential(1)
])
const head = ["what", "ms a step", "questions/s", "TFLOP/s", "GiB", "losses off"]
const table = [head, head.map((_, i) => i === 0 ? "---" : "--:"), ...rows]
process.stdout.write(`${table.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`)
