/** Layers of retrievers of pictures: one head learns (JOMED's second phase), or none does. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parts } from "../../../domain/fileNames.ts"
import type { Range } from "../../engine/halving.ts"
import * as Learner from "../../engine/Learner.ts"
import { Session } from "../../engine/Session.ts"
import { type Arrays, asInputs, type Weights } from "../../engine/Weights.ts"
import { learnerPart } from "../../models/checkpointPart.ts"
import {
  describe,
  groupsOf,
  judge,
  learningOf,
  lossScaleOf,
  optimizerOf,
  partsOf,
  scalerOf,
  type Taught,
  translate,
  updates
} from "../../models/training.ts"
import { Checkpoints } from "../../ports/Checkpoints.ts"
import type { CorpusError } from "../../ports/Corpus.ts"
import { ImageError } from "../../ports/Images.ts"
import type { IndexError } from "../../ports/PassageIndex.ts"
import { Retriever, RetrieverError, RetrieverLearner, type RetrieverLesson } from "../../ports/Retriever.ts"
import * as Graphs from "./graphs.ts"
import * as Model from "./model.ts"
import type { Stores } from "./passages.ts"
import type { QueryFailure } from "./queries.ts"

type Failure = QueryFailure | CorpusError | IndexError | Parameters<typeof translate>[0]

const [NAME] = parts

const asReason = (error: Failure, taught?: Taught): RetrieverError["reason"] => {
  switch (error._tag) {
    case "CorpusError":
    case "IndexError":
    case "ImageError":
      return error
    case "FileError":
      return new ImageError({ path: error.path, kind: "undecodable", detail: error.reason })
    default:
      return translate(error, taught)
  }
}

const failing = (taught?: Taught) =>
  Effect.mapError((error: Failure) => new RetrieverError({ reason: asReason(error, taught) }))

/** Searches with the values of `searching`, and scores with those of `scoring`. */
const reading = (
  model: Model.PictureModel,
  searching: Weights["values"],
  scoring: Weights["values"],
  refresh: Effect.Effect<number>,
  fail = failing()
) =>
  Retriever.of({
    search: Effect.fn("retriever.search")(
      (queries, k, groups = []) => model.search("merged", queries, k, groups, searching()),
      fail
    ),
    searchEach: Effect.fn("retriever.searchEach")(
      (queries, k, groups = []) => model.search("beside", queries, k, groups, searching()),
      fail
    ),
    score: Effect.fn("retriever.score")((queries, docs) => model.score(queries, docs, scoring()), fail),
    refresh
  })

/** Settings of a retriever of which a head learns. */
export interface LearningSettings extends Model.PictureSettings {
  readonly learningRate: number
  /** The snapshot that searches is taken anew after every so many updates. */
  readonly snapshotSteps: number
  /** Temperature of the scores in the loss. */
  readonly temperature: number
}

type Key = [questions: number, of: number, n: number]

/** The target of queries from..to-1 of a lesson, and which of their passages there are. */
const targetsOf = ({ docs, objective, queries }: RetrieverLesson, [from, to]: Range) => {
  if (objective._tag !== "Listwise" || objective.askers !== undefined) {
    throw new TypeError("a head learns from a distribution over each query's passages")
  }
  const n = docs.length / queries.length
  const own = docs.subarray(from * n, to * n)
  return {
    docs: own,
    n,
    wanted: objective.target.slice(from * n, to * n),
    allowed: Uint8Array.from(own, (doc) => doc < 0 ? 0 : 1)
  }
}

/**
 * One head learns towards a distribution over each query's passages; the others are as they were. A lagged snapshot of it
 * searches, as long as it is younger than `snapshotSteps` updates: there is no index to refresh.
 */
export const trainable = (settings: LearningSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const { heads, learningRate, snapshotSteps, temperature, training } = settings
    const space = heads.learns!
    const model = yield* Model.make(settings, { apart: false })
    const { weights } = model
    const scaler = scalerOf(yield* Session)
    const learning = learningOf(training, weights, scaler)
    const learner = yield* Learner.make({
      name: NAME,
      weights,
      optimizer: optimizerOf(training),
      groups: groupsOf(training, learningRate),
      scaler,
      lesson: ([questions, of, n]: Key) =>
        Graphs.lesson(model.placed(space), { ...learning, questions, n, temperature, weight: questions / of })
    })
    const fail = failing({ name: NAME, ...learner })
    let snapshot = { generation: 1, weights: weights.parameters() }
    const take = Effect.sync(() => {
      snapshot = { generation: snapshot.generation + 1, weights: weights.parameters() }
      return snapshot.generation
    })
    const indexed = {
      indexState: () => snapshot,
      build: (generation: number, from: Arrays) =>
        Effect.sync(() => {
          snapshot = { generation, weights: from }
        })
    }
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(NAME, learnerPart(weights, learner, { files: model.files, based: undefined, indexed }))
    const { groupName, groups } = describe(NAME, weights, learningRate)
    const { batches } = updates(NAME)
    const partOf = Effect.fnUntraced(function*(lesson: RetrieverLesson, range: Range) {
      const { allowed, docs, n, wanted } = targetsOf(lesson, range)
      const data = yield* model.lessonData(space, lesson.queries.slice(...range), docs)
      const key: Key = [range[1] - range[0], lesson.queries.length, n]
      return { key, batch: { ...data, wanted, allowed } }
    })
    const inParts = <A, E>(
      lesson: RetrieverLesson,
      use: (parts: ReadonlyArray<Learner.Part<Key>>) => Effect.Effect<A, E>
    ) =>
      batches.together(partsOf(training, lesson.queries.length), (ranges) =>
        Effect.flatMap(Effect.forEach(ranges, (range) => partOf(lesson, range)), use))
    const learn = Effect.fnUntraced(function*(lesson: RetrieverLesson) {
      const reports = yield* inParts(lesson, learner.learn)
      if (learner.updates() % snapshotSteps === 0) {
        yield* take
      }
      return Float32Array.from(reports.flatMap((report) =>
        Array.from(report["losses"]!)
      ))
    })
    const retriever = reading(model, () => asInputs(snapshot.weights), weights.values, take, fail)
    return Context.make(Retriever, retriever).pipe(Context.add(
      RetrieverLearner,
      RetrieverLearner.of({
        groups,
        ...lossScaleOf(learner),
        learn: Effect.fn("retriever.learn")(learn, fail),
        gate: Effect.fn("retriever.gate")(function*(lesson) {
          const squares = yield* fail(inParts(lesson, learner.probe))
          return yield* Effect.mapError(judge(squares, groupName), (reason) => new RetrieverError({ reason }))
        })
      })
    ))
  }))

/**
 * A retriever of which no head learns: the encoder F, with the heads that a folder has on it. Its indexes are where the settings
 * say, or in `stores`.
 */
export const readOnly = (settings: Model.PictureSettings, stores?: Stores) =>
  Layer.effect(
    Retriever,
    Effect.map(
      Model.make({ ...settings, heads: { ...settings.heads, learns: undefined } }, { apart: true, stores }),
      (model) => reading(model, model.weights.values, model.weights.values, Effect.succeed(1))
    )
  )
