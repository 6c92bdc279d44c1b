/** The ranking before training, which arms of one start share. */
import * as Effect from "effect/Effect"
import { type Judged, summarise, verdict } from "../../domain/judge.ts"
import { queryOf } from "../../domain/records/options.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import { Shared, type Wanted } from "../../runtime/ports/Shared.ts"
import { readingOf } from "../../runtime/retrieval/dense/sharing.ts"
import { modeOf } from "../../systems/all.ts"
import { evalBatch } from "../costs/evalBatch.ts"
import { evaluate, type EvaluateOptions, type Evaluation } from "../evaluation/evaluate.ts"
import { learned } from "../identity.ts"
import { weightsOf } from "../models.ts"

/** Judged questions with the seconds that it took. */
interface Ranked {
  readonly judged: ReadonlyArray<Judged>
  readonly seconds: number
}

/** The settings that decide what an untrained retriever finds. */
const decisive = (c: RunConfig) => [
  readingOf(c),
  Object.entries(learned(c)).filter(([key]) => /^retriever_(lora|trainable|modules)/.test(key))
]

/** Whether runs may share the ranking: it is known what that of a retriever of texts depends on. */
const isShared = (c: RunConfig): boolean => modeOf(c).traits.queries === undefined

/** What a ranking of texts depends on. */
const dependsOn = Effect.fnUntraced(function*(
  c: RunConfig,
  records: ReadonlyArray<QuestionRecord>,
  { skipped = new Set() }: EvaluateOptions
) {
  const { context, judges: { passages } } = modeOf(c)
  return [
    yield* weightsOf(c.retriever_name_or_path),
    c.seed,
    decisive(c),
    (yield* Corpus).hash,
    records,
    records.map(queryOf(c)),
    [passages, context, [...skipped].toSorted(), yield* evalBatch(c)]
  ]
})

const text = new TextDecoder()
const isRanked = (json: unknown, count: number): json is Ranked => {
  const { judged, seconds } = Object(json) as Partial<Ranked>
  return Array.isArray(judged) && judged.length === count && typeof seconds === "number"
}

/** The ranking of questions under the settings' models, as another arm left it or as it is found; `keep` gets what is judged. */
export const ranking = Effect.fnUntraced(function*<E, R>(
  c: RunConfig,
  records: ReadonlyArray<QuestionRecord>,
  options: EvaluateOptions,
  keep: (judged: ReadonlyArray<Judged>) => Effect.Effect<void, E, R>
) {
  const shared = yield* Shared
  const wanted: Wanted<Ranked> = {
    kind: "rankings",
    of: shared.on && isShared(c) ? yield* dependsOn(c, records, options) : undefined,
    readings: records.length,
    bytes: (ranked) => new TextEncoder().encode(JSON.stringify(ranked)),
    value: (bytes) => {
      const json = JSON.parse(text.decode(bytes)) as unknown
      return isRanked(json, records.length) ? json : undefined
    }
  }
  const all: Array<Judged> = []
  const found = Effect.map(
    evaluate(c, records, options, (judged) => Effect.sync(() => void all.push(...judged))),
    ({ summary: { seconds } }): Ranked => ({ judged: all, seconds })
  )
  const { judged, seconds } = yield* shared.value(wanted, found)
  yield* keep(judged)
  const verdicts = judged.map(verdict)
  return {
    judged: verdicts,
    summary: summarise(verdicts, seconds, options.skipped?.size)
  } satisfies Evaluation as Evaluation
})
