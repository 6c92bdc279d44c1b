/**
 * Checkpoints on disk, as Hugging Face lays them out: `checkpoint-<step>/`, in it a model folder or an adapter's for each
 * part, its optimiser state, and `trainer_state.json` with the hash of every file. A checkpoint appears whole or not at
 * all.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { dirname, join } from "node:path"
import { Settings } from "../../domain/RunConfig.ts"
import { CheckpointError, Checkpoints, type Part, type Position } from "../ports/Checkpoints.ts"
import { FileError, located, moveDurably, readBytes, readJson, sha256, writeDurably } from "./files.ts"
import * as Peft from "./peft.ts"
import * as Safetensors from "./safetensors.ts"

const Manifest = Schema.Struct({
  format: Schema.Literal(1),
  global_step: Schema.Natural,
  run: Schema.String,
  counters: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Natural)),
  files: Schema.Record(Schema.String, Schema.String)
})
type Manifest = typeof Manifest.Type

const MANIFEST = "trainer_state.json"
const prefix = "checkpoint-"
const asError = (error: FileError): CheckpointError => {
  const { path, place, reason } = error
  return new CheckpointError({ path, reason: place ? `${place}: ${reason}` : reason })
}

const bytesOf = (
  part: Part
): {
  readonly files: ReadonlyArray<readonly [string, Uint8Array]>
  readonly counters: Manifest["counters"][string]
} => {
  const { base, counters, extra, files, weights } = part.save()
  return {
    counters,
    files: [
      base === undefined
        ? ["model.safetensors", Safetensors.encode(weights)]
        : [Peft.WEIGHTS, Safetensors.encode(weights, { [Peft.BASE]: base })],
      ["state.safetensors", Safetensors.encode(extra)],
      ...files.map(([name, text]) => [name, new TextEncoder().encode(text)] as const)
    ]
  }
}

/** Gives `put` every file of a checkpoint by its path in it: parts by name, whichever was there first, and the manifest. */
const files = Effect.fnUntraced(function*<E, R>(
  parts: ReadonlyMap<string, Part>,
  position: Position,
  put: (file: string, bytes: Uint8Array) => Effect.Effect<void, E, R>
) {
  const hashes: Record<string, string> = {}
  const counters: Record<string, Manifest["counters"][string]> = {}
  for (const [name, part] of [...parts].toSorted(([a], [b]) => a < b ? -1 : 1)) {
    const state = bytesOf(part)
    counters[name] = state.counters
    for (const [file, bytes] of state.files) {
      yield* put(`${name}/${file}`, bytes)
      hashes[`${name}/${file}`] = sha256(bytes)
    }
  }
  const manifest: Manifest = { format: 1, global_step: position.step, run: position.run, counters, files: hashes }
  yield* put(MANIFEST, new TextEncoder().encode(JSON.stringify(manifest, null, 2)))
})

/** Writes into a folder of another name, then renames. */
const write = Effect.fnUntraced(function*(folder: string, parts: ReadonlyMap<string, Part>, position: Position) {
  const fs = yield* FileSystem.FileSystem
  const target = join(folder, `${prefix}${position.step}`)
  const partial = join(folder, `.${prefix}${position.step}.partial`)
  yield* fs.remove(partial, { recursive: true, force: true }).pipe(located(partial))
  yield* files(parts, position, (file, bytes) => {
    const path = join(partial, file)
    const made = fs.makeDirectory(dirname(path), { recursive: true }).pipe(located(partial))
    return Effect.andThen(made, writeDurably(path, bytes))
  })
  yield* fs.remove(target, { recursive: true, force: true }).pipe(located(target))
  yield* moveDurably(partial, target)
  return target
})

/** Steps of the checkpoints in a folder, newest first. */
const stepsIn = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(folder).pipe(located(folder)))) return []
  const names = yield* fs.readDirectory(folder).pipe(located(folder))
  return names.filter((n) => /^checkpoint-\d+$/.test(n)).map((n) => Number(n.slice(prefix.length))).toSorted((a, b) =>
    b - a
  )
})

/** The manifest of a checkpoint whose files are all as they were written. */
const verify = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, MANIFEST)
  const manifest = yield* readJson(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Manifest)),
    Effect.mapError((e) => e instanceof FileError ? e : new FileError({ path, place: "", reason: e.message }))
  )
  for (const [file, hash] of Object.entries(manifest.files)) {
    const bytes = yield* readBytes(join(folder, file))
    if (sha256(bytes) !== hash) {
      return yield* new FileError({ path: join(folder, file), place: "", reason: "is not as it was written" })
    }
  }
  return manifest
})

