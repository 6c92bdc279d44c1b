/**
 * Tasks that a language model answers, as YAML files describe them: the declarative part of lm-evaluation-harness' form, and
 * keys of ours beside it. What runs Python there is refused by name.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief } from "../brief.ts"
import { issuesOf, pathText } from "../issues.ts"
import { didYouMean } from "../nearest.ts"
import type { Raw } from "../settings/RunConfig.ts"
import { filtersOf, type Pipeline } from "./filters.ts"
import { metricsOf, type MetricSpec } from "./metrics.ts"

/** How a task is answered: by a written text, or by the likelihoods of its choices. */
export const generative = ["generate_until", "multiple_choice"] as const

const optional = Schema.optionalKey
const Entries = Schema.Array(Schema.Record(Schema.String, Schema.Unknown))
const Files = Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)])
/** A template, or a constant. */
const Text = Schema.String

const fields = {
  task: Schema.NonEmptyString.check(
    Schema.makeFilter((name: string) =>
      /^[\p{L}\p{N}][\p{L}\p{N} ._+-]*$/u.test(name) || "has to be a name of letters, digits, blanks and ._+-"
    )
  ),
  task_alias: optional(Schema.NonEmptyString),
  tag: optional(Schema.Union([Schema.String, Schema.Array(Schema.String)])),
  output_type: Schema.Literals(generative),
  /** A file or a folder; or `json`, `csv` or `parquet`, with files in dataset_kwargs. */
  dataset_path: Schema.NonEmptyString,
  dataset_name: optional(Schema.NullOr(Schema.NonEmptyString)),
  dataset_kwargs: optional(Schema.Struct({ data_files: Schema.Union([Files, Schema.Record(Schema.String, Files)]) })),
  /** Keeps records whose fields have these values, or one of these; of all splits. */
  dataset_where: optional(
    Schema.Record(
      Schema.String,
      Schema.Union([Schema.String, Schema.Finite, Schema.Array(Schema.Union([Schema.String, Schema.Finite]))])
    )
  ),
  /** Puts the record of another file into each: the one whose `right` is the record's `left`, or the first of its list. */
  dataset_join: optional(Schema.Struct({
    path: Schema.NonEmptyString,
    left: Schema.NonEmptyString,
    right: Schema.NonEmptyString,
    as: Schema.NonEmptyString
  })),
  training_split: optional(Schema.NullOr(Schema.NonEmptyString)),
  validation_split: optional(Schema.NullOr(Schema.NonEmptyString)),
  test_split: optional(Schema.NullOr(Schema.NonEmptyString)),
  fewshot_split: optional(Schema.NullOr(Schema.NonEmptyString)),
  num_fewshot: optional(Schema.Natural),
  fewshot_config: optional(Schema.Struct({
    sampler: optional(Schema.Literals(["default", "first_n"])),
    split: optional(Schema.NonEmptyString),
    samples: optional(Entries)
  })),
  description: optional(Text),
  system: optional(Text),
  chat: optional(Schema.Boolean),
  doc_to_text: Text,
  doc_to_target: Schema.Union([Text, Schema.Natural]),
  doc_to_choice: optional(Schema.Union([Text, Schema.NonEmptyArray(Schema.String)])),
  target_delimiter: optional(Text),
  fewshot_delimiter: optional(Text),
  gen_prefix: optional(Schema.NullOr(Text)),
  generation_kwargs: optional(Schema.Struct({
    until: optional(Schema.Union([Schema.String, Schema.Array(Schema.String)])),
    max_gen_toks: optional(Schema.Natural.check(Schema.isGreaterThan(0))),
    temperature: optional(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
    top_p: optional(Schema.Finite),
    top_k: optional(Schema.Natural),
    do_sample: optional(Schema.Boolean)
  })),
  repeats: optional(Schema.Natural.check(Schema.isGreaterThan(0))),
  filter_list: optional(Entries),
  metric_list: optional(Entries),
  /** The figure that searches and choices go by, of the first filter; the first of the metrics, if not given. */
  main_score: optional(Schema.NonEmptyString),
  /** The field whose equal values are resampled together. */
  group_field: optional(Schema.NonEmptyString),
  metadata: optional(Schema.Record(Schema.String, Schema.Unknown))
}
const File = Schema.Struct(fields)
type File = typeof File.Type

/** Keys of lm-evaluation-harness that are not taken, and why. */
const foreign: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["process_docs", "process_results", "class", "custom_dataset", "function"].map((key) => [key, "runs Python"])
  ),
  ...Object.fromEntries(["doc_to_image", "doc_to_audio"].map((key) => [key, "is for images or sound"])),
  use_prompt: "takes a prompt out of promptsource",
  should_decontaminate: "is not known here; bench --train finds what training has seen in retrieval tasks alone",
  doc_to_decontamination_query: "is not known here",
  process_choices: "runs Python"
}

