/** Program: checks whether a run could start, without starting it. */
import * as Effect from "effect/Effect"
import { suspicions } from "../domain/settings/contradictions.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import type { ParameterGroup } from "../runtime/ports/Learning.ts"
import { modeOf } from "../systems/all.ts"
import { fitting } from "./preflight.ts"
import { fileOf, judged, learner, prepare, splits } from "./prepare.ts"
import { parameterGroups } from "./training/course.ts"

/** Summary of a valid run. */
export interface Valid {
  readonly settings: RunConfig
  readonly passages: number
  readonly questions: Readonly<Record<string, number>>
  /** What was counted of training rows that are texts: "tokens", "rows". */
  readonly texts?: Readonly<Record<string, number>>
  readonly groups: ReadonlyArray<ParameterGroup>
}

/** Reads every file and both models; fails with the first thing that would stop the run. */
export const validate = Effect.fn("validate")(function*(c: RunConfig) {
  const prepared = yield* prepare(c)
  const given = splits.filter((split) =>
    fileOf(c, split) !== "" && (split === "train" || fileOf(c, split) !== prepared.rows)
  )
  const counts = yield* Effect.forEach(
    given,
    Effect.fnUntraced(function*(split) {
      if (fileOf(c, split) === prepared.rows) return [split, prepared.epochs(0).length] as const
      const records = yield* judged(c, split, prepared)
      if (split !== "train") yield* fitting(c, fileOf(c, split), "answer", records)
      return [split, records.length] as const
    })
  )
  const groups = yield* Effect.provide(parameterGroups, learner(prepared))
  for (const line of suspicions(prepared.config, modeOf(prepared.config).traits)) yield* Effect.logWarning(line)
  return {
    settings: prepared.config,
    passages: prepared.passages.size,
    questions: Object.fromEntries(counts),
    ...(prepared.counts ? { texts: prepared.counts } : {}),
    groups
  } satisfies Valid as Valid
}, Effect.scoped)
