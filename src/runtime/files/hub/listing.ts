/** The files of a commit with their sizes and checksums, as the Hub tells them and as its cache keeps them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A file of a commit. */
export interface Entry {
  readonly size: number
  /** SHA-1 of Git's blob. */
  readonly blob: string
  /** SHA-256 of the contents, where Git LFS stores them. */
  readonly sha256: string | undefined
}

/** The files of a commit by path. */
export type Listing = ReadonlyMap<string, Entry>

/** What the cache names a file's contents by: SHA-256 where Git LFS stores them, else SHA-1 of Git's blob. */
export const tagOf = ({ blob, sha256 }: Entry): string => sha256 ?? blob

const Hash = (digits: number) => Schema.String.check(Schema.isPattern(new RegExp(`^[0-9a-f]{${digits}}$`)))
const [Sha1, Sha256] = [Hash(40), Hash(64)]

const Sibling = Schema.Struct({
  rfilename: Schema.String,
  size: Schema.Natural,
  blobId: Sha1,
  lfs: Schema.optional(Schema.NullOr(Schema.Struct({ sha256: Sha256, size: Schema.Natural })))
})
const Info = Schema.Struct({ sha: Sha1, siblings: Schema.Array(Sibling) })

/** The commit and its files, from the answer of `/api/models/REPO/revision/REVISION?blobs=true`. */
export const decodeInfo = (json: unknown) =>
  Effect.map(Schema.decodeUnknownEffect(Info)(json), ({ sha, siblings }) => ({
    commit: sha,
    listing: new Map(siblings.map(({ blobId, lfs, rfilename, size }) => {
      const entry: Entry = { size: lfs?.size ?? size, blob: blobId, sha256: lfs?.sha256 }
      return [rfilename, entry]
    })) as Listing
  }))

const Kept = Schema.Struct({
  size: Schema.Natural,
  blob_id: Sha1,
  lfs_sha256: Schema.optionalKey(Sha256),
  lfs_size: Schema.optionalKey(Schema.Natural)
})
const Tree = Schema.Struct({ format_version: Schema.Literal(1), files: Schema.Record(Schema.String, Kept) })

/** The files of a commit, from the cache's `trees/COMMIT.json`. */
export const decodeTree = (json: unknown) =>
  Effect.map(
    Schema.decodeUnknownEffect(Tree)(json),
    ({ files }): Listing =>
      new Map(
        Object.entries(files).map(([path, { blob_id, lfs_sha256, lfs_size, size }]) => {
          const entry: Entry = { size: lfs_size ?? size, blob: blob_id, sha256: lfs_sha256 }
          return [path, entry]
        })
      )
  )

/** The files of a commit as `trees/COMMIT.json`, paths sorted. */
export const treeText = (listing: Listing): string => {
  const files = [...listing].toSorted(([a], [b]) => a < b ? -1 : 1).map(([path, { blob, sha256, size }]) => {
    const kept: typeof Kept.Type = {
      size,
      blob_id: blob,
      ...(sha256 === undefined ? {} : { lfs_sha256: sha256, lfs_size: size })
    }
    return [path, kept] as const
  })
  return JSON.stringify({ format_version: 1, files: Object.fromEntries(files) }, null, 1)
}
