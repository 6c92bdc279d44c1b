/** What negatives are mined for: queries with their positives, each text once. */
import * as Effect from "effect/Effect"
import { queryOf } from "../../domain/records/options.ts"
import { type QuestionRecord, rightAnswers } from "../../domain/records/Records.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"

/** A query as the retriever is asked, with the positives and answers of all questions of this text. */
export interface Query {
  /** Of the first such question. */
  readonly id: string
  readonly text: string
  /** Corpus rows. */
  readonly positives: ReadonlyArray<number>
  readonly answers: ReadonlyArray<string>
}

/** Queries, and warnings about the questions that they are of, one sentence each. */
export interface Queries {
  readonly queries: ReadonlyArray<Query>
  readonly told: ReadonlyArray<string>
}

const unknown = (source: string, lost: ReadonlyArray<QuestionRecord>, passages: string) =>
  new ConfigError({
    source,
    problems: [
      `${lost.length} questions name gold passages that ${passages} lacks (first: ${lost[0]!.id}): they would be mined `
      + "as if these were not relevant; name the passages_file that the questions are of"
    ]
  })

/** Joins questions of equal text; leaves out those without a gold passage, which nothing can be mined for. */
export const queriesOf = Effect.fnUntraced(
  function*(c: RunConfig, source: string, records: ReadonlyArray<QuestionRecord>) {
    const { row } = yield* Corpus
    const known = records.filter(({ gold }) => gold.length > 0)
    const lost = known.filter(({ gold }) => gold.some((id) => row(id) < 0))
    if (lost.length > 0) return yield* unknown(source, lost, c.passages_file)
    const bare = records.length - known.length
    if (known.length === 0) {
      const problem = `no question names a gold passage (${c.gold_field}), and negatives are mined beside one`
      return yield* new ConfigError({ source, problems: [problem] })
    }
    const queries = [...Map.groupBy(known, queryOf(c))].map(([text, own]): Query => ({
      id: own[0]!.id,
      text,
      positives: [...new Set(own.flatMap(({ gold }) => gold.map(row)))],
      answers: [...new Set(own.flatMap(rightAnswers))]
    }))
    const told = [
      bare > 0 && `${bare} of ${records.length} questions have no gold passage, and are left out`,
      queries.length < known.length
      && `${known.length - queries.length} questions repeat the text of an earlier one: their positives are joined`
    ].filter((sentence) => sentence !== false)
    return { queries, told } satisfies Queries as Queries
  }
)
