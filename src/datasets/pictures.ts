/** Pictures of records: references are relative to the file of the records, and absolute once they are loaded. */
import { dirname, isAbsolute, resolve } from "node:path"

/** A record's reference as every program finds it: of a file (and an array and row in it) with its absolute path. */
export const resolved = (reference: string, records: string): string =>
  reference.startsWith("data:") || isAbsolute(reference) ? reference : resolve(dirname(records), reference)
