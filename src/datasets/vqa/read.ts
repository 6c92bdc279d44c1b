/** Reads data sets of questions about pictures: JSON beside files of pictures, or parquet that has the pictures in it. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { present } from "../../domain/records/fields.ts"
import { errorOf, valueOf } from "../loading.ts"
import { found } from "../pictures/found.ts"
import { type Part, partsOf } from "../pictures/parts.ts"
import { type Raw, recordsOf } from "../recordFile.ts"
import type { Asked } from "./asked.ts"
import type { DataSet } from "./import.ts"
import type { Named, Publication } from "./published.ts"

/** Counts by reason. */
class Tally {
  readonly counts: Record<string, number> = {}
  add(reason: string, count = 1): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + count
  }
}

const readPart = (publication: Publication, { path, split }: Part, named: Array<Named>, leftOut: Tally) =>
  Stream.runForEach(recordsOf(path, undefined, () => true), (raw: Raw) =>
    Effect.try({
      try: () => {
        const record = publication.read(present(valueOf(raw)), split)
        if (typeof record === "string") leftOut.add(record)
        else named.push(record)
      },
      catch: (error) => errorOf(raw, error)
    }))

/** A data set of JSON files; `images` is the folder of its pictures, by default one that is usual for it. */
export const readJson = Effect.fnUntraced(function*(path: string, publication: Publication, images?: string) {
  const named: Array<Named> = []
  const leftOut = new Tally()
  for (const part of yield* partsOf(path, /\.jsonl?$/)) yield* readPart(publication, part, named, leftOut)
  const names = new Set(named.map(({ picture }) => picture))
  const { missing, paths } = yield* found(path, images, publication.folders, names)
  const asked = named.flatMap((own): ReadonlyArray<Asked> => {
    const file = paths.get(own.picture)
    return file === undefined ? [] : [{ ...own, path: file }]
  })
  const lost = named.length - asked.length
  return {
    path,
    asked,
    leftOut: { ...leftOut.counts, ...(lost > 0 ? { missing_pictures: missing.length, of_missing_pictures: lost } : {}) }
  } satisfies DataSet as DataSet
})
