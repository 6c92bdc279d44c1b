/** Queries of a retriever of pictures: F's vectors of their pictures, and what heads read of these. */
import * as Effect from "effect/Effect"
import { brief } from "../../../domain/brief.ts"
import { type Content, imagesIn, textOf } from "../../../domain/Content.ts"
import { entering, flatten } from "../../../kernels/nn/Module.ts"
import type { HeadKind } from "../../../kernels/nn/pictures/heads.ts"
import { imageStart } from "../../../kernels/nn/pictures/vision.ts"
import type { Graph } from "../../../kernels/onnx/encode.ts"
import { names } from "../../../kernels/Step.ts"
import { input } from "../../../kernels/Tensor.ts"
import { cached } from "../../engine/Programs.ts"
import { Session, type SessionError } from "../../engine/Session.ts"
import * as Weights from "../../engine/Weights.ts"
import type { FileError } from "../../files/disk.ts"
import { type Named, patchesOf } from "../../pictures/encoder.ts"
import type { Opened } from "../../pictures/folder.ts"
import { Kept } from "../../pictures/kept.ts"
import { ImageError, Images } from "../../ports/Images.ts"
import type { Frozen } from "./frozen.ts"
import type { Opened as Heads, Space } from "./heads.ts"

/** Bytes of F's vectors, and of hidden states, that are kept of pictures that were asked about. */
const KEPT = 2 ** 27

/** Hidden states of a picture before the last `n` layers. */
const startOf = Effect.fnUntraced(function*(opened: Opened, n: number) {
  const { kept } = yield* Session
  const start = imageStart(opened.vision, n)
  const params = flatten(start.params)
  const own = new Map([...params.keys()].map((path) => [path, opened.weights.get(path)!]))
  const weights = Weights.make(params, [], [], own, { kept })
  const { num_channels, patch_size, patches, positions } = opened.vision
  const [high, wide] = patches ?? positions
  const shape = [1, high * wide, num_channels * patch_size ** 2]
  const graph = (): Graph => {
    const { bound, inputs } = entering(start.params, names.param)
    const own = input("own", shape)
    return { name: "pictures.start", inputs: { ...inputs, own }, outputs: { states: start.apply(bound, own) } }
  }
  const run = yield* cached((_: ["start"]) => graph(), { fixed: weights.frozen })
  return (patches: Float32Array) =>
    Effect.map(run(["start"], { ...weights.values(), own: patches }), ({ states }) => states as Float32Array)
})

/** What a head of a kind reads of a picture, of which F's vector is known. */
const readerOf = Effect.fnUntraced(function*(kind: HeadKind, { opened }: Frozen) {
  if (kind.kind === "adapter") return (_: Named, base: Float32Array) => Effect.succeed(base)
  const patches = ({ picture }: Named) => patchesOf(opened!, [picture])
  if (kind.kind === "copy") return (picture: Named) => Effect.sync(() => patches(picture))
  const start = yield* startOf(opened!, kind.n)
  return (picture: Named) => start(patches(picture))
})

/** Queries as arrays. */
export interface Asked {
  readonly count: number
  /** Hash of each query's picture. */
  readonly hashes: ReadonlyArray<string>
  /** F's vectors, [queries, size]. */
  readonly base: Float32Array
  /** What the head of the space that is searched reads of each picture; F's vectors where there is no head. */
  readonly own: Float32Array
}

const joined = (rows: ReadonlyArray<Float32Array>): Float32Array => {
  const [first] = rows
  const all = new Float32Array(rows.length * (first?.length ?? 0))
  rows.forEach((row, i) => all.set(row, i * row.length))
  return all
}

/** Why a query cannot be encoded. */
export type QueryFailure = FileError | SessionError | ImageError

/** Encodes queries for the head of a space. A picture is encoded by itself, so that its vector does not depend on the batch. */
export const make = Effect.fnUntraced(function*({ frozen, heads }: Heads) {
  const images = yield* Images
  const [vectors, states] = [new Kept<Float32Array>(KEPT), new Kept<Float32Array>(KEPT)]
  const readers = new Map(
    yield* Effect.forEach(
      heads,
      ([space, { kind }]) => Effect.map(readerOf(kind, frozen), (read) => [space, read] as const)
    )
  )
  const remembered = Effect.fnUntraced(function*<E>(
    kept: Kept<Float32Array>,
    key: string,
    make: Effect.Effect<Float32Array, E>
  ) {
    const known = kept.get(key)
    if (known) return known
    const made = yield* make
    kept.set(key, made, made.byteLength)
    return made
  })
  const one = Effect.fnUntraced(function*(query: Content, space: Space) {
    const [reference] = imagesIn(query)
    if (reference === undefined) {
      const path = `the query ${brief(textOf(query))}`
      return yield* new ImageError({
        path,
        kind: "missing",
        detail: "it has none, and this retriever asks with pictures"
      })
    }
    const { hash, picture } = yield* images.read(reference)
    const named: Named = { name: reference, picture }
    const base = yield* remembered(vectors, hash, frozen.pictures([named]))
    const read = readers.get(space)
    const own = read === undefined ? base : yield* remembered(states, `${space} ${hash}`, read(named, base))
    return { hash, base, own }
  })
  return Effect.fnUntraced(function*(queries: ReadonlyArray<Content>, space: Space) {
    const all = yield* Effect.forEach(queries, (query) => one(query, space))
    return {
      count: all.length,
      hashes: all.map(({ hash }) => hash),
      base: joined(all.map(({ base }) => base)),
      own: joined(all.map(({ own }) => own))
    } satisfies Asked as Asked
  })
})
