/** The corpus of a retriever of pictures: its vectors in each space, and which passages are a query's own. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import type { Passage } from "../../../domain/records/Records.ts"
import type { Retrieval } from "../../../domain/settings/retrieval.ts"
import { lazily } from "../../engine/Programs.ts"
import { about, type SessionError } from "../../engine/Session.ts"
import { type FileError, sha256Of } from "../../files/disk.ts"
import { Corpus, CorpusError } from "../../ports/Corpus.ts"
import { type ImageError, Images, together } from "../../ports/Images.ts"
import { type Chunk, PassageIndex, type PassageVectors } from "../../ports/PassageIndex.ts"
import { indexes } from "../retriever.ts"
import type { Frozen } from "./frozen.ts"
import type { Space } from "./heads.ts"

/** Passages in a chunk of an index, and pictures that are decoded at a time. */
const [ROWS, PICTURES] = [64, 8]

/** Why vectors of passages cannot be computed. */
export type PassageFailure = FileError | SessionError | ImageError | CorpusError

/** Where the index of each space is. */
export type Stores = (space: Space) => ReturnType<typeof indexes>

/** In a folder of its own, if the settings name one. */
const storesOf = ({ index_path, ...retrieval }: Retrieval): Stores => (space) =>
  indexes({ ...retrieval, index_path: index_path === "" ? "" : join(index_path, space) })

const chunksOf = (passages: number): ReadonlyArray<Chunk> =>
  Array.from({ length: Math.ceil(passages / ROWS) }, (_, i) => {
    const docs = Int32Array.from({ length: Math.min(ROWS, passages - i * ROWS) }, (_, at) => i * ROWS + at)
    return { docs, rows: ROWS, length: 1 }
  })

/** F's vectors of passages' pictures, or E's of their captions, of a few at a time. */
const encoding = (space: Space, { pictures, texts }: Frozen, images: Images["Service"]) => {
  const ofPictures = Effect.fnUntraced(function*(some: ReadonlyArray<Passage>) {
    const named = yield* Effect.forEach(
      some,
      ({ id, image }) =>
        Effect.map(images.read(image!), ({ picture }) => ({ name: `passage ${id}, ${image}`, picture }))
    )
    return yield* pictures(named)
  })
  return space === "image" ? ofPictures : (some: ReadonlyArray<Passage>) => texts!(some.map(({ text }) => text))
}

/** The vectors of all passages in a space, a chunk at a time, padded with zeros. */
const vectorsIn = (space: Space, frozen: Frozen, images: Images["Service"], corpus: Corpus["Service"]) => {
  const encode = encoding(space, frozen, images)
  const chunk = Effect.fnUntraced(function*({ docs, rows }: Chunk) {
    const found = new Float32Array(rows * frozen.size)
    for (let from = 0; from < docs.length; from += PICTURES) {
      const some = yield* corpus.read(docs.subarray(from, from + PICTURES))
      const subject = (element: number) => `passage "${some[Math.floor(element / frozen.size)]?.id ?? ""}"`
      const told = <A, E>(effect: Effect.Effect<A, E | SessionError>) =>
        about(subject)(effect as Effect.Effect<A, SessionError>) as Effect.Effect<A, E | SessionError>
      found.set(yield* told(encode(some)), from * frozen.size)
    }
    return found
  })
  const chunks = chunksOf(corpus.size)
  return {
    dim: frozen.size,
    chunks,
    vectors: Stream.fromIterable(chunks).pipe(Stream.rechunk(1), Stream.mapEffect(chunk))
  } satisfies PassageVectors<PassageFailure, never> as PassageVectors<PassageFailure, never>
}

const listed = (rows: ReadonlyArray<readonly [key: string, row: number]>): ReadonlyMap<string, ReadonlyArray<number>> =>
  new Map([...Map.groupBy(rows, ([key]) => key)].map(([key, all]) => [key, all.map(([, row]) => row)]))

