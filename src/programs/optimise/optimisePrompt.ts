/** Program: optimises prompts among a run's settings with GEPA, scored on its train and validation questions. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { spread } from "../../datasets/splits.ts"
import { optimisationFiles as files } from "../../domain/fileNames.ts"
import { metricCalls, type Size, sizes } from "../../domain/gepa/budget.ts"
import { type Event, optimise, type Optimised } from "../../domain/gepa/gepa.ts"
import { mean } from "../../domain/gepa/pareto.ts"
import { ConfigError, unused } from "../../domain/settings/configure.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { replace } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import * as Store from "../../runtime/files/store.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { type Spent, Writer } from "../../runtime/ports/Writer.ts"
import { modeOf, systemOf } from "../../systems/all.ts"
import { answering, corpus, judged } from "../prepare.ts"
import { json, trained } from "../run.ts"
import { load } from "../writing/template.ts"
import { type Proposals, reflecting } from "./reflecting.ts"
import { scoring } from "./scoring.ts"
import { textOf, tunable, tunablesOf } from "./tunable.ts"

/** What is optimised, and how long. */
export interface OptimiseOptions {
  readonly settings: ReadonlyArray<string>
  readonly output: string
  readonly size: Size
  /** In place of the size's, if given. */
  readonly max_metric_calls: number | undefined
  readonly prompt: string | undefined
  readonly maxTokens: number
  readonly seed: number
}

/** What an optimisation came to. */
export interface OptimiseReport {
  readonly metric: string
  readonly train: number
  readonly validation: number
  readonly minibatch: number
  readonly metric_calls: number
  /** Evaluations that were made now, and those found from before. */
  readonly evaluated: number
  readonly kept: number
  readonly candidates: number
  readonly proposals: Proposals
  /** Means on the validation questions, of the prompts at first and of the best. */
  readonly first: number
  readonly best: number
  readonly prompts: Readonly<Record<string, string>>
  readonly reflection_by: string
  readonly spent: Spent
}

/** What is wrong with the settings that are to be optimised. */
const problemsOf = (c: RunConfig, settings: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { spec } = systemOf(c)
  const known = tunablesOf(spec.fields)
  const own = settings.filter((name) => known.includes(name))
  const metrics = new Set(own.map((name) => tunable[name]!.metric))
  const { reader, retriever } = modeOf(c).traits
  return [
    settings.length === 0 && "name at least one setting",
    ...settings.filter((name) => !known.includes(name)).map((name) =>
      `${name} is no prompt that is optimised here; these are: ${known.join(", ")}`
    ),
    ...own.flatMap((name) => unused(spec, c, name) ?? []).map((text) => `without effect: ${text}`),
    metrics.size > 1 && "prompts of the reader and of the retriever are scored apart: name those of one",
    metrics.has("accuracy") && reader === "none" && `mode ${c.mode} has no reader that answers`,
    metrics.has("ndcg") && retriever === "none" && `mode ${c.mode} has no retriever`,
    new Set(settings).size < settings.length && "a setting is named twice"
  ].filter((problem) => problem !== false)
}

/** A log of events, written whole after each. */
const logIn = (folder: string, calls: number) => {
  const lines: Array<string> = []
  return Effect.fnUntraced(function*(event: Event) {
    lines.push(`${JSON.stringify(event)}\n`)
    yield* replace(join(folder, files.log), new TextEncoder().encode(lines.join("")))
    const { compared, outcome, scores } = event
    const sums = compared === null ? "" : `, ${compared.map((sum) => sum.toFixed(2)).join(" to ")} on a minibatch`
    const own = scores === null ? "" : `, ${mean(scores).toFixed(4)} on validation`
    yield* (yield* Reporter).note(`${event.kind} ${event.iteration}: ${outcome}${sums}${own} (${event.calls}/${calls})`)
  })
}

/** The settings under which prompts are scored: a prompt that is too long leaves its question unanswered, and is wrong. */
const patient = (c: RunConfig): RunConfig => c.excess_length === "raise" ? { ...c, excess_length: "skip" } : c

