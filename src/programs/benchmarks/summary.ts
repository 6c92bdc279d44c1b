/** Figures of several tasks, and their means. */
import type { RetrievalTask } from "../../domain/benchmarks/task.ts"
import * as Metric from "../../domain/Metric.ts"
import type { AnsweredTask } from "./generative/results.ts"
import type { SplitResult } from "./results.ts"

/** The figures that are compared across tasks. */
export const shown = ["main_score", "ndcg_at_10", "map_at_10", "mrr_at_10", "recall_at_100"] as const
type Shown = Readonly<Record<typeof shown[number], number>>

/** The figures of a task: means over its splits. */
export interface TaskRow extends Shown {
  readonly task: string
  /** The name of the main score. */
  readonly main: string
  readonly splits: ReadonlyArray<string>
  /** Sums over the splits. */
  readonly documents: number
  readonly queries: number
  /** Documents and queries left out because training has seen them. */
  readonly removed: { readonly documents: number; readonly queries: number }
  readonly seconds: number
}

/** The figures of all tasks. */
export interface BenchSummary {
  /** Of retrieval. */
  readonly tasks: ReadonlyArray<TaskRow>
  /** Over these, each counting the same; absent without any. */
  readonly mean?: Shown
  /** Those that a reader answered; absent without any. */
  readonly generative?: ReadonlyArray<AnsweredTask>
  /** Mean of the main scores of all tasks, each counting the same. */
  readonly main_score: number
}

const meansOf = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>): Shown => {
  const mean = (name: string) => Metric.mean(rows.map((row) => Number(row[name]))) ?? NaN
  return Object.fromEntries(shown.map((name) => [name, Math.round(mean(name) * 1e5) / 1e5])) as unknown as Shown
}

/** The row of a task. */
export const rowOf = (task: RetrievalTask, splits: ReadonlyMap<string, SplitResult>): TaskRow => {
  const own = [...splits.values()]
  const sum = (of: (evaluated: SplitResult["evaluated"]) => number) =>
    own.reduce((total, { evaluated }) => total + of(evaluated), 0)
  return {
    task: task.task,
    main: task.main_score,
    splits: [...splits.keys()],
    ...meansOf(own.map(({ scores }) => scores)),
    documents: sum(({ documents }) => documents),
    queries: sum(({ queries }) => queries),
    removed: {
      documents: sum(({ removed }) => removed.documents),
      queries: sum(({ removed }) => removed.queries + removed.emptied)
    },
    seconds: sum(({ seconds }) => seconds)
  }
}

/** All rows, the means over those of retrieval, and the mean of all main scores. */
export const summaryOf = (tasks: ReadonlyArray<TaskRow>, generative: ReadonlyArray<AnsweredTask>): BenchSummary => ({
  tasks,
  ...(tasks.length === 0 ? {} : { mean: meansOf(tasks as ReadonlyArray<TaskRow & Readonly<Record<string, unknown>>>) }),
  ...(generative.length === 0 ? {} : { generative }),
  main_score: Metric.mean([...tasks, ...generative].map(({ main_score }) => main_score))!
})
