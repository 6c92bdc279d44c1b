/** Files of records: the same records, whatever the file's kind, its compression and the pieces it is read in. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { parquetWriteBuffer } from "hyparquet-writer"
import { join } from "node:path"
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib"
import { LONGEST, placeOf, type Raw, recordsOf, textRecords } from "../../src/datasets/recordFile.ts"
import type { FileError } from "../../src/runtime/files/disk.ts"
import { decoded } from "../../src/runtime/files/textFile.ts"
import { folderOf, onDisk } from "../support/files.ts"

type Read = readonly [place: string, value: unknown]

const valueOf = ({ json, value }: Raw): unknown => json === undefined ? value : JSON.parse(json)
const read = (raw: Raw): Read => [placeOf(raw), valueOf(raw)]

/** The records of some bytes that come in these pieces. */
const ofPieces = (path: string, pieces: ReadonlyArray<Uint8Array>, dataset?: string) =>
  Stream.fromIterable(pieces).pipe(decoded(path), textRecords(path, dataset), Stream.map(read), Stream.runCollect)

const run = <A>(effect: Effect.Effect<A, FileError>) => Effect.runSync(Effect.result(effect))

const split = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const at = [...new Set(cuts.map((cut) => bytes.length === 0 ? 0 : cut % bytes.length))].toSorted((a, b) => a - b)
  return [0, ...at].map((from, i) => bytes.slice(from, at[i] ?? bytes.length)).filter((piece) => piece.length > 0)
}

const value = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
  fc.string({ unit: "grapheme" }),
  fc.integer(),
  fc.constant(null),
  fc.array(fc.string(), { maxLength: 3 })
)
const records = fc.array(fc.dictionary(fc.constantFrom("text", "ä", "\u2028", "😀", "__proto__"), value), {
  maxLength: 6
})
const cuts = fc.array(fc.nat(10_000), { maxLength: 20 })
const bytesOf = (text: string) => new TextEncoder().encode(text)
const values = (found: ReadonlyArray<Read>) => found.map(([, value]) => value)

