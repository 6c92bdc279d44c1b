/** Pictures of records: references are relative to the file of the records, and absolute once they are loaded. */
import { dirname, isAbsolute, relative, resolve } from "node:path"

/** A record's reference as every program finds it: of a file (and an array and row in it) with its absolute path. */
export const resolved = (reference: string, records: string): string =>
  reference.startsWith("data:") || isAbsolute(reference) ? reference : resolve(dirname(records), reference)

/** A picture's path as records in a folder name it. */
export const from = (folder: string, picture: string): string =>
  relative(resolve(folder), resolve(picture)).replaceAll("\\", "/")

/** Records as JSON lines. */
export const lines = (records: ReadonlyArray<object>): Uint8Array =>
  new TextEncoder().encode(records.map((record) => `${JSON.stringify(record)}\n`).join(""))
