/** Downloads contents into the cache: a cut download goes on where it ended, and only verified bytes get their name. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { createHash, type Hash } from "node:crypto"
import { dirname } from "node:path"
import { located, makeFolder, moveDurably } from "../disk.ts"
import { blobOf } from "./cache.ts"
import { HubError } from "./errors.ts"
import { body, filePath, get, type Requests, retrying, Transient } from "./http.ts"
import { show } from "./ids.ts"
import { type Entry, tagOf } from "./listing.ts"

/** A file to download. */
export interface Wanted {
  /** The model's folder in the cache. */
  readonly folder: string
  readonly commit: string
  readonly file: string
  readonly entry: Entry
}

/** How a pointer of Git LFS begins. */
const POINTER = "version https://git-lfs.github.com/spec/"

/** Where contents lie until they are complete: apart from the partial files of other clients. */
export const incompleteOf = (folder: string, entry: Entry): string => `${blobOf(folder, entry)}.anamnesis.incomplete`

/** SHA-256, or SHA-1 of a Git blob, whose header has the size. */
const hashOf = ({ sha256, size }: Entry): Hash =>
  sha256 === undefined ? createHash("sha1").update(`blob ${size}\0`) : createHash("sha256")

/** A file being downloaded. */
interface Partial {
  readonly path: string
  readonly file: FileSystem.File
  /** Bytes on disk, and the most there were before a new beginning. */
  size: number
  most: number
  hash: Hash
  /** The first bytes. */
  head: string
}

/** Called with the number of bytes that were added; negative where bytes are dropped. */
export type Progress = (bytes: number) => Effect.Effect<void>

const take = (partial: Partial, bytes: Uint8Array): void => {
  if (partial.size === 0) partial.head = new TextDecoder().decode(bytes.subarray(0, POINTER.length))
  partial.hash.update(bytes)
  partial.size += bytes.length
  partial.most = Math.max(partial.most, partial.size)
}

/** Opens the partial file of an earlier attempt, or a new one, until the scope ends. */
const opened = Effect.fnUntraced(function*({ entry, folder }: Wanted) {
  const fs = yield* FileSystem.FileSystem
  const path = incompleteOf(folder, entry)
  yield* makeFolder(dirname(path))
  const file = yield* fs.open(path, { flag: "a+" }).pipe(located(path))
  if (Number((yield* file.stat.pipe(located(path))).size) > entry.size) yield* file.truncate(0).pipe(located(path))
  const partial: Partial = { path, file, size: 0, most: 0, hash: hashOf(entry), head: "" }
  yield* Stream.runForEach(fs.stream(path, { chunkSize: 2 ** 20 }), (bytes) => Effect.sync(() => take(partial, bytes)))
    .pipe(located(path))
  return partial
})

/** Drops what was downloaded. */
const restart = Effect.fnUntraced(function*(partial: Partial, entry: Entry, progress: Progress) {
  yield* partial.file.truncate(0).pipe(located(partial.path))
  yield* progress(-partial.size)
  partial.size = 0
  partial.hash = hashOf(entry)
})

const corrupt = ({ id }: Requests, reason: string) => new HubError({ model: show(id), kind: "corrupt", reason })

/** Appends the body of a response; fails if there is more or less than the file has. */
const append = Effect.fnUntraced(
  function*(
    requests: Requests,
    { entry, file }: Wanted,
    partial: Partial,
    pieces: Stream.Stream<Uint8Array, Transient>,
    progress: Progress
  ) {
    yield* Stream.runForEach(pieces, (bytes) =>
      Effect.gen(function*() {
        if (partial.size + bytes.length > entry.size) {
          return yield* corrupt(requests, `${file}: more came than its ${entry.size} bytes`)
        }
        yield* partial.file.writeAll(bytes).pipe(located(partial.path))
        take(partial, bytes)
        yield* progress(bytes.length)
      }))
    if (entry.sha256 !== undefined && partial.size < entry.size && partial.head === POINTER) {
      return yield* corrupt(requests, `${file}: what came is a pointer of Git LFS, not the file`)
    }
    if (partial.size === entry.size) return
    return yield* new Transient({ reason: `${file} was cut after ${partial.size} of ${entry.size} bytes` })
  }
)

/** One request for what is missing. */
const attempt = Effect.fnUntraced(
  function*(requests: Requests, wanted: Wanted, partial: Partial, progress: Progress) {
    const { commit, entry, file } = wanted
    const from = partial.size
    if (from === entry.size) return
    const range: Readonly<Record<string, string>> = from === 0 ? {} : { range: `bytes=${from}-` }
    const response = yield* get(requests, filePath(requests.id.repo, commit, file), file, range)
    const goesOn = response.status === 206 && response.headers["content-range"]?.startsWith(`bytes ${from}-`)
    if (from > 0 && !goesOn) yield* restart(partial, entry, progress)
    if (response.status !== 200 && !goesOn) return yield* new Transient({ reason: `a part of ${file} was refused` })
    return yield* append(requests, wanted, partial, body(requests, response), progress)
  },
  Effect.scoped
)

/** Downloads until the bytes are those of the checksum; a second time from the beginning if they are not. */
const verified = Effect.fnUntraced(
  function*(requests: Requests, wanted: Wanted, progress: Progress) {
    const { entry, file } = wanted
    const partial = yield* opened(wanted)
    for (const again of [false, true]) {
      yield* retrying(requests, attempt(requests, wanted, partial, progress), { progress: () => partial.most })
      if (partial.hash.digest("hex") === tagOf(entry)) break
      yield* restart(partial, entry, progress)
      const reason = `${file}: the bytes that came do not have its checksum ${tagOf(entry)}`
      if (again) return yield* corrupt(requests, `${reason}, twice`)
      yield* Effect.logWarning(`${show(requests.id)}: ${reason}; downloading it anew`)
    }
    yield* partial.file.sync.pipe(located(partial.path))
  },
  Effect.scoped
)

/**
 * Downloads a file's contents to their place in the cache. What came before it was cut or killed is kept, and the rest
 * requested; bytes that are not the file's are dropped.
 */
export const download = Effect.fnUntraced(function*(requests: Requests, wanted: Wanted, progress: Progress) {
  const fs = yield* FileSystem.FileSystem
  const [from, to] = [incompleteOf(wanted.folder, wanted.entry), blobOf(wanted.folder, wanted.entry)]
  yield* verified(requests, wanted, progress).pipe(
    Effect.tapError((error) =>
      error._tag === "HubError" && error.kind === "corrupt" ? Effect.ignore(fs.remove(from)) : Effect.void
    )
  )
  yield* moveDurably(from, to)
})
