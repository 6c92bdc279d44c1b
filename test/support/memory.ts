/** Checkpoints in memory, and the weights of the models that take part in them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sha256 } from "../../src/runtime/files/disk.ts"
import { encode } from "../../src/runtime/files/safetensors/write.ts"
import { Checkpoints, type Part } from "../../src/runtime/ports/Checkpoints.ts"

/** A hash of each parameter of a model, as its bytes are now. */
export const hashesOf = (part: Part): ReadonlyMap<string, string> =>
  new Map([...part.save().weights].map(([path, tensor]) => [path, sha256(encode(new Map([["w", tensor]])))]))

/** A place for checkpoints that keeps none, but knows its parts. */
export const checkpoints = () => {
  const parts = new Map<string, Part>()
  const layer = Layer.succeed(Checkpoints, {
    register: (name, part) => Effect.sync(() => void parts.set(name, part)),
    save: ({ step }) => Effect.succeed(`step ${step}`),
    restore: () => Effect.succeed(undefined)
  })
  const hashes = (part: string): ReadonlyMap<string, string> => hashesOf(parts.get(part)!)
  return { layer, hashes, parts }
}

/** Paths whose bytes differ. */
export const moved = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...after.keys()].filter((path) => before.get(path) !== after.get(path))
