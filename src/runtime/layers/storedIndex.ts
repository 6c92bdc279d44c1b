/** An index on disk: `metadata.json`, which tells what it is an index of, and its vectors as safetensors. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import type { Arrays } from "../engine/Weights.ts"
import { FileError, located, readBytes, readJson, replace, sha256 } from "./files.ts"
import * as Safetensors from "./safetensors.ts"
import type { VectorIndex } from "./vectorIndex.ts"

const Metadata = Schema.Struct({
  format: Schema.Literal(1),
  passages: Schema.Natural,
  dim: Schema.Natural,
  /** SHA-256 of the passages, as `Passages.hash`. */
  corpus: Schema.String,
  /** SHA-256 of the weights that made the vectors. */
  weights: Schema.String,
  /** SHA-256 of the vectors' file. */
  vectors: Schema.String,
  chunks: Schema.Array(Schema.Struct({ docs: Schema.Array(Schema.Natural), length: Schema.Natural }))
})

export interface Origin {
  readonly corpus: string
  readonly weights: Arrays
}

const [METADATA, VECTORS] = ["metadata.json", "vectors.safetensors"]
const nameOf = (chunk: number): string => String(chunk).padStart(6, "0")

export const hashOf = (weights: Arrays): string =>
  sha256(
    ...[...weights].toSorted(([a], [b]) => a < b ? -1 : 1).flatMap(([name, data]) => [
      name,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    ])
  )

export const write = Effect.fnUntraced(function*(folder: string, index: VectorIndex, dim: number, origin: Origin) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(folder, { recursive: true }).pipe(located(folder))
  const vectors = new Map(index.chunks.map(({ length, vectors }, i) => [
    nameOf(i),
    { shape: [vectors.length / length / dim, length, dim], data: vectors }
  ]))
  const bytes = Safetensors.encode(vectors)
  const metadata: typeof Metadata.Type = {
    format: 1,
    passages: index.passages,
    dim,
    corpus: origin.corpus,
    weights: hashOf(origin.weights),
    vectors: sha256(bytes),
    chunks: index.chunks.map(({ docs, length }) => ({ docs: [...docs], length }))
  }
  yield* replace(join(folder, VECTORS), bytes)
  yield* replace(join(folder, METADATA), new TextEncoder().encode(JSON.stringify(metadata)))
})

/** Bytes of a folder's vectors. */
export const size = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, VECTORS)
  return Number((yield* fs.stat(path).pipe(located(path))).size)
})

/** The index of a folder; fails where it is of another corpus or of other weights. */
export const read = Effect.fnUntraced(function*(folder: string, origin: Origin) {
  const path = join(folder, METADATA)
  const metadata = yield* readJson(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Metadata)),
    Effect.mapError((e) => e instanceof FileError ? e : new FileError({ path, place: "", reason: e.message }))
  )
  const other = metadata.corpus !== origin.corpus ? "another corpus" : "other weights"
  if (metadata.corpus !== origin.corpus || metadata.weights !== hashOf(origin.weights)) {
    return yield* new FileError({ path, place: "", reason: `is the index of ${other}; run \`anamnesis embed\` again` })
  }
  const file = join(folder, VECTORS)
  if (sha256(yield* readBytes(file)) !== metadata.vectors) {
    return yield* new FileError({
      path: file,
      place: "",
      reason: `is not what ${METADATA} tells of; run \`anamnesis embed\` again`
    })
  }
  const vectors = yield* Safetensors.read(file)
  const chunks = metadata.chunks.map(({ docs, length }, i) => ({
    docs: Int32Array.from(docs),
    length,
    vectors: vectors.get(nameOf(i))!.data
  }))
  return { generation: 1, passages: metadata.passages, chunks } satisfies VectorIndex as VectorIndex
})
