/**
 * Checkpoints on disk in Hugging Face's layout: `checkpoint-<step>/` holds a model or adapter folder and the optimiser
 * state of each part, and `trainer_state.json` with the hash of every file. A checkpoint appears atomically.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { dirname, join } from "node:path"
import { checkpointFiles, checkpointName, checkpointStep, modelFiles } from "../../domain/fileNames.ts"
import type { Output } from "../../domain/settings/output.ts"
import {
  CheckpointError,
  Checkpoints,
  type Identity,
  type Part,
  type Position,
  type Stored
} from "../ports/Checkpoints.ts"
import { exists, FileError, isNamed, located, makeFolder, moveDurably, namesIn, writeDurably } from "./disk.ts"
import * as Manifest from "./manifest.ts"
import * as Peft from "./peft.ts"
import * as TensorFile from "./safetensors/read.ts"
import * as Safetensors from "./safetensors/write.ts"
import * as Modules from "./sentence/weights.ts"

const asError = (error: FileError): CheckpointError => {
  const { path, place, reason } = error
  return new CheckpointError({ path, reason: place ? `${place}: ${reason}` : reason })
}

/** The content of a checkpoint file. */
type Content = { readonly tensors: Safetensors.StoredTensors; readonly metadata?: Record<string, string> } | Uint8Array

const contents = (
  part: Part
): ReturnType<Part["save"]> & { readonly all: ReadonlyArray<readonly [string, Content]> } => {
  const state = part.save()
  const { base, extra, files, weights } = state
  const own: ReadonlyArray<readonly [string, Content]> = base === undefined
    ? [...Modules.byFile(weights)].map(([file, tensors]) => [file, { tensors }])
    : [[Peft.WEIGHTS, { tensors: weights, metadata: { [Peft.BASE]: base } }]]
  const texts = files.map(([name, text]) => [name, new TextEncoder().encode(text)] as const)
  return { ...state, all: [...own, [checkpointFiles.state, { tensors: extra }], ...texts] }
}

/**
 * Passes every file of a checkpoint, by its relative path, to `put`, which returns its SHA-256: parts sorted by name,
 * then the manifest.
 */
const files = Effect.fnUntraced(function*<E, R>(
  parts: ReadonlyMap<string, Part>,
  { run, step }: Position,
  put: (file: string, content: Content) => Effect.Effect<string, E, R>
) {
  const hashes: Record<string, string> = {}
  const counters: Record<string, Readonly<Record<string, number>>> = {}
  for (const [name, part] of [...parts].toSorted(([a], [b]) => a < b ? -1 : 1)) {
    const state = contents(part)
    counters[name] = state.counters
    for (const [file, content] of state.all) hashes[`${name}/${file}`] = yield* put(`${name}/${file}`, content)
  }
  yield* put(Manifest.FILE, Manifest.encode({ global_step: step, run, counters, files: hashes }))
})

const put = (path: string, content: Content) =>
  content instanceof Uint8Array
    ? writeDurably(path, content)
    : Safetensors.write(path, content.tensors, content.metadata)

/** Temporary folder of a checkpoint being written or removed. */
const partialOf = (folder: string, step: number): string => join(folder, `.${checkpointName(step)}.partial`)
const isPartial = (name: string): boolean => {
  const [, own] = /^\.(.*)\.partial$/.exec(name) ?? []
  return own !== undefined && checkpointStep(own) !== undefined
}

/** Removes partial checkpoints left by a killed process. */
export const tidy = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const stale = (yield* namesIn(folder)).filter(isPartial).map((name) => join(folder, name))
  yield* Effect.forEach(stale, (path) => fs.remove(path, { recursive: true, force: true }).pipe(located(path)))
})

/** Removes a checkpoint: renames it first, so that a partly removed one is never taken for valid. */
const remove = Effect.fnUntraced(function*(folder: string, step: number) {
  const fs = yield* FileSystem.FileSystem
  const [target, partial] = [join(folder, checkpointName(step)), partialOf(folder, step)]
  yield* fs.remove(partial, { recursive: true, force: true }).pipe(located(partial))
  if (!(yield* exists(target))) return
  yield* moveDurably(target, partial)
  yield* fs.remove(partial, { recursive: true, force: true }).pipe(located(partial))
})

