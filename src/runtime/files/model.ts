/**
 * The files of a model by their paths: those of a folder on disk, and those "within" a GGUF file
 * (`model.gguf/config.json`), which is read as the folder that its model would be.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, dirname } from "node:path"
import * as Disk from "./disk.ts"
import * as Gguf from "./gguf/model.ts"

/** Whether a path is a file, which holds a model by itself. */
export const isFile = (path: string): Effect.Effect<boolean, never, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) =>
    Effect.match(fs.stat(path), { onFailure: () => false, onSuccess: ({ type }) => type === "File" })
  )

type Reading<A> = Effect.Effect<A, Disk.FileError, FileSystem.FileSystem>

/** Chooses between a path on disk and one within a file. */
const either = <A>(
  path: string,
  onDisk: Reading<A>,
  within: (file: string, name: string) => Reading<A>
): Reading<A> => Effect.flatMap(isFile(dirname(path)), (is) => is ? within(dirname(path), basename(path)) : onDisk)

/** Whether a path exists. */
export const exists = (path: string): Reading<boolean> =>
  either(path, Disk.exists(path), (_, name) => Effect.succeed(Gguf.names.includes(name)))

/** Reads a UTF-8 file without its byte order mark. */
export const readText = (path: string): Reading<string> => either(path, Disk.readText(path), Gguf.text)

/** All bytes of a file. */
export const readBytes = (path: string): Reading<Uint8Array> =>
  either<Uint8Array>(
    path,
    Disk.readBytes(path),
    (file, name) => Effect.map(Gguf.text(file, name), (text) => new TextEncoder().encode(text))
  )

/** Reads JSON; refuses duplicate keys. */
export const readJson = (path: string): Reading<unknown> =>
  Effect.flatMap(readText(path), (text) => Disk.jsonOf(path, text))

/** Reads JSON and decodes it with a schema. */
export const decodeFile = <A>(
  path: string,
  decode: (json: unknown) => Effect.Effect<A, { readonly message: string }>
): Reading<A> => Effect.flatMap(readJson(path), Disk.decoding(path, decode))
