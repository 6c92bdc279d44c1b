/** Progress of long tasks: a single updated line on a terminal, occasional lines elsewhere. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Progress, Reporter } from "../runtime/ports/Reporter.ts"

const clock = (seconds: number): string => {
  if (!(seconds < 1e6)) return "-"
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

export const line = ({ done, each, figures, seconds, start, task, total, unit }: Progress): string => {
  const rate = (done - start) / Math.max(seconds, 1e-9)
  const shown = Object.entries(figures).map(([name, value]) => `${name} ${value.toPrecision(4)}`)
  const speed = `${(rate * each).toFixed(1)} ${unit}/s`
  return [`${task} ${done}/${total}`, ...shown, speed, `ETA ${clock((total - done) / Math.max(rate, 1e-9))}`].join("  ")
}

const write = (text: string): void => void process.stderr.write(text)

/** For a terminal: updates the line at most five times a second. */
export const terminal = Layer.sync(Reporter, () => {
  let last = 0
  return {
    report: (p) =>
      Effect.sync(() => {
        const now = performance.now()
        const finished = p.done === p.total
        if (!finished && now - last < 200) return
        last = now
        write(`\r\u001b[K${line(p)}${finished ? "\n" : ""}`)
      }),
    note: (text) => Effect.sync(() => write(`\r\u001b[K${text}\n`))
  }
})

/** For a file or pipe: occasional lines. */
export const lines = Layer.sync(Reporter, () => {
  const told = new Map<string, number>()
  return {
    report: (p) =>
      Effect.sync(() => {
        const part = p.every ? Math.floor(p.done / p.every) : Math.floor(10 * p.done / p.total)
        if (told.get(p.task) === part && p.done < p.total) return
        told.set(p.task, part)
        write(`${line(p)}\n`)
      }),
    note: (text) => Effect.sync(() => write(`${text}\n`))
  }
})

/** Prints only notes. */
export const quiet = Layer.succeed(Reporter, {
  report: () => Effect.void,
  note: (text) => Effect.sync(() => write(`${text}\n`))
})

/** Chosen by the type of output; quiet in CI. */
export const layer: Layer.Layer<Reporter> = process.env["CI"] ? quiet : process.stderr.isTTY ? terminal : lines
