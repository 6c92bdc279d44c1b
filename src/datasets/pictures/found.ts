/** Files of pictures that data name without their folder. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import { exists, FileError, located } from "../../runtime/files/disk.ts"

/** Missing pictures that a message names. */
const SHOWN = 3

/** Pictures by the names that data have for them. */
export interface Found {
  /** The folder that they are in. */
  readonly folder: string
  readonly paths: ReadonlyMap<string, string>
  /** Names of which there is no picture, in order. */
  readonly missing: ReadonlyArray<string>
}

/**
 * The pictures of these names: in `given`, or else in the first of the folders `usual` beside the data that has one of them. `under` has the
 * names of files, best first, that a picture may have by its name. Missing ones are told with the first of them; fails if all are.
 */
export const found = Effect.fnUntraced(function*(
  data: string,
  given: string | undefined,
  usual: ReadonlyArray<string>,
  names: ReadonlySet<string>,
  under: (name: string) => ReadonlyArray<string> = (name) => [name]
) {
  const fs = yield* FileSystem.FileSystem
  const { type } = yield* fs.stat(data).pipe(located(data))
  const beside = type === "Directory" ? data : dirname(data)
  const folders = given === undefined ? usual.map((name) => join(beside, name)) : [given]
  for (const folder of folders) {
    if (!(yield* exists(folder))) continue
    const paths = new Map<string, string>()
    const missing: Array<string> = []
    for (const name of names) {
      const path = yield* Effect.findFirst(under(name).map((file) => join(folder, file)), exists)
      if (path._tag === "Some") paths.set(name, path.value)
      else missing.push(name)
    }
    if (paths.size === 0 && names.size > 0) continue
    if (missing.length > 0) {
      yield* Effect.logWarning(
        `${folder}: ${missing.length} of ${names.size} pictures are not there, and what is said of them is left out (first: ${
          missing.slice(0, SHOWN).join(", ")
        })`
      )
    }
    return { folder, paths, missing } satisfies Found as Found
  }
  const [first = ""] = names
  const reason = `names ${names.size} pictures, and none is in ${folders.join(", ")} (first: ${first}); give --images`
  return yield* new FileError({ path: data, place: "", reason })
})
