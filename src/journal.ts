/** The journal of a run: every column of every step, as Arrow IPC files between checkpoints. */
import { RecordBatch, RecordBatchFileWriter, RecordBatchReader, Schema } from "apache-arrow"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, located, makeFolder, namesIn, readBytes, replace, sha256 } from "./runtime/layers/files.ts"
import { limited } from "./runtime/layers/limited.ts"

const folderOf = (output: string): string => join(output, "journal")
const nameOf = (from: number, to: number): string =>
  `${String(from).padStart(8, "0")}-${String(to).padStart(8, "0")}.arrow`

const arrow = (batches: ReadonlyArray<RecordBatch>): Uint8Array =>
  RecordBatchFileWriter.writeAll(batches).toUint8Array(true)

/** The batches under a schema with this metadata. */
const marked = (batches: ReadonlyArray<RecordBatch>, metadata: ReadonlyMap<string, string>) =>
  batches.map((batch) => new RecordBatch(new Schema(batch.schema.fields, new Map(metadata)), batch.data))

/** The key under which a file's schema has the SHA-256 of the file as it is without. */
const HASH = "sha256"

/** The file of some steps' batches. */
export const encode = (batches: ReadonlyArray<RecordBatch>): Uint8Array =>
  arrow(marked(batches, new Map([[HASH, sha256(arrow(batches))]])))

/** Milliseconds in which a file is read, by far: some that are damaged would be read for ever. */
const patience = (bytes: number): number => 2000 + bytes / 2000

/** The batches of a file, which must be as it was written. */
const decode = (bytes: Uint8Array): ReadonlyArray<RecordBatch> => {
  const batches = limited(patience(bytes.length), () => [...RecordBatchReader.from(bytes)])
  const hash = batches[0]?.schema.metadata.get(HASH)
  const plain = hash === undefined ? batches : marked(batches, new Map())
  if (hash !== undefined && hash !== sha256(arrow(plain))) throw new RangeError("is not as it was written")
  if (Buffer.compare(arrow(batches), bytes) !== 0) throw new RangeError("is not as it was written")
  return plain
}

/** Writes the batches of steps from..to-1 as one file, whole or not at all. */
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

/** The steps that a file of ours tells of, by its name. */
const stepsOf = (name: string): { readonly from: number; readonly to: number } | undefined => {
  const [, from, to] = /^(\d{8,})-(\d{8,})\.arrow$/.exec(name) ?? []
  return to === undefined ? undefined : { from: Number(from), to: Number(to) }
}

/** The files of the journal in the order of their steps. */
const filesOf = (output: string) =>
  Effect.map(namesIn(folderOf(output)), (names) =>
    names.flatMap((name) => {
      const steps = stepsOf(name)
      return steps ? [{ ...steps, name, path: join(folderOf(output), name) }] : []
    }).toSorted((a, b) => a.from - b.from))

/** Whether a batch is all of step `step`. */
const isOf = (batch: RecordBatch, step: number): boolean => {
  const column = batch.getChild("step")
  return column !== null && column.length > 0 && [...column].every((own) => own === step)
}

/** The batches of a file: one a step, those that its name tells of. */
const batchesOf = Effect.fnUntraced(function*({ from, path, to }: { from: number; to: number; path: string }) {
  const bytes = yield* readBytes(path)
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  const batches = yield* Effect.try({
    try: () => decode(bytes),
    catch: (cause) =>
      fail(cause instanceof RangeError ? cause.message : `is no Arrow file: ${(cause as Error).message}`)
  })
  const fits = batches.length === to - from && batches.every((batch, i) => isOf(batch, from + i))
  return fits ? batches : yield* fail("does not hold the steps that its name tells of")
})

/** Removes what was written of step `from` and later: a resumed run writes it again. */
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

/** Every batch of a run, one a step, in order. */
export const read = Effect.fnUntraced(function*(output: string) {
  return (yield* Effect.forEach(yield* filesOf(output), batchesOf)).flat()
})

/** The batch of the last step. */
export const last = Effect.fnUntraced(function*(output: string) {
  const file = (yield* filesOf(output)).at(-1)
  return file && (yield* batchesOf(file)).at(-1)
})
