/** Program: evaluates a reader on generative tasks; each that is done under the same conditions is kept. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { isAbsolute, join } from "node:path"
import { documentsOf } from "../../../datasets/benchmarks/records.ts"
import { fromRecords } from "../../../datasets/dataset.ts"
import { spread } from "../../../datasets/splits.ts"
import type { GenerativeTask } from "../../../domain/benchmarks/generativeTask.ts"
import { benchResults } from "../../../domain/fileNames.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import type { RunConfig } from "../../../domain/settings/RunConfig.ts"
import { canonical } from "../../../domain/texts/canonical.ts"
import { readText, replace, sha256Of } from "../../../runtime/files/disk.ts"
import type { Identity } from "../../../runtime/ports/Checkpoints.ts"
import { modeOf } from "../../../systems/all.ts"
import { environment } from "../../environment.ts"
import { readerIdentity } from "../../identity.ts"
import { withReader } from "../../models.ts"
import { answering } from "../../prepare.ts"
import { json, trained } from "../../run.ts"
import { closedBook } from "../../writing/writers.ts"
import { answersTo, overlong } from "./answers.ts"
import { type Asked, askedOf } from "./asked.ts"
import { figuresOf, samplesOf } from "./figures.ts"
import { type Judge, outsideIdentity, type OutsideOptions, withOutside } from "./outside.ts"
import { type AnsweredTask, type Evaluated, type Results, resultsOf, store, stored, together } from "./results.ts"

/** What tasks are evaluated with. */
interface Bench {
  readonly config: RunConfig
  readonly identity: Identity
  /** The folder that the tasks' paths are relative to, and that of the results. */
  readonly data: string
  readonly out: string
  readonly judge: Judge | undefined
}

/** Results of another version of this are computed again. */
const VERSION = 1

/** SHA-256 of what a task's figures depend on; `identity` is that of the reader, `outside` that of what its metrics need. */
export const keyOf = (
  task: GenerativeTask,
  identity: Identity,
  all: ReadonlyArray<Asked>,
  outside: ReadonlyArray<unknown>
): string =>
  sha256Of((function*() {
    yield canonical({ version: VERSION, identity, task: task.given, ...(outside.length > 0 ? { outside } : {}) })
    for (const asked of all) yield `\n${JSON.stringify(asked)}`
  })())

/** What is asked, and of how many records it is taken. */
export const prepared = Effect.fnUntraced(
  function*(config: RunConfig, data: string, task: GenerativeTask, chat: boolean) {
    const documents = yield* documentsOf(task, data, task.split)
    const kept = config.max_eval_samples === 0 ? documents : spread(documents, config.max_eval_samples)
    const examples = task.num_fewshot === 0
      ? []
      : task.fewshot_config?.samples ??
        (task.shots === task.split ? documents : yield* documentsOf(task, data, task.shots))
    const options = { chat, seed: config.seed, cuts: config.excess_length === "truncate" }
    return { all: yield* askedOf(task, kept, examples, options), original: documents.length }
  }
)

/** The lines of the files that metrics need. */
const listedIn = Effect.fnUntraced(function*({ metrics }: GenerativeTask, data: string) {
  const files = metrics.flatMap(({ file }) => file ?? [])
  const texts = yield* Effect.forEach(files, (file) => readText(isAbsolute(file) ? file : join(data, file)))
  const lines = texts.map((text) =>
    new Set(text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== ""))
  )
  return new Map(files.map((file, i) => [file, lines[i]!]))
})

/** The answers to what is asked, with their figures, and the places of prompts that are too long; needs the reader. */
export const answeredBy = Effect.fnUntraced(
  function*(config: RunConfig, task: GenerativeTask, all: ReadonlyArray<Asked>, needed: OutsideOptions) {
    const listed = yield* listedIn(task, needed.data)
    const long = yield* overlong(config, task, all)
    const answers = yield* answersTo(config, task, all)
    return { long, answers, samples: yield* withOutside(task, samplesOf(task, all, answers, listed), needed) }
  }
)

