/** Runs of a plan that are the same by what they depend on: they are run once. */
import * as Effect from "effect/Effect"
import type { ConfigError } from "../../domain/settings/configure.ts"
import { unused } from "../../domain/settings/configure.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { sha256 } from "../../runtime/files/disk.ts"
import { systemOf } from "../../systems/all.ts"
import { type Planned, type Run, type Runs, settingsOf } from "./experimentPlan.ts"

/** SHA-256 of the settings that a run depends on: all that matter, but for where it lies. */
export const essence = (c: RunConfig): string => {
  const { spec } = systemOf(c)
  const own = Object.entries(c).filter(([key]) => key !== "output_dir" && unused(spec, c, key) === undefined)
  return sha256(JSON.stringify(own.toSorted(([a], [b]) => a < b ? -1 : 1)))
}

/** An arm of a seed, whose phases lie where the first arm that has them trains them. */
export interface Placed {
  readonly name: string
  readonly phases: ReadonlyArray<Run>
  readonly run: Run
  /** The arm before it that is the same; `undefined` for the first. */
  readonly twin: string | undefined
}

/** Finds out which arms and phases of a seed are the same: both by their own settings and by the phases before them. */
export const placed = (planned: Planned, arms: Runs["arms"]): Effect.Effect<ReadonlyArray<Placed>, ConfigError> =>
  Effect.gen(function*() {
    const [ofArms, ofPhases] = [new Map<string, string>(), new Map<string, Run>()]
    /** What has been before, and this run. */
    const after = (before: string, run: Run) =>
      Effect.map(settingsOf(planned, run), ({ config }) => sha256(before, essence(config)))
    return yield* Effect.forEach(
      arms,
      Effect.fnUntraced(function*({ name, phases, run }) {
        const own: Array<Run> = []
        let key = ""
        for (const phase of phases) {
          key = yield* after(key, phase)
          if (!ofPhases.has(key)) ofPhases.set(key, phase)
          own.push({ ...phase, folder: ofPhases.get(key)!.folder })
        }
        key = yield* after(key, run)
        const twin = ofArms.get(key)
        if (twin === undefined) ofArms.set(key, name)
        return { name, phases: own, run, twin } satisfies Placed as Placed
      })
    )
  })
