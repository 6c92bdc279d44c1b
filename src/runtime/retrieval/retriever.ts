/** Retriever layers: trainable, frozen, read-only, absent. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parts } from "../../domain/fileNames.ts"
import type { Retrieval } from "../../domain/settings/retrieval.ts"
import type { GradScaler } from "../../kernels/optim/gradScaler.ts"
import * as Halving from "../engine/halving.ts"
import type { Range } from "../engine/halving.ts"
import * as Learner from "../engine/Learner.ts"
import { cached } from "../engine/Programs.ts"
import { Session } from "../engine/Session.ts"
import { learnerPart } from "../models/checkpointPart.ts"
import { loraOf } from "../models/lora.ts"
import {
  describe,
  dropoutKey,
  groupsOf,
  judge,
  lossScaleOf,
  optimizerOf,
  partsOf,
  scalerOf,
  storedAs,
  type Taught,
  translate,
  updates
} from "../models/training.ts"
import { Checkpoints } from "../ports/Checkpoints.ts"
import { checkRow, type CorpusError } from "../ports/Corpus.ts"
import type { IndexError } from "../ports/PassageIndex.ts"
import { Retriever, RetrieverError, RetrieverLearner, type RetrieverLesson } from "../ports/Retriever.ts"
import type { Least } from "./dense/batch.ts"
import * as CachedGradients from "./dense/cachedGradients.ts"
import { type ReplayKey, replayOf } from "./dense/cachedGradients.ts"
import { lessonOf, type Loss, prepare, type StepKey } from "./dense/lessons.ts"
import * as Model from "./dense/model.ts"
import { sharedFinding } from "./dense/sharing.ts"
import * as Stored from "./indexes/stored.ts"
import * as Temporary from "./indexes/temporary.ts"
import { queryTexts } from "./queryTexts.ts"

type Failure = Parameters<typeof translate>[0] | CorpusError | IndexError

const [NAME] = parts

/** Below this, a temperature makes one-hot distributions of sums over a query's tokens. */
const SHARP = 0.2

const failing = (taught?: Taught) =>
  Effect.mapError((error: Failure) =>
    new RetrieverError({
      reason: error._tag === "CorpusError" || error._tag === "IndexError" ? error : translate(error, taught)
    })
  )

const reading = (model: Model.RetrieverModel, fail = failing()) => {
  const texts = queryTexts()
  return Retriever.of({
    search: Effect.fn("retriever.search")(
      (queries, k) => Effect.flatMap(texts(queries), (own) => model.search(own, k)),
      fail
    ),
    score: Effect.fn("retriever.score")(
      (queries, docs) => Effect.flatMap(texts(queries), (own) => model.score(own, docs)),
      fail
    ),
    refresh: Effect.withSpan(fail(model.refresh), "retriever.refresh")
  })
}

/** Settings of a trainable retriever. */
export interface RetrieverSettings extends Model.RetrieverSettings {
  readonly loss: Loss
}

/** The trainable parameters: all, or embeddings only, as in the released code. */
const trainableBy = ({ trainable }: RetrieverSettings["model"]) => (path: string): boolean =>
  trainable === "all" || ["embeddings", "embed_tokens"].includes(path.split(".")[1]!)

type Key = StepKey | ReplayKey

/** The programs of updates: steps, and replays where gradients are cached. */
const programsOf = (model: Model.RetrieverModel, settings: RetrieverSettings, scaler?: GradScaler) => {
  const [step, replay] = [lessonOf(model, settings, scaler), replayOf(model, settings, scaler)]
  return (key: Key) => key[0] === "step" ? step(key) : replay(key)
}

/** Texts that are encoded at a time, where the gradients of a lesson's vectors are cached; `undefined` elsewhere. */
const chunkOf = ({ contrast }: Loss, { objective, queries }: RetrieverLesson, parts: ReadonlyArray<Range>) => {
  if (objective._tag === "Pairwise" || contrast === undefined) return undefined
  if (contrast.miniBatch > 0) return contrast.miniBatch
  /** Queries are ranked among all of the update, which parts do not see. */
  return parts.length > 1 && objective._tag === "Listwise" && objective.askers
    ? Math.ceil(queries.length / parts.length)
    : undefined
}

/** The index layer: the stored index at `index_path` if set, else a temporary one. */
export const indexes = ({ index_in_memory, index_path }: Retrieval) => {
  const memory = index_in_memory * 2 ** 20
  return index_path === "" ? Temporary.layer({ memory }) : Stored.from(index_path, { memory })
}