const tell = (task: string, { cut, records, skipped, truncated }: Evaluated) =>
  [
    records > 0 && truncated > 0 &&
    `${task}: ${truncated} of ${records} prompts exceed max_length; their beginning is cut`,
    skipped > 0 &&
    `${task}: ${skipped} of ${records} prompts exceed max_length; they are not asked, and count as wrong`,
    cut > 0 && `${task}: ${cut} texts ended at the greatest length (max_gen_toks)`
  ].filter((line) => line !== false)

/** Evaluates a task, unless it has been under the same conditions. */
const evaluateTask = Effect.fnUntraced(function*(bench: Bench, task: GenerativeTask, chat: boolean) {
  const { config, data, judge } = bench
  const { all, original } = yield* prepared(config, data, task, chat)
  const needed = { task: task.task, data, judge }
  const key = keyOf(task, bench.identity, all, yield* outsideIdentity(task, needed))
  const before = yield* stored(bench.out, task)
  if (before?.anamnesis[task.task]?.key === key) return before
  const began = yield* Clock.currentTimeMillis
  const { answers, long, samples } = yield* answeredBy(config, task, all, needed)
  const now = yield* Clock.currentTimeMillis
  const skips = config.excess_length === "skip"
  const figures = figuresOf(task, samples).filter(({ records }) => records > 0)
  const evaluated: Evaluated = {
    key,
    reader: config.reader_name_or_path,
    chat,
    records: all.length,
    truncated: skips ? 0 : long.size,
    skipped: skips ? long.size : 0,
    cut: answers.reduce((sum, own) => sum + own.cut, 0),
    figures,
    seconds: (now - began) / 1000,
    environment: yield* environment
  }
  for (const line of tell(task.task, evaluated)) yield* Effect.logWarning(line)
  const results = resultsOf(task, evaluated, original, Math.floor(now / 1000))
  yield* store(bench.out, task.task, results, samples)
  return results
})

/** The settings under which a reader answers tasks: without a retriever, with or without its chat template. */
export const reading = (c: RunConfig, chat: boolean): RunConfig => ({ ...closedBook(c), apply_chat_template: chat })

/** Tasks that are asked with the chat template, and those without; each kind opens the model once. */
export const byChat = (c: RunConfig, tasks: ReadonlyArray<GenerativeTask>) =>
  Map.groupBy(tasks, ({ chat }) => chat ?? c.apply_chat_template)

/** The layer of a reader without a retriever. */
export const readerOf = (c: RunConfig) => answering(c, fromRecords([]))

/** What is evaluated, and where. */
interface ReaderOptions extends Pick<Bench, "data" | "out" | "judge"> {
  /** Whether the settings name the reader itself, and not a run, whose checkpoint may have it. */
  readonly named: boolean
}

/** Evaluates tasks, and writes the results of all into one file. */
export const evaluateGenerative = Effect.fn("evaluateGenerative")(
  function*(given: RunConfig, tasks: ReadonlyArray<GenerativeTask>, { data, judge, named, out }: ReaderOptions) {
    const c = closedBook(given)
    const { config } = named ? { config: yield* withReader(c) } : yield* trained(c, withReader)
    if (modeOf(config).traits.reader === "none" || config.reader_name_or_path === "") {
      const problem = "has no reader; set reader_name_or_path, or use bench --reader"
      return yield* new ConfigError({ source: `mode ${given.mode}`, problems: [problem] })
    }
    const done = new Map<string, Results>()
    for (const [chat, own] of byChat(config, tasks)) {
      const asked = reading(config, chat)
      const bench: Bench = { config: asked, data, out, judge, identity: yield* readerIdentity(asked) }
      yield* Effect.forEach(
        own,
        (task) =>
          Effect.tap(evaluateTask(bench, task, chat), (results) => Effect.sync(() => void done.set(task.task, results)))
      ).pipe(
        Effect.provide(readerOf(asked), { local: true })
      )
    }
    const all = tasks.map(({ task }) => done.get(task)!)
    yield* replace(join(out, benchResults), json(together(all)))
    return tasks.map((task, i): AnsweredTask => {
      const own = all[i]!.anamnesis[task.task]!
      const { main_score: main, num_fewshot } = task
      const main_score = own.figures.find(({ metric }) => metric === main)?.mean ?? 0
      return Object.assign({ task: task.task, num_fewshot, main, main_score }, own)
    })
  },
  Effect.scoped
)
