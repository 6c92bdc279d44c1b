/** `trainer_state.json` of a checkpoint: its step, its run, the hash of every file beside it, and its own. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { checkpointFiles, modelFiles } from "../../domain/fileNames.ts"
import { decodeFile, FileError, hashFile, namesIn, sha256 } from "./disk.ts"
import * as Peft from "./peft.ts"
import * as TensorFile from "./safetensors/read.ts"

/** Name of the file. */
export const FILE = checkpointFiles.manifest

/** Paths within the checkpoint: a part and a name. */
const Path = Schema.String.check(Schema.isPattern(/^[\w-]+\/[\w-][\w.-]*$/))

const content = {
  global_step: Schema.Natural,
  run: Schema.Record(Schema.String, Schema.String),
  counters: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Natural)),
  files: Schema.Record(Path, Schema.String)
}
const Content = Schema.Struct(content)
type Content = typeof Content.Type

/** `sha256` is that of all the rest. */
const Manifest = Schema.Struct({ format: Schema.Literal(2), ...content, sha256: Schema.String })
/** The format before: of its run it has a hash that says nothing now, and none of itself. */
const Earlier = Schema.Struct({ format: Schema.Literal(1), ...content, run: Schema.String })
const decode = Schema.decodeUnknownEffect(Schema.Union([Manifest, Earlier]), { onExcessProperty: "error" })

/** What a checkpoint tells of itself. */
export interface Manifest extends Omit<Content, "run"> {
  /** `undefined` in checkpoints of an earlier version, which can be used but not gone on with. */
  readonly run: Content["run"] | undefined
}

/** Keys in their order, so that what was read back is hashed as it was written. */
const hashOf = ({ counters, files, global_step, run }: Content): string =>
  sha256(JSON.stringify({ global_step, run, counters, files }))

/** The file's bytes. */
export const encode = (told: Content): Uint8Array => {
  const { counters, files, global_step, run } = told
  const manifest: typeof Manifest.Type = { format: 2, global_step, run, counters, files, sha256: hashOf(told) }
  return new TextEncoder().encode(JSON.stringify(manifest, null, 2))
}

const changed = (path: string) => new FileError({ path, place: "", reason: "is not as it was written" })

/** What a part's weights are in: a model's, or an adapter's. */
const WEIGHTS = [modelFiles.weights, Peft.WEIGHTS]
type Parts = Pick<Content, "counters" | "files">
const partOf = (file: string): string => file.slice(0, file.indexOf("/"))

/** Whether each part has its counters, its weights and its state. */
const isWhole = ({ counters, files }: Parts): boolean =>
  Object.keys(counters).every((part) =>
    `${part}/${checkpointFiles.state}` in files && WEIGHTS.some((name) => `${part}/${name}` in files)
  ) && Object.keys(files).every((file) => Object.hasOwn(counters, partOf(file)))

/** Refuses files that a model folder may have and that were put beside those of a part. */
const checkStrangers = Effect.fnUntraced(function*(folder: string, { counters, files }: Parts) {
  for (const part of Object.keys(counters)) {
    const names = yield* namesIn(join(folder, part))
    const name = names.find((own) => /\.(json|jinja|safetensors|metadata)$/.test(own) && !(`${part}/${own}` in files))
    if (name === undefined) continue
    const reason = "was not written with the checkpoint; move it elsewhere"
    return yield* new FileError({ path: join(folder, part, name), place: "", reason })
  }
})

/**
 * The manifest of the checkpoint of a step, if it and the files that matter are all as they were written. Of the others,
 * which hold tensors, it is enough that they are whole.
 */
export const verify = Effect.fnUntraced(function*(folder: string, step: number, matters: (file: string) => boolean) {
  const path = join(folder, FILE)
  const manifest = yield* decodeFile(path, decode)
  if (manifest.global_step !== step) return yield* changed(path)
  if (manifest.format === 2 && hashOf(manifest) !== manifest.sha256) return yield* changed(path)
  if (!isWhole(manifest)) return yield* changed(path)
  for (const [file, hash] of Object.entries(manifest.files)) {
    const own = join(folder, file)
    if (!matters(file)) yield* Effect.scoped(TensorFile.open(own))
    else if ((yield* hashFile(own)) !== hash) return yield* changed(own)
  }
  yield* checkStrangers(folder, manifest)
  const { counters, files, global_step } = manifest
  return {
    counters,
    files,
    global_step,
    run: manifest.format === 2 ? manifest.run : undefined
  } satisfies Manifest as Manifest
})
