/** Cases of every kind, each kind in a process that is watched: it may neither stand still nor grow. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Told } from "./child.ts"

/** The kinds, by the names of their files. */
export const kinds: ReadonlyArray<string> = readdirSync(join(import.meta.dirname, "kinds"))
  .filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -3)).toSorted()

export interface Asked {
  readonly cases: number
  readonly seed: number
  /** Of a case that failed: it alone is looked at. */
  readonly path?: string
}

/** Milliseconds for a case, and bytes for a process, at most. */
const [PATIENCE, ROOM] = [20_000, 1.5e9]

const program = join(import.meta.dirname, "child.ts")

/** Bytes of a process's memory; 0 where that cannot be known. */
const sizeOf = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096
  } catch {
    return 0
  }
}

/** What became of the cases of a kind. A process that had to be ended tells the case it was at as its fault. */
export const fuzz = (kind: string, { cases, path, seed }: Asked): Promise<Told> =>
  new Promise((resolve, reject) => {
    const given = [kind, String(cases), String(seed), ...(path === undefined ? [] : [path])]
    const child = spawn(process.execPath, ["--max-old-space-size=512", program, ...given], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let [out, err, why, began] = ["", "", "", performance.now()]
    const last = () => out.trimEnd().slice(out.trimEnd().lastIndexOf("\n") + 1)
    const watch = setInterval(() => {
      const size = sizeOf(child.pid!)
      if (performance.now() - began > PATIENCE) why = `took more than ${PATIENCE} ms`
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
      const reason = why === "" ? `ended the process with ${code}: ${err.slice(-3000)}` : why
      const fault = `${kind}, seed ${seed}, case ${last()}: ${reason}`
      const none = { refused: 0, changed: 0, same: 0, told: 0 }
      resolve({ faults: [fault], verdicts: none, growth: 0, greediest: { bytes: 0, of: "" }, milliseconds: 0 })
    })
  })