describe("the records of a text", () => {
  it("are the same in whatever pieces it comes", () => {
    const ends = fc.constantFrom("\n", "\r\n", "\n\n", "\n \n")
    fc.assert(
      fc.property(
        records,
        cuts,
        ends,
        fc.boolean(),
        fc.constantFrom("lines", "array"),
        (own, cuts, end, mark, kind) => {
          const text = kind === "lines"
            ? own.map((record) => JSON.stringify(record) + end).join("")
            : JSON.stringify(own, null, end === "\n" ? 0 : 2)
          const bytes = bytesOf((mark ? "\uFEFF" : "") + text)
          const path = kind === "lines" ? "x.jsonl" : "x.json"
          const whole = run(ofPieces(path, [bytes]))
          const pieces = run(ofPieces(path, split(bytes, cuts)))
          const single = run(ofPieces(path, [...bytes].map((byte) => Uint8Array.of(byte))))
          assert.deepStrictEqual([pieces, single], [whole, whole])
          assert.deepStrictEqual(whole._tag === "Success" ? values(whole.success) : whole, own)
        }
      ),
      { numRuns: 200 }
    )
  })
  it("that is not UTF-8 are told by the line, in whatever pieces it comes", () => {
    const bad = fc.constantFrom([0xff], [0xc3], [0xc3, 0x28], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf5, 0x80], [0x80], [
      0xc0,
      0xaf
    ])
    fc.assert(
      fc.property(fc.nat(5), fc.nat(5), bad, cuts, (before, after, bytes, cuts) => {
        const line = bytesOf("{\"text\":\"häé😀\"}\n")
        const all = [...Array(before).fill(line), Uint8Array.from([123, ...bytes, 125, 10]), ...Array(after).fill(line)]
        const whole = new Uint8Array(Buffer.concat(all as ReadonlyArray<Uint8Array>))
        const result = run(ofPieces("x.jsonl", split(whole, cuts)))
        assert.deepInclude(result._tag === "Failure" ? { ...result.failure } : {}, {
          path: "x.jsonl",
          place: `line ${before + 1}`,
          reason: "not UTF-8"
        })
      })
    )
  })
  it("end where the file does: half a character is not UTF-8", () => {
    const bytes = bytesOf("{\"text\":\"😀").slice(0, -1)
    const result = run(ofPieces("x.jsonl", [bytes]))
    assert.strictEqual(result._tag === "Failure" ? result.failure.message : "", "x.jsonl, line 1: not UTF-8")
  })
  it("in UTF-16 are told to be", () => {
    const result = run(ofPieces("x.jsonl", [Uint8Array.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0])]))
    assert.match(result._tag === "Failure" ? result.failure.message : "", /line 1: not UTF-8; it may be UTF-16/)
  })
  it("keep marks that are no byte order mark", () => {
    const text = "{\"text\":\"\uFEFFx\"}\n"
    const found = run(ofPieces("x.jsonl", split(bytesOf(text), [9, 10])))
    assert.deepStrictEqual(found._tag === "Success" ? values(found.success) : [], [{ text: "\uFEFFx" }])
  })
  it("are no longer than they may be, and the line that is is told", () => {
    const piece = bytesOf("a".repeat(1 << 20))
    const long = Stream.rechunk(Stream.fromIterable([bytesOf("{}\n"), ...Array<Uint8Array>(200).fill(piece)]), 1)
    let pulled = 0
    const counted = Stream.map(long, (bytes) => {
      pulled++
      return bytes
    })
    const result = run(Stream.runDrain(counted.pipe(decoded("x"), textRecords("x", undefined))))
    assert.strictEqual(result._tag === "Failure" ? result.failure.message : "", "x, line 2: is longer than 64 MiB")
    assert.isBelow(pulled, LONGEST / piece.length + 4)
  })
  it("of an array are no longer either", () => {
    const piece = bytesOf("a".repeat(1 << 20))
    const long = Stream.fromIterable([bytesOf("[{\"text\":\""), ...Array<Uint8Array>(70).fill(piece)])
    const result = run(Stream.runDrain(long.pipe(decoded("x"), textRecords("x", undefined))))
    assert.match(
      result._tag === "Failure" ? result.failure.message : "",
      /^x, character 1: not a JSON array: Element exceeds/
    )
  })
  for (
    const [what, text, message] of [
      ["an array that ends early", "[{\"a\":1},{\"a\"", /not a JSON array/],
      ["an array without a comma", "[{\"a\":1}{\"a\":2}]", /not a JSON array/],
      ["an array and more", "[{\"a\":1}]\n[{\"a\":2}]", /not a JSON array/],
      ["an object that ends early", "{\n\"question\": \"x\"", /not JSON/],
      ["an object and more", "{\n\"question\": \"x\"}\n{}", /not JSON/],
      ["an object of nothing that is a record", "{\n\"a\": {\"b\": 1}\n}", /holds no records/]
    ] as const
  ) {
    it(`are refused in ${what}`, () => {
      const result = run(ofPieces("x.json", [bytesOf(text)]))
      assert.match(result._tag === "Failure" ? result.failure.message : "it is read", message)
    })
  }
})

