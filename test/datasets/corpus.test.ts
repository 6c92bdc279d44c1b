/** Corpora as they are read, in memory and on the disk; and what happens where the disk has no room. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fromRecords, Growing } from "../../src/datasets/corpus/corpus.ts"
import { IdTable } from "../../src/datasets/corpus/idTable.ts"
import * as Dataset from "../../src/datasets/dataset.ts"
import type { Passage } from "../../src/domain/records/Records.ts"
import { CorpusError } from "../../src/runtime/ports/Corpus.ts"
import { suite } from "../runtime/ports/corpus.suite.ts"
import { folderOf, onDisk } from "../support/files.ts"

/** Passages come a few at a time, and texts beyond so many bytes go to the disk. */
const keeping = (memory: number) =>
  Effect.fnUntraced(function*(records: ReadonlyArray<Passage>) {
    const growing = new Growing(memory)
    for (const [i, record] of records.entries()) {
      growing.add(record)
      if (i % 7 === 0) yield* growing.settle
    }
    yield* growing.settle
    return growing.done()
  })

suite("in memory", (records) => Effect.succeed(fromRecords(records)))
suite("on the disk", keeping(0))
suite("that goes to the disk when it has grown", keeping(4000))

describe("a large text", () => {
  for (const memory of [0, Infinity]) {
    it.live(`lies across blocks ${memory === 0 ? "on the disk" : "in memory"}`, () =>
      onDisk(Effect.gen(function*() {
        const records = [["a", "é".repeat(1 << 20)], ["b", ""], ["c", "z".repeat(3 << 20)], ["d", "end"]]
          .map(([id, text]) => ({ id: id!, text: text! }))
        const corpus = yield* keeping(memory)(records)
        assert.deepStrictEqual(yield* corpus.read([3, 0, 2, 1]), [3, 0, 2, 1].map((row) => records[row]!))
        assert.deepStrictEqual(yield* Stream.runCollect(corpus.all), records)
      })))
  }
})

describe("texts on the disk", () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, i) => JSON.stringify({ _id: `p${i}`, text: `text ${i}` })).join("\n")
  /** With a temporary folder of its own. */
  const within = (directory: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(FileSystem.FileSystem, (fs) => {
      const makeTempDirectoryScoped: typeof fs.makeTempDirectoryScoped = (options) =>
        fs.makeTempDirectoryScoped({ ...options, directory })
      return Effect.provideService(effect, FileSystem.FileSystem, { ...fs, makeTempDirectoryScoped })
    })
  it.live("leave no file behind, nor a name while they are read", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "p.jsonl": lines(5000) })
      const { corpus } = yield* within(folder)(Dataset.corpus(join(folder, "p.jsonl"), { memory: 0 }))
      assert.deepStrictEqual(readdirSync(folder), ["p.jsonl"])
      assert.deepStrictEqual((yield* corpus.read([4999, 0])).map((p) => p.text), ["text 4999", "text 0"])
    })))
  it.live("are those of memory", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "p.jsonl": lines(3000) }), "p.jsonl")
      const hashes = yield* Effect.forEach([0, 1000, Infinity], (memory) =>
        Effect.map(Dataset.corpus(path, { memory }), ({ corpus }) => corpus.hash))
      assert.strictEqual(new Set(hashes).size, 1)
      assert.strictEqual(hashes[0], fromRecords((yield* Dataset.passages(path)).records).hash)
    })))

  /** A disk that takes so many writes, and then has no room. */
  const filling = (writes: number) =>
    Effect.map(FileSystem.FileSystem, (fs): FileSystem.FileSystem => ({
      ...fs,
      open: (path, options) =>
        Effect.map(fs.open(path, options), (file) => {
          let left = writes
          const full = PlatformError.systemError({
            _tag: "Unknown",
            module: "FileSystem",
            method: "writeAll",
            cause: Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
          })
          const writeAll = (bytes: Uint8Array) => left-- > 0 ? file.writeAll(bytes) : Effect.fail(full)
          return Object.assign(Object.create(file) as typeof file, { writeAll })
        })
    }))
  it.live("that find no room are an error that names the folder and what to do", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "p.jsonl": lines(20_000) }), "p.jsonl")
      const read = Dataset.corpus(path, { memory: 0 })
      const error = yield* Effect.flip(Effect.provideService(read, FileSystem.FileSystem, yield* filling(1)))
      assert.instanceOf(error, CorpusError)
      assert.match(error.message, /^\/.*: the disk is full; .*corpus_in_memory .*Free space there, .*TMPDIR/)
      assert.isTrue(error.message.startsWith(`${tmpdir()}: `))
    })))
  it.live("that have no folder are an error that says so", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "p.jsonl": lines(3) }), "p.jsonl")
      const error = yield* within("/nowhere/at/all")(Effect.flip(Dataset.corpus(path, { memory: 0 })))
      assert.match(error.message, /: there is no such file or folder; .*TMPDIR/)
    })))
})

describe("a table of ids", () => {
  it("finds what a map finds, however many there are", () => {
    const few = fc.array(fc.oneof(fc.nat(99).map(String), fc.string({ unit: "binary" })), {
      maxLength: 2000,
      size: "max"
    })
    fc.assert(fc.property(few, few, (added, asked) => {
      const [table, map] = [new IdTable(), new Map<string, number>()]
      for (const id of added.map((own) => own.toWellFormed())) {
        if (!map.has(id)) map.set(id, map.size)
        assert.strictEqual(table.add(id), map.get(id))
      }
      assert.strictEqual(table.size, map.size)
      for (const id of [...added, ...asked].map((own) => own.toWellFormed())) {
        assert.strictEqual(table.find(id), map.get(id) ?? -1)
      }
      for (const [id, row] of map) assert.strictEqual(table.id(row), id)
    }))
  })
})

describe("two passages of one id", () => {
  it("are no corpus", () => {
    assert.throws(() => fromRecords([{ id: "a", text: "x" }, { id: "a", text: "y" }]), /two passages are called a/)
  })
})