const load = Effect.fnUntraced(function*(folder: string, manifest: Manifest, parts: ReadonlyMap<string, Part>) {
  for (const [name, part] of parts) {
    const adapts = manifest.files[`${name}/${Peft.WEIGHTS}`] !== undefined
    const path = join(folder, name, adapts ? Peft.WEIGHTS : "model.safetensors")
    const { metadata, tensors: weights } = yield* Safetensors.open(path)
    const extra = yield* Safetensors.read(join(folder, name, "state.safetensors"))
    yield* part.load({ weights, base: metadata[Peft.BASE], extra, counters: manifest.counters[name] ?? {} })
  }
})

/** The newest whole checkpoint; damaged ones are passed over with a warning. */
const newest = Effect.fnUntraced(function*(folder: string) {
  for (const step of yield* stepsIn(folder)) {
    const path = join(folder, `${prefix}${step}`)
    const found = yield* Effect.result(verify(path))
    if (found._tag === "Success") return { path, manifest: found.success }
    yield* Effect.logWarning(`${path} is passed over: ${found.failure.message}`)
  }
  return undefined
})

/** The newest whole checkpoint of a run's folder. */
export const latest = (folder: string) => Effect.mapError(Effect.map(newest(folder), (found) => found?.path), asError)

export const layer: Layer.Layer<Checkpoints, never, Settings | FileSystem.FileSystem> = Layer.effect(
  Checkpoints,
  Effect.gen(function*() {
    const { output_dir, save_total_limit } = yield* Settings
    const fs = yield* FileSystem.FileSystem
    const parts = new Map<string, Part>()
    /** The checkpoint the parts are at, if they are at one: there is no need to write it again. */
    let last: (Position & { readonly path: string }) | undefined
    const provided = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
      Effect.provideService(effect, FileSystem.FileSystem, fs)
    return Checkpoints.of({
      register: (name, part) => Effect.sync(() => void parts.set(name, part)),
      save: Effect.fnUntraced(
        function*(position) {
          if (last && last.step === position.step && last.run === position.run) return last.path
          const path = yield* write(output_dir, parts, position)
          last = { ...position, path }
          const old = (yield* stepsIn(output_dir)).filter((step) => step <= position.step).slice(save_total_limit)
          yield* Effect.forEach(old, (step) => {
            const stale = join(output_dir, `${prefix}${step}`)
            return fs.remove(stale, { recursive: true }).pipe(located(stale))
          })
          return path
        },
        Effect.mapError(asError),
        provided
      ),
      restore: Effect.fnUntraced(function*(run) {
        const found = yield* Effect.mapError(newest(output_dir), asError)
        if (!found) return undefined
        const { manifest, path } = found
        if (manifest.run !== run) {
          const reason = "is of another configuration or other data; choose another output_dir, or restore the settings"
          return yield* new CheckpointError({ path, reason })
        }
        yield* load(path, manifest, parts).pipe(
          Effect.mapError((error) => error._tag === "FileError" ? asError(error) : error)
        )
        last = { step: manifest.global_step, run, path }
        return { step: manifest.global_step, run }
      }, provided)
    })
  })
)

/** Checkpoints are made as ever, and `tell` is told of each file instead of a disk. */
export const weighed = (tell: (file: string, bytes: number) => void): Layer.Layer<Checkpoints> =>
  Layer.sync(Checkpoints, () => {
    const parts = new Map<string, Part>()
    return {
      register: (name, part) => Effect.sync(() => void parts.set(name, part)),
      save: (position) =>
        files(parts, position, (file, bytes) => Effect.sync(() => tell(file, bytes.length))).pipe(
          Effect.as(`step ${position.step}, not kept`)
        ),
      restore: () => Effect.succeed(undefined)
    }
  })

/** Nothing is kept: for tests and for runs that only measure. */
export const none: Layer.Layer<Checkpoints> = Layer.succeed(Checkpoints, {
  register: () => Effect.void,
  save: ({ step }) => Effect.succeed(`step ${step}, not kept`),
  restore: () => Effect.succeed(undefined)
})
