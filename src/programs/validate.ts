/** Program: checks whether a run could start, without starting it. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Leaks, leaksInPassages, leaksInTraining } from "../domain/records/leaks.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { suspicions } from "../domain/settings/contradictions.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import type { Corpus } from "../runtime/ports/Corpus.ts"
import type { ParameterGroup } from "../runtime/ports/Learning.ts"
import { modeOf } from "../systems/all.ts"
import { leaksOfPictures } from "./pictures.ts"
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
  /** By split, those of questions that are to be judged; `undefined` if they were not looked for. */
  readonly leaks?: Readonly<Record<string, Leaks>>
}

/** What the questions of each split but training share with passages and training. */
const leaksOf = Effect.fnUntraced(function*(
  c: RunConfig,
  passages: Corpus["Service"],
  records: ReadonlyMap<string, ReadonlyArray<QuestionRecord>>
) {
  const tests = [...records].filter(([split]) => split !== "train").map(([split, test]) =>
    [split, test, leaksInPassages(test)] as const
  )
  const pictured = modeOf(c).traits.pictures ? yield* leaksOfPictures(c, passages, records) : {}
  if (tests.length === 0) return {}
  yield* Stream.runForEach(passages.all, (passage) => Effect.sync(() => tests.forEach(([, , { see }]) => see(passage))))
  const train = records.get("train") ?? []
  return Object.fromEntries(
    tests.map(([split, test, { leaks }]) =>
      [split, { ...leaks(), ...leaksInTraining(train, test), ...pictured[split] }] as const
    )
  ) as Readonly<Record<string, Leaks>>
})

/** Reads every file and both models; fails with the first thing that would stop the run. Leaks are looked for if asked for. */
export const validate = Effect.fn("validate")(function*(c: RunConfig, seeksLeaks: boolean) {
  const prepared = yield* prepare(c)
  const given = splits.filter((split) =>
    fileOf(c, split) !== "" && (split === "train" || fileOf(c, split) !== prepared.rows)
  )
  const counts = yield* Effect.forEach(
    given,
    Effect.fnUntraced(function*(split) {
      if (fileOf(c, split) === prepared.rows) return [split, prepared.epochs(0).length, []] as const
      const records = yield* judged(c, split, prepared)
      if (split !== "train") yield* fitting(c, fileOf(c, split), "answer", records)
      return [split, records.length, records] as const
    })
  )
  const groups = yield* Effect.provide(parameterGroups, learner(prepared))
  for (const line of suspicions(prepared.config, modeOf(prepared.config).traits)) yield* Effect.logWarning(line)
  return {
    settings: prepared.config,
    passages: prepared.passages.size,
    questions: Object.fromEntries(counts.map(([split, count]) => [split, count])),
    ...(prepared.counts ? { texts: prepared.counts } : {}),
    groups,
    ...(seeksLeaks
      ? { leaks: yield* leaksOf(c, prepared.passages, new Map(counts.map(([split, , own]) => [split, own]))) }
      : {})
  } satisfies Valid as Valid
}, Effect.scoped)
