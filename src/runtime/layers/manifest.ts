/** `trainer_state.json` of a checkpoint: its step, its run, the hash of every file beside it, and its own. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { decodeFile, FileError, hashFile, sha256 } from "./files.ts"

export const FILE = "trainer_state.json"

/** Paths within the checkpoint: a part and a name. */
const Path = Schema.String.check(Schema.isPattern(/^[\w-]+\/[\w-][\w.-]*$/))

const Manifest = Schema.Struct({
  format: Schema.Literal(2),
  global_step: Schema.Natural,
  run: Schema.Record(Schema.String, Schema.String),
  counters: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Natural)),
  files: Schema.Record(Path, Schema.String),
  /** SHA-256 of all of the above. */
  sha256: Schema.String
})
export type Manifest = typeof Manifest.Type
type Content = Omit<Manifest, "format" | "sha256">

/** Keys in their order, so that what was read back is hashed as it was written. */
const hashOf = ({ counters, files, global_step, run }: Content): string =>
  sha256(JSON.stringify({ global_step, run, counters, files }))

export const encode = (content: Content): Uint8Array => {
  const { counters, files, global_step, run } = content
  const manifest: Manifest = { format: 2, global_step, run, counters, files, sha256: hashOf(content) }
  return new TextEncoder().encode(JSON.stringify(manifest, null, 2))
}

const changed = (path: string) => new FileError({ path, place: "", reason: "is not as it was written" })

/** The manifest of the checkpoint of a step, if it and the files that matter are all as they were written. */
export const verify = Effect.fnUntraced(function*(folder: string, step: number, matters: (file: string) => boolean) {
  const path = join(folder, FILE)
  const manifest = yield* decodeFile(path, Schema.decodeUnknownEffect(Manifest))
  if (hashOf(manifest) !== manifest.sha256 || manifest.global_step !== step) return yield* changed(path)
  for (const [file, hash] of Object.entries(manifest.files)) {
    if (!matters(file)) continue
    const own = join(folder, file)
    if ((yield* hashFile(own)) !== hash) return yield* changed(own)
  }
  return manifest
})
