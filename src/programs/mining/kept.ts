/** What has been mined, kept line by line: a command that was killed, or is given more questions, goes on from it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sha256 } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import type { Query } from "./queries.ts"
import type { Found } from "./search.ts"

const Scores = Schema.Array(Schema.Finite)
/** The negatives of a query, by ids; its positives and its text are those of its hash. */
const Line = Schema.Struct({
  query: Schema.String,
  neg_ids: Schema.Array(Schema.String),
  neg_scores: Scores,
  pos_scores: Scores,
  dropped: Schema.Record(Schema.String, Schema.Natural)
})
/** A line of the file, as read back. */
export type Line = typeof Line.Type

const decode = Schema.decodeUnknownSync(Line)

/** SHA-256 of what the negatives of a query depend on, under the same conditions. */
export const hashOf = (id: (row: number) => string, { answers, positives, text }: Query): string =>
  sha256(JSON.stringify([text, positives.map(id), answers]))

/** The lines of a file by the hash of their query, and how one is added; open until the scope ends. */
export const open = Effect.fnUntraced(function*(path: string) {
  const { id } = yield* Corpus
  const lines = new Map<string, Line>()
  const file = yield* LineFile.growingJson(path, {
    decode,
    see: (own) => void lines.set(own.query, own),
    reason: "is no line of mined negatives; remove the file, and they are mined again"
  })
  const add = Effect.fnUntraced(function*(hashes: ReadonlyArray<string>, found: ReadonlyArray<Found>) {
    const added = found.map(({ dropped, negatives, positives }, q): Line => ({
      query: hashes[q]!,
      neg_ids: negatives.map(({ row }) => id(row)),
      neg_scores: negatives.map(({ score }) => score),
      pos_scores: positives,
      dropped: Object.fromEntries(dropped)
    }))
    yield* file.add(added.map((own) => JSON.stringify(own)))
    for (const own of added) lines.set(own.query, own)
  })
  return { lines: lines as ReadonlyMap<string, Line>, add }
})
