/** Loads the data of a retrieval task: documents, queries and their judgements. */
import * as Effect from "effect/Effect"
import { isAbsolute, join } from "node:path"
import type { RetrievalTask } from "../../domain/benchmarks/task.ts"
import { cut } from "../../domain/brief.ts"
import type { Passage, QuestionRecord, Split } from "../../domain/records/Records.ts"
import type { Sighting } from "../../domain/texts/nearDuplicates.ts"
import { FileError } from "../../runtime/files/disk.ts"
import type { Corpus } from "../../runtime/ports/Corpus.ts"
import * as Dataset from "../dataset.ts"
import { type Grades, readGrades } from "../qrels.ts"
import { layoutOf } from "./layout.ts"

/** A query with its judgements. */
export interface Query {
  readonly id: string
  readonly text: string
  /** Scores by document id; those above 0 are relevant. */
  readonly grades: ReadonlyMap<string, number>
}

/** A text that was left out, and the one of training data that it is the same as, or like. */
export interface Leak extends Sighting {
  readonly what: "document" | "query"
  readonly id: string
  /** Its beginning. */
  readonly text: string
}

/** What was left out of a task because training has seen it. */
export interface Removed {
  readonly documents: number
  readonly queries: number
  /** Queries whose relevant documents were all left out. */
  readonly emptied: number
  /** Those of the documents and queries that are near-duplicates, and not the same words. */
  readonly near: { readonly documents: number; readonly queries: number }
  /** Some of them, near-duplicates first. */
  readonly examples: ReadonlyArray<Leak>
}

/** A task's data, and warnings about its files, one sentence each with the file's path. */
export interface TaskData {
  readonly corpus: Corpus["Service"]
  /** Those that the judgements name. */
  readonly queries: ReadonlyArray<Query>
  readonly removed: Removed
  readonly told: ReadonlyArray<string>
}

/** How data is loaded. */
export interface TaskOptions {
  /** The folder that the task's paths are relative to. */
  readonly folder: string
  /** Bytes of documents' text that are kept in memory. */
  readonly memory: number
  readonly skipBad: boolean
  /** Where training has seen a text, if it has. */
  readonly seen: (text: string) => Sighting | undefined
}

const within = (folder: string, path: string): string => isAbsolute(path) ? path : join(folder, path)

/** Title and text between them a blank, as MTEB joins them. */
const TITLE = " "

const saying = (path: string, { told }: { readonly told: ReadonlyArray<string> }) =>
  told.map((own) => `${path}: ${own}`)

/** Joins the queries of several files. */
const queriesIn = Effect.fnUntraced(function*(paths: ReadonlyArray<string>, options: Dataset.QuestionOptions) {
  const loaded = yield* Effect.forEach(paths, (path) => Dataset.questions(path, options))
  const records = loaded.flatMap((own) => own.records)
  const ids = new Set<string>()
  for (const { id } of records) {
    if (ids.size < ids.add(id).size) continue
    return yield* new FileError({ path: paths.join(", "), place: "", reason: `query "${id}" is given twice` })
  }
  return { records, told: loaded.flatMap((own, i) => saying(paths[i]!, own)) }
})

const isRelevant = (grade: number): boolean => grade > 0
const hasRelevant = ({ grades }: Query): boolean => [...grades.values()].some(isRelevant)

/** What is odd about queries and their judgements. */
const oddities = (queries: ReadonlyArray<Query>, without: ReadonlyArray<string>, corpus: Corpus["Service"]) => {
  const missing = queries.flatMap(({ grades }) =>
    [...grades].filter(([id, grade]) => isRelevant(grade) && corpus.row(id) < 0).map(([id]) => id)
  )
  const bare = queries.filter((query) => !hasRelevant(query)).length
  return [
    without.length > 0 && `${without.length} judged queries are not there, and are left out (first: ${without[0]!})`,
    missing.length > 0
    && `${missing.length} relevant documents are not in the corpus, and count as not found (first: ${missing[0]!})`,
    bare > 0 && `${bare} queries have no relevant document, and count as 0`
  ].filter((sentence) => sentence !== false)
}

/** Texts that training has seen, by id. */
type Leaks = Map<string, Leak>

/** Characters of a text that an example shows. */
const SHOWN = 100

/** Whether training has seen a text, which then joins the leaks. */
const leaking =
  (leaks: Leaks, what: Leak["what"], seen: TaskOptions["seen"]) => (id: string, text: string): boolean => {
    const sighting = seen(text)
    if (sighting === undefined) return false
    leaks.set(id, { what, id, text: cut(text.replace(/\s+/g, " ").trim(), SHOWN), ...sighting })
    return true
  }

const isNear = ({ likeness }: Sighting): boolean => likeness < 1
/** How many of each kind an example is given of. */
const EXAMPLES = 3

