/** Programs that tell steps and are made to be killed, and how they are. */
import { spawn } from "node:child_process"

/** How a run is ended: by a signal, so long after a line it says, stuck in a write or not. */
export interface Fate {
  readonly signal: "SIGKILL" | "SIGINT"
  readonly line: string
  readonly wait: number
  readonly write?: number
}

/** Starts a program on a folder and ends it as told: the last step it said to have made. */
export const end = (
  program: string,
  { line, signal, wait, write }: Fate,
  folder: string,
  out: string
): Promise<number> =>
  new Promise((resolve, reject) => {
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