describe("an object of records", () => {
  const q = (question: string) => ({ question })
  for (
    const [form, json, expected] of [
      ["by their ids", { 17: q("a"), b: q("b") }, [["record 17", q("a")], ["record b", q("b")]]],
      ["in `questions`", { questions: [q("a"), q("b")] }, [["record 1", q("a")], ["record 2", q("b")]]],
      ["in `data`", { version: 1, data: [q("a")] }, [["record 1", q("a")]]],
      ["in exams", { version: 1, exams: { E: { name: "e", data: [{ qtext: "a" }] } } }, [
        ["record E/1", { qtext: "a", name: "E" }]
      ]],
      ["in its one list", { version: 1, train: [q("a")] }, [["record 1", q("a")]]],
      ["as one record", q("a"), [["record 1", q("a")]]]
    ] as const
  ) {
    for (const [spacing, space] of [["compact", 0], ["indented", 2]] as const) {
      it(`has them ${form}, ${spacing}`, () => {
        const found = run(ofPieces("x.json", [bytesOf(JSON.stringify(json, null, space))]))
        const places = found._tag === "Success" ? found.success : found
        const alone = form === "as one record" && space === 0
        assert.deepStrictEqual(places, alone ? [["line 1", q("a")]] : expected as never)
      })
    }
  }
  const several = { medqa: { "0000": q("a"), "0001": q("b") }, mmlu: { "anatomy-0": { ...q("c"), type: "t" } } }
  const of = (dataset?: string) => run(ofPieces("x.json", [bytesOf(JSON.stringify(several))], dataset))
  it("has the records of the dataset that is named", () => {
    const found = of("medqa")
    assert.deepStrictEqual(
      found._tag === "Success" ? found.success : found,
      [["record 0000", q("a")], ["record 0001", q("b")]] as never
    )
  })
  it("has those of all datasets, each named", () => {
    const found = of("*")
    assert.deepStrictEqual(found._tag === "Success" ? found.success.map(([, value]) => value) : found, [
      { ...q("a"), id: "medqa/0000", type: "medqa" },
      { ...q("b"), id: "medqa/0001", type: "medqa" },
      { ...q("c"), id: "mmlu/anatomy-0", type: "t" }
    ] as never)
  })
  it("of several datasets wants one named, and tells them", () => {
    const messages = [undefined, "pubmedqa"].map((dataset) => {
      const found = of(dataset)
      return found._tag === "Failure" ? found.failure.reason : ""
    })
    assert.match(messages[0]!, /^holds several datasets: medqa \(2\), mmlu \(1\); name one/)
    assert.match(messages[1]!, /^has no dataset "pubmedqa", but medqa \(2\), mmlu \(1\); name one/)
  })
})

const all = () => true
const onlyIds = (name: string) => name === "id"

const collected = (path: string, wanted: (column: string) => boolean = all, dataset?: string) =>
  recordsOf(path, dataset, wanted).pipe(Stream.map(read), Stream.runCollect)

/** Columns of a parquet file from rows that all have the same fields. */
const parquet = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>, options: object = {}): Uint8Array => {
  const names = Object.keys(rows[0]!)
  const columnData = names.map((name) => ({ name, data: rows.map((row) => row[name]) as Array<any> }))
  return new Uint8Array(parquetWriteBuffer({ columnData, ...options }))
}

