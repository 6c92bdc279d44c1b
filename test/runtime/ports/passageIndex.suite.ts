/** What every index owes: of all passages the best by late interaction, found as sorting all of them would. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { join } from "node:path"
import {
  type Chunk,
  PassageIndex,
  type PassageVectors,
  type QueryVectors
} from "../../../src/runtime/ports/PassageIndex.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const DIM = 3
/** Small whole numbers: sums of their products are exact, and many are equal. */
const number = fc.integer({ min: -2, max: 2 })
const vectors = (length: number) => fc.array(number, { minLength: length * DIM, maxLength: length * DIM })

/** Passages of one to three vectors, and in what order they are indexed. */
const passages = fc.array(fc.integer({ min: 1, max: 3 }).chain(vectors), { minLength: 1, maxLength: 40, size: "max" })
const corpora = passages.chain((all) =>
  fc.record({
    all: fc.constant(all),
    order: fc.shuffledSubarray([...all.keys()], { minLength: all.length, maxLength: all.length }),
    size: fc.constantFrom(1, 4, 8)
  })
)
type Drawn<A> = A extends fc.Arbitrary<infer B> ? B : never
type Corpus = Drawn<typeof corpora>

const queries = fc.integer({ min: 0, max: 5 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    length: fc.constant(2),
    spare: fc.constantFrom(0, 1),
    own: fc.array(vectors(2), { minLength: count, maxLength: count })
  })
)
const asked = ({ count, length, own, spare }: Drawn<typeof queries>): QueryVectors => ({
  count,
  length,
  vectors: Float32Array.from([...own.flat(), ...Array<number>(spare * length * DIM).fill(9)])
})

/** Chunks of `size` passages, whose vectors repeat the first of a passage's, and whose last passage fills the chunk up. */
export const chunked = ({ all, order, size }: Corpus): PassageVectors<never, never> => {
  const chunks = Array.from({ length: Math.ceil(order.length / size) }, (_, i): Chunk => {
    const docs = Int32Array.from(order.slice(i * size, (i + 1) * size))
    return { docs, rows: size, length: Math.max(...Array.from(docs, (doc) => all[doc]!.length / DIM)) }
  })
  const vectorsOf = ({ docs, length, rows }: Chunk) =>
    Float32Array.from({ length: rows * length * DIM }, (_, i) => {
      const own = all[docs[Math.min(docs.length - 1, Math.floor(i / length / DIM))]!]!
      const at = i % (length * DIM)
      return at < own.length ? own[at]! : own[at % DIM]!
    })
  return { dim: DIM, chunks, vectors: Stream.fromIterable(chunks).pipe(Stream.map(vectorsOf)) }
}

const dots = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const rows = (own: ArrayLike<number>) =>
    Array.from({ length: own.length / DIM }, (_, i) => Array.from(own).slice(i * DIM, i * DIM + DIM))
  return rows(a).reduce((sum, q) => sum + Math.max(...rows(b).map((d) => q.reduce((s, x, i) => s + x * d[i]!, 0))), 0)
}

/** The ranking of each query by sorting all passages. */
const sorted = ({ all }: Corpus, { count, length, vectors }: QueryVectors, k: number) => {
  const ranked = Array.from({ length: count }, (_, q) => {
    const own = vectors.subarray(q * length * DIM, (q + 1) * length * DIM)
    const scores = all.map((passage) => dots(own, passage))
    const order = [...all.keys()].toSorted((a, b) => scores[b]! - scores[a]! || a - b)
    return Array.from({ length: k }, (_, i) => [order[i] ?? -1, scores[order[i]!] ?? -Infinity] as const)
  }).flat()
  return {
    docs: Int32Array.from(ranked, ([doc]) => doc),
    scores: Float32Array.from(ranked, ([, score]) => score)
  }
}

const origin = { corpus: "corpus", weights: () => "weights" }

/** A layer that keeps what it keeps in the folder. */
type Subject<E> = (folder: string) => Layer.Layer<PassageIndex, E, FileSystem.FileSystem>

/** Holds for whatever is drawn. */
const property = <A, E>(
  layer: Subject<E>,
  drawn: fc.Arbitrary<A>,
  holds: (indexes: PassageIndex["Service"], drawn: A) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  onDisk(Effect.gen(function*() {
    const folder = join(yield* folderOf({}), "index")
    const checked = Effect.flatMap(PassageIndex, (indexes) =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(drawn, (own) => Effect.runPromise(Effect.scoped(holds(indexes, own)))),
          { numRuns: 25 }
        )
      ))
    yield* Effect.provide(checked, layer(folder))
  }))

