/**
 * Batches of any size in bounded memory (GradCache, Gao et al. 2021): texts are encoded in chunks, the loss is taken on
 * their vectors, and the chunks are run again with the gradients at these.
 */
import * as Effect from "effect/Effect"
import type { GradScaler } from "../../../kernels/optim/gradScaler.ts"
import * as Halving from "../../engine/halving.ts"
import type * as Learner from "../../engine/Learner.ts"
import { cached } from "../../engine/Programs.ts"
import { learningOf } from "../../models/training.ts"
import type { RetrieverLesson } from "../../ports/Retriever.ts"
import * as Graphs from "./graphs.ts"
import { arraysOf, type Loss, scoringOf, shapeOf } from "./lessons.ts"
import type * as Model from "./model.ts"

/** The key of a replay's program. */
export type ReplayKey = [replay: "replay", rows: number, length: number]

type ContrastKey = [
  questions: number,
  queryLength: number,
  passages: number,
  passageLength: number,
  n: number,
  objective: RetrieverLesson["objective"]["_tag"],
  both: number
]

/** The graphs of a replay, by key. */
export const replayOf = (
  { dim, encoder, pools, weights }: Model.RetrieverModel,
  { training }: Pick<Model.RetrieverSettings, "training">,
  scaler?: GradScaler
) => {
  const learning = learningOf(training, weights, scaler)
  return ([, rows, length]: ReplayKey) => Graphs.replay(encoder, { ...learning, rows, length, pools, dim })
}

/** Texts of one kind. */
interface Kind {
  readonly rows: number
  readonly length: number
  readonly ids: Int32Array
  readonly mask: Uint8Array
  readonly keep: Uint8Array
  /** A chunk's dropout key, from that of its number. */
  readonly keyOf: (key: number) => number
}

/** A chunk of texts as inputs of a program. */
const chunkOf = ({ ids, keep, keyOf, length, mask }: Kind, [from, to]: Halving.Range, pools: boolean, key: number) => {
  const own = <A extends Int32Array | Uint8Array>(all: A) => all.subarray(from * length, to * length) as A
  const kept = pools ? { keep: own(keep) } : {}
  return { ids: own(ids), mask: own(mask), ...kept, key: Int32Array.of(keyOf(key)) }
}

const chunks = (rows: number, size: number): ReadonlyArray<Halving.Range> =>
  Array.from({ length: Math.ceil(rows / size) }, (_, i) => [i * size, Math.min(rows, (i + 1) * size)])

/** The update of a lesson as replays of its chunks, and the losses of its queries. */
export interface Cached {
  readonly parts: ReadonlyArray<Learner.Part<ReplayKey>>
  readonly losses: Float32Array
}

/** Encodes and judges lessons, `size` texts at a time; `keyOf` gives the dropout key of each chunk by its number. */
export const make = Effect.fnUntraced(function*(model: Model.RetrieverModel, loss: Loss) {
  const { dim, encoder, pools, weights } = model
  const encode = yield* cached(
    ([rows, length]: [number, number]) => Graphs.encode(encoder, rows, length, pools, true),
    { fixed: weights.frozen }
  )
  const contrast = yield* cached(([questions, queryLength, passages, passageLength, n, tag, both]: ContrastKey) =>
    Graphs.contrast({
      ...scoringOf(loss, shapeOf(loss, tag, 0, both === 1), n, 1),
      shape: { questions, queryLength, passages, passageLength },
      pools,
      dim
    })
  )
  const encoded = (kind: Kind, size: number, keyOf: (chunk: number) => number) =>
    Effect.map(
      Effect.forEach(chunks(kind.rows, size), (range, i) =>
        Effect.map(
          encode([range[1] - range[0], kind.length], {
            ...weights.values(),
            ...chunkOf(kind, range, pools, keyOf(i))
          }),
          ({ vectors }) => vectors as Float32Array
        )),
      Halving.joined
    )
  const replays = (kind: Kind, cotangents: Float32Array, size: number, keyOf: (chunk: number) => number) => {
    const each = cotangents.length / kind.rows
    return chunks(kind.rows, size).map((range, i): Learner.Part<ReplayKey> => ({
      key: ["replay", range[1] - range[0], kind.length],
      batch: {
        ...chunkOf(kind, range, pools, keyOf(i)),
        cotangent: cotangents.subarray(range[0] * each, range[1] * each)
      }
    }))
  }
  return Effect.fnUntraced(function*(lesson: RetrieverLesson, size: number, keyOf: (chunk: number) => number) {
    const { batch, inputs, n, objective } = yield* arraysOf(model, loss, lesson, [0, lesson.queries.length])
    const { data, shape } = batch
    const queries: Kind = {
      rows: shape.questions,
      length: shape.queryLength,
      ids: data.queryIds,
      mask: data.queryMask,
      keep: data.queryKeep,
      keyOf: (key) => key
    }
    const docs: Kind = {
      rows: shape.passages,
      length: shape.passageLength,
      ids: data.docIds,
      mask: data.docMask,
      keep: data.docKeep,
      keyOf: Graphs.otherKey
    }
    const feeds = {
      queries: yield* encoded(queries, size, keyOf),
      docs: yield* encoded(docs, size, keyOf),
      ...(pools ? {} : { docKeep: data.docKeep }),
      ...inputs
    }
    const both = objective._tag === "Listwise" && objective.both ? 1 : 0
    const { passageLength, passages, queryLength, questions } = shape
    const key: ContrastKey = [questions, queryLength, passages, passageLength, n, objective._tag, both]
    const { dDocs, dQueries, losses } = yield* contrast(key, feeds)
    return {
      parts: [
        ...replays(queries, dQueries as Float32Array, size, keyOf),
        ...replays(docs, dDocs as Float32Array, size, keyOf)
      ],
      losses: losses as Float32Array
    } satisfies Cached as Cached
  })
})