/**
 * Hashes and groups of all passages, and the passages of each; every picture is decoded for them once. Those that cannot be are told
 * together.
 */
const owned = Effect.fnUntraced(function*(images: Images["Service"], corpus: Corpus["Service"]) {
  const [hashes, groups] = [new Array<readonly [string, number]>(), new Array<readonly [string, number]>()]
  const broken: Array<ImageError> = []
  let row = 0
  yield* Stream.runForEach(corpus.all, ({ group, image }) =>
    Effect.gen(function*() {
      const hash = image === undefined ? undefined : yield* Effect.result(images.hash(image))
      if (hash?._tag === "Success") hashes.push([hash.success, row])
      if (hash?._tag === "Failure") broken.push(hash.failure)
      if (group !== undefined) groups.push([group, row])
      row++
    }))
  const [first, ...others] = broken
  if (first) return yield* together([first, ...others], corpus.pictures, "passages")
  return { all: hashes.map(([hash]) => hash), byHash: listed(hashes), byGroup: listed(groups) }
})

/** Refuses a corpus in which some passages lack what a space is of: they would be found at random. */
const complete = Effect.fnUntraced(function*(corpus: Corpus["Service"], used: ReadonlyArray<Space>) {
  const lacking = { image: corpus.size - corpus.pictures, text: 0 }
  if (used.includes("text")) {
    yield* Stream.runForEach(corpus.all, ({ text }) => Effect.sync(() => lacking.text += text.trim() === "" ? 1 : 0))
  }
  for (const [space, what] of [["image", "picture"], ["text", "caption"]] as const) {
    if (!used.includes(space) || lacking[space] === 0) continue
    const reason =
      `${lacking[space]} of ${corpus.size} passages have no ${what}, which the ${space} head looks for; leave them out `
      + `(passages_where), or set heads without ${space}`
    return yield* new CorpusError({ path: "passages_file", reason })
  }
})

/** Which passages a query is not to find: those with its own picture, and those of its group. */
export interface Exclusion {
  readonly self: boolean
  readonly group: boolean
}

/** The passages of the corpus as they are searched. Vectors and hashes are computed on first use. */
export const make = Effect.fnUntraced(function*(
  frozen: Frozen,
  used: ReadonlyArray<Space>,
  retrieval: Retrieval,
  exclusion: Exclusion,
  stores: Stores = storesOf(retrieval)
) {
  const [corpus, images] = [yield* Corpus, yield* Images]
  yield* complete(corpus, used)
  const own = yield* lazily(owned(images, corpus))
  const indexIn = Effect.fnUntraced(function*(space: Space) {
    const store = Context.get(yield* Layer.build(stores(space)), PassageIndex)
    return yield* lazily(Effect.gen(function*() {
      const { all } = yield* own
      const weights = () => sha256Of([frozen.hash, ...(space === "image" ? all : [])])
      const origin = { corpus: corpus.hash, weights }
      return (yield* store.open(origin)) ?? (yield* store.build(1, origin, vectorsIn(space, frozen, images, corpus)))
    }))
  })
  const indexed = new Map(
    yield* Effect.forEach(used, (space) => Effect.map(indexIn(space), (index) => [space, index] as const))
  )
  return {
    size: corpus.size,
    /** The index of a space that is used. */
    index: (space: Space) => indexed.get(space)!,
    /** For each query, the rows that it is not to find. */
    excluded: (hashes: ReadonlyArray<string>, groups: ReadonlyArray<string>) =>
      Effect.map(own, ({ byGroup, byHash }) =>
        hashes.map((hash, i) =>
          new Set([
            ...(exclusion.self ? byHash.get(hash) ?? [] : []),
            ...(exclusion.group ? byGroup.get(groups[i] ?? "") ?? [] : [])
          ])
        ))
  }
})
/** The passages of a corpus. */
export type Passages = Effect.Success<ReturnType<typeof make>>