/** Counts and examples of what was left out. */
const removedOf = (documents: Leaks, queries: Leaks, emptied: number): Removed => {
  const [near, same] = [true, false].map((kind) =>
    [documents, queries].map((own) => [...own.values()].filter((leak) => isNear(leak) === kind))
  )
  return {
    documents: documents.size,
    queries: queries.size,
    emptied,
    near: { documents: near![0]!.length, queries: near![1]!.length },
    examples: [...near!, ...same!].flatMap((own) => own.slice(0, EXAMPLES))
  }
}

/** Documents, without those that training has seen, which it collects. */
const documents = Effect.fnUntraced(
  function*(from: string | ReadonlyArray<string>, { seen, ...options }: TaskOptions, title?: string) {
    const removed: Leaks = new Map()
    const leaks = leaking(removed, "document", seen)
    const without = ({ id, text }: Passage) => leaks(id, text)
    const loaded = yield* Dataset.corpus(from, { ...options, without, ...(title === undefined ? {} : { title }) })
    return { ...loaded, removed, told: saying([from].flat().join(", "), loaded) }
  }
)
type Documents = Effect.Success<ReturnType<typeof documents>>

/** Pairs queries with judgements, without those that training has seen; fails if there are none. */
const paired = Effect.fnUntraced(function*(
  path: string,
  records: ReadonlyArray<QuestionRecord>,
  grades: Grades,
  { corpus, removed }: Documents,
  seen: TaskOptions["seen"]
) {
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  const known = new Set(records.map(({ id }) => id))
  const judged = records.flatMap(({ id, question }): ReadonlyArray<Query> => {
    const own = grades.get(id)
    return own === undefined ? [] : [{ id, text: question, grades: own }]
  })
  if (judged.length === 0) return yield* fail("judges none of the queries: are they of the same dataset?")
  const leaked: Leaks = new Map()
  const leaks = leaking(leaked, "query", seen)
  const unseen = judged.filter(({ id, text }) => !leaks(id, text))
  const kept = unseen.map((query) => {
    const left = new Map([...query.grades].filter(([id]) => !removed.has(id)))
    return left.size === query.grades.size ? query : { ...query, grades: left }
  })
  const queries = kept.filter((query, q) => hasRelevant(query) || !hasRelevant(unseen[q]!))
  if (queries.length === 0) return yield* fail("training has seen every query, or all of its relevant documents")
  const without = [...grades.keys()].filter((id) => !known.has(id))
  return {
    queries,
    removed: removedOf(removed, leaked, kept.length - queries.length),
    told: oddities(queries, without, corpus).map((own) => `${path}: ${own}`)
  }
})

/** A dataset in a folder. */
const ofFolder = Effect.fnUntraced(
  function*(path: string, subset: string | undefined, split: string, options: TaskOptions) {
    const layout = yield* layoutOf(path, split, subset)
    const found = yield* documents(layout.corpus, options, TITLE)
    const questions = yield* queriesIn(layout.queries, { skipBad: options.skipBad })
    const grades = yield* readGrades(layout.qrels)
    const judged = yield* paired(layout.qrels.join(", "), questions.records, grades, found, options.seen)
    const told = [...found.told, ...questions.told, ...judged.told]
    return { ...judged, corpus: found.corpus, told } satisfies TaskData as TaskData
  }
)

/** The split of a BEIR folder or of its judgements that a `test_file` is read as. */
const SPLIT: Split = "test"

/** Passages, and questions that name their gold passages, in the files of this project. */
const ofFiles = Effect.fnUntraced(function*(task: RetrievalTask, passages: string, test: string, options: TaskOptions) {
  const found = yield* documents(passages, options)
  const { gold_field: gold, test_where: where } = task
  const questions = yield* Dataset.questions(test, {
    skipBad: options.skipBad,
    split: SPLIT,
    where,
    ...(gold === undefined ? {} : { gold })
  })
  const known = questions.records.filter((record) => record.gold.length > 0)
  const grades = new Map(known.map((record) => [record.id, new Map(record.gold.map((id) => [id, 1]))]))
  const judged = yield* paired(test, known, grades, found, options.seen)
  const bare = questions.records.length - known.length
  const left = bare > 0 ? [`${test}: ${bare} questions name no gold passage, and are left out`] : []
  const told = [...found.told, ...saying(test, questions), ...left, ...judged.told]
  return { ...judged, corpus: found.corpus, told } satisfies TaskData as TaskData
})

/** The data of a task's split; its documents can be read until the scope ends. */
export const loadTask = Effect.fnUntraced(function*(task: RetrievalTask, split: string, options: TaskOptions) {
  const { dataset_name, dataset_path, passages_file, test_file } = task
  if (dataset_path !== undefined) {
    return yield* ofFolder(within(options.folder, dataset_path), dataset_name, split, options)
  }
  return yield* ofFiles(task, within(options.folder, passages_file!), within(options.folder, test_file!), options)
})
