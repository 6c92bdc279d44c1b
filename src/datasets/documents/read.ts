/** Files of documents, read by their extension. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { extname, join } from "node:path"
import type { Document } from "../../domain/documents/Document.ts"
import { FileError, located, readBytes, readText } from "../../runtime/files/disk.ts"
import { charsetOf, html } from "./html.ts"
import { markdown } from "./markdown.ts"
import { pdf } from "./pdf.ts"
import { plain } from "./plain.ts"

/** Greatest size of a file in bytes. */
const LARGEST = 2 ** 28

const fail = (path: string, reason: string) => new FileError({ path, place: "", reason })

/** A text as document; parsers and readers of nested formats are recursive. */
const parsed = (path: string, text: string, parse: (text: string) => Document) =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(parse(text))
    } catch (error) {
      return error instanceof RangeError ? fail(path, "its parts are nested too deeply") : Effect.die(error)
    }
  })

const page = Effect.fnUntraced(function*(path: string) {
  const bytes = yield* readBytes(path, LARGEST)
  const charset = charsetOf(bytes)
  const text = yield* Effect.try({
    try: () => new TextDecoder(charset, { fatal: true }).decode(bytes),
    catch: (error) =>
      fail(path, error instanceof RangeError ? `its encoding ${charset} is not known` : `is not ${charset}`)
  })
  return yield* parsed(path, text, html)
})

/** Why pdf.js does not read a file. */
const refusal = (error: unknown): string => {
  const { name } = error as Error
  if (name === "PasswordException") return "is encrypted; save a copy of it without a password"
  return name === "InvalidPDFException"
    ? "is no PDF, or is damaged"
    : `cannot be read as PDF: ${(error as Error).message}`
}

const portable = Effect.fnUntraced(function*(path: string) {
  const bytes = yield* readBytes(path, LARGEST)
  return yield* Effect.tryPromise({ try: () => pdf(bytes), catch: (error) => fail(path, refusal(error)) })
})

type Reader = (path: string) => Effect.Effect<Document, FileError, FileSystem.FileSystem>
const text: Reader = (path) => Effect.map(readText(path), plain)
const marked: Reader = (path) => Effect.flatMap(readText(path), (own) => parsed(path, own, markdown))

const readers: Readonly<Record<string, Reader>> = {
  ".txt": text,
  ".text": text,
  ".md": marked,
  ".markdown": marked,
  ".html": page,
  ".htm": page,
  ".xhtml": page,
  ".pdf": portable
}

/** The extensions of files that are read. */
export const extensions = Object.keys(readers)

const readerOf = (path: string): Reader | undefined => readers[extname(path).toLowerCase()]

/** Reads a document. */
export const read: Reader = (path) => readerOf(path)?.(path) ?? fail(path, `documents end in ${extensions.join(", ")}`)

/** Files of documents, with those that are not read. */
export interface Found {
  readonly files: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
}

/** The files of a folder and of the folders in it, in order; hidden ones are passed over, and links to folders not followed. */
const filesIn: (folder: string) => Effect.Effect<ReadonlyArray<string>, FileError, FileSystem.FileSystem> = Effect
  .fnUntraced(
    function*(folder: string) {
      const fs = yield* FileSystem.FileSystem
      const names = (yield* fs.readDirectory(folder).pipe(located(folder))).filter((name) => !name.startsWith("."))
      const found = yield* Effect.forEach(
        names.toSorted(),
        Effect.fnUntraced(function*(name) {
          const path = join(folder, name)
          /** A link to nothing is a file that cannot be read. */
          const isFolder = yield* Effect.orElseSucceed(
            Effect.map(fs.stat(path), ({ type }) => type === "Directory"),
            () => false
          )
          if (!isFolder) return [path]
          const linked = yield* Effect.isSuccess(fs.readLink(path))
          return linked ? [] : yield* filesIn(path)
        })
      )
      return found.flat()
    }
  )

/** The documents among files and in folders. A file that is named itself has to be one. */
export const find = Effect.fnUntraced(function*(paths: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const all = yield* Effect.forEach(
    paths,
    Effect.fnUntraced(function*(path) {
      const { type } = yield* fs.stat(path).pipe(located(path))
      if (type === "Directory") return yield* filesIn(path)
      return readerOf(path) ? [path] : yield* fail(path, `documents end in ${extensions.join(", ")}`)
    })
  )
  const known = Map.groupBy(new Set(all.flat()), (path) => readerOf(path) !== undefined)
  return { files: known.get(true) ?? [], others: known.get(false) ?? [] } satisfies Found as Found
})
