/** Development sets of tasks that a reader answers: merged models are scored by the tasks' main scores. */
import * as Effect from "effect/Effect"
import type { GenerativeTask } from "../../domain/benchmarks/generativeTask.ts"
import * as Key from "../../domain/Key.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { folders } from "../../domain/settings/models.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import type { Identity } from "../../runtime/ports/Checkpoints.ts"
import { overlong } from "../benchmarks/generative/answers.ts"
import type { Asked } from "../benchmarks/generative/asked.ts"
import { answeredBy, keyOf, prepared, readerOf, reading } from "../benchmarks/generative/evaluate.ts"
import type { Sample } from "../benchmarks/generative/figures.ts"
import { outsideIdentity } from "../benchmarks/generative/outside.ts"
import { readerSettings } from "../identity.ts"
import type { Level } from "./file.ts"

/** How tasks are asked. */
export interface AnsweredOptions {
  /** Settings of the reader, whose folder is each candidate's. */
  readonly config: RunConfig
  /** A model folder with the candidates' tokenizer, by which prompts that are too long are found beforehand. */
  readonly folder: string
  readonly data: string
  readonly levels: ReadonlyArray<Level>
  readonly seed: number
}

/** A level's share of a task: the first records of a random order. */
const sampledOf = (all: ReadonlyArray<Asked>, key: Key.Key, { examples }: Level): ReadonlyArray<Asked> =>
  examples === undefined || examples >= all.length
    ? all
    : [...Key.permutation(key, all.length).subarray(0, examples)].map((place) => all[place]!)

const refused = ({ task }: GenerativeTask, problem: string) =>
  new ConfigError({ source: `task ${task}`, problems: [problem] })

/** The main scores of records, under the first pipeline of filters; fails at a record without one. */
const mainScores = Effect.fnUntraced(function*(task: GenerativeTask, samples: ReadonlyArray<Sample>) {
  const own = samples.filter(({ filter }) => filter === samples[0]!.filter)
  return yield* Effect.forEach(own, ({ asked: { id }, figures }) => {
    const value = figures[task.main_score]
    return typeof value === "number"
      ? Effect.succeed(value)
      : Effect.fail(refused(task, `record ${id} has no ${task.main_score}, which is the main_score; name another`))
  })
})

/** What a user should know of a task that models are chosen by. */
const told = ({ split, task }: GenerativeTask, long: number, records: number): ReadonlyArray<string> => [
  ...split !== undefined && /^test/i.test(split)
    ? [`${task}: a search on the split ${split} makes its figures no test figures any more`]
    : [],
  ...long > 0
    ? [`${task}: ${long} of ${records} prompts exceed max_length, and are cut or skipped (excess_length)`]
    : []
]

const ofTask = Effect.fnUntraced(function*(task: GenerativeTask, options: AnsweredOptions) {
  const { config, data, folder, levels, seed } = options
  if (task.metrics.some(({ names, ofLabels }) => ofLabels && names.includes(task.main_score))) {
    const why = "is one figure of all records; a search needs one of each record"
    return yield* refused(task, `main_score: ${task.main_score} ${why}`)
  }
  if (task.metrics.some(({ outside }) => outside?._tag === "Judge")) {
    return yield* refused(task, "has a metric by a judge, which a search does not ask; leave the metric out")
  }
  const chat = task.chat ?? config.apply_chat_template
  const of = (own: string): RunConfig => reading({ ...config, [folders.reader]: own }, chat)
  const { all } = yield* prepared(of(folder), data, task, chat)
  const long = yield* overlong(of(folder), task, all)
  for (const line of told(task, long.size, all.length)) yield* Effect.logWarning(line)
  const key = Key.fold(Key.make(seed), "merge-search", task.task)
  const samples = levels.map((level) => sampledOf(all, key, level))
  const settings = readerSettings(of(folder))
  const needed = { task: task.task, data, judge: undefined }
  const outside = yield* outsideIdentity(task, needed)
  return {
    name: task.task,
    examples: (level: number) => samples[level]!.length,
    cost: (level: number) => samples[level]!.length,
    key: (model: Identity, level: number) => keyOf(task, { ...model, ...settings }, samples[level]!, outside),
    tell: () => Effect.void,
    scores: (own: string, level: number) =>
      answeredBy(of(own), task, samples[level]!, needed).pipe(
        Effect.provide(readerOf(of(own)), { local: true }),
        Effect.flatMap((answered) => mainScores(task, answered.samples))
      )
  }
})

/** The development sets of tasks that a reader answers, one each. */
export const answered = Effect.fnUntraced(function*(tasks: ReadonlyArray<GenerativeTask>, options: AnsweredOptions) {
  return yield* Effect.forEach(tasks, (task) => ofTask(task, options))
})
