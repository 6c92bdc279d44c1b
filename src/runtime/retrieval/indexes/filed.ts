/** An index whose vectors are read from a file during search. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { bytesText } from "../../../domain/units.ts"
import { spaceIn } from "../../files/disk.ts"
import { type Chunk, type Index, IndexError } from "../../ports/PassageIndex.ts"
import { type Reader, type Searching, searchOf, sizeOf, statsOf, vectorsOf } from "./search.ts"

/** Vectors in a file, read one chunk at a time. */
export interface Filed {
  readonly dim: number
  readonly chunks: ReadonlyArray<Chunk>
  /** Reads the vectors of a chunk into an array of its size. */
  readonly into: (chunk: number, vectors: Float32Array) => Effect.Effect<Float32Array, IndexError>
}

/**
 * Prefetches the next chunk while one is searched, with two buffers per search. As many of the first chunks as fit in
 * `memory` bytes are cached.
 */
const readerOf = ({ chunks, dim, into }: Filed, memory: number) => {
  const held: Array<Float32Array> = []
  let room = memory
  const holds = chunks.map((chunk) => (room -= 4 * sizeOf(chunk, dim)) >= 0)
  const largest = chunks.reduce((most, chunk, i) => holds[i] ? most : Math.max(most, sizeOf(chunk, dim)), 0)
  const keep = (i: number) =>
    Effect.map(into(i, new Float32Array(sizeOf(chunks[i]!, dim))), (vectors) => held[i] = vectors)
  /** A chunk by itself. */
  const one = (i: number) =>
    held[i] ? Effect.succeed(held[i]) : holds[i] ? keep(i) : into(i, new Float32Array(sizeOf(chunks[i]!, dim)))
  const begin = (): Reader<IndexError> => {
    const spare = [new Float32Array(largest), new Float32Array(largest)]
    const read = (i: number) => holds[i] ? keep(i) : into(i, spare[i % 2]!.subarray(0, sizeOf(chunks[i]!, dim)))
    let ahead: Fiber.Fiber<Float32Array, IndexError> | undefined
    return Effect.fnUntraced(function*(i) {
      const vectors = held[i] ?? (yield* ahead ? Fiber.join(ahead) : read(i))
      ahead = i + 1 < chunks.length && !held[i + 1]
        ? yield* Effect.forkChild(read(i + 1), { startImmediately: true })
        : undefined
      return vectors
    })
  }
  return { begin, one }
}

/** An index over vectors in a file, caching up to `memory` bytes of them. */
export const indexOf = (run: Searching, generation: number, memory: number) => (opened: Filed): Index => {
  const { begin, one } = readerOf(opened, memory)
  return {
    generation,
    stats: statsOf(opened),
    search: searchOf(opened, run, begin),
    vectors: vectorsOf(opened, one)
  }
}

/** Fails if the disk has no room for the index. */
export const checkRoom = Effect.fnUntraced(function*(folder: string, { bytes }: Index["stats"], advice = "") {
  const space = yield* spaceIn(folder)
  if (bytes <= space) return
  const reason = `the index takes ${bytesText(bytes)}, and the disk has room for ${bytesText(space)}${advice}`
  return yield* new IndexError({ path: folder, reason })
})
