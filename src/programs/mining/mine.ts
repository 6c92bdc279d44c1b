/** Program: adds hard negatives to questions whose gold passages are known, with the retriever of the settings. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { dirname, join } from "node:path"
import { minedFolder, minedKept, minedName } from "../../domain/fileNames.ts"
import { type FormatName, type FormatOptions, formats, type Mined } from "../../domain/mining/formats.ts"
import { depthOf, type MiningOptions, problemsOf, rangeEnd, reasons } from "../../domain/mining/negatives.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { makeFolder, sha256 } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { Corpus, distinct } from "../../runtime/ports/Corpus.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { modeOf } from "../../systems/all.ts"
import { searchBatch } from "../costs/evalBatch.ts"
import { retrieverIdentity } from "../identity.ts"
import { withRetriever } from "../models.ts"
import { needsRetriever, tellRanked } from "../preflight.ts"
import { type Corpus as Loaded, corpus, fileOf, type Split, withGold } from "../prepare.ts"
import { trained } from "../run.ts"
import * as Kept from "./kept.ts"
import { queriesOf, type Query } from "./queries.ts"
import { search, type SearchOptions } from "./search.ts"

/** What is mined, and how it is written. */
export interface MineOptions extends FormatOptions {
  readonly split: Split
  readonly mining: MiningOptions
  readonly format: FormatName
  /** The file to write; one in the run's folder, if `undefined`. */
  readonly out: string | undefined
}

/** What was mined. */
export interface MineSummary {
  readonly file: string
  readonly queries: number
  readonly records: number
  readonly negatives: number
  /** Queries with fewer negatives than were asked for, and those of them with none. */
  readonly short: number
  readonly none: number
  /** Queries that an earlier command had mined. */
  readonly kept: number
  /** Candidates by the reason why they are no negatives. */
  readonly dropped: Readonly<Record<string, number>>
  readonly seconds: number
}

/** Queries and where to keep what is found for them. */
interface Work extends SearchOptions {
  readonly queries: ReadonlyArray<Query>
  readonly hashes: ReadonlyArray<string>
  readonly batch: number
  /** Path of the file of `kept.ts`. */
  readonly kept: string
}

/** Searches for the queries that are not kept yet; returns the lines of all, in order. */
const searched = Effect.fnUntraced(function*(work: Work) {
  const { batch, hashes, kept, queries } = work
  const { add, lines } = yield* Kept.open(kept)
  const [reporter, began] = [yield* Reporter, yield* Clock.currentTimeMillis]
  const left = [...queries.keys()].filter((q) => !lines.has(hashes[q]!))
  const start = queries.length - left.length
  if (start > 0) yield* reporter.note(`${start} of ${queries.length} queries were mined before (${kept})`)
  for (let from = 0; from < left.length; from += batch) {
    const some = left.slice(from, from + batch)
    yield* add(some.map((q) => hashes[q]!), yield* search(some.map((q) => queries[q]!), work))
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    const [done, total] = [start + from + some.length, queries.length]
    yield* reporter.report({ task: "mine", done, total, start, seconds, unit: "queries", each: 1, figures: {} })
  }
  return { lines: hashes.map((hash) => lines.get(hash)!), start }
}, Effect.scoped)

/** Queries with their texts. */
const withTexts = Effect.fnUntraced(function*(queries: ReadonlyArray<Query>, lines: ReadonlyArray<Kept.Line>) {
  const { id, row } = yield* Corpus
  const rows = [...queries.flatMap(({ positives }) => positives), ...lines.flatMap(({ neg_ids }) => neg_ids.map(row))]
  const texts = yield* distinct(Int32Array.from(rows))
  return queries.map(({ id: own, positives, text }, q): Mined => {
    const { neg_ids, neg_scores, pos_scores } = lines[q]!
    return {
      id: own,
      query: text,
      pos: positives.map((p) => texts.get(p)!.text),
      neg: neg_ids.map((n) => texts.get(row(n))!.text),
      pos_scores,
      neg_scores,
      pos_ids: positives.map(id),
      neg_ids
    }
  })
})

