/** Evaluates a retriever on one task: split by split, each of which is kept once it is done. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { loadTask, type Query, type TaskData } from "../../datasets/benchmarks/load.ts"
import { DEEPEST, figuresOf, means, type QueryFigures } from "../../domain/benchmarks/scores.ts"
import type { RetrievalTask } from "../../domain/benchmarks/task.ts"
import { brief } from "../../domain/brief.ts"
import { text } from "../../domain/Content.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { sha256Of } from "../../runtime/files/disk.ts"
import type { Identity } from "../../runtime/ports/Checkpoints.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { Retriever } from "../../runtime/ports/Retriever.ts"
import { modeOf } from "../../systems/all.ts"
import { asked } from "../answer.ts"
import { searchBatch } from "../costs/evalBatch.ts"
import { environment } from "../environment.ts"
import { tellRanked } from "../preflight.ts"
import type { Seen } from "./leaks.ts"
import { hasSamples, resultOf, type SplitResult, store, stored, storeSamples } from "./results.ts"

/** What tasks are evaluated with. */
export interface Bench {
  readonly config: RunConfig
  /** The folder that the tasks' paths are relative to. */
  readonly data: string
  /** The folder of the results. */
  readonly out: string
  readonly seen: Seen["seen"]
  readonly identity: Identity
  /** Whether the retriever's prompts name the task, which a task's own prompt then is. */
  readonly instructed: boolean
}

/** Leaks that a warning is given of; the file of results has more. */
const TOLD = 3

/** Results of another version of this are computed again. */
const VERSION = 2

/** What queries are asked of. */
export type Asked = Pick<TaskData, "corpus" | "queries">

/** SHA-256 of what the figures of some queries depend on; `identity` is that of the retriever. */
export const keyOf = (task: RetrievalTask, identity: Identity, { corpus, queries }: Asked): string => {
  const { dataset_name, ignore_identical_ids, languages, main_score, prompt } = task
  const own = { dataset_name, ignore_identical_ids, languages, main_score, prompt }
  const conditions = { version: VERSION, identity, ...own, corpus: corpus.hash }
  const lines = function*() {
    yield JSON.stringify(conditions)
    for (const { grades, id, text } of queries) yield `\n${JSON.stringify([id, text, [...grades]])}`
  }
  return sha256Of(lines())
}

/** The figures of some queries, in order. */
const ranked = Effect.fnUntraced(
  function*(queries: ReadonlyArray<Query>, { ignore_identical_ids }: RetrievalTask, floor: number) {
    const [corpus, retriever] = [yield* Corpus, yield* Retriever]
    const k = Math.min(DEEPEST, corpus.size)
    const { docs, scores } = yield* retriever.search(queries.map((query) => [text(query.text)]), k)
    return queries.map(({ grades, id }, q) => {
      const found = Array.from({ length: k }, (_, i) => q * k + i).filter((i) => docs[i]! >= 0 && scores[i]! > floor)
      const ranking = found.map((i) => [corpus.id(docs[i]!), scores[i]!] as const)
      return figuresOf(ignore_identical_ids ? ranking.filter(([doc]) => doc !== id) : ranking, grades)
    })
  }
)

/** The figures of all queries, in order; needs the retriever over their corpus. */
const measured = Effect.fnUntraced(function*(c: RunConfig, task: RetrievalTask, queries: ReadonlyArray<Query>) {
  const [reporter, began, size] = [yield* Reporter, yield* Clock.currentTimeMillis, searchBatch(c)]
  const floor = modeOf(c).traits.retriever === "lexical" ? 0 : -Infinity
  const figures: Array<QueryFigures> = []
  for (let from = 0; from < queries.length; from += size) {
    figures.push(...yield* ranked(queries.slice(from, from + size), task, floor))
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    const [done, total] = [figures.length, queries.length]
    yield* reporter.report({ task: task.task, done, total, start: 0, seconds, unit: "queries", each: 1, figures: {} })
  }
  return figures as ReadonlyArray<QueryFigures>
})

/** The settings of a retriever, over a task's corpus and with its prompt. */
const onTask = (c: RunConfig, { prompt, task }: RetrievalTask): RunConfig => ({
  ...c,
  passages_file: task,
  index_path: "",
  retrieval_task: prompt ?? c.retrieval_task
})