describe("a file of records", () => {
  const rows = [{ id: "a", text: "häé" }, { id: "b", text: "😀 x" }, { id: "c", text: "" }]
  const jsonl = rows.map((row) => JSON.stringify(row)).join("\n")
  it.live("is the same plain and compressed, in one member or several", () =>
    onDisk(Effect.gen(function*() {
      const members = Buffer.concat([gzipSync(`${jsonl.slice(0, 11)}`), gzipSync(jsonl.slice(11))])
      const folder = yield* folderOf({
        "x.jsonl": jsonl,
        "x.jsonl.gz": gzipSync(jsonl),
        "y.jsonl.gz": members,
        "x.json": JSON.stringify(rows),
        "x.json.gz": gzipSync(JSON.stringify(rows))
      })
      for (const name of ["x.jsonl", "x.jsonl.gz", "y.jsonl.gz", "x.json", "x.json.gz"]) {
        assert.deepStrictEqual(values(yield* collected(join(folder, name))), rows, name)
      }
    })))
  it.live("of parquet has the rows that lines would have", () =>
    onDisk(Effect.gen(function*() {
      const many = Array.from({ length: 50 }, (_, i) => ({
        id: `r${i}`,
        text: `text ${i} é`,
        place: i,
        title: i % 3 === 0 ? null : `T${i}`,
        gold: [`p${i}`, `q${i}`]
      }))
      const codecs = {
        "UNCOMPRESSED": undefined,
        "GZIP": (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
        "BROTLI": (bytes: Uint8Array) => new Uint8Array(brotliCompressSync(bytes)),
        "ZSTD": (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes)),
        "SNAPPY": undefined
      } as const
      for (const [codec, compress] of Object.entries(codecs)) {
        const options = { codec, rowGroupSize: 20, ...(compress ? { compressors: { [codec]: compress } } : {}) }
        const folder = yield* folderOf({ "x.parquet": parquet(many, options) })
        const found = yield* collected(join(folder, "x.parquet"))
        assert.deepStrictEqual(values(found), many, codec)
        assert.deepStrictEqual([found[0]![0], found[49]![0]], ["row 1", "row 50"])
      }
    })))
  it.live("has the same records as lines, array, object or parquet", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 }).map((own) => own.toWellFormed())
    const row = fc.record({ text, place: fc.integer(), list: fc.array(text, { minLength: 1, maxLength: 3 }) })
    return Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), (own) =>
          Effect.runPromise(onDisk(Effect.gen(function*() {
            const folder = yield* folderOf({
              "x.jsonl": own.map((record) =>
                JSON.stringify(record)
              ).join("\n"),
              "x.json": JSON.stringify(own),
              "y.json": JSON.stringify({ data: own }, null, 1),
              "x.parquet": parquet(own)
            })
            for (const name of ["x.jsonl", "x.json", "y.json", "x.parquet"]) {
              assert.deepStrictEqual(values(yield* collected(join(folder, name))), own, name)
            }
          })))),
        { numRuns: 20 }
      )
    )
  })
  it.live("of parquet has the columns that are not wanted by name alone", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "x.parquet": parquet(rows) })
      const found = values(yield* collected(join(folder, "x.parquet"), onlyIds))
      assert.deepStrictEqual(found, rows.map(({ id }) => ({ id, text: true })))
    })))
  it.live("of parquet keeps integers that no number holds", () =>
    onDisk(Effect.gen(function*() {
      const columnData = [{ name: "id", data: [1n, 2n ** 60n], type: "INT64" as const }]
      const folder = yield* folderOf({ "x.parquet": new Uint8Array(parquetWriteBuffer({ columnData })) })
      assert.deepStrictEqual(values(yield* collected(join(folder, "x.parquet"))), [{ id: 1 }, {
        id: "1152921504606846976"
      }])
    })))
  it.live("that is damaged is an error that names it, or is read", () =>
    onDisk(Effect.gen(function*() {
      const bytes = parquet(rows, { codec: "SNAPPY" })
      let errors = 0
      for (let i = 0; i < bytes.length; i += 8) {
        const damaged = bytes.slice()
        damaged[i] = damaged[i]! ^ 0xff
        const path = join(yield* folderOf({ "x.parquet": damaged }), "x.parquet")
        const result = yield* Effect.result(collected(path))
        if (result._tag === "Failure") {
          errors++
          assert.strictEqual(result.failure.path, path)
        }
      }
      assert.isAbove(errors, bytes.length / 8 / 4)
    })), 60_000)
  for (
    const [name, content, message] of [
      ["x.parquet", "PAR1 but no more PAR1", /not parquet as it should be/],
      ["x.parquet", "", /not parquet as it should be/],
      ["x.jsonl.gz", "not gzip", /cannot be decompressed: incorrect header check/],
      ["x.jsonl.gz", gzipSync(jsonl).subarray(0, 30), /cannot be decompressed: unexpected end of file/],
      ["x.jsonl", gzipSync(jsonl), /line 1: not UTF-8; it may be gzip/],
      ["x.csv", "a,b\n", /is a table of separated values/],
      ["x.zip", "PK", /is an archive/]
    ] as const
  ) {
    it.live(`${name} is refused as ${String(message)}`, () =>
      onDisk(Effect.gen(function*() {
        const path = join(yield* folderOf({ [name]: content }), name)
        const error = yield* Effect.flip(collected(path))
        assert.match(error.message, message)
        assert.strictEqual(error.path, path)
      })))
  }
  it.live("without datasets by name has none", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "x.jsonl": jsonl, "x.parquet": parquet(rows) })
      for (const name of ["x.jsonl", "x.parquet"]) {
        const error = yield* Effect.flip(collected(join(folder, name), all, "medqa"))
        assert.match(error.reason, /has no datasets by name, and "medqa" is asked for/)
      }
    })))
  it.live("that is a folder is told to be one", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      assert.strictEqual((yield* Effect.flip(collected(folder))).message, `${folder}: is a folder`)
    })))
})