/** Writes the records of all queries; returns how many. */
const written = Effect.fnUntraced(
  function*(path: string, work: Work, lines: ReadonlyArray<Kept.Line>, options: MineOptions) {
    yield* makeFolder(dirname(path))
    const file = yield* LineFile.make(path)
    let records = 0
    for (let from = 0; from < work.queries.length; from += work.batch) {
      const to = from + work.batch
      const mined = yield* withTexts(work.queries.slice(from, to), lines.slice(from, to))
      const own = mined.flatMap((one) => formats[options.format](one, options))
      records += own.length
      yield* file.add(own.map((record) => JSON.stringify(record)))
    }
    yield* file.finish
    return records
  },
  Effect.scoped
)

const summaryOf = (file: string, lines: ReadonlyArray<Kept.Line>, { num_negatives }: MiningOptions) => {
  const counts = lines.map(({ neg_ids }) => neg_ids.length)
  const sum = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0)
  const dropped = reasons.map((reason) => [reason, sum(lines.map((line) => line.dropped[reason] ?? 0))] as const)
  return {
    file,
    queries: lines.length,
    negatives: sum(counts),
    short: counts.filter((count) => count < num_negatives).length,
    none: counts.filter((count) => count === 0).length,
    dropped: Object.fromEntries(dropped.filter(([, count]) => count > 0))
  }
}

const refused = (problems: ReadonlyArray<string>) => new ConfigError({ source: "mine", problems })

/** Mines the queries and writes them; needs the retriever over their corpus. */
const mineQueries = Effect.fnUntraced(function*(file: string, work: Work, options: MineOptions) {
  const began = yield* Clock.currentTimeMillis
  const { lines, start } = yield* searched(work)
  const records = yield* written(file, work, lines, options)
  const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
  return {
    ...summaryOf(file, lines, options.mining),
    records,
    kept: start,
    seconds
  } satisfies MineSummary as MineSummary
})

/** SHA-256 of what all negatives depend on. */
const conditions = Effect.fnUntraced(function*(c: RunConfig, mining: MiningOptions, positives: number) {
  const resolved = { ...mining, range_max: rangeEnd(mining, positives), depth: depthOf(mining, positives) }
  const seed = mining.sampling_strategy === "random" ? c.seed : null
  const { hash } = yield* Corpus
  return sha256(JSON.stringify([1, yield* retrieverIdentity(c), hash, resolved, seed]))
})

/** The queries of a split and where what is found for them is kept; logs what is odd about them. */
const workOf = Effect.fnUntraced(function*(c: RunConfig, data: Loaded, { mining, split }: MineOptions) {
  const source = fileOf(c, split)
  const records = yield* withGold(c, split, data)
  const { queries, told } = yield* queriesOf(c, source, records)
  const positives = queries.reduce((most, query) => Math.max(most, query.positives.length), 0)
  const problems = problemsOf(mining, positives)
  if (problems.length > 0) return yield* refused(problems)
  const mute = queries.filter(({ answers }) => answers.length === 0).length
  const silent = mining.answer_text === "absent" && mute > 0
    ? [`${mute} of ${queries.length} queries have no answer to look for (answer_text)`]
    : []
  for (const line of [...told, ...silent]) yield* Effect.logWarning(`${source}: ${line}`)
  yield* tellRanked(c, data.passages, source, records)
  return {
    mining,
    positives,
    queries,
    hashes: queries.map((query) => Kept.hashOf(data.passages.id, query)),
    seed: c.seed,
    floor: modeOf(c).traits.retriever === "lexical" ? 0 : undefined,
    batch: searchBatch(c),
    kept: join(c.output_dir, minedFolder, minedKept(yield* conditions(c, mining, positives)))
  } satisfies Work as Work
})

/** Mines the questions of a split with the mode's retriever; what was found is kept in `mined` of the run's folder. */
export const mine = Effect.fn("mine")(function*(c: RunConfig, options: MineOptions) {
  yield* needsRetriever(c, "mine")
  const { config } = yield* trained(c, withRetriever)
  const data = yield* corpus(config)
  const here = Layer.succeed(Corpus, data.passages)
  const work = yield* workOf(config, data, options).pipe(Effect.provide(here))
  const folder = join(config.output_dir, minedFolder)
  return yield* mineQueries(options.out ?? join(folder, minedName(options.split)), work, options).pipe(
    Effect.provide(modeOf(config).ranks.pipe(Layer.provideMerge(here))),
    Lock.holding(folder)
  )
}, Effect.scoped)
