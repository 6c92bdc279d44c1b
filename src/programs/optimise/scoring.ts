/** Scores of prompts on questions, each evaluated once and kept. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { Outcome, Split } from "../../domain/gepa/gepa.ts"
import type { Texts } from "../../domain/gepa/merge.ts"
import type { Judged } from "../../domain/judge.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { aboutOf } from "../../domain/settings/setting.ts"
import { canonical } from "../../domain/texts/canonical.ts"
import { sha256 } from "../../runtime/files/disk.ts"
import type { Store } from "../../runtime/files/store.ts"
import * as Local from "../../runtime/language/local.ts"
import * as Corpus from "../../runtime/ports/Corpus.ts"
import * as Reporter from "../../runtime/ports/Reporter.ts"
import { modeOf, systemOf } from "../../systems/all.ts"
import { evaluate } from "../evaluation/evaluate.ts"
import { answering } from "../prepare.ts"
import { feedbackOf, scoreOf, shownOf } from "./feedback.ts"
import type { Tunable } from "./tunable.ts"

/** The questions of each split. */
export type Questions = Readonly<Record<Split, ReadonlyArray<QuestionRecord>>>

/** The settings that hold models, by name; their files count in their place. */
const models = ["reader_name_or_path", "retriever_name_or_path"] as const

/** All that a score depends on but the prompts and the question. */
export const identityOf = Effect.fnUntraced(function*(c: RunConfig, corpus: string, metric: Tunable["metric"]) {
  const { fields } = systemOf(c).spec
  const { reader, retriever } = modeOf(c).traits
  const used = { reader_name_or_path: reader !== "none", retriever_name_or_path: /frozen|trained/.test(retriever) }
  const hashes: Record<string, string> = {}
  for (const key of models) if (used[key]) hashes[key] = yield* Local.identityOf(c[key])
  const settings = Object.entries(c).filter(([key]) => aboutOf(fields[key]!).affects !== "output")
  return { v: 1, corpus, metric, ...Object.fromEntries(settings), ...hashes }
})

/** The texts of the passages that the feedback shows. */
const textsOf = Effect.fnUntraced(function*(judged: ReadonlyArray<Judged>) {
  const { read, row } = yield* Corpus.Corpus
  const ids = [...new Set(judged.flatMap(shownOf))].filter((id) => row(id) >= 0)
  const passages = yield* read(ids.map(row))
  return new Map(passages.map(({ id, text }) => [id, text]))
})

/** Evaluates questions under settings; the services are there, or opened for it. */
const measured = Effect.fnUntraced(function*(
  c: RunConfig,
  records: ReadonlyArray<QuestionRecord>,
  { metric }: Tunable
) {
  const found: Array<Judged> = []
  const read = metric === "accuracy"
  yield* evaluate(c, records, { read, task: "prompt" }, (judged) => Effect.sync(() => void found.push(...judged)))
    .pipe(Effect.provide(Reporter.silent), Effect.provideService(References.MinimumLogLevel, "Warn"))
  const texts = yield* textsOf(found)
  return found.map((judged, i): Outcome => ({
    score: scoreOf(judged, metric),
    feedback: feedbackOf(records[i]!, judged, texts, metric)
  }))
})

const isOutcome = (value: unknown): value is Outcome =>
  typeof value === "object" && value !== null && "score" in value && typeof value.score === "number"
  && "feedback" in value && typeof value.feedback === "string"

/** The settings with prompts in them. */
export const withTexts = (c: RunConfig, texts: Texts): RunConfig => ({ ...c, ...texts })

/** How prompts are scored; `how` is the same for all of them. */
export const scoring = Effect.fnUntraced(function*(
  c: RunConfig,
  questions: Questions,
  how: Tunable,
  store: Store
) {
  const corpus = yield* Corpus.Corpus
  const identity = yield* identityOf(c, corpus.hash, how.metric)
  const keyOf = (texts: Texts, record: QuestionRecord) => sha256(canonical({ ...identity, ...texts, record }))
  const counts = { evaluated: 0, kept: 0 }
  const run = (own: RunConfig, records: ReadonlyArray<QuestionRecord>) =>
    how.read === "asked"
      ? measured(own, records, how)
      : Effect.provide(measured(own, records, how), answering(own, corpus), { local: true })

  const score = Effect.fnUntraced(function*(texts: Texts, split: Split, examples: ReadonlyArray<number>) {
    const asked = examples.map((i) => questions[split][i]!)
    const keys = asked.map((record) => keyOf(texts, record))
    const found = new Map<string, Outcome>()
    for (const key of new Set(keys)) {
      const before = yield* store.get(key)
      if (isOutcome(before)) found.set(key, before)
    }
    const missing = [...new Map(keys.map((key, i) => [key, asked[i]!]))].filter(([key]) => !found.has(key))
    counts.kept += found.size
    counts.evaluated += missing.length
    const made = missing.length === 0 ? [] : yield* run(withTexts(c, texts), missing.map(([, record]) => record))
    for (const [i, [key]] of missing.entries()) {
      yield* store.put(key, made[i]!)
      found.set(key, made[i]!)
    }
    return keys.map((key) => found.get(key)!)
  })
  return { score, counts: () => ({ ...counts }) }
})
