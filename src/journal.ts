/** The journal of a run: every column of every step, as Arrow IPC files between checkpoints. */
import { type RecordBatch, RecordBatchFileWriter, RecordBatchReader } from "apache-arrow"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, located, readBytes, replace } from "./runtime/layers/files.ts"

const folderOf = (output: string): string => join(output, "journal")
const nameOf = (from: number, to: number): string =>
  `${String(from).padStart(8, "0")}-${String(to).padStart(8, "0")}.arrow`

/** The file of some steps' batches. */
export const encode = (batches: ReadonlyArray<RecordBatch>): Uint8Array =>
  RecordBatchFileWriter.writeAll(batches).toUint8Array(true)

/** Writes the batches of steps from..to-1 as one file, whole or not at all. */
export const write = Effect.fnUntraced(function*(
  output: string,
  from: number,
  to: number,
  batches: ReadonlyArray<RecordBatch>
) {
  const fs = yield* FileSystem.FileSystem
  const folder = folderOf(output)
  yield* fs.makeDirectory(folder, { recursive: true }).pipe(located(folder))
  yield* replace(join(folder, nameOf(from, to)), encode(batches))
})

/** Removes what was written of step `from` and later: a resumed run writes it again. */
export const truncate = Effect.fnUntraced(function*(output: string, from: number) {
  const fs = yield* FileSystem.FileSystem
  const folder = folderOf(output)
  if (!(yield* fs.exists(folder).pipe(located(folder)))) return
  const names = yield* fs.readDirectory(folder).pipe(located(folder))
  const later = names.filter((name) => Number(name.slice(0, 8)) >= from)
  yield* Effect.forEach(later, (name) => fs.remove(join(folder, name)).pipe(located(folder)))
})

/** Every batch of a run, in order. */
export const read = Effect.fnUntraced(function*(output: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = folderOf(output)
  const names = yield* fs.readDirectory(folder).pipe(located(folder))
  const files = names.filter((name) => name.endsWith(".arrow")).toSorted()
  const batches = yield* Effect.forEach(
    files,
    (name) =>
      Effect.flatMap(readBytes(join(folder, name)), (bytes) =>
        Effect.try({
          try: () => [...RecordBatchReader.from(bytes)],
          catch: (cause) => new FileError({ path: join(folder, name), place: "", reason: String(cause) })
        }))
  )
  return batches.flat()
})
