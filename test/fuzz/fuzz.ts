/** Cases of every kind, each kind in a process that is watched: it may neither stand still nor grow. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Told } from "./child.ts"

/** The kinds, by the names of their files. */
export const kinds: ReadonlyArray<string> = readdirSync(join(import.meta.dirname, "kinds"))
  .filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -3)).toSorted()

/** Cases of a kind for one of others: more where more can be wrong, fewer where a case takes long. */
const weights: Readonly<Record<string, number>> = {
  adapter: 2,
  checkpoint: 2,
  config: 2,
  parquet: 0.2,
  questions: 2,
  safetensors: 2,
  settings: 2,
  tokenizer: 2,
  tokenizerGolden: 3
}
const weightOf = (kind: string): number => weights[kind] ?? 1
const whole = kinds.reduce((sum, kind) => sum + weightOf(kind), 0)

/** A kind's share of the cases of all. */
export const shareOf = (kind: string, cases: number): number => Math.ceil(cases * weightOf(kind) / whole)

export interface Asked {
  readonly cases: number
  readonly seed: number
  /** Milliseconds for a case, at most. */
  readonly patience?: number
  /** What the process loads before all else: a defect. */
  readonly preload?: { readonly module: string; readonly environment: Readonly<Record<string, string>> }
}

/** Milliseconds for a case, unless asked otherwise. */
export const PATIENCE = 20_000
/** Milliseconds for all before the first case, and bytes for a process, at most. */
const [START, ROOM] = [120_000, 1.5e9]

const program = join(import.meta.dirname, "child.ts")

/** Bytes of a process's memory; 0 where that cannot be known. */
const sizeOf = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096
  } catch {
    return 0
  }
}

/** A process that had to be ended, or ended by itself: the case that it was at is its fault. */
const ended = (kind: string, { cases, seed }: Asked, at: string, why: string): Told => ({
  faults: [`${why}\n  node test/fuzz/child.ts ${kind} ${cases} ${seed} ${at}`],
  verdicts: { refused: 0, changed: 0, same: 0, told: 0 },
  growth: 0,
  greediest: { bytes: 0, of: "" },
  milliseconds: 0
})

/** What became of the cases of a kind. */
export const fuzz = (kind: string, asked: Asked): Promise<Told> =>
  new Promise((resolve, reject) => {
    const { cases, patience = PATIENCE, preload, seed } = asked
    const flags = ["--max-old-space-size=512", ...preload ? ["--import", preload.module] : []]
    const child = spawn(process.execPath, [...flags, program, kind, String(cases), String(seed)], {
      env: { ...process.env, ...preload?.environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let [out, err, why, began] = ["", "", "", performance.now()]
    const last = () => out.trimEnd().slice(out.trimEnd().lastIndexOf("\n") + 1)
    const watch = setInterval(() => {
      const size = sizeOf(child.pid!)
      if (performance.now() - began > (out === "" ? START : patience)) why = `took more than ${patience} ms`
      else if (size > ROOM) why = `took ${size} bytes of memory`
      if (why !== "") child.kill("SIGKILL")
    }, 100)
    child.stdout.on("data", (text: Buffer) => {
      out += text.toString()
      began = performance.now()
    })
    child.stderr.on("data", (text: Buffer) => void (err += text.toString()))
    child.on("error", reject)
    child.on("close", (code) => {
      clearInterval(watch)
      if (code === 0 && last().startsWith("{")) return resolve(JSON.parse(last()) as Told)
      resolve(ended(kind, asked, last(), why === "" ? `ended the process with ${code}: ${err.slice(-3000)}` : why))
    })
  })