/** Writes to a temporary folder, then renames it. */
const write = Effect.fnUntraced(function*(folder: string, parts: ReadonlyMap<string, Part>, position: Position) {
  const fs = yield* FileSystem.FileSystem
  const [target, partial] = [join(folder, checkpointName(position.step)), partialOf(folder, position.step)]
  yield* remove(folder, position.step)
  yield* files(parts, position, (file, content) => {
    const path = join(partial, file)
    return Effect.andThen(makeFolder(dirname(path)), put(path, content))
  }).pipe(Effect.tapError(() => Effect.ignore(fs.remove(partial, { recursive: true, force: true }))))
  yield* moveDurably(partial, target)
  return target
})

/** Checkpoint folders, with the step that their names give; newest first. */
const foldersIn = (folder: string) =>
  Effect.map(namesIn(folder), (names) =>
    names.flatMap((name) => {
      const step = checkpointStep(name)
      return step === undefined ? [] : [{ name, step }]
    }).toSorted((a, b) => b.step - a.step))

/** Steps of the checkpoints in a folder, newest first. */
const stepsIn = (folder: string) =>
  Effect.map(
    foldersIn(folder),
    (all) => all.filter(({ name, step }) => name === checkpointName(step)).map(({ step }) => step)
  )

const storedIn = (file: TensorFile.TensorFile): Stored => ({
  path: file.path,
  names: [...file.entries.keys()],
  read: (name) =>
    file.entries.has(name)
      ? Effect.mapError(file.read(name), asError)
      : Effect.fail(new CheckpointError({ path: file.path, reason: `tensor ${name} is missing` }))
})

const load = Effect.fnUntraced(
  function*(folder: string, manifest: Manifest.Manifest, parts: ReadonlyMap<string, Part>) {
    for (const [name, part] of parts) {
      const counters = Object.hasOwn(manifest.counters, name) ? manifest.counters[name] : undefined
      if (counters === undefined) return yield* new CheckpointError({ path: folder, reason: `has no ${name}` })
      const adapts = manifest.files[`${name}/${Peft.WEIGHTS}`] !== undefined
      const path = join(folder, name, adapts ? Peft.WEIGHTS : modelFiles.weights)
      const weights = yield* TensorFile.open(path)
      const modules = yield* Effect.forEach(
        Modules.filesOf(name, Object.keys(manifest.files)),
        (file) => Effect.map(TensorFile.open(join(folder, file)), (own) => Modules.within(file, storedIn(own)))
      )
      const extra = yield* TensorFile.open(join(folder, name, checkpointFiles.state))
      yield* part.load({
        weights: Modules.together(storedIn(weights), modules),
        base: weights.metadata[Peft.BASE],
        extra: storedIn(extra),
        counters
      })
    }
  },
  Effect.scoped
)

interface Found {
  readonly path: string
  readonly manifest: Manifest.Manifest
}

/** The manifest of a checkpoint whose files are unchanged. */
const verify = (
  folder: string,
  { name, step }: { readonly name: string; readonly step: number },
  matters: (file: string) => boolean
) => {
  const path = join(folder, name)
  if (name === checkpointName(step)) return Manifest.verify(path, step, matters)
  return Effect.fail(
    new FileError({ path, place: "", reason: "is no checkpoint's name: a step has no zeros before it" })
  )
}

/**
 * The newest valid checkpoint; damaged ones are skipped with a warning. Fails if all are damaged. If a concurrent run
 * removes one while it is read, the folder is listed again.
 */
const newest = Effect.fnUntraced(function*(folder: string, matters: (file: string) => boolean = () => true) {
  for (;;) {
    const damaged: Array<FileError> = []
    const all = yield* foldersIn(folder)
    if (all.length === 0) return undefined
    for (const own of all) {
      const path = join(folder, own.name)
      const found = yield* Effect.result(verify(folder, own, matters))
      if (found._tag === "Success") return { path, manifest: found.success } satisfies Found as Found
      if (!(yield* isNamed(folder, own.name))) break
      damaged.push(found.failure)
      yield* Effect.logWarning(`${path} is passed over: ${found.failure.message}`)
    }
    if (all.length > damaged.length) continue
    const told = damaged.map((error) => error.message).join("; ")
    const reason = `no checkpoint in it is whole (${told}); put one back, or remove them to start over`
    return yield* new FileError({ path: folder, place: "", reason })
  }
})

