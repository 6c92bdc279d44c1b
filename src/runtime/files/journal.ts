/** The journal of a run: all columns of every step, in one Arrow IPC file per checkpoint interval. */
import { RecordBatch, RecordBatchFileWriter, RecordBatchReader, Schema } from "apache-arrow"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { runFiles } from "../../domain/fileNames.ts"
import { FileError, located, makeFolder, namesIn, readBytes, replace, sha256 } from "./disk.ts"
import { limited } from "./timeLimit.ts"

const folderOf = (output: string): string => join(output, runFiles.journal)
const nameOf = (from: number, to: number): string =>
  `${String(from).padStart(8, "0")}-${String(to).padStart(8, "0")}.arrow`

const arrow = (batches: ReadonlyArray<RecordBatch>): Uint8Array =>
  RecordBatchFileWriter.writeAll(batches).toUint8Array(true)

/** The batches with this schema metadata. */
const marked = (batches: ReadonlyArray<RecordBatch>, metadata: ReadonlyMap<string, string>) =>
  batches.map((batch) => new RecordBatch(new Schema(batch.schema.fields, new Map(metadata)), batch.data))

/** Schema metadata key of the file's SHA-256, computed with `BLANK` in place of the hash. */
const HASH = "sha256"
const BLANK = "-".repeat(64)
/** The key as stored, with its length, and the maximum distance in bytes to its value. */
const [KEY, NEAR] = [`\x06\0\0\0${HASH}\0`, 256]
/** A padding byte after Arrow's magic: 1 if the file has a hash. */
const MARK = 7

/** A copy of a file with the last `from` replaced by `to`; Arrow repeats the schema at the end of the file. */
const stamped = (bytes: Uint8Array, from: string, to: string): Uint8Array => {
  const copy = Buffer.from(bytes)
  copy[MARK] = 1
  copy.write(to, copy.lastIndexOf(from), "latin1")
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.length)
}

/** Encodes the batches of some steps as a file. */
export const encode = (batches: ReadonlyArray<RecordBatch>): Uint8Array => {
  const file = stamped(arrow(marked(batches, new Map([[HASH, BLANK]]))), BLANK, BLANK)
  return stamped(file, BLANK, sha256(file))
}

const another = () => new RangeError("is not as it was written")

/** Generous time limit in milliseconds for reading: some damaged files would be read forever. */
const patience = (bytes: number): number => 2000 + bytes / 2000

/** Decodes a file of an earlier version, which has no hash: at most `count` batches that re-encode to its bytes. */
const decodeEarlier = (bytes: Uint8Array, count: number): ReadonlyArray<RecordBatch> => {
  const batches = limited(patience(bytes.length), () => {
    const found: Array<RecordBatch> = []
    for (const batch of RecordBatchReader.from(bytes)) if (found.push(batch) > count) throw another()
    return found
  })
  if (batches[0]?.schema.metadata.has(HASH) || Buffer.compare(arrow(batches), bytes) !== 0) throw another()
  return batches
}

/** Decodes a file after its hash has been verified. */
const decode = (bytes: Uint8Array, count: number): ReadonlyArray<RecordBatch> => {
  if (bytes[MARK] !== 1) return decodeEarlier(bytes, count)
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const key = Math.max(0, file.lastIndexOf(KEY))
  const [hash] = /[0-9a-f]{64}/.exec(file.toString("latin1", Math.max(0, key - NEAR), key + NEAR)) ?? []
  if (hash === undefined || sha256(stamped(bytes, hash, BLANK)) !== hash) throw another()
  return marked([...RecordBatchReader.from(bytes)], new Map())
}

/** Writes the batches of steps from..to-1 as one file, atomically. */
export const write = Effect.fnUntraced(function*(
  output: string,
  from: number,
  to: number,
  batches: ReadonlyArray<RecordBatch>
) {
  const folder = folderOf(output)
  yield* makeFolder(folder)
  yield* replace(join(folder, nameOf(from, to)), encode(batches))
})

/** The steps covered by a journal file, from its name. */
const stepsOf = (name: string): { readonly from: number; readonly to: number } | undefined => {
  const [, from, to] = /^(\d{8,})-(\d{8,})\.arrow$/.exec(name) ?? []
  return to === undefined ? undefined : { from: Number(from), to: Number(to) }
}

/** The journal's files in step order. */
const filesOf = (output: string) =>
  Effect.map(namesIn(folderOf(output)), (names) =>
    names.flatMap((name) => {
      const steps = stepsOf(name)
      return steps ? [{ ...steps, name, path: join(folderOf(output), name) }] : []
    }).toSorted((a, b) => a.from - b.from))

/** Whether a batch has rows, all of step `step`. */
const isOf = (batch: RecordBatch, step: number): boolean => {
  const column = batch.getChild("step")
  return column !== null && column.length > 0 && [...column].every((own) => own === step)
}

/** The batches of a file: one for each step in its name. */
const batchesOf = Effect.fnUntraced(function*({ from, path, to }: { from: number; to: number; path: string }) {
  const bytes = yield* readBytes(path)
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  const batches = yield* Effect.try({
    try: () => decode(bytes, Math.max(0, to - from)),
    catch: (cause) => cause instanceof RangeError ? fail(cause.message) : fail("is no Arrow file, or a damaged one")
  })
  const fits = batches.length === to - from && batches.every((batch, i) => isOf(batch, from + i))
  return fits ? batches : yield* fail("does not hold the steps that its name tells of")
})

/** Removes step `from` and later steps, which a resumed run writes again. */
export const truncate = Effect.fnUntraced(function*(output: string, from: number) {
  const fs = yield* FileSystem.FileSystem
  const folder = folderOf(output)
  const left = (yield* namesIn(folder)).filter((name) => /^\d{8,}-\d{8,}\.arrow\.partial$/.test(name))
  const later = (yield* filesOf(output)).filter((file) => file.to > from)
  for (const file of later.filter((file) => file.from < from)) {
    yield* write(output, file.from, from, (yield* batchesOf(file)).slice(0, from - file.from))
  }
  const gone = [...left.map((name) => join(folder, name)), ...later.map(({ path }) => path)]
  yield* Effect.forEach(gone, (path) => fs.remove(path).pipe(located(path)))
})

/** All batches of a run, one per step, in order. */
export const read = Effect.fnUntraced(function*(output: string) {
  return (yield* Effect.forEach(yield* filesOf(output), batchesOf)).flat()
})

/** The batch of the last step. */
export const last = Effect.fnUntraced(function*(output: string) {
  const file = (yield* filesOf(output)).at(-1)
  return file && (yield* batchesOf(file)).at(-1)
})
