/** Fetches a model from the Hub into its cache. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { bytesText } from "../../../domain/units.ts"
import { Reporter } from "../../ports/Reporter.ts"
import { makeFolder, spaceIn } from "../disk.ts"
import * as Lock from "../lock.ts"
import { shardsIn } from "../weights.ts"
import * as Cache from "./cache.ts"
import { download, incompleteOf, type Progress } from "./download.ts"
import { HubError } from "./errors.ts"
import { get, infoPath, type Requests, retrying, Transient } from "./http.ts"
import { isCommit, show } from "./ids.ts"
import { decodeInfo, type Entry, type Listing, tagOf } from "./listing.ts"
import { needed } from "./needed.ts"

/** The commit of a revision, and all files of the commit. */
export const lookUp = (requests: Requests, attempts?: number) => {
  const model = show(requests.id)
  const asked = Effect.gen(function*() {
    const response = yield* get(requests, infoPath(requests.id), "the model's list of files")
    const json = yield* Effect.mapError(
      response.json,
      () => new Transient({ reason: "the list of files was cut, or is no JSON" })
    )
    return yield* Effect.mapError(decodeInfo(json), ({ message }) => {
      const reason = `${requests.online.endpoint} answers in another form than the Hub's: ${message}`
      return new HubError({ model, kind: "unreachable", reason })
    })
  })
  return retrying(requests, Effect.scoped(asked), attempts === undefined ? {} : { attempts })
}

/** A commit of a model, to be brought into the cache. */
interface Fetching {
  readonly requests: Requests
  readonly cache: string
  readonly folder: string
  readonly commit: string
  readonly all: Listing
}

type Files = ReadonlyArray<readonly [file: string, entry: Entry]>

const unsuitable = ({ requests }: Fetching, reason: string) =>
  new HubError({ model: show(requests.id), kind: "unsuitable", reason })

const entriesOf = Effect.fnUntraced(function*(fetching: Fetching, files: ReadonlyArray<string>) {
  const absent = files.filter((file) => !fetching.all.has(file))
  if (absent.length > 0) {
    return yield* unsuitable(fetching, `lacks ${absent.join(", ")}, which ${modelFiles.weightsIndex} names`)
  }
  return files.map((file) => [file, fetching.all.get(file)!] as const) as Files
})

/**
 * The files whose contents the cache lacks, one of those with the same contents; their bytes, and those of them that an
 * earlier download left.
 */
const missingOf = Effect.fnUntraced(function*({ commit, folder }: Fetching, files: Files) {
  const fs = yield* FileSystem.FileSystem
  const lacking = yield* Effect.filter(
    files,
    Effect.fnUntraced(function*([file, entry]) {
      const paths = [Cache.blobOf(folder, entry), join(Cache.snapshotOf(folder, commit), file)]
      return !(yield* Cache.isWhole(paths[0]!, entry)) && !(yield* Cache.isWhole(paths[1]!, entry))
    })
  )
  const missing: Files = [...new Map(lacking.map((one) => [tagOf(one[1]), one])).values()]
  let begun = 0
  for (const [, entry] of missing) {
    const stat = yield* Effect.option(fs.stat(incompleteOf(folder, entry)))
    begun += stat._tag === "Some" ? Math.min(entry.size, Number(stat.value.size)) : 0
  }
  const total = missing.reduce((sum, [, { size }]) => sum + size, 0)
  return { missing, begun, total }
})

/** Refuses a download that the disk has no room for. */
const fits = Effect.fnUntraced(function*({ cache, requests }: Fetching, bytes: number) {
  yield* makeFolder(cache)
  const free = yield* spaceIn(cache)
  if (bytes <= free) return
  const reason = `${bytesText(bytes)} are to be downloaded, and ${cache} has room for ${bytesText(free)}: `
    + "make room, or set HF_HOME to a folder on a larger disk"
  return yield* new HubError({ model: show(requests.id), kind: "space", reason })
})

