/** Rows of parquet files, a row group at a time. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import {
  asyncBufferFromFile,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema
} from "hyparquet"
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib"
import { FileError, located } from "../runtime/files/disk.ts"

/** Bytes of a row group, decompressed, at most: it is read as a whole. */
const LARGEST = 2 ** 31

const within = (decompress: (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array) =>
(
  bytes: Uint8Array,
  size: number
): Uint8Array => decompress(bytes, { maxOutputLength: Math.max(1, size) })

const compressors: Compressors = {
  GZIP: within(gunzipSync),
  BROTLI: within(brotliDecompressSync),
  ZSTD: within(zstdDecompressSync)
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const parsers = { stringFromBytes: (bytes: Uint8Array | undefined) => bytes && strict.decode(bytes) }

/** A value as JSON has it: integers beyond 2^53 as their digits, times in ISO 8601. */
const plain = (value: unknown): unknown => {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Date) return value.toISOString()
  return ArrayBuffer.isView(value)
    ? Array.from(value as Uint8Array, plain)
    : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, FileError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new FileError({ path, place: "", reason: `not parquet as it should be: ${(cause as Error).message}` })
  })

const open = async (path: string, wanted: (column: string) => boolean) => {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const names = parquetSchema(metadata).children.map(({ element }) => element.name)
  const columns = names.filter(wanted)
  if (columns.length === 0) throw new Error(`no column of a record is among its ${names.join(", ")}`)
  const ends = new Array<number>()
  for (const { num_rows } of metadata.row_groups) ends.push((ends.at(-1) ?? 0) + Number(num_rows))
  return { columns, ends, file, metadata, unread: names.filter((name) => !wanted(name)) }
}
type Opened = Awaited<ReturnType<typeof open>>

/** The rows of the `g`th row group. */
const readGroup = async (opened: Opened, g: number): Promise<ReadonlyArray<object>> => {
  const { columns, ends, file, metadata, unread } = opened
  const [rowStart, rowEnd] = [ends[g - 1] ?? 0, ends[g]!]
  const bytes = metadata.row_groups[g]!.total_byte_size
  if (bytes > LARGEST) throw new Error(`row group ${g + 1} has ${bytes} bytes; write it in smaller ones`)
  const rows = await parquetReadObjects({ file, metadata, columns, rowStart, rowEnd, compressors, parsers })
  if (rows.length !== rowEnd - rowStart) {
    throw new Error(`row group ${g + 1} has ${rows.length} rows of ${rowEnd - rowStart}`)
  }
  const values = rows.map((row) => plain(row) as Record<string, unknown>)
  /** Columns that are not read still are there. */
  for (const value of values) for (const name of unread) value[name] = true
  return values
}

/** The rows of a file, with the values of the columns that are wanted. */
export const rowsOf = (
  path: string,
  wanted: (column: string) => boolean
): Stream.Stream<object, FileError, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.gen(function*() {
    yield* FileSystem.FileSystem.use((fs) => fs.stat(path)).pipe(located(path))
    const opened = yield* attempt(path, () => open(path, wanted))
    return Stream.fromIterable(opened.metadata.row_groups.keys()).pipe(
      Stream.rechunk(1),
      Stream.mapEffect((g) => attempt(path, () => readGroup(opened, g))),
      Stream.flattenIterable
    )
  }))
