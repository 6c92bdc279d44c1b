/** What a GGUF file has wrong, or has that is not known here; readers make it one error of the file. */
import * as Effect from "effect/Effect"
import { FileError } from "../disk.ts"

/** A fault, and its place: a metadata key or "tensor NAME". Caught where a file is read; never visible outside. */
export class Malformed extends Error {
  readonly place: string
  constructor(place: string, reason: string) {
    super(reason)
    this.place = place
  }
}

/** Runs `work`; a fault becomes an error of the file at `path`. */
export const guarded = <A>(path: string, work: () => A): Effect.Effect<A, FileError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (cause) {
      return cause instanceof Malformed
        ? Effect.fail(new FileError({ path, place: cause.place, reason: cause.message }))
        : Effect.die(cause)
    }
  })
