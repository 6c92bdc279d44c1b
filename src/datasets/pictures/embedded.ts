/** Pictures within parquet files, as Hugging Face has them: a column `image` of bytes, or of bytes and a path. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { extname, join } from "node:path"
import { type Fields, RecordError, show } from "../../domain/records/fields.ts"
import { located, makeFolder, sha256 } from "../../runtime/files/disk.ts"

/** A picture's bytes, and what its file was called where that is known. */
interface Embedded {
  readonly bytes: Uint8Array
  readonly name: string
}

/** The picture of a row. @throws RecordError if there is none, or only a path */
export const embeddedIn = ({ image }: Fields): Embedded => {
  if (image instanceof Uint8Array && image.length > 0) return { bytes: image, name: "" }
  const { bytes, path } = typeof image === "object" && image !== null ? image as Fields : {}
  if (bytes instanceof Uint8Array && bytes.length > 0) return { bytes, name: typeof path === "string" ? path : "" }
  throw new RecordError("image", `is to have the bytes of a picture, got ${show(image)}`)
}

const endings: ReadonlyArray<readonly [start: string, ending: string]> = [
  ["\x89PNG", ".png"],
  ["\xff\xd8\xff", ".jpg"]
]

/** What a file of these bytes ends in, by how they begin or by its old name. */
const endingOf = ({ bytes, name }: Embedded): string => {
  const start = String.fromCharCode(...bytes.subarray(0, 4))
  return endings.find(([own]) => start.startsWith(own))?.[1] ?? extname(name).toLowerCase()
}

/** Writes pictures to files in a folder that are named by the hash of their bytes, each once. */
export const writer = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  yield* makeFolder(folder)
  const written = new Set<string>()
  /** The picture's name, and its file. */
  return Effect.fnUntraced(function*(embedded: Embedded) {
    const name = `${sha256(embedded.bytes).slice(0, 24)}${endingOf(embedded)}`
    const path = join(folder, name)
    if (!written.has(name)) yield* fs.writeFile(path, embedded.bytes).pipe(located(path))
    written.add(name)
    return { name, path }
  })
})