const reportOf = ({ best, calls, pool }: Optimised) => ({
  metric_calls: calls,
  candidates: pool.length,
  first: mean(pool[0]!.scores),
  best: mean(pool[best]!.scores),
  prompts: pool[best]!.texts
})

const places = { instruction: "needed", examples: "needed", purpose: "possible", rules: "possible" } as const

/** What an optimisation works on: its questions, how they are scored, and for how long. */
const prepared = Effect.fnUntraced(function*(given: RunConfig, o: OptimiseOptions) {
  const problems = problemsOf(given, o.settings)
  if (problems.length > 0) return yield* new ConfigError({ source: "optimize-prompt", problems })
  const template = yield* load(o.prompt, "reflect", places)
  const config = patient((yield* trained(given)).config)
  const data = yield* corpus(config)
  const { examples, minibatch } = sizes[o.size]
  const train = spread(yield* judged(config, "train", data), examples)
  const val = spread(yield* judged(config, "validation", data), examples)
  const calls = o.max_metric_calls ?? metricCalls(o.size, o.settings.length, val.length)
  const seed = Object.fromEntries(o.settings.map((name) => [name, textOf(config, name)]))
  return { config, data, questions: { train, val }, how: tunable[o.settings[0]!]!, calls, minibatch, seed, template }
})

/** What an optimisation would take. */
export interface OptimisePlan {
  readonly train: number
  readonly validation: number
  readonly minibatch: number
  readonly metric_calls: number
  /** Requests for a better prompt at most. */
  readonly proposals: number
  readonly prompts: Readonly<Record<string, string>>
  /** How they are asked for. */
  readonly template: string
}

/** What an optimisation would take, without an evaluation or a request. */
export const planOptimisation = Effect.fn("planOptimisation")(function*(given: RunConfig, o: OptimiseOptions) {
  const { calls, minibatch, questions, seed, template: { fill } } = yield* prepared(given, o)
  const [train, validation] = [questions.train.length, questions.val.length]
  const named = { instruction: "{instruction}", examples: "{examples}", purpose: "{purpose}", rules: "{rules}" }
  return {
    train,
    validation,
    minibatch,
    metric_calls: calls,
    proposals: Math.max(0, Math.ceil((calls - validation) / minibatch)),
    prompts: seed,
    template: fill(named)
  } satisfies OptimisePlan as OptimisePlan
}, Effect.scoped)

/** Optimises prompts; writes the best ones, a log of all candidates and a report to the folder, where it also goes on. */
export const optimisePrompt = Effect.fn("optimisePrompt")(function*(given: RunConfig, o: OptimiseOptions) {
  const { calls, config: c, data, how, minibatch, questions, seed, template } = yield* prepared(given, o)
  yield* Lock.hold(o.output)
  const store = yield* Store.open(join(o.output, files.scores))
  const proposals: Proposals = { asked: 0, unanswered: 0, malformed: 0 }
  return yield* Effect.gen(function*() {
    const { counts, score } = yield* scoring(c, questions, how, store)
    const reflect = reflecting(c, systemOf(c).spec.fields, seed, template, o.maxTokens, proposals)
    const [train, validation] = [questions.train.length, questions.val.length]
    const found = yield* optimise(
      { seed, train, val: validation, evaluate: score, reflect },
      { max_metric_calls: calls, minibatch, merge: true, max_merges: 5, seed: o.seed },
      logIn(o.output, calls)
    )
    const { name: reflection_by, spent } = yield* Writer
    const own = { ...reportOf(found), ...counts(), proposals, reflection_by, spent: yield* spent }
    const report: OptimiseReport = { metric: how.metric, train, validation, minibatch, ...own }
    yield* replace(join(o.output, files.best), json(report.prompts))
    yield* replace(join(o.output, files.report), json(report))
    return report
  }).pipe(Effect.provide(answering(c, data.passages)))
}, Effect.scoped)
