/** Pictures made small, as files that stand within a page. */
import * as Effect from "effect/Effect"
import type { Picture } from "../../domain/pictures/Picture.ts"
import { FileError } from "../files/disk.ts"
import { absent, loading, webp } from "./decode.ts"

/** Pictures that are no larger than this are kept to the bit: losses show where few pixels are drawn large. */
const EXACT = 64

/**
 * A picture as a WebP file, at most `side` pixels wide and high, never enlarged. `name` is what errors call it; fails where the
 * package sharp is not installed.
 */
export const thumbnail = Effect.fnUntraced(function*(picture: Picture, side: number, name: string) {
  const fail = (reason: string) => new FileError({ path: name, place: "", reason })
  yield* Effect.tryPromise({ try: loading, catch: () => fail(absent) })
  const isSmall = Math.max(picture.width, picture.height) <= EXACT
  return yield* Effect.tryPromise({
    try: () => webp(picture, side, isSmall ? { lossless: true } : { quality: 80 }),
    catch: (cause) => fail(`cannot be made small: ${String(cause)}`)
  })
})
