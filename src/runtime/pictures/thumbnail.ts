/** Pictures made small, as files that stand within a page. */
import * as Effect from "effect/Effect"
import type { Picture } from "../../domain/pictures/Picture.ts"
import { FileError } from "../files/disk.ts"
import { absent, sharp } from "./decode.ts"

/** Pictures that are no larger than this are kept to the bit: losses show where few pixels are drawn large. */
const EXACT = 64

/**
 * A picture as a WebP file, at most `side` pixels wide and high, never enlarged. `name` is what errors call it; fails where the
 * package sharp is not installed.
 */
export const thumbnail = Effect.fnUntraced(
  function*({ channels, data, height, width }: Picture, side: number, name: string) {
    const fail = (reason: string) => new FileError({ path: name, place: "", reason })
    const open = yield* Effect.tryPromise({ try: sharp, catch: () => fail(absent) })
    const make = () =>
      open(data, { raw: { width, height, channels } })
        .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
        .webp(Math.max(width, height) <= EXACT ? { lossless: true } : { quality: 80 })
        .toBuffer()
    const bytes = yield* Effect.tryPromise({
      try: make,
      catch: (cause) => fail(`cannot be made small: ${String(cause)}`)
    })
    return new Uint8Array(bytes)
  }
)
