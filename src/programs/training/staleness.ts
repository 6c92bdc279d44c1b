/** Keeps the index of a run: rebuilds it when it is due, and measures on a probe set of questions how stale it has become. */
import type { RecordBatch } from "apache-arrow"
import * as Effect from "effect/Effect"
import type { RowEpochs } from "../../datasets/batches.ts"
import { spread } from "../../datasets/splits.ts"
import { asked, type Content } from "../../domain/Content.ts"
import * as Frame from "../../domain/Frame.ts"
import { mean } from "../../domain/Metric.ts"
import { queryOf } from "../../domain/records/options.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import { refreshOf } from "../../domain/RefreshSchedule.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { overlap, spearman } from "../../domain/statistics/ranks.ts"
import { type Lesson, Staleness } from "../../domain/tables.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { type Ranked, Retriever } from "../../runtime/ports/Retriever.ts"
import { modeOf } from "../../systems/all.ts"

/** Passages of each question that are measured, at least, if there are as many. */
const LEAST = 10

/** What was measured at a step; `null` for what was not, or has no value. */
interface Measured {
  /** Spearman's, of the index's scores and of those under the present weights, over the index's first passages. */
  readonly correlation: number | null
  /** Share of the index's first passages that are first after it was rebuilt. */
  readonly overlap: number | null
}

const nothing: Measured = { correlation: null, overlap: null }

/** The probed queries, a step's worth at a time, so that programs for a step's shapes serve. */
const chunksOf = (c: RunConfig, epochs: RowEpochs, probe: number): ReadonlyArray<ReadonlyArray<Content>> => {
  const records = epochs(0) as ReadonlyArray<QuestionRecord>
  const queries = spread(records, probe).map((record) => asked(record.image ?? "", queryOf(c)(record)))
  const size = stepSize(c)
  return Array.from({ length: Math.ceil(queries.length / size) }, (_, i) => queries.slice(i * size, (i + 1) * size))
}

/** The passages of each query of a ranking [queries, k], without padding, with the values that go with them. */
const rowsOf = (docs: Int32Array, k: number, values: Float32Array) =>
  Array.from({ length: docs.length / k }, (_, r) => {
    const places = Array.from({ length: k }, (_, i) => r * k + i).filter((i) => docs[i]! >= 0)
    return { docs: places.map((i) => docs[i]!), values: places.map((i) => values[i]!) }
  })

/** The mean over queries of how far two lists of rows agree. */
const agreement = <A, B>(a: ReadonlyArray<A>, b: ReadonlyArray<B>, of: (a: A, b: B) => number | null): number | null =>
  mean(a.map((own, i) => of(own, b[i]!)))

/** Searches for and scores the probed queries. */
const probing = (retriever: Retriever["Service"], chunks: ReadonlyArray<ReadonlyArray<Content>>, k: number) => {
  const search = Effect.forEach(chunks, (queries) => retriever.search(queries, k))
  const rows = (ranked: ReadonlyArray<Ranked>) => ranked.flatMap(({ docs, scores }) => rowsOf(docs, k, scores))
  const fresh = (ranked: ReadonlyArray<Ranked>) =>
    Effect.map(
      Effect.forEach(ranked, ({ docs }, i) => retriever.score(chunks[i]!, docs)),
      (scores) => scores.flatMap((own, i) => rowsOf(ranked[i]!.docs, k, own))
    )
  return { search, rows, fresh }
}

const shown = (value: number | null): string => value === null ? "-" : value.toFixed(3)

/** The index of a run under `refresh_index`: what is done when it is due, and the columns that the journal gains. */
export const indexKeeper = Effect.fnUntraced(function*(c: RunConfig, epochs: RowEpochs) {
  const [retriever, reporter] = [yield* Retriever, yield* Reporter]
  const { below, probe } = refreshOf(c.refresh_index)!
  const k = Math.min((yield* Corpus).size, Math.max(LEAST, modeOf(c).candidates))
  let last = nothing

  const measure = Effect.fnUntraced(function*(step: number) {
    const { fresh, rows, search } = probing(retriever, chunksOf(c, epochs, probe), k)
    const stale = yield* search
    const correlation = agreement(rows(stale), yield* fresh(stale), (a, b) => spearman(a.values, b.values))
    const kept = below !== undefined && correlation !== null && correlation >= below
    if (!kept) yield* retriever.refresh
    const after = kept ? null : agreement(rows(stale), rows(yield* search), (a, b) => overlap(a.docs, b.docs))
    last = { correlation, overlap: after }
    const done = kept ? `not below ${below}: the index is kept` : `rebuilt, overlap@${k} ${shown(after)}`
    yield* reporter.note(
      `before step ${step + 1}: rank correlation of the index with present scores ${shown(correlation)}; ${done}`
    )
  })

  return {
    /** What is due before a step. */
    refresh: (step: number) => probe === 0 ? Effect.asVoid(retriever.refresh) : measure(step),
    /** A step's columns, with what was measured before it. */
    marked: (learned: Frame.Frame<typeof Lesson>): RecordBatch => {
      if (probe === 0) return learned.batch
      const constant = (value: number | null) => new Float32Array(learned.rows).fill(value ?? NaN)
      const own = { staleCorrelation: constant(last.correlation), staleOverlap: constant(last.overlap) }
      last = nothing
      return Frame.append(learned, Staleness, own).batch
    }
  }
})
