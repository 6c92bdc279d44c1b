import * as Effect from "effect/Effect"
import { FileError } from "./runtime/layers/files.ts"

export const importFolder = Effect.fn("importMedquad")(function*(folder: string, _out: string) {
  return yield* Effect.as(Effect.fail(new FileError({ path: folder, place: "", reason: "not yet" })), {})
})