/** The unit of a download's progress, its smallest step, and bytes in it, rounded up. */
const unitOf = (total: number) => {
  const [unit, size, digits] = total < 10 * 2 ** 20 ? ["KiB", 2 ** 10, 1] as const : ["MiB", 2 ** 20, 10] as const
  return { unit, step: 1 / digits, inUnit: (bytes: number) => Math.ceil(digits * bytes / size) / digits }
}

/** Reports the bytes of several files as one task. */
const progressOf = Effect.fnUntraced(function*({ requests }: Fetching, begun: number, total: number) {
  const { report } = yield* Reporter
  const start = yield* Clock.currentTimeMillis
  const { inUnit, step, unit } = unitOf(total)
  let done = begun
  return (bytes: number) =>
    Effect.gen(function*() {
      done += bytes
      const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
      yield* report({
        task: `downloading ${requests.id.repo}, ${unit}`,
        /** Equal to the total at the end, and only there. */
        done: done === total ? inUnit(total) : Math.min(inUnit(done), inUnit(total) - step),
        total: inUnit(total),
        start: inUnit(begun),
        seconds,
        unit,
        each: 1,
        figures: {}
      })
    })
})

/** Files downloaded at once. */
const TOGETHER = 4

const bring = Effect.fnUntraced(function*(fetching: Fetching, files: Files, progress: Progress) {
  const { commit, folder, requests } = fetching
  const { missing } = yield* missingOf(fetching, files)
  yield* Effect.forEach(
    missing,
    ([file, entry]) => download(requests, { folder, commit, file, entry }, progress),
    { concurrency: TOGETHER, discard: true }
  )
  for (const [file, entry] of files) yield* Cache.link(folder, commit, file, entry)
})

/** All needed files; of a sharded model the index is brought first, since it names them. */
const wantedOf = Effect.fnUntraced(function*(fetching: Fetching) {
  const wanted = needed([...fetching.all.keys()])
  if (typeof wanted === "string") return yield* unsuitable(fetching, wanted)
  const files = yield* entriesOf(fetching, wanted.files)
  if (!wanted.sharded) return files
  const index = files.filter(([file]) => file === modelFiles.weightsIndex)
  yield* bring(fetching, index, () => Effect.void)
  const snapshot = Cache.snapshotOf(fetching.folder, fetching.commit)
  return [...files, ...yield* entriesOf(fetching, yield* shardsIn(join(snapshot, modelFiles.weightsIndex)))]
})

/** Says how much there is to download, then downloads it. */
const complete = Effect.fnUntraced(function*(fetching: Fetching) {
  const { cache, commit, requests } = fetching
  const files = yield* wantedOf(fetching)
  const { begun, missing, total } = yield* missingOf(fetching, files)
  if (missing.length > 0) {
    yield* fits(fetching, total - begun)
    const rest = begun === 0 ? "" : `, ${bytesText(begun)} of them here already`
    const what = `${missing.length} of ${files.length} files, ${bytesText(total)}${rest}`
    const { id, online } = requests
    const named = isCommit(id.revision) ? show(id) : `${show(id)} (commit ${commit})`
    yield* (yield* Reporter).note(`${named}: downloading ${what}, from ${online.endpoint} to ${cache}`)
  }
  yield* bring(fetching, files, yield* progressOf(fetching, begun, total))
})

/** Brings all needed files of a commit into the cache, one process at a time. */
export const fetch = Effect.fnUntraced(function*(fetching: Fetching) {
  const { all, cache, commit, folder, requests: { id } } = fetching
  /** The cache may be one that only others write to. */
  if ((yield* Cache.stateOf(folder, commit, all)) === "whole") {
    return yield* Effect.ignore(Cache.keep(folder, id, commit, all))
  }
  const { note } = yield* Reporter
  const waits = (holder: number) => note(`${show(id)}: waiting for process ${holder}, which is downloading it`)
  yield* Effect.scoped(Effect.andThen(Lock.waiting(Cache.locksOf(cache, id), waits), complete(fetching)))
  yield* Cache.keep(folder, id, commit, all)
})
