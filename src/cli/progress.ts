/** Progress of long tasks: a single updated line on a terminal, occasional lines elsewhere. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Progress, Reporter } from "../runtime/ports/Reporter.ts"
import { History, sparkline } from "./sparkline.ts"

const clock = (seconds: number): string => {
  if (!(seconds < 1e6)) return "-"
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

/** A task in a line; `curve` gives what stands behind a figure. */
export const line = (
  { done, each, figures, seconds, start, task, total, unit }: Progress,
  curve: (name: string) => string = () => ""
): string => {
  const rate = (done - start) / Math.max(seconds, 1e-9)
  const shown = Object.entries(figures).map(([name, value]) => `${name} ${value.toPrecision(4)}${curve(name)}`)
  const speed = `${(rate * each).toFixed(1)} ${unit}/s`
  return [`${task} ${done}/${total}`, ...shown, speed, `ETA ${clock((total - done) / Math.max(rate, 1e-9))}`].join("  ")
}

const write = (text: string): void => void process.stderr.write(text)

/** Characters of a loss's curve; even. */
const WIDTH = 16

const isLoss = (name: string): boolean => /loss$/i.test(name)

/** The curves of a task's losses since it was first told of, behind their figures. */
const curves = () => {
  let task = ""
  const histories = new Map<string, History>()
  return (p: Progress) => {
    if (p.task !== task) histories.clear()
    task = p.task
    for (const [name, value] of Object.entries(p.figures)) {
      if (!isLoss(name)) continue
      if (!histories.has(name)) histories.set(name, new History(WIDTH))
      histories.get(name)!.add(value)
    }
    return (name: string): string => {
      const values = histories.get(name)?.values() ?? []
      return values.length > 1 ? ` ${sparkline(values)}` : ""
    }
  }
}

/** The line with the curves of losses, or without, if the terminal is too narrow for them. */
const fitting = (p: Progress, curve: (name: string) => string, columns: number): string => {
  const full = line(p, curve)
  return full.length < columns ? full : line(p)
}

/** For a terminal: updates the line at most five times a second, with the curves of the losses. */
export const terminal = Layer.sync(Reporter, () => {
  let last = 0
  const drawn = curves()
  return {
    report: (p) =>
      Effect.sync(() => {
        const curve = drawn(p)
        const now = performance.now()
        const finished = p.done === p.total
        if (!finished && now - last < 200) return
        last = now
        write(`\r\u001b[K${fitting(p, curve, process.stderr.columns ?? 80)}${finished ? "\n" : ""}`)
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