/** A task that a language model answers. */
export interface GenerativeTask extends
  Omit<
    File,
    "metric_list" | "filter_list" | "target_delimiter" | "fewshot_delimiter" | "num_fewshot" | "repeats" | "main_score"
  >
{
  readonly main_score: string
  readonly target_delimiter: string
  readonly fewshot_delimiter: string
  readonly num_fewshot: number
  readonly repeats: number
  /** The split that is asked. */
  readonly split: string | undefined
  /** The split that examples are from. */
  readonly shots: string | undefined
  readonly until: ReadonlyArray<string>
  readonly filters: ReadonlyArray<Pipeline>
  readonly metrics: ReadonlyArray<MetricSpec>
  /** The task as it is in its file. */
  readonly given: Raw
}

/** Problems with keys before they are decoded. */
const early = (raw: Raw): ReadonlyArray<string> =>
  Object.keys(raw).filter((key) => !Object.hasOwn(fields, key)).map((key) => {
    if (Object.hasOwn(foreign, key)) return `${key} ${foreign[key]!}, and is not supported`
    const near = didYouMean(key, Object.keys(fields))
    return `${brief(key)} is no key of a task${near === undefined ? "" : `, did you mean "${near}"?`}`
  })

/** Problems between keys. */
const late = (task: File): ReadonlyArray<string> => {
  const choices = task.output_type === "multiple_choice"
  const named = /^(?:json|csv|parquet)$/.test(task.dataset_path)
  return [
    choices && task.doc_to_choice === undefined && "multiple_choice needs a doc_to_choice",
    choices && task.filter_list !== undefined && "filter_list: multiple_choice has no texts to filter",
    choices && task.generation_kwargs !== undefined && "generation_kwargs: multiple_choice writes nothing",
    choices && (task.repeats ?? 1) > 1 && "repeats: the likelihoods of multiple_choice are the same each time",
    named !== (task.dataset_kwargs !== undefined)
    && "dataset_kwargs.data_files goes with dataset_path json, csv or parquet, and only with these",
    task.fewshot_config?.samples !== undefined && (task.fewshot_config.split ?? task.fewshot_split) !== undefined
    && "fewshot_config.samples and a fewshot_split exclude each other"
  ].filter((problem) => problem !== false)
}

const decode = Schema.decodeUnknownEffect(File)
const or = <A>(...values: ReadonlyArray<A | null | undefined>): A | undefined =>
  values.find((value) => value !== undefined && value !== null) ?? undefined

/** A task with what it leaves to defaults, which are lm-evaluation-harness'. */
const completed = (task: File): Omit<GenerativeTask, "filters" | "metrics" | "given" | "main_score"> => {
  const fewshot_delimiter = task.fewshot_delimiter ?? "\n\n"
  const { fewshot_config, fewshot_split, test_split, training_split, validation_split } = task
  const split = or(test_split, validation_split, training_split)
  return {
    ...task,
    target_delimiter: task.target_delimiter ?? " ",
    fewshot_delimiter,
    num_fewshot: task.num_fewshot ?? 0,
    repeats: task.repeats ?? 1,
    split,
    shots: or(fewshot_config?.split, fewshot_split, training_split, validation_split, split),
    until: [task.generation_kwargs?.until ?? fewshot_delimiter].flat().filter((own) => own !== "")
  }
}

/** Decodes a task; fails with its problems, one sentence each. */
export const generativeTask = Effect.fnUntraced(function*(raw: Raw) {
  const unknown = early(raw)
  if (unknown.length > 0) return yield* Effect.fail(unknown)
  const task = yield* Effect.mapError(
    decode(raw, { errors: "all", onExcessProperty: "error" }),
    (error) => issuesOf(error).map(({ path, reason }) => `${pathText(path)}: ${reason}`)
  )
  const filters = filtersOf(task.filter_list)
  const metrics = metricsOf(task.output_type, task.metric_list)
  const names = metrics.specs.flatMap((own) => own.names)
  const main_score = task.main_score ?? names[0] ?? ""
  const problems = [
    ...late(task),
    ...filters.problems,
    ...metrics.problems,
    ...task.main_score === undefined || names.includes(main_score)
      ? []
      : [`main_score: ${brief(main_score)} is none of the figures, which are ${names.join(", ")}`]
  ]
  if (problems.length > 0) return yield* Effect.fail(problems)
  return {
    ...completed(task),
    main_score,
    filters: filters.pipelines,
    metrics: metrics.specs,
    given: raw
  } satisfies GenerativeTask as GenerativeTask
})
