/** Indexes for one run: in memory if they fit, else in a temporary file. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { tmpdir } from "node:os"
import { bytesText } from "../../../domain/units.ts"
import { type FileError, located, readingOf } from "../../files/disk.ts"
import { unnamed } from "../../files/unnamed.ts"
import { type Index, IndexError, PassageIndex, type PassageVectors } from "../../ports/PassageIndex.ts"
import * as Exact from "./exact.ts"
import { checkRoom, indexOf } from "./filed.ts"
import { eachChunk, type Searching, searching, sizeOf, statsOf } from "./search.ts"

const advice = "; index_in_memory has no room for it. Free space there, name another folder in TMPDIR, or raise "
  + "index_in_memory"

const failing = Effect.mapError(({ path, reason }: FileError) =>
  new IndexError({ path, reason: `the index: ${reason}${advice}` })
)

const bytesOf = ({ buffer, byteLength, byteOffset }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Streams the vectors into a temporary file, which is removed when the scope ends. */
const filed = Effect.fnUntraced(function*<E, R>(corpus: PassageVectors<E, R>) {
  const path = tmpdir()
  const { chunks, dim } = corpus
  yield* checkRoom(path, statsOf(corpus), advice)
  const file = yield* failing(unnamed)
  yield* eachChunk(corpus, (vectors) => failing(located(path)(file.writeAll(bytesOf(vectors)))))
  const read = readingOf(path, file)
  const starts = chunks.map(((at) => (chunk) => (at += 4 * sizeOf(chunk, dim)) - 4 * sizeOf(chunk, dim))(0))
  return {
    dim,
    chunks,
    into: (chunk: number, vectors: Float32Array) => Effect.as(failing(read(bytesOf(vectors), starts[chunk]!)), vectors)
  }
})

/**
 * Builds an index in memory, or, if larger than `memory` bytes, on disk with its first chunks cached; the latter is
 * logged.
 */
export const build = (run: Searching, memory: number) =>
  Effect.fnUntraced(function*<E, R>(generation: number, corpus: PassageVectors<E, R>) {
    const { bytes } = statsOf(corpus)
    if (bytes <= memory) return yield* Exact.build(run)(generation, corpus)
    if (generation === 1) {
      yield* Effect.logInfo(
        `the index takes ${bytesText(bytes)}, more than index_in_memory, and lies in ${tmpdir()} while it is used`
      )
    }
    return indexOf(run, generation, memory)(yield* filed(corpus)) as Index
  })

/** Temporary indexes, with up to `memory` bytes of vectors in memory. */
export const layer = ({ memory }: { readonly memory: number }) =>
  Layer.effect(
    PassageIndex,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const built = build(yield* searching, memory)
      return PassageIndex.of({
        open: () => Effect.succeed(undefined),
        build: (generation, _, corpus) =>
          built(generation, corpus).pipe(Effect.provideService(FileSystem.FileSystem, fs))
      })
    })
  )
