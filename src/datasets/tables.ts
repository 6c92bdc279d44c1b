/** Tables of separated values without quotes: a line a row, cells between tabs. */
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import type { FileError } from "../runtime/files/disk.ts"
import { bytesOf, decoded } from "../runtime/files/textFile.ts"
import { lines, type Raw } from "./recordFile.ts"

/** Whether a file is such a table, by its name. */
export const isTable = (path: string): boolean => /\.tsv(?:\.gz)?$/.test(path)

/** The non-blank lines of a text file. */
export const linesOf = (path: string): Stream.Stream<Raw, FileError, FileSystem.FileSystem> =>
  bytesOf(path).pipe(decoded(path), lines(path))

/** The cells of a line. */
export const cellsOf = ({ json }: Raw): ReadonlyArray<string> => json!.replace(/\r$/, "").split("\t")

/** The rows of a table: their values are cells. */
export const tableRows = (path: string): Stream.Stream<Raw, FileError, FileSystem.FileSystem> =>
  Stream.map(linesOf(path), (raw): Raw => ({ path, unit: "line", at: raw.at, value: cellsOf(raw) }))
