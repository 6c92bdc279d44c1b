/** What synthetic data is made from: passages of a corpus, drawn under a seed, and files by their hashes. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { corpus } from "../../datasets/dataset.ts"
import * as Key from "../../domain/Key.ts"
import type { Passage } from "../../domain/records/Records.ts"
import { hashFile } from "../../runtime/files/disk.ts"

/** A file by name and hash, as cards have it; what is no file, such as a dataset within one, by its name alone. */
export const fileSource = Effect.fnUntraced(function*(path: string) {
  const hash = yield* Effect.option(hashFile(path))
  return hash._tag === "Some" ? { file: path, sha256: hash.value } : { file: path }
})

/** Which passages. */
export interface PassageOptions {
  /** A file, or a folder of files. */
  readonly passages: string
  /** Only records with these values. */
  readonly where: Readonly<Record<string, string | number>>
  /** Draw so many of them; all if `undefined`. */
  readonly sampleSize: number | undefined
  readonly skipBad: boolean
}

/** Passages read at a time. */
const CHUNK = 256

/** Rows of a sample without replacement, rising; all of `size` rows if no fewer are wanted. */
export const sampled = (size: number, count: number | undefined, seed: number): Int32Array =>
  count === undefined || count >= size
    ? Int32Array.from({ length: size }, (_, row) => row)
    : Key.permutation(Key.fold(Key.make(seed), "passages"), size).slice(0, count).toSorted()

/** The passages, in the corpus' order, readable until the scope ends; notices about the file are logged. */
export const passagesOf = Effect.fnUntraced(function*(o: PassageOptions, seed: number) {
  const loaded = yield* corpus(o.passages, { where: o.where, skipBad: o.skipBad })
  for (const line of loaded.told) yield* Effect.logWarning(`${o.passages}: ${line}`)
  const { hash, read, size } = loaded.corpus
  const rows = sampled(size, o.sampleSize, seed)
  const chunks = Array.from(
    { length: Math.ceil(rows.length / CHUNK) },
    (_, i) => rows.subarray(i * CHUNK, (i + 1) * CHUNK)
  )
  const items = Stream.fromIterable(chunks).pipe(
    Stream.mapEffect((own) => read([...own])),
    Stream.flattenIterable
  )
  const source = {
    passages: o.passages,
    ...(Object.keys(o.where).length > 0 ? { where: JSON.stringify(o.where) } : {}),
    "SHA-256 of the passages read": hash,
    "passages drawn": `${rows.length} of ${size}`
  }
  return { items, total: rows.length, source }
})
/** Passages to write from. */
export type Passages = Effect.Success<ReturnType<typeof passagesOf>>
/** One of them. */
export type { Passage }