/** Retriever and learner share the weights: search uses those of the last update. */
export const trainable = (settings: RetrieverSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const { loss, model: own, training } = settings
    const model = yield* Model.make(settings, trainableBy(own), {
      lora: loraOf(own),
      stored: storedAs(own),
      draws: true
    })
    const name = NAME
    if (loss.contrast && !model.pools && loss.temperature < SHARP) {
      yield* Effect.logWarning(
        `contrastive_temperature ${loss.temperature} divides scores that are sums over a query's tokens: late interaction is `
          + "usually trained with 1"
      )
    }
    const scaler = scalerOf(yield* Session)
    const learner = yield* Learner.make({
      name,
      weights: model.weights,
      optimizer: optimizerOf(training),
      groups: groupsOf(training, own.learning_rate),
      scaler,
      lesson: programsOf(model, settings, scaler)
    })
    const fail = failing({ name, ...learner })
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(name, learnerPart(model.weights, learner, { ...model, indexed: model }))
    const { groupName, groups } = describe(name, model.weights, own.learning_rate)
    const { batches, several } = updates(name)
    const cache = yield* CachedGradients.make(model, loss)
    const keyOf = (part: number) => dropoutKey(training.seed, name, learner.updates(), part)
    /** Uses a lesson's micro-batches, smaller ones if memory does not hold them; tells the losses, if these are known. */
    const inParts = <A, E>(
      lesson: RetrieverLesson,
      use: (parts: ReadonlyArray<Learner.Part<Key>>) => Effect.Effect<A, E>
    ) => {
      const { length } = lesson.queries
      const size = chunkOf(loss, lesson, partsOf(training, length))
      const given: ReadonlyArray<Range> = size === undefined ? partsOf(training, length) : [[0, size]]
      return batches.together(given, (ranges) =>
        Effect.gen(function*() {
          const least = size === undefined ? undefined : ranges[0]![1] - ranges[0]![0]
          if (least !== undefined) {
            const { losses, parts } = yield* cache(lesson, least, keyOf)
            return { losses, used: yield* use(parts) }
          }
          const parts = yield* Effect.forEach(ranges, (range, part) => prepare(model, loss, lesson, range, keyOf(part)))
          return { losses: undefined, used: yield* use(parts) }
        }))
    }
    const learn = Effect.fnUntraced(function*(lesson: RetrieverLesson) {
      const { losses, used } = yield* inParts(lesson, learner.learn)
      return losses ?? Float32Array.from(used.flatMap((report) => Array.from(report["losses"]!)))
    })
    /** Batches padded to the largest common shape. */
    const alike = Effect.fnUntraced(function*(lessons: ReadonlyArray<RetrieverLesson>) {
      const made = (least?: Least) =>
        Effect.forEach(lessons, (lesson, k) => {
          const key = dropoutKey(training.seed, name, learner.updates() + k, 0)
          return prepare(model, loss, lesson, [0, lesson.queries.length], key, least)
        })
      const shapes = (yield* made()).map(({ shape }) => shape)
      const most = (of: keyof Least) => Math.max(...shapes.map((shape) => shape[of]))
      return yield* made({
        passages: most("passages"),
        passageLength: most("passageLength"),
        queryLength: most("queryLength")
      })
    })
    return Context.make(Retriever, reading(model, fail)).pipe(Context.add(
      RetrieverLearner,
      RetrieverLearner.of({
        groups,
        ...lossScaleOf(learner),
        learn: Effect.fn("retriever.learn")(learn, fail),
        learnSeveral: Effect.fn("retriever.learnSeveral")((lessons) => {
          const whole = Effect.map(
            Effect.flatMap(alike(lessons), learner.learnSeveral),
            (reports) => reports.map(({ losses }) => losses as Float32Array)
          )
          const apart = Effect.forEach(lessons, learn)
          return lessons.some((lesson) => chunkOf(loss, lesson, []) !== undefined) ? apart : several(whole, apart)
        }, fail),
        gate: Effect.fn("retriever.gate")(function*(lesson) {
          const { used: squares } = yield* fail(inParts(lesson, learner.probe))
          return yield* Effect.mapError(judge(squares, groupName), (reason) => new RetrieverError({ reason }))
        })
      })
    ))
  })).pipe(Layer.provide(indexes(settings.retrieval)))

/** Reports the same loss without updating the weights. */
export const frozen = (settings: RetrieverSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const made = yield* Model.make(settings, () => false, { stored: storedAs(settings.model), draws: true })
    const model = { ...made, ...yield* sharedFinding(made) }
    const lesson = lessonOf(model, settings)
    const batches = Halving.make(`${NAME}.learn`, "questions")
    const run = yield* cached((key: StepKey) => lesson(key).whole(), { fixed: model.weights.frozen })
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(NAME, learnerPart(model.weights, undefined, { ...model, indexed: model }))
    return Context.make(Retriever, reading(model)).pipe(Context.add(
      RetrieverLearner,
      RetrieverLearner.of({
        groups: describe(NAME, model.weights, 0).groups,
        learn: Effect.fn("retriever.learn")(function*(lesson) {
          const parts = yield* failing()(batches.each(lesson.queries.length, ([from, to]) => to - from, (range) =>
            Effect.flatMap(
              prepare(model, settings.loss, lesson, range, 0),
              ({ batch, key }) => run(key, { ...model.weights.values(), ...batch })
            )))
          return Halving.joined(parts.map(({ losses }) =>
            losses as Float32Array
          ))
        }),
        gate: () => Effect.succeed(new Map())
      })
    ))
  })).pipe(Layer.provide(indexes(settings.retrieval)))

/** A read-only retriever over the provided index. */
export const over = (settings: Model.RetrieverSettings) =>
  Layer.effect(
    Retriever,
    Effect.map(Model.make(settings, () => false, { apart: true }), (model) => reading(model))
  )

/** A read-only retriever. */
export const readOnly = (settings: Model.RetrieverSettings) =>
  over(settings).pipe(Layer.provide(indexes(settings.retrieval)))

const nothing = RetrieverLearner.of({
  groups: [],
  learn: ({ queries }) => Effect.succeed(new Float32Array(queries.length)),
  gate: () => Effect.succeed(new Map())
})
/** A learner for retrievers without trainable parameters. */
export const learnsNothing = Layer.succeed(RetrieverLearner, nothing)

/** Finds no passages: the closed-book baseline. */
export const absent = Layer.merge(
  learnsNothing,
  Layer.succeed(Retriever, {
    search: (queries, k) =>
      Effect.succeed({
        docs: new Int32Array(queries.length * k).fill(-1),
        scores: new Float32Array(queries.length * k).fill(-Infinity)
      }),
    score: (_, docs) =>
      Effect.sync(() => {
        for (const doc of docs) if (doc !== -1) checkRow(doc, 0)
        return new Float32Array(docs.length).fill(-Infinity)
      }),
    refresh: Effect.succeed(0)
  })
)