export const suite = <E>(name: string, layer: Subject<E>) =>
  describe(`an index ${name}`, () => {
    it.live("finds what sorting all passages would, equal ones in order of rows, and -1 behind the last", () =>
      property(layer, fc.tuple(corpora, queries, fc.nat(45)), ({ build }, [corpus, asking, k]) =>
        Effect.gen(function*() {
          const index = yield* build(1, origin, chunked(corpus))
          const some = asked(asking)
          assert.deepStrictEqual(yield* index.search(some, k), sorted(corpus, some, k))
        })))
    it.live("finds for each query what it finds for it alone", () =>
      property(layer, fc.tuple(corpora, queries), ({ build }, [corpus, asking]) =>
        Effect.gen(function*() {
          const index = yield* build(1, origin, chunked(corpus))
          const together = yield* index.search(asked(asking), 4)
          for (const [q, own] of asking.own.entries()) {
            const alone = yield* index.search(asked({ ...asking, count: 1, own: [own] }), 4)
            assert.deepStrictEqual(alone.docs, together.docs.slice(4 * q, 4 * q + 4))
            assert.deepStrictEqual(alone.scores, together.scores.slice(4 * q, 4 * q + 4))
          }
        })))
    it.live("finds for several fibers at once what it finds for each", () =>
      property(layer, fc.tuple(corpora, queries), ({ build }, [corpus, asking]) =>
        Effect.gen(function*() {
          const index = yield* build(1, origin, chunked(corpus))
          const search = index.search(asked(asking), 3)
          const found = yield* Effect.all([search, search, search], { concurrency: "unbounded" })
          for (const own of found) assert.deepStrictEqual(own, sorted(corpus, asked(asking), 3))
        })))
    it.live("tells what it is", () =>
      property(layer, fc.tuple(corpora, fc.integer({ min: 1, max: 9 })), ({ build }, [corpus, generation]) =>
        Effect.gen(function*() {
          const source = chunked(corpus)
          const index = yield* build(generation, origin, source)
          const stored = source.chunks.reduce((n, { length, rows }) =>
            n + length * rows, 0)
          const { all: { length: passages } } = corpus
          assert.deepStrictEqual(index.stats, { passages, vectors: stored, dim: DIM, bytes: 4 * DIM * stored })
          assert.strictEqual(index.generation, generation)
        })))
    it.live("stays what it is when another is built", () =>
      property(layer, fc.tuple(corpora, corpora, queries), ({ build }, [corpus, other, asking]) =>
        Effect.gen(function*() {
          const some = asked(asking)
          const before = yield* build(1, origin, chunked(corpus))
          const after = yield* build(2, origin, chunked(other))
          assert.deepStrictEqual(yield* before.search(some, 5), sorted(corpus, some, 5))
          assert.deepStrictEqual(yield* after.search(some, 5), sorted(other, some, 5))
        })))
    it.live("is none, and the one before stays, where its vectors fail", () =>
      property(layer, fc.tuple(corpora, queries), ({ build }, [corpus, asking]) =>
        Effect.gen(function*() {
          const some = asked(asking)
          const before = yield* build(1, origin, chunked(corpus))
          const { chunks, dim, vectors } = chunked(corpus)
          const failing = Stream.concat(Stream.take(vectors, chunks.length - 1), Stream.fail("no more"))
          const error = yield* Effect.flip(build(2, origin, { chunks, dim, vectors: failing }))
          assert.strictEqual(error, "no more")
          assert.deepStrictEqual(yield* before.search(some, 5), sorted(corpus, some, 5))
        })))
    it.live("dies of vectors that are not those of its chunks", () =>
      property(layer, corpora, ({ build }, corpus) =>
        Effect.gen(function*() {
          const { chunks, dim, vectors } = chunked(corpus)
          const wrong = [
            Stream.drop(vectors, 1),
            Stream.concat(vectors, vectors),
            Stream.map(vectors, (own) =>
              own.subarray(1))
          ]
          for (const own of wrong) {
            const exit = yield* Effect.exit(build(1, origin, { chunks, dim, vectors: own }))
            assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
          }
        })))
  })
