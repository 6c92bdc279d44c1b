/** Models by name: a folder, or a model of the Hub, which is fetched into the cache if it is not there. */
import * as Effect from "effect/Effect"
import { resolve } from "node:path"
import { Reporter } from "../../ports/Reporter.ts"
import { exists, FileError } from "../disk.ts"
import * as Cache from "./cache.ts"
import * as Environment from "./environment.ts"
import { HubError } from "./errors.ts"
import { isCommit, type ModelId, parse, show } from "./ids.ts"
import { placed, takenText } from "./local.ts"

/** The id that a name stands for: one of its form, unless there is a folder or file of this name. */
export const idOf = Effect.fnUntraced(function*(name: string) {
  const id = parse(name)
  return id === undefined || (yield* exists(name)) ? undefined : id
})

/** Where to look besides the Hub, if a name was meant as a path. */
const orFolder = (name: string): string => `; nor is there a folder ${resolve(name)}`

/** The cached snapshot of an id: its folder and commit; `undefined` if there is none. */
const cachedAs = Effect.fnUntraced(function*(id: ModelId) {
  const folder = Cache.folderOf(yield* Environment.cache, id)
  const commit = yield* Cache.commitOf(folder, id.revision)
  if (commit === undefined) return undefined
  const snapshot = Cache.snapshotOf(folder, commit)
  return (yield* exists(snapshot)) ? { commit, snapshot, state: yield* Cache.stateOf(folder, commit) } : undefined
})
type Cached = Effect.Success<ReturnType<typeof cachedAs>>

/** Uses a snapshot without asking the Hub, and says what cannot be known then. */
const unasked = Effect.fnUntraced(function*(id: ModelId, cached: Cached, otherwise: HubError) {
  if (cached === undefined || cached.state === "partial") return yield* otherwise
  if (cached.state === "unlisted") {
    yield* Effect.logWarning(`${show(id)}: the cache does not list all files of ${cached.commit}; used as it lies`)
  }
  return cached.commit
})

/** Requests are forbidden. */
const offline = Effect.fnUntraced(function*(id: ModelId, cached: Cached) {
  const cache = yield* Environment.cache
  const lacks = cached === undefined ? "has no such model" : `has but a part of commit ${cached.commit}`
  const reason = `the cache ${cache} ${lacks}, and HF_HUB_OFFLINE forbids to fetch it${orFolder(show(id))}`
  return yield* unasked(id, cached, new HubError({ model: show(id), kind: "offline", reason }))
})

/** Asks the Hub for the revision's commit and fetches what is missing. */
const online = Effect.fnUntraced(function*(id: ModelId, cached: Cached) {
  const [cache, requests] = [yield* Environment.cache, { id, online: yield* Environment.online(show(id)) }]
  /** Loaded only now: most commands have nothing to fetch. */
  const { fetch, lookUp } = yield* Effect.promise(() => import("./fetch.ts"))
  const FetchHttpClient = yield* Effect.promise(() => import("effect/http/FetchHttpClient"))
  const usable = cached !== undefined && cached.state !== "partial"
  return yield* Effect.gen(function*() {
    const { commit, listing } = yield* lookUp(requests, usable ? 1 : undefined)
    yield* fetch({ requests, cache, folder: Cache.folderOf(cache, id), commit, all: listing })
    return commit
  }).pipe(
    Effect.catchIf(
      (error): error is HubError => error instanceof HubError && error.kind === "unreachable" && usable,
      (error) =>
        Effect.andThen(
          Effect.logWarning(`${error.message}; commit ${cached!.commit} is used, as cached`),
          unasked(id, cached, error)
        )
    ),
    Effect.catchIf(
      (error): error is HubError => error instanceof HubError && ["absent", "unreachable"].includes(error.kind),
      ({ kind, reason }) =>
        Effect.fail(new HubError({ model: show(id), kind, reason: `${reason}${orFolder(show(id))}` }))
    ),
    Effect.provide(FetchHttpClient.layer)
  )
})

/** The path of a model in the folder that `ANAMNESIS_MODELS` names; `undefined` if it names none. */
const own = Effect.fnUntraced(function*({ repo }: ModelId) {
  const folder = yield* Environment.models
  if (folder === undefined) return undefined
  const named = ({ path, reason }: FileError) =>
    new FileError({ path, place: "", reason: `${reason}; ${Environment.MODELS} names the folder` })
  return yield* Effect.mapError(placed(folder, repo), named)
})

/**
 * A model's name with its commit, `organisation/name@commit`, once all that is needed of it lies in the cache; other
 * names, and those of existing folders, as they are. A commit that the cache has is not asked for again. Where
 * `ANAMNESIS_MODELS` names a folder, the path of the model in it, which is told.
 */
export const pin = Effect.fnUntraced(function*(name: string) {
  const id = yield* idOf(name)
  if (id === undefined) return name
  const path = yield* own(id)
  if (path !== undefined) {
    yield* (yield* Reporter).note(takenText(id.repo, path, name.split("@")[1]))
    return path
  }
  const cached = yield* cachedAs(id)
  const commit = isCommit(id.revision) && cached?.state === "whole"
    ? cached.commit
    : yield* (yield* Environment.offline) ? offline(id, cached) : online(id, cached)
  return show({ repo: id.repo, revision: commit })
})

/** A model's folder by its name: that of a path, or of a cached id's snapshot. Makes no request. */
export const locate = Effect.fnUntraced(function*(name: string) {
  const id = yield* idOf(name)
  if (id === undefined) return { folder: name, id }
  const path = yield* own(id)
  if (path !== undefined) return { folder: path, id: undefined }
  const cached = yield* cachedAs(id)
  if (cached !== undefined) return { folder: cached.snapshot, id: { repo: id.repo, revision: cached.commit } }
  const reason = `there is no such folder, nor is it a model of the Hub that was fetched to ${yield* Environment.cache}`
  return yield* new FileError({ path: name, place: "", reason })
})
