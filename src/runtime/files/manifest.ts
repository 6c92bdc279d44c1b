/** `trainer_state.json` of a checkpoint: step, run identity, and hashes of all files and of itself. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { checkpointFiles, modelFiles } from "../../domain/fileNames.ts"
import { decodeFile, FileError, hashFile, namesIn, sha256 } from "./disk.ts"
import * as Peft from "./peft.ts"
import * as TensorFile from "./safetensors/read.ts"

/** File name of the manifest. */
export const FILE = checkpointFiles.manifest

/** Paths within the checkpoint: part/name, or part/module/name for a module of sentence-transformers. */
const Path = Schema.String.check(Schema.isPattern(/^[\w-]+(?:\/[\w-]+)?\/[\w-][\w.-]*$/))

const content = {
  global_step: Schema.Natural,
  run: Schema.Record(Schema.String, Schema.String),
  counters: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Natural)),
  files: Schema.Record(Path, Schema.String)
}
const Content = Schema.Struct(content)
type Content = typeof Content.Type

/** `sha256` covers all other keys. */
const Manifest = Schema.Struct({ format: Schema.Literal(2), ...content, sha256: Schema.String })
/** The earlier format: `run` is an obsolete hash, and it has no hash of its own. */
const Earlier = Schema.Struct({ format: Schema.Literal(1), ...content, run: Schema.String })
const decode = Schema.decodeUnknownEffect(Schema.Union([Manifest, Earlier]), { onExcessProperty: "error" })

/** The contents of a checkpoint's manifest. */
export interface Manifest extends Omit<Content, "run"> {
  /** `undefined` in checkpoints of an earlier version, which can be loaded but not resumed. */
  readonly run: Content["run"] | undefined
}

/** Hashes the keys in a fixed order, so that reading back gives the same hash. */
const hashOf = ({ counters, files, global_step, run }: Content): string =>
  sha256(JSON.stringify({ global_step, run, counters, files }))

/** The file's bytes. */
export const encode = (told: Content): Uint8Array => {
  const { counters, files, global_step, run } = told
  const manifest: typeof Manifest.Type = { format: 2, global_step, run, counters, files, sha256: hashOf(told) }
  return new TextEncoder().encode(JSON.stringify(manifest, null, 2))
}

const changed = (path: string) => new FileError({ path, place: "", reason: "is not as it was written" })

/** Weight files of a part: full model or adapter. */
const WEIGHTS = [modelFiles.weights, Peft.WEIGHTS]
type Parts = Pick<Content, "counters" | "files">
const partOf = (file: string): string => file.slice(0, file.indexOf("/"))

/** Whether each part has counters, weights and state. */
const isWhole = ({ counters, files }: Parts): boolean =>
  Object.keys(counters).every((part) =>
    `${part}/${checkpointFiles.state}` in files && WEIGHTS.some((name) => `${part}/${name}` in files)
  ) && Object.keys(files).every((file) => Object.hasOwn(counters, partOf(file)))

/** Fails if model files were added to a part's folder. */
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
 * The manifest of a checkpoint, if it and the files that matter are unchanged. The other files, which hold tensors, are
 * only checked to be complete.
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
