/** An index on disk: `metadata.json`, which tells what it is an index of, and its vectors as safetensors. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { indexFiles } from "../../../domain/fileNames.ts"
import type { Arrays } from "../../engine/Weights.ts"
import {
  decodeFile,
  FileError,
  hashFile,
  located,
  moveDurably,
  partialOf,
  replace,
  sha256,
  sha256Of
} from "../../files/disk.ts"
import * as Lock from "../../files/lock.ts"
import * as TensorFile from "../../files/safetensors/read.ts"
import * as Safetensors from "../../files/safetensors/write.ts"
import type { VectorIndex } from "./exact.ts"

const Size = Schema.Int.check(Schema.isGreaterThan(0))

const content = {
  format: Schema.Literal(1),
  passages: Schema.Natural,
  dim: Size,
  /** SHA-256 of the passages, as `Passages.hash`. */
  corpus: Schema.String,
  /** SHA-256 of the weights that made the vectors. */
  weights: Schema.String,
  /** SHA-256 of the vectors' file. */
  vectors: Schema.String,
  chunks: Schema.Array(Schema.Struct({ docs: Schema.Array(Schema.Natural), length: Size }))
}
const Content = Schema.Struct(content)
/** `sha256` is that of all the rest; earlier versions wrote none. */
const Metadata = Schema.Struct({ ...content, sha256: Schema.optionalKey(Schema.String) })
type Metadata = typeof Metadata.Type

/** What an index was made of: the hash of its corpus, and the weights that encoded it. */
export interface Origin {
  readonly corpus: string
  readonly weights: Arrays
}

const [METADATA, VECTORS] = [indexFiles.metadata, indexFiles.vectors]
const nameOf = (chunk: number): string => String(chunk).padStart(6, "0")

/** SHA-256 of weights, in order of their names. */
export const hashOf = (weights: Arrays): string =>
  sha256Of(
    [...weights].toSorted(([a], [b]) => a < b ? -1 : 1).flatMap(([name, data]) => [
      name,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    ])
  )

const textOf = ({ chunks, corpus, dim, format, passages, vectors, weights }: typeof Content.Type): string =>
  JSON.stringify({ format, passages, dim, corpus, weights, vectors, chunks })

/** Writes the index of a folder anew: its vectors from where they lie, then what they are. */
export const write = Effect.fnUntraced(function*(folder: string, index: VectorIndex, dim: number, origin: Origin) {
  yield* Lock.hold(folder)
  const tensors = new Map(index.chunks.map(({ length, vectors }, i) => [
    nameOf(i),
    { shape: [vectors.length / length / dim, length, dim], data: vectors }
  ]))
  const file = join(folder, VECTORS)
  const metadata: typeof Content.Type = {
    format: 1,
    passages: index.passages,
    dim,
    corpus: origin.corpus,
    weights: hashOf(origin.weights),
    vectors: yield* Safetensors.write(partialOf(file), tensors),
    chunks: index.chunks.map(({ docs, length }) => ({ docs: [...docs], length }))
  }
  const own = sha256(textOf(metadata))
  yield* moveDurably(partialOf(file), file)
  yield* replace(join(folder, METADATA), new TextEncoder().encode(JSON.stringify({ ...metadata, sha256: own })))
}, Effect.scoped)

/** Bytes of a folder's vectors. */
export const size = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, VECTORS)
  return Number((yield* fs.stat(path).pipe(located(path))).size)
})

/** Refuses chunks that do not have each passage once, among as many rows of vectors of their length. */
const checkChunks = (metadata: Metadata, { entries }: TensorFile.TensorFile): string | undefined => {
  const { length: chunks } = metadata.chunks
  if (entries.size !== chunks) return `${chunks} chunks are not the ${entries.size} of ${VECTORS}`
  const rows = metadata.chunks.reduce((n, { docs }) => n + docs.length, 0)
  /** One more than there are rows of is in no chunk. */
  const seen = new Uint8Array(Math.min(metadata.passages, rows + 1))
  for (const [i, { docs, length }] of metadata.chunks.entries()) {
    const [rows = 0, ...rest] = entries.get(nameOf(i))?.shape ?? []
    if (rows < docs.length || rest.join() !== [length, metadata.dim].join()) return `chunk ${i} is not what it tells`
    for (const doc of docs) {
      if (seen[doc] !== 0) return `chunk ${i} has passage ${doc} again, or beyond the last`
      seen[doc] = 1
    }
  }
  return seen.includes(0) ? `passage ${seen.indexOf(0)} is in no chunk` : undefined
}

/** The index of a folder; fails where it is of another corpus or of other weights. */
export const read = Effect.fnUntraced(function*(folder: string, origin: Origin) {
  const path = join(folder, METADATA)
  const metadata = yield* decodeFile(path, Schema.decodeUnknownEffect(Metadata))
  const refuse = (own: string, reason: string) =>
    new FileError({ path: own, place: "", reason: `${reason}; run \`anamnesis embed\` again` })
  if (metadata.sha256 === undefined) return yield* refuse(path, "was written by an earlier version, without a hash")
  if (metadata.sha256 !== sha256(textOf(metadata))) return yield* refuse(path, "is not as it was written")
  if (metadata.corpus !== origin.corpus) return yield* refuse(path, "is the index of another corpus")
  if (metadata.weights !== hashOf(origin.weights)) return yield* refuse(path, "is the index of other weights")
  const own = join(folder, VECTORS)
  if ((yield* hashFile(own)) !== metadata.vectors) return yield* refuse(own, `is not what ${METADATA} tells of`)
  const file = yield* TensorFile.open(own)
  const wrong = checkChunks(metadata, file)
  if (wrong !== undefined) return yield* refuse(path, wrong)
  const chunks = yield* Effect.forEach(
    metadata.chunks,
    ({ docs, length }, i) =>
      Effect.map(file.read(nameOf(i)), ({ data }) => ({ docs: Int32Array.from(docs), length, vectors: data }))
  )
  return { generation: 1, passages: metadata.passages, chunks } satisfies VectorIndex as VectorIndex
}, Effect.scoped)
