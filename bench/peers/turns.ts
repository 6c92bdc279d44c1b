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

/** Call before the first turn; the machine and its load from then to now. */
export const machine = () => {
  const began = loadavg()[0]!
  return () => ({ cpu: cpus()[0]!.model, cores: cpus().length, load: [began, loadavg()[0]!] })
}
