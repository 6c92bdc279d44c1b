/** Arrays of several steps, stored one after another. */
import type { Data, Feeds } from "./Session.ts"

/** Concatenates the arrays of consecutive steps, by name. */
export const joined = (turns: ReadonlyArray<Feeds<string>>): Record<string, Data> =>
  Object.fromEntries(
    Object.entries(turns[0]!).map(([name, first]) => {
      const all = new (first.constructor as new(length: number) => Data)(turns.length * first.length)
      turns.forEach((turn, k) => all.set(turn[name]!, k * first.length))
      return [name, all]
    })
  )
