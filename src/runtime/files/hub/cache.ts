/**
 * The Hub's cache on disk, as all its clients lay it out:
 *
 *     models--ORGANISATION--NAME/
 *       refs/REVISION              the commit of a branch or tag
 *       blobs/TAG                  contents, named by their checksum
 *       snapshots/COMMIT/PATH      links to them
 *       trees/COMMIT.json          all files of the commit, with sizes and checksums
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join, relative } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import { decodeFile, exists, located, makeFolder, namesIn, readText, replaceShared } from "../disk.ts"
import { shardsIn } from "../weights.ts"
import { isCommit, type ModelId } from "./ids.ts"
import { decodeTree, type Entry, type Listing, tagOf, treeText } from "./listing.ts"
import { needed } from "./needed.ts"

/** A model's folder in the cache. */
export const folderOf = (cache: string, { repo }: ModelId): string => join(cache, `models--${repo.replace("/", "--")}`)

/** The folder of a commit's files. */
export const snapshotOf = (folder: string, commit: string): string => join(folder, "snapshots", commit)

/** Where contents are kept. */
export const blobOf = (folder: string, entry: Entry): string => join(folder, "blobs", tagOf(entry))

/** The folder in which a lock says who downloads the model. */
export const locksOf = (cache: string, { repo }: ModelId): string =>
  join(cache, ".locks", `models--${repo.replace("/", "--")}`)

const treeOf = (folder: string, commit: string): string => join(folder, "trees", `${commit}.json`)
const refOf = (folder: string, revision: string): string => join(folder, "refs", revision)

/** The commit that a revision had when it was last looked up; `undefined` if it never was. */
export const commitOf = Effect.fnUntraced(function*(folder: string, revision: string) {
  if (isCommit(revision)) return revision
  const path = refOf(folder, revision)
  const text = (yield* exists(path)) ? (yield* readText(path)).trim() : ""
  return isCommit(text) ? text : undefined
})

/** All files of a commit, if the cache has kept them. */
export const listingOf = Effect.fnUntraced(function*(folder: string, commit: string) {
  const path = treeOf(folder, commit)
  if (!(yield* exists(path))) return undefined
  return yield* Effect.orElseSucceed(decodeFile(path, decodeTree), () => undefined)
})

const text = new TextEncoder()

/** Keeps a commit's files and the revision's commit, unless the cache has them. */
export const keep = Effect.fnUntraced(function*(folder: string, { revision }: ModelId, commit: string, all: Listing) {
  const [tree, ref] = [treeOf(folder, commit), refOf(folder, revision)]
  if ((yield* listingOf(folder, commit)) === undefined) {
    yield* makeFolder(dirname(tree))
    yield* replaceShared(tree, text.encode(treeText(all)))
  }
  if ((yield* commitOf(folder, revision)) === commit) return
  yield* makeFolder(dirname(ref))
  yield* replaceShared(ref, text.encode(commit))
})

/** Whether a file is there, and of its size where that is known. */
export const isWhole = Effect.fnUntraced(function*(path: string, entry?: Entry) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* exists(path))) return false
  const { size, type } = yield* fs.stat(path).pipe(located(path))
  return type === "File" && (entry === undefined || Number(size) === entry.size)
})

/** Makes a commit's file a link to its contents; a hard link or a copy where the system allows no symbolic ones. */
export const link = Effect.fnUntraced(function*(folder: string, commit: string, file: string, entry: Entry) {
  const fs = yield* FileSystem.FileSystem
  const [blob, path] = [blobOf(folder, entry), join(snapshotOf(folder, commit), file)]
  if (yield* isWhole(path, entry)) return
  yield* makeFolder(dirname(path))
  yield* fs.remove(path, { force: true }).pipe(located(path))
  yield* fs.symlink(relative(dirname(path), blob), path).pipe(
    Effect.catchIf(({ reason }) => reason._tag !== "AlreadyExists", () => fs.link(blob, path)),
    Effect.catchIf(({ reason }) => reason._tag !== "AlreadyExists", () => fs.copyFile(blob, path)),
    Effect.catchIf(({ reason }) => reason._tag === "AlreadyExists", () => Effect.void),
    located(path)
  )
})

/** The files that a snapshot has, those of modules included. */
const filesIn = Effect.fnUntraced(function*(snapshot: string) {
  const fs = yield* FileSystem.FileSystem
  const names = yield* namesIn(snapshot)
  const within = yield* Effect.forEach(
    names.filter((name) => /^\d+_[A-Za-z]+$/.test(name)),
    (name) => Effect.map(namesIn(join(snapshot, name)), (own) => own.map((file) => `${name}/${file}`))
  )
  return yield* Effect.filter(
    [...names, ...within.flat()],
    (name) => fs.exists(join(snapshot, name)).pipe(located(snapshot))
  )
})

/** What a cached snapshot amounts to: all that is needed, too little, or what looks like it while no list says so. */
export type State = "whole" | "partial" | "unlisted"

/** The state of a commit's snapshot, by the list of its files that is given, or else kept. */
export const stateOf = Effect.fnUntraced(function*(folder: string, commit: string, told?: Listing) {
  const [snapshot, all] = [snapshotOf(folder, commit), told ?? (yield* listingOf(folder, commit))]
  const wanted = needed(all ? [...all.keys()] : yield* filesIn(snapshot))
  if (typeof wanted === "string") return "partial" satisfies State as State
  const { files, sharded } = wanted
  const there = (file: string) => isWhole(join(snapshot, file), all?.get(file))
  for (const file of files) if (!(yield* there(file))) return "partial" satisfies State as State
  const shards = sharded ? yield* shardsIn(join(snapshot, modelFiles.weightsIndex)) : []
  for (const file of shards) if (!(yield* there(file))) return "partial" satisfies State as State
  return (all ? "whole" : "unlisted") satisfies State as State
})
