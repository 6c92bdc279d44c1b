/** The layer of `Images`: decoded once, and kept within a bound of memory. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { createHash } from "node:crypto"
import type { Picture } from "../../domain/pictures/Picture.ts"
import type { FileError } from "../files/disk.ts"
import { ImageError, Images, type Loaded } from "../ports/Images.ts"
import { type Limits, limits } from "./decode.ts"
import { Kept } from "./kept.ts"
import { fileOf, reader } from "./reference.ts"

/** How pictures are read. */
export interface ImagesOptions extends Partial<Limits> {
  /** Bytes of pixels that are kept in memory, and as many of arrays that pictures are rows of. */
  readonly memory: number
}

/** SHA-256 of a picture's size and pixels. */
export const hashOf = ({ channels, data, height, width }: Picture): string =>
  createHash("sha256").update(`${width} ${height} ${channels} `).update(data).digest("hex")

/** What is wrong with a reference that could not be read. */
const problemOf = Effect.fnUntraced(function*(reference: string, { message, path, place, reason }: FileError) {
  const fs = yield* FileSystem.FileSystem
  const file = fileOf(reference)
  const at = place === "" ? path : `${path}, ${place}`
  if (file === undefined) return new ImageError({ path: at, kind: "undecodable", detail: reason })
  const found = yield* Effect.option(fs.stat(file))
  if (found._tag === "None") return new ImageError({ path: at, kind: "missing", detail: "" })
  if (found.value.type === "File" && Number(found.value.size) === 0) {
    return new ImageError({ path: at, kind: "empty", detail: "" })
  }
  return new ImageError({ path: at, kind: "undecodable", detail: reason === "" ? message : reason })
})

/** Pictures of files, arrays and data URIs. */
export const layer = ({ max_pixels = limits.max_pixels, memory }: ImagesOptions) =>
  Layer.effect(
    Images,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const look = reader({ max_pixels }, memory)
      const pictures = new Kept<Picture>(memory)
      const hashes = new Map<string, string>()
      /** One at a time: a picture that several ask for is decoded once. */
      const alone = Semaphore.withPermit(yield* Semaphore.make(1))
      const decoded = Effect.fnUntraced(function*(reference: string) {
        const known = pictures.get(reference)
        if (known) return known
        const { picture } = yield* Effect.catchTag(look(reference), "FileError", (error) =>
          Effect.flatMap(problemOf(reference, error), (problem) =>
            Effect.fail(problem)))
        pictures.set(reference, picture, picture.data.length)
        return picture
      }, Effect.provideService(FileSystem.FileSystem, fs))
      const read = (reference: string) =>
        Effect.map(decoded(reference), (picture): Loaded => {
          const hash = hashes.get(reference) ?? hashOf(picture)
          hashes.set(reference, hash)
          return { picture, hash }
        })
      return Images.of({
        read: (reference) =>
          alone(read(reference)),
        hash: (reference) =>
          alone(Effect.suspend(() => {
            const known = hashes.get(reference)
            return known === undefined ? Effect.map(read(reference), ({ hash }) => hash) : Effect.succeed(known)
          }))
      })
    })
  )