/** Logs how many passages and queries the retriever truncates. */
export const tellTask = (c: RunConfig, task: RetrievalTask, { corpus, queries }: Asked) =>
  tellRanked(onTask(c, task), corpus, task.task, queries.map(({ id, text }) => asked(id, text, [])))

/** The figures of all queries, in order, by the retriever of the settings, which is opened for it. */
export const figuresIn = (given: RunConfig, task: RetrievalTask, { corpus, queries }: Asked) => {
  const c = onTask(given, task)
  const layer = modeOf(c).ranks.pipe(Layer.provideMerge(Layer.succeed(Corpus, corpus)))
  return measured(c, task, queries).pipe(Effect.provide(layer, { local: true }))
}

/** Warnings about data of another size than the task says. */
const sizes = ({ metadata, splits, task }: RetrievalTask, { corpus, queries, removed }: TaskData) => {
  const counts = [
    ["documents", corpus.size + removed.documents, metadata?.documents],
    ["queries", queries.length + removed.queries + removed.emptied, metadata?.queries]
  ] as const
  return counts.filter(([, found, wanted]) => splits.length === 1 && wanted !== undefined && found !== wanted).map(
    ([what, found, wanted]) => `${task}: ${found} ${what}, where its dataset has ${wanted}`
  )
}

/** What training has seen, and the first examples of it. */
const leaks = (task: string, { removed }: TaskData): ReadonlyArray<string> => {
  const { documents, emptied, examples, near, queries } = removed
  if (documents + queries === 0) return []
  const like = near.documents + near.queries
  const found = like === 0 ? "" : ` (${near.queries} queries and ${near.documents} documents as near-duplicates)`
  return [
    `${task}: training has seen ${queries} queries and ${documents} documents${found}, which are left out, and with `
    + `them ${emptied} queries whose relevant documents were all among these`,
    ...examples.slice(0, TOLD).map(({ file, id, likeness, seen, text, what }) =>
      `${task}: ${what} ${id} ${brief(text)} is ${likeness === 1 ? "the same as" : `like (${likeness.toFixed(2)})`} `
      + `${brief(seen)} of ${file}`
    )
  ]
}

/** Evaluates a split, unless it has been under the same conditions. */
const ofSplit = Effect.fnUntraced(
  function*(
    { config, data, identity, instructed, out, seen }: Bench,
    task: RetrievalTask,
    split: string,
    before?: SplitResult
  ) {
    const memory = config.corpus_in_memory * 2 ** 20
    const loaded = yield* loadTask(task, split, { folder: data, memory, skipBad: config.skip_bad_lines, seen })
    const lines = [...loaded.told, ...sizes(task, loaded), ...leaks(task.task, loaded)]
    for (const line of lines) yield* Effect.logWarning(line)
    const key = keyOf(task, identity, loaded)
    if (before?.evaluated.key === key && (yield* hasSamples(out, task, split))) return before
    const { corpus, queries, removed } = loaded
    const began = yield* Clock.currentTimeMillis
    yield* tellTask(config, task, loaded)
    const figures = yield* figuresIn(config, task, loaded)
    const scores = means(figures)
    yield* storeSamples(out, task, split, queries.map(({ id }) => id), figures)
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    return {
      scores: {
        ...scores,
        main_score: scores[task.main_score]!,
        hf_subset: task.dataset_name ?? "default",
        languages: task.languages
      },
      evaluated: {
        key,
        ...(instructed ? { retrieval_task: task.prompt ?? config.retrieval_task } : {}),
        documents: corpus.size,
        queries: queries.length,
        removed,
        seconds,
        environment: yield* environment
      }
    } satisfies SplitResult as SplitResult
  },
  Effect.scoped
)

/** Evaluates a task and stores its result, after each of its splits. */
export const evaluateTask = Effect.fn("evaluateTask")(function*(bench: Bench, task: RetrievalTask) {
  const before = yield* stored(bench.out, task)
  const done = new Map<string, SplitResult>()
  for (const split of task.splits) {
    const own = yield* ofSplit(bench, task, split, before.get(split))
    done.set(split, own)
    if (own === before.get(split)) continue
    const date = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    yield* store(bench.out, resultOf(task, done, date))
  }
  return done as ReadonlyMap<string, SplitResult>
})
