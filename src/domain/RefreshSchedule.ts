/** When to refresh: Atlas's schedule grammar, `N`, `a-b:N,c-d:M` or `never`; and whether to measure before it, or instead. */

/** Half-open ranges of steps, each with its period; the first range that contains a step applies. */
export type Schedule = ReadonlyArray<{ readonly from: number; readonly to: number; readonly every: number }>

/** Parses a setting into a schedule; `undefined` if it is malformed or has an empty range. */
export const parse = (setting: number | string): Schedule | undefined => {
  const text = String(setting).trim()
  if (text === "never" || text === "-1") return []
  if (/^[1-9]\d*$/.test(text)) return [{ from: 0, to: Infinity, every: Number(text) }]
  const found = text.split(",").map((part) => /^\s*(\d+)-(\d+):([1-9]\d*)\s*$/.exec(part))
  if (found.some((range) => range === null)) return undefined
  const ranges = found.map((range) => ({ from: Number(range![1]), to: Number(range![2]), every: Number(range![3]) }))
  return ranges.every(({ from, to }) => from < to) ? ranges : undefined
}

/** Whether a refresh is due before `step`, counted from the start of its range; never before the first step. */
export const due = (schedule: Schedule, step: number): boolean => {
  const range = schedule.find(({ from, to }) => from <= step && step < to)
  return range !== undefined && step > 0 && (step - range.from) % range.every === 0
}

/** When an index is looked at, and on what condition it is rebuilt then. */
export interface Refresh {
  readonly schedule: Schedule
  /** Questions on which it is measured how stale the index is; 0 for none. */
  readonly probe: number
  /** It is rebuilt only if the rank correlation of stale and fresh scores is below this; `undefined` for always. */
  readonly below: number | undefined
}

const measured = /^(.+?)\s+probe\s+([1-9]\d{0,5})(?:\s+below\s+(1|0?\.\d+))?$/s

/** Parses a setting: a schedule, and after it `probe QUESTIONS`, and after that `below CORRELATION`; `undefined` if malformed. */
export const refreshOf = (setting: number | string): Refresh | undefined => {
  const [, first, probe, below] = measured.exec(String(setting).trim()) ?? []
  const schedule = parse(first ?? setting)
  if (schedule === undefined) return undefined
  return { schedule, probe: Number(probe ?? 0), below: below === undefined ? undefined : Number(below) }
}
