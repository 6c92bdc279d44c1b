/**
 * Tasks as YAML files describe them: one, or a group of several. Keys are those of lm-evaluation-harness where it has
 * them; `output_type` tells kinds of tasks apart.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief } from "../brief.ts"
import { issuesOf, pathText } from "../issues.ts"
import { didYouMean } from "../nearest.ts"
import { ConfigError } from "../settings/configure.ts"
import type { Raw } from "../settings/RunConfig.ts"
import { generative, type GenerativeTask, generativeTask } from "./generativeTask.ts"
import { names } from "./scores.ts"

const Name = Schema.NonEmptyString.check(
  Schema.makeFilter((name: string) =>
    /^[\p{L}\p{N}][\p{L}\p{N} ._+-]*$/u.test(name) || "has to be a name of letters, digits, blanks and ._+-"
  )
)
const Splits = Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)])
const optional = Schema.optionalKey

/** Where a dataset comes from, and how large it is there. */
const Metadata = Schema.Struct({
  version: optional(Schema.Finite),
  /** The dataset's id on the Hugging Face Hub, and its commit. */
  dataset: optional(Schema.String),
  revision: optional(Schema.String),
  licence: optional(Schema.String),
  /** Number of documents, and of queries in `test_split`. */
  documents: optional(Schema.Natural),
  queries: optional(Schema.Natural),
  notes: optional(Schema.String)
})

const fields = {
  task: Name,
  output_type: Schema.Literal("retrieval"),
  /** Folder in the layout of BEIR or MTEB. */
  dataset_path: optional(Schema.NonEmptyString),
  /** Subset of a dataset that has several: MTEB's `hf_subset`. */
  dataset_name: optional(Schema.NonEmptyString),
  test_split: optional(Splits),
  /** Instead of a folder: files of passages, and of questions with the ids of their gold passages. */
  passages_file: optional(Schema.NonEmptyString),
  test_file: optional(Schema.NonEmptyString),
  test_where: optional(Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite]))),
  gold_field: optional(Schema.NonEmptyString),
  /** Instruction that goes with each query, for retrievers that take one. */
  prompt: optional(Schema.String),
  main_score: optional(Schema.Literals(names as readonly [string, ...ReadonlyArray<string>])),
  /** Leaves a document out of the ranking of the query that has its id. */
  ignore_identical_ids: optional(Schema.Boolean),
  languages: optional(Schema.Array(Schema.NonEmptyString)),
  metadata: optional(Metadata)
}
const File = Schema.Struct(fields)

/** A retrieval task. */
export interface RetrievalTask extends Omit<typeof File.Type, "main_score" | "ignore_identical_ids" | "languages"> {
  /** Distinct. */
  readonly splits: readonly [string, ...ReadonlyArray<string>]
  readonly main_score: string
  readonly ignore_identical_ids: boolean
  readonly languages: ReadonlyArray<string>
}

const decode = Schema.decodeUnknownEffect(File)

/** A task of either kind. */
export type Task = RetrievalTask | GenerativeTask

/** Whether a task is one of retrieval. */
export const isRetrieval = (task: Task): task is RetrievalTask => task.output_type === "retrieval"

const kinds: ReadonlyArray<unknown> = ["retrieval", ...generative]

/** Problems of a task before it is decoded. */
const early = (raw: Raw): ReadonlyArray<string> => {
  const type = raw["output_type"]
  if (!kinds.includes(type)) return [`output_type: ${brief(type)} is not supported; ${kinds.join(", ")} are`]
  return Object.keys(raw).filter((key) => !Object.hasOwn(fields, key)).map((key) => {
    const near = didYouMean(key, Object.keys(fields))
    return `${brief(key)} is no key of a task${near === undefined ? "" : `, did you mean "${near}"?`}`
  })
}

/** Problems between the keys of a task. */
const late = (task: typeof File.Type): ReadonlyArray<string> => {
  const files = task.passages_file !== undefined && task.test_file !== undefined
  const some = task.passages_file ?? task.test_file ?? task.test_where ?? task.gold_field
  const folder = task.dataset_path !== undefined
  return [
    folder && some !== undefined && "dataset_path and passages_file or test_file exclude each other",
    !folder && !files && "needs a dataset_path, or a passages_file and a test_file",
    !folder && (task.test_split ?? task.dataset_name) !== undefined
    && "test_split and dataset_name are of a dataset_path; test_where selects records of a test_file"
  ].filter((problem) => problem !== false)
}

const taskOf = Effect.fnUntraced(function*(source: string, place: string, raw: Raw) {
  const refuse = (problems: ReadonlyArray<string>) =>
    new ConfigError({ source, problems: problems.map((problem) => `${place}${problem}`) })
  if ((generative as ReadonlyArray<unknown>).includes(raw["output_type"])) {
    return yield* Effect.mapError(generativeTask(raw), refuse)
  }
  const unknown = early(raw)
  if (unknown.length > 0) return yield* refuse(unknown)
  const task = yield* Effect.mapError(
    decode(raw, { errors: "all", onExcessProperty: "error" }),
    (error) => refuse(issuesOf(error).map(({ path, reason }) => `${pathText(path)}: ${reason}`))
  )
  const problems = late(task)
  if (problems.length > 0) return yield* refuse(problems)
  const [first, ...others] = new Set([task.test_split ?? "test"].flat())
  return {
    ...task,
    splits: [first!, ...others],
    main_score: task.main_score ?? "ndcg_at_10",
    ignore_identical_ids: task.ignore_identical_ids ?? false,
    languages: task.languages ?? ["eng-Latn"]
  } satisfies RetrievalTask as RetrievalTask
})

const isObject = (value: unknown): value is Raw => typeof value === "object" && value !== null && !Array.isArray(value)

/** The tasks of a file: one, or those in the list `task` of a group. */
export const tasksOf = Effect.fnUntraced(function*(source: string, file: Raw) {
  if (!Array.isArray(file["task"])) return [yield* taskOf(source, "", file)] as ReadonlyArray<Task>
  const refuse = (problem: string) => new ConfigError({ source, problems: [problem] })
  const other = Object.keys(file).find((key) => key !== "group" && key !== "task" && key !== "metadata")
  if (other !== undefined) return yield* refuse(`${brief(other)} is no key of a group; it has group, task and metadata`)
  const tasks: Array<Task> = []
  for (const [i, raw] of file["task"].entries()) {
    const place = isObject(raw) && typeof raw["task"] === "string" ? `task ${brief(raw["task"])}: ` : `task ${i + 1}: `
    if (!isObject(raw)) return yield* refuse(`${place}has to be a task (key: value); given ${brief(raw)}`)
    tasks.push(yield* taskOf(source, place, raw))
  }
  return tasks.length > 0 ? tasks : yield* refuse("the group has no task")
})
