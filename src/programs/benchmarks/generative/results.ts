/** Results of generative tasks in the form of lm-evaluation-harness' JSON, with what is ours under one key. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import type { GenerativeTask } from "../../../domain/benchmarks/generativeTask.ts"
import { textOf } from "../../../domain/Content.ts"
import { benchFile, benchSamples } from "../../../domain/fileNames.ts"
import { decodeFile, exists, replace } from "../../../runtime/files/disk.ts"
import * as LineFile from "../../../runtime/files/lineFile.ts"
import { Environment } from "../../environment.ts"
import { json } from "../../run.ts"
import type { Figure, Sample } from "./figures.ts"

const Interval = Schema.Struct({
  metric: Schema.String,
  filter: Schema.String,
  mean: Schema.Finite,
  low: Schema.NullOr(Schema.Finite),
  high: Schema.NullOr(Schema.Finite),
  stderr: Schema.NullOr(Schema.Finite),
  records: Schema.Natural
})

/** How a task was evaluated. */
const Evaluated = Schema.Struct({
  /** SHA-256 of reader, settings, task and prompts. */
  key: Schema.String,
  reader: Schema.String,
  chat: Schema.Boolean,
  records: Schema.Natural,
  /** Prompts that lost their beginning, and those that were not asked and count as wrong. */
  truncated: Schema.Natural,
  skipped: Schema.Natural,
  /** Texts that ended at the greatest length. */
  cut: Schema.Natural,
  figures: Schema.Array(Interval),
  seconds: Schema.Finite,
  environment: Environment
})
/** How a task was evaluated, with its figures. */
export type Evaluated = typeof Evaluated.Type

/** A task with its figures. */
export interface AnsweredTask extends Evaluated {
  readonly task: string
  /** The name of the main score, and its value under the first filter; 0 if no record has one. */
  readonly main: string
  readonly main_score: number
  readonly num_fewshot: number
}

const Named = Schema.Record(Schema.String, Schema.Unknown)
const Results = Schema.Struct({
  results: Schema.Record(Schema.String, Named),
  group_subtasks: Named,
  configs: Named,
  versions: Named,
  "n-shot": Named,
  higher_is_better: Named,
  "n-samples": Named,
  config: Named,
  date: Schema.Finite,
  anamnesis: Schema.Record(Schema.String, Evaluated)
})
/** The results of one or several tasks. */
export type Results = typeof Results.Type

/** `acc,none` and `acc_stderr,none`, as lm-evaluation-harness names them. */
const named = ({ filter, mean, metric, stderr }: Figure): Readonly<Record<string, unknown>> => ({
  [`${metric},${filter}`]: mean,
  [`${metric}_stderr,${filter}`]: stderr ?? "N/A"
})

/** Shares of answers that were not judged, or that depend on the order of options. */
const isLoss = (metric: string): boolean => /_(?:unparsed|refused)$|^order_dependent$/.test(metric)

/** The results of a task. */
export const resultsOf = (task: GenerativeTask, evaluated: Evaluated, original: number, date: number): Results => {
  const { figures, reader, records } = evaluated
  const { num_fewshot, task: name, task_alias } = task
  return {
    results: { [name]: Object.assign({ alias: task_alias ?? name }, ...figures.map(named)) as Record<string, unknown> },
    group_subtasks: { [name]: [] },
    configs: { [name]: task.given },
    versions: { [name]: task.metadata?.["version"] ?? "N/A" },
    "n-shot": { [name]: num_fewshot },
    higher_is_better: { [name]: Object.fromEntries(figures.map(({ metric }) => [metric, !isLoss(metric)])) },
    "n-samples": { [name]: { original, effective: records } },
    config: { model: "anamnesis", model_args: { pretrained: reader } },
    date,
    anamnesis: { [name]: evaluated }
  }
}

const merged = <A extends object>(all: ReadonlyArray<A>): A => Object.assign({}, ...all) as A

/** The results of several tasks as one. */
export const together = (all: ReadonlyArray<Results>): Results => ({
  results: merged(all.map((own) => own.results)),
  group_subtasks: merged(all.map((own) => own.group_subtasks)),
  configs: merged(all.map((own) => own.configs)),
  versions: merged(all.map((own) => own.versions)),
  "n-shot": merged(all.map((own) => own["n-shot"])),
  higher_is_better: merged(all.map((own) => own.higher_is_better)),
  "n-samples": merged(all.map((own) => own["n-samples"])),
  config: all[0]!.config,
  date: Math.max(...all.map(({ date }) => date)),
  anamnesis: merged(all.map((own) => own.anamnesis))
})

/** The stored results of a task; `undefined` if it has none. */
export const stored = Effect.fnUntraced(function*(folder: string, task: GenerativeTask) {
  const path = join(folder, benchFile(task.task))
  if (!(yield* exists(path))) return undefined
  return yield* decodeFile(path, Schema.decodeUnknownEffect(Results))
})

/** A sample as a line. */
const lineOf = ({ answered, asked, figures, filter, filtered }: Sample): string =>
  JSON.stringify({
    doc_id: asked.at,
    id: asked.id,
    group: asked.group,
    target: asked.references.length === 1 ? asked.references[0] : asked.references,
    arguments: asked.prompt.map(({ content, role }) => ({ role, content: textOf(content) })),
    ...(asked.choices.length > 0 ? { choices: asked.choices } : {}),
    resps: answered.texts.length > 0 ? answered.texts : answered.likelihoods,
    ...(answered.ordered
      ? { option_probabilities: answered.ordered.probabilities, order_answers: answered.ordered.answers }
      : {}),
    filter,
    filtered_resps: filtered,
    ...figures
  })

/** Stores the results of a task, and its samples beside them. */
export const store = Effect.fnUntraced(
  function*(folder: string, task: string, results: Results, samples: ReadonlyArray<Sample>) {
    const file = yield* LineFile.make(join(folder, benchSamples(task)))
    yield* file.add(samples.map(lineOf))
    yield* file.finish
    yield* replace(join(folder, benchFile(task)), json(results))
  },
  Effect.scoped
)