/** The newest valid checkpoint of a run's folder, checking model files only; `undefined` if there is none. */
export const latest = (folder: string) =>
  newest(folder, (file) => !file.endsWith(`/${checkpointFiles.state}`)).pipe(
    Effect.map((found) =>
      found && {
        path: found.path,
        step: found.manifest.global_step,
        run: found.manifest.run,
        /** Names of the parts, which are the names of their folders. */
        parts: new Set(Object.keys(found.manifest.counters))
      }
    ),
    Effect.mapError(asError)
  )

const EARLIER = "was written by an earlier version, whose runs cannot be gone on with; start from its model folders"

/** A value for messages; `undefined` for hashes and long values. */
const shown = (value: string | undefined): string | undefined =>
  value === undefined || value.length > 40 ? undefined : value

/** How a checkpoint's run differs from this one. */
const differences = (stored: Identity, own: Identity): ReadonlyArray<string> =>
  [...new Set([...Object.keys(stored), ...Object.keys(own)])].flatMap((key) => {
    const [before, now] = [stored, own].map((run) => Object.hasOwn(run, key) ? run[key] : undefined)
    if (before === now) return []
    const [there, here] = [shown(before), shown(now)]
    return there === undefined || here === undefined ? `${key} differs` : `${key} was ${there} and is ${here}`
  })

const another = (path: string, differing: ReadonlyArray<string>) => {
  const reason = `is of another run: ${differing.join(", ")}; restore that, or choose another output_dir`
  return new CheckpointError({ path, reason })
}

/** Checkpoints in a run's folder; only the newest `save_total_limit` are kept. */
export const layer = (
  { output_dir, save_total_limit }: Pick<Output, "output_dir" | "save_total_limit">
): Layer.Layer<Checkpoints, never, FileSystem.FileSystem> =>
  Layer.effect(
    Checkpoints,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const parts = new Map<string, Part>()
      /** The checkpoint that holds the current state, if any: it need not be written again. */
      let last: { readonly step: number; readonly path: string } | undefined
      const provided = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
        Effect.provideService(effect, FileSystem.FileSystem, fs)
      return Checkpoints.of({
        register: (name, part) => Effect.sync(() => void parts.set(name, part)),
        save: Effect.fnUntraced(
          function*(position) {
            if (last?.step === position.step) return last.path
            const path = yield* write(output_dir, parts, position)
            last = { step: position.step, path }
            const old = (yield* stepsIn(output_dir)).filter((step) => step <= position.step).slice(save_total_limit)
            yield* Effect.forEach(old, (step) => remove(output_dir, step))
            return path
          },
          Effect.mapError(asError),
          provided
        ),
        restore: Effect.fnUntraced(function*(run) {
          const found = yield* Effect.mapError(newest(output_dir), asError)
          if (!found) return undefined
          const { manifest, path } = found
          if (manifest.run === undefined) return yield* new CheckpointError({ path, reason: EARLIER })
          const differing = differences(manifest.run, run)
          if (differing.length > 0) return yield* another(path, differing)
          yield* load(path, manifest, parts).pipe(
            Effect.mapError((error) => error._tag === "FileError" ? asError(error) : error)
          )
          last = { step: manifest.global_step, path }
          return { step: manifest.global_step, run }
        }, provided)
      })
    })
  )

/** A placeholder of the length of a hash. */
const NO_HASH = "0".repeat(64)

/** Builds checkpoints in memory and reports each file's size instead of writing it. */
export const weighed = (tell: (file: string, bytes: number) => void): Layer.Layer<Checkpoints> =>
  Layer.sync(Checkpoints, () => {
    const parts = new Map<string, Part>()
    return {
      register: (name, part) => Effect.sync(() => void parts.set(name, part)),
      save: (position) =>
        files(parts, position, (file, content) =>
          Effect.sync(() => {
            tell(
              file,
              content instanceof Uint8Array ? content.length : Safetensors.size(content.tensors, content.metadata)
            )
            return NO_HASH
          })).pipe(Effect.as(`step ${position.step}, not kept`)),
      restore: () => Effect.succeed(undefined)
    }
  })
