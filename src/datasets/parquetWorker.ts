/**
 * A thread that reads one parquet file, because damaged input can make the reader loop or grow without bound. Driven
 * by `parquet.ts`, one message per request; the column names are sent first.
 */
import {
  asyncBufferFromFile,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaElement
} from "hyparquet"
import { parentPort, workerData } from "node:worker_threads"
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib"

/** Contents of a file. */
export interface Contents {
  readonly names: ReadonlyArray<string>
  /** Those that have files in them, as structures with `bytes` that are no text. */
  readonly files: ReadonlyArray<string>
  /** Size in the file of each row group, as its metadata states. */
  readonly groups: ReadonlyArray<number>
}
export interface Request {
  readonly group: number
  readonly columns: ReadonlyArray<string>
  /** Whether values that no text is said to be stay bytes: pictures. */
  readonly bytes: boolean
}
export type Reply<A> = { readonly value: A } | { readonly reason: string }

/** Maximum decompressed size of a row group, which is read as a whole. */
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

/** A value as JSON: integers beyond 2^53 as digits, times in ISO 8601; bytes as they are where these are wanted. */
const plain = (value: unknown, bytes: boolean): unknown => {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value !== "object" || value === null || (bytes && value instanceof Uint8Array)) return value
  if (Array.isArray(value)) return value.map((own) => plain(own, bytes))
  if (value instanceof Date) return value.toISOString()
  return ArrayBuffer.isView(value)
    ? Array.from(value as Uint8Array, (own) => plain(own, bytes))
    : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner, bytes)]))
}

/** Whether a column's bytes are not said to be text. */
const isRaw = ({ converted_type, logical_type, type }: SchemaElement): boolean =>
  type === "BYTE_ARRAY" && converted_type === undefined && logical_type === undefined

const open = async (path: string) => {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const columns = parquetSchema(metadata).children
  const names = columns.map(({ element }) => element.name as unknown)
  if (!names.every((name) => typeof name === "string")) throw new Error("a column has no name")
  const files = columns.filter(({ children }) =>
    children.some(({ element }) => element.name === "bytes" && isRaw(element))
  )
    .map(({ element }) => element.name)
  const ends = new Array<number>()
  for (const { num_rows } of metadata.row_groups) ends.push((ends.at(-1) ?? 0) + Number(num_rows))
  return { ends, file, files, metadata, names }
}
type Opened = Awaited<ReturnType<typeof open>>

/** The wanted columns' values in a row group; other columns only record presence. */
const readGroup = async ({ ends, file, metadata, names }: Opened, { bytes: raw, columns, group }: Request) => {
  const [rowStart, rowEnd] = [ends[group - 1] ?? 0, ends[group]!]
  const bytes = metadata.row_groups[group]!.total_byte_size
  if (bytes > LARGEST) throw new Error(`row group ${group + 1} has ${bytes} bytes; write it in smaller ones`)
  const rows = await parquetReadObjects({
    file,
    metadata,
    columns: [...columns],
    rowStart,
    rowEnd,
    compressors,
    parsers,
    utf8: !raw
  })
  if (rows.length !== rowEnd - rowStart) {
    throw new Error(`row group ${group + 1} has ${rows.length} rows of ${rowEnd - rowStart}`)
  }
  const values = rows.map((row) => plain(row, raw) as Record<string, unknown>)
  const unread = names.filter((name) => !columns.includes(name))
  for (const value of values) for (const name of unread) value[name] = true
  return values
}

/** Why a file cannot be read; the parquet library's errors on damaged bytes would not help a user. */
const reasonOf = (cause: unknown): string => {
  const { message } = cause as Error
  const stumbles = cause instanceof TypeError || cause instanceof RangeError || message.includes("undefined")
  return stumbles ? "it is damaged" : message
}

const reply = async <A>(work: Promise<A>): Promise<void> => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  const send = (message: Reply<A>) => parentPort!.postMessage(message)
  await work.then((value) => send({ value }), (cause: unknown) => send({ reason: reasonOf(cause) }))
}

const opened = open(workerData as string)
parentPort!.on("message", (request: Request) => void reply(opened.then((file) => readGroup(file, request))))
await reply(opened.then(({ files, metadata, names }): Contents => ({
  names,
  files,
  groups: metadata.row_groups.map(({ columns }) =>
    columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0)
  )
})))
