/** An index on disk: `metadata.json`, with its origin and chunks, and its vectors as safetensors. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { indexFiles } from "../../../domain/fileNames.ts"
import {
  decodeFile,
  FileError,
  hashOf,
  located,
  moveDurably,
  partialOf,
  reading,
  replace,
  sha256
} from "../../files/disk.ts"
import * as TensorFile from "../../files/safetensors/read.ts"
import * as Safetensors from "../../files/safetensors/write.ts"
import { type Chunk, IndexError, type Origin, type PassageVectors } from "../../ports/PassageIndex.ts"
import type { Filed } from "./filed.ts"
import { eachChunk } from "./search.ts"

const Size = Schema.Int.check(Schema.isGreaterThan(0))

const content = {
  format: Schema.Literal(1),
  passages: Schema.Natural,
  dim: Size,
  /** SHA-256 of the passages, as `Corpus.hash`. */
  corpus: Schema.String,
  /** SHA-256 of the weights that computed the vectors. */
  weights: Schema.String,
  /** SHA-256 of the vectors file. */
  vectors: Schema.String,
  chunks: Schema.Array(Schema.Struct({ docs: Schema.Array(Schema.Natural), length: Size }))
}
const Content = Schema.Struct(content)
/** `sha256` covers all other keys; earlier versions did not write it. */
const Metadata = Schema.Struct({ ...content, sha256: Schema.optionalKey(Schema.String) })
type Metadata = typeof Metadata.Type

const [METADATA, VECTORS] = [indexFiles.metadata, indexFiles.vectors]
const nameOf = (chunk: number): string => String(chunk).padStart(6, "0")

const textOf = ({ chunks, corpus, dim, format, passages, vectors, weights }: typeof Content.Type): string =>
  JSON.stringify({ format, passages, dim, corpus, weights, vectors, chunks })

/** Converts file errors to index errors. */
export const failing = <A, R>(effect: Effect.Effect<A, FileError, R>): Effect.Effect<A, IndexError, R> =>
  Effect.mapError(
    effect,
    ({ path, place, reason }) => new IndexError({ path: place ? `${path}, ${place}` : path, reason })
  )

/** Removes a partial file after a failure. */
const abandoned = (file: string) =>
  FileSystem.FileSystem.use((fs) => Effect.ignore(fs.remove(partialOf(file), { force: true })))

/** Streams the vectors to a partial file; returns its SHA-256. */
const writeVectors = Effect.fnUntraced(function*<E, R>(file: string, corpus: PassageVectors<E, R>) {
  const { chunks, dim } = corpus
  const tensors = chunks.map(({ length, rows }, i) => ({ name: nameOf(i), shape: [rows, length, dim] }))
  const { add, finish } = yield* failing(Safetensors.writing(partialOf(file), tensors))
  yield* eachChunk(corpus, (vectors) => failing(add(vectors)))
  return yield* failing(finish)
}, Effect.scoped)

/**
 * Writes a folder's index: the vectors, then the metadata. A previous index stays until the new vectors are complete.
 */
export const write = Effect.fnUntraced(function*<E, R>(
  folder: string,
  { corpus: hash, weights }: Origin,
  corpus: PassageVectors<E, R>
) {
  const file = join(folder, VECTORS)
  const vectors = yield* Effect.onError(writeVectors(file, corpus), () => abandoned(file))
  const metadata: typeof Content.Type = {
    format: 1,
    passages: corpus.chunks.reduce((n, { docs }) => n + docs.length, 0),
    dim: corpus.dim,
    corpus: hash,
    weights: weights(),
    vectors,
    chunks: corpus.chunks.map(({ docs, length }) => ({ docs: [...docs], length }))
  }
  const own = sha256(textOf(metadata))
  yield* failing(moveDurably(partialOf(file), file))
  yield* failing(
    replace(join(folder, METADATA), new TextEncoder().encode(JSON.stringify({ ...metadata, sha256: own })))
  )
})

/** Size in bytes of a folder's vectors file. */
export const size = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, VECTORS)
  return Number((yield* fs.stat(path).pipe(located(path))).size)
})

/** The chunks, if they match the vectors file and hold each passage once; else a description of the error. */
const chunksOf = (metadata: Metadata, { entries }: TensorFile.TensorFile): ReadonlyArray<Chunk> | string => {
  const { length: chunks } = metadata.chunks
  if (entries.size !== chunks) return `${chunks} chunks are not the ${entries.size} of ${VECTORS}`
  const passages = metadata.chunks.reduce((n, { docs }) => n + docs.length, 0)
  /** If metadata claims more passages than the chunks hold, the first missing one is still detected. */
  const seen = new Uint8Array(Math.min(metadata.passages, passages + 1))
  const found: Array<Chunk> = []
  for (const [i, { docs, length }] of metadata.chunks.entries()) {
    const { dtype, shape: [rows = 0, ...rest] = [] } = entries.get(nameOf(i)) ?? {}
    if (dtype !== "F32" || rows < docs.length || rest.join() !== [length, metadata.dim].join()) {
      return `chunk ${i} is not what it tells`
    }
    for (const doc of docs) {
      if (seen[doc] !== 0) return `chunk ${i} has passage ${doc} again, or beyond the last`
      seen[doc] = 1
    }
    found.push({ docs: Int32Array.from(docs), rows, length })
  }
  return seen.includes(0) ? `passage ${seen.indexOf(0)} is in no chunk` : found
}

/** Reads a folder's metadata; fails if it is for another corpus or other weights. */
const believed = Effect.fnUntraced(function*(path: string, origin: Origin) {
  const metadata = yield* decodeFile(path, Schema.decodeUnknownEffect(Metadata))
  const reasons = [
    metadata.sha256 === undefined && "was written by an earlier version, without a hash",
    metadata.sha256 !== sha256(textOf(metadata)) && "is not as it was written",
    metadata.corpus !== origin.corpus && "is the index of another corpus",
    metadata.weights !== origin.weights() && "is the index of other weights"
  ]
  const reason = reasons.find((told) => told !== false)
  return reason === undefined ? metadata : yield* stale(path, reason)
})

const stale = (path: string, reason: string) =>
  new FileError({ path, place: "", reason: `${reason}; run \`anamnesis embed\` again` })

const opened = (
  { chunks, dim }: Pick<PassageVectors<never, never>, "chunks" | "dim">,
  tensors: TensorFile.TensorFile
): Filed => ({ dim, chunks, into: (chunk, own) => failing(tensors.into(nameOf(chunk), own)) })

/** Opens a folder's index until the scope ends; later changes of the folder do not affect it. */
export const open = Effect.fnUntraced(function*(folder: string, origin: Origin) {
  const [path, vectors] = [join(folder, METADATA), join(folder, VECTORS)]
  const metadata = yield* believed(path, origin)
  const file = yield* reading(vectors)
  if ((yield* hashOf(file)) !== metadata.vectors) return yield* stale(vectors, `is not what ${METADATA} tells of`)
  const tensors = yield* TensorFile.of(file)
  const chunks = chunksOf(metadata, tensors)
  return typeof chunks === "string" ? yield* stale(path, chunks) : opened({ ...metadata, chunks }, tensors)
}, failing)

/** Opens an index just written, without verification. */
export const reopen = (folder: string, corpus: Pick<PassageVectors<never, never>, "chunks" | "dim">) =>
  failing(Effect.map(TensorFile.open(join(folder, VECTORS)), (tensors) => opened(corpus, tensors)))
