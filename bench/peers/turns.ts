/** Contestants in turns, so that all meet the machine in the same moods, and how they compare. */
import { cpus, loadavg } from "node:os"
import { type contestant, median } from "./contestant.ts"

/** Without these, PyTorch gives every large array back to the system and spins between products: many times slower. */
export const tuned = {
  ...process.env,
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "1000000000000",
  MALLOC_TOP_PAD_: "268435456",
  OMP_WAIT_POLICY: "passive"
}

export interface Time {
  readonly seconds: number
  /** Of all its threads. */
  readonly cpu: number
}

type Contestant<T> = Awaited<ReturnType<typeof contestant<T>>>

/** A turn each, one after the other, for each thing that is asked. */
export const inTurns = async (
  contestants: ReadonlyArray<Contestant<any>>,
  asked: ReadonlyArray<unknown>
): Promise<void> => {
  const turns = asked.flatMap((one) => contestants.map(({ turn }) => () => turn(one)))
  await turns.reduce((before, turn) => before.then(turn), Promise.resolve())
  contestants.forEach(({ end }) => end())
}

/** Medians of each, and how the first does beside it. */
export const compared = <T extends Time>(contestants: ReadonlyArray<Contestant<T>>) => {
  const [first] = contestants
  const middle = (of: Contestant<T>, what: "seconds" | "cpu") => median(of.turns.map((t) => t[what]))
  return contestants.map((one) => ({
    name: one.name,
    ready: one.ready,
    times: one.turns,
    seconds: middle(one, "seconds"),
    cpu: middle(one, "cpu"),
    ratio: middle(first!, "seconds") / middle(one, "seconds"),
    cpuRatio: middle(first!, "cpu") / middle(one, "cpu"),
    pairs: one.turns.map((t, i) => first!.turns[i]!.seconds / t.seconds)
  }))
}

/** A training step, and what a contestant says before the first that counts. */
export interface StepTime extends Time {
  readonly loss: number
  /** Greatest resident memory in bytes. */
  readonly peak: number
}
export interface StepReady {
  /** The same up to the end of the first step. */
  readonly startPeak: number
}

const fixed = (value: number): string => value.toFixed(2)
const gigabytes = (bytes: number): string => `${fixed(bytes / 2 ** 30)} GiB`

/** How steps compare, in words: two lines a contestant, whose name is padded to a width. */
export const stepLines = (results: ReturnType<typeof compared<StepTime>>, width: number): ReadonlyArray<string> => {
  const first = results[0]!.times
  const offOf = (times: ReadonlyArray<StepTime>): number =>
    Math.max(...times.map((t, i) => Math.abs(t.loss - first[i]!.loss) / first[i]!.loss))
  return results.map(({ cpu, cpuRatio, name, pairs, ratio, ready, seconds, times }) =>
    [
      `${name.padEnd(width)} ${fixed(seconds)} s a step, ${fixed(cpu)} s of CPU; ${
        gigabytes(Math.max(...times.map(({ peak }) => peak)))
      }, ${gigabytes((ready as StepReady).startPeak)} until the first`,
      `here takes ${fixed(ratio)} of its time (pairs ${fixed(Math.min(...pairs))} to ${fixed(Math.max(...pairs))}), `
      + `${fixed(cpuRatio)} of its CPU time; losses off by ${offOf(times).toExponential(1)}`
    ].join("\n  ")
  )
}

/** Call before the first turn; the machine and its load from then to now. */
export const machine = () => {
  const began = loadavg()[0]!
  return () => ({ cpu: cpus()[0]!.model, cores: cpus().length, load: [began, loadavg()[0]!] })
}
