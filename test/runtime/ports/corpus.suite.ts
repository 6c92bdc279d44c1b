/** What every corpus owes: its passages by row and by id, whatever they say, as often and in what order they are asked for. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import type { Passage } from "../../../src/domain/records/Records.ts"
import type { Corpus } from "../../../src/runtime/ports/Corpus.ts"

type Make<E> = (
  records: ReadonlyArray<Passage>
) => Effect.Effect<Corpus["Service"], E, FileSystem.FileSystem | Scope.Scope>

/** Text of any script; what is half of a character is no text. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }).map((own) => own.toWellFormed()),
  fc.constantFrom("", "\uFEFFmarked", "naïve 😀", "\0", "x".repeat(5000), "é😀".repeat(3000))
)
const id = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).map((own) => own.toWellFormed()),
  fc.nat(400).map((n) => `p${n}`),
  fc.constantFrom("\uFEFF", "a", "a\0", "ß", "😀")
)
/** A picture, and the group it is in, if any. */
const more = fc.oneof(
  fc.constant({}),
  fc.record({ image: fc.constantFrom("/a/1.png", "/b/c.npz#x/3", "data:image/png;base64,AA=="), group: id }, {
    requiredKeys: ["image"]
  })
)
const passage = fc.tuple(fc.record({ id, text }), more).map(([own, given]): Passage => Object.assign({}, own, given))
const records = fc.uniqueArray(passage, { selector: (p) => p.id, maxLength: 300, size: "max" })

/** Holds for any corpus, and rows of it. */
const property = <E>(
  make: Make<E>,
  holds: (
    corpus: Corpus["Service"],
    passages: ReadonlyArray<Passage>,
    rows: ReadonlyArray<number>
  ) => Effect.Effect<void, unknown>
) =>
  Effect.promise(() =>
    fc.assert(
      fc.asyncProperty(records, fc.array(fc.nat(), { maxLength: 30 }), (passages, numbers) => {
        const rows = passages.length === 0 ? [] : numbers.map((n) => n % passages.length)
        return Effect.runPromise(
          make(passages).pipe(
            Effect.flatMap((corpus) => holds(corpus, passages, rows)),
            Effect.scoped,
            Effect.provide(NodeFileSystem.layer)
          )
        )
      }),
      { numRuns: 30 }
    )
  )

export const suite = <E>(name: string, make: Make<E>) =>
  describe(`a corpus ${name}`, () => {
    it.live("has all passages in order, and the rows and ids of each", () =>
      property(make, (corpus, passages) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* Stream.runCollect(corpus.all), passages)
          assert.strictEqual(corpus.size, passages.length)
          assert.strictEqual(corpus.pictures, passages.filter(({ image }) => image !== undefined).length)
          assert.deepStrictEqual(passages.map((_, row) => corpus.id(row)), passages.map((p) => p.id))
          assert.deepStrictEqual(passages.map((p) => corpus.row(p.id)), [...passages.keys()])
        })))
    it.live("reads rows in the order and as often as they are asked for", () =>
      property(make, (corpus, passages, rows) =>
        Effect.gen(function*() {
          const wanted = rows.map((row) => passages[row]!)
          assert.deepStrictEqual(yield* corpus.read(rows), wanted)
          assert.deepStrictEqual(yield* corpus.read(Int32Array.from(rows)), wanted)
        })))
    it.live("reads for several fibers at once what it reads for each alone", () =>
      property(make, (corpus, passages, rows) =>
        Effect.gen(function*() {
          const all = yield* Effect.all(
            [Stream.runCollect(corpus.all), Effect.forEach(rows, (row) => corpus.read([row, row]))],
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(all, [[...passages], rows.map((row) => [passages[row]!, passages[row]!])])
        })))
    it.live("knows no other id", () =>
      property(make, (corpus, passages) =>
        Effect.sync(() => {
          const ids = new Set(passages.map((p) => p.id))
          const others = ["", "p-1", ...ids].flatMap((own) => [`${own}x`, own.slice(1), `\u0000${own}`])
          for (const other of others) if (!ids.has(other)) assert.strictEqual(corpus.row(other), -1)
        })))
    it.live("has a hash, which is SHA-256 of its ids, texts and what else there is, a zero byte after each", () =>
      property(make, ({ hash }, passages) =>
        Effect.sync(() => {
          const sum = createHash("sha256")
          for (const { id, text, ...more } of passages) {
            sum.update(`${id}\0${text}\0`)
            if ("image" in more) sum.update(`${JSON.stringify(more)}\0`)
          }
          assert.strictEqual(hash, sum.digest("hex"))
        })))
    it.live("dies of a row that is none", () =>
      property(make, (corpus) =>
        Effect.gen(function*() {
          for (const row of [-1, corpus.size, 0.5, NaN]) {
            assert.throws(() => corpus.id(row), RangeError)
            const exit = yield* Effect.exit(corpus.read(corpus.size > 0 ? [0, row] : [row]))
            assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
          }
        })))
  })
