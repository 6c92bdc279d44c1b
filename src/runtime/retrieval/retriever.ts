/** Retriever layers: trainable, frozen, read-only, absent. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { textOf } from "../../domain/Content.ts"
import { parts } from "../../domain/fileNames.ts"
import type { Retrieval } from "../../domain/settings/retrieval.ts"
import type { GradScaler } from "../../kernels/optim/gradScaler.ts"
import * as Halving from "../engine/halving.ts"
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
  learningOf,
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
import {
  type Objective,
  Retriever,
  RetrieverError,
  RetrieverLearner,
  type RetrieverLesson
} from "../ports/Retriever.ts"
import type { Least } from "./dense/batch.ts"
import * as Graphs from "./dense/graphs.ts"
import * as Model from "./dense/model.ts"
import * as Stored from "./indexes/stored.ts"
import * as Temporary from "./indexes/temporary.ts"

type Failure = Parameters<typeof translate>[0] | CorpusError | IndexError

const [NAME] = parts

const failing = (taught?: Taught) =>
  Effect.mapError((error: Failure) =>
    new RetrieverError({
      reason: error._tag === "CorpusError" || error._tag === "IndexError" ? error : translate(error, taught)
    })
  )

const reading = (model: Model.RetrieverModel, fail = failing()) =>
  Retriever.of({
    search: Effect.fn("retriever.search")((queries, k) => model.search(queries.map(textOf), k), fail),
    score: Effect.fn("retriever.score")((queries, docs) => model.score(queries.map(textOf), docs), fail),
    refresh: Effect.withSpan(fail(model.refresh), "retriever.refresh")
  })

/** How scores become a loss. */
export interface Loss {
  /** Temperature of the scores in the listwise loss. */
  readonly temperature: number
  /** Factor of the loss. */
  readonly weight: number
}

/** Settings of a trainable retriever. */
export interface RetrieverSettings extends Model.RetrieverSettings {
  readonly loss: Loss
}

/** The trainable parameters: all, or embeddings only, as in the released code. */
const trainableBy = ({ trainable }: RetrieverSettings["model"]) => (path: string): boolean =>
  trainable === "all" || ["embeddings", "embed_tokens"].includes(path.split(".")[1]!)

type StepKey = [
  questions: number,
  /** Questions of the whole update. */
  of: number,
  queryLength: number,
  passages: number,
  length: number,
  n: number,
  objective: Objective["_tag"],
  m: number
]

const lessonOf = (model: Model.RetrieverModel, { loss, training }: RetrieverSettings, scaler?: GradScaler) => {
  const learning = learningOf(training, model.weights, scaler)
  return ([questions, of, queryLength, passages, passageLength, n, tag, m]: StepKey) =>
    Graphs.lesson(model.encoder, {
      ...learning,
      pools: model.pools,
      shape: { questions, queryLength, passages, passageLength },
      n,
      objective: tag === "Pairwise" ? { _tag: tag, m } : { _tag: tag },
      temperature: loss.temperature,
      weight: loss.weight * questions / of
    })
}

type Range = readonly [from: number, to: number]

/** The step key and arrays of a lesson's queries from..to-1. */
const prepare = Effect.fnUntraced(function*(
  model: Model.RetrieverModel,
  lesson: RetrieverLesson,
  [from, to]: Range,
  key: number,
  least?: Least
) {
  const of = lesson.queries.length
  const own = <A extends Int32Array | Float32Array>(array: A) =>
    array.subarray(from * array.length / of, to * array.length / of) as A
  const { objective } = lesson
  const docs = own(lesson.docs)
  const { data, places, shape } = yield* model.batch(lesson.queries.slice(from, to).map(textOf), docs, least)
  const m = objective._tag === "Pairwise" ? objective.m : 0
  const wanted = own(objective._tag === "Pairwise" ? objective.weights : objective.target)
  const n = docs.length / (to - from)
  const { passageLength, passages, queryLength, questions } = shape
  const bucket: StepKey = [questions, of, queryLength, passages, passageLength, n, objective._tag, m]
  return { key: bucket, shape, batch: { ...data, places, wanted, key: Int32Array.of(key) } }
})

/** The index layer: the stored index at `index_path` if set, else a temporary one. */
export const indexes = ({ index_in_memory, index_path }: Retrieval) => {
  const memory = index_in_memory * 2 ** 20
  return index_path === "" ? Temporary.layer({ memory }) : Stored.from(index_path, { memory })
}

/** Retriever and learner share the weights: search uses those of the last update. */
export const trainable = (settings: RetrieverSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const { model: own, training } = settings
    const model = yield* Model.make(settings, trainableBy(own), {
      lora: loraOf(own),
      stored: storedAs(own),
      draws: true
    })
    const name = NAME
    const scaler = scalerOf(yield* Session)
    const learner = yield* Learner.make({
      name,
      weights: model.weights,
      optimizer: optimizerOf(training),
      groups: groupsOf(training, own.learning_rate),
      scaler,
      lesson: lessonOf(model, settings, scaler)
    })
    const fail = failing({ name, ...learner })
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(name, learnerPart(model.weights, learner, { ...model, indexed: model }))
    const { groupName, groups } = describe(name, model.weights, own.learning_rate)
    const { batches, several } = updates(name)
    /** Uses a lesson's micro-batches, smaller ones if memory does not hold them. */
    const inParts = <A, E>(
      lesson: RetrieverLesson,
      use: (parts: ReadonlyArray<Learner.Part<StepKey>>) => Effect.Effect<A, E>
    ) =>
      batches.together(partsOf(training, lesson.queries.length), (ranges) => {
        const key = (part: number) => dropoutKey(training.seed, name, learner.updates(), part)
        return Effect.flatMap(Effect.forEach(ranges, (range, part) => prepare(model, lesson, range, key(part))), use)
      })
    const learn = Effect.fnUntraced(function*(lesson: RetrieverLesson) {
      const reports = yield* inParts(lesson, learner.learn)
      return Float32Array.from(reports.flatMap(({ losses }) => Array.from(losses!)))
    })
    /** Batches padded to the largest common shape. */
    const alike = Effect.fnUntraced(function*(lessons: ReadonlyArray<RetrieverLesson>) {
      const made = (least?: Least) =>
        Effect.forEach(lessons, (lesson, k) => {
          const key = dropoutKey(training.seed, name, learner.updates() + k, 0)
          return prepare(model, lesson, [0, lesson.queries.length], key, least)
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
          return several(whole, Effect.forEach(lessons, learn))
        }, fail),
        gate: Effect.fn("retriever.gate")(function*(lesson) {
          const squares = yield* fail(inParts(lesson, learner.probe))
          return yield* Effect.mapError(judge(squares, groupName), (reason) => new RetrieverError({ reason }))
        })
      })
    ))
  })).pipe(Layer.provide(indexes(settings.retrieval)))

/** Reports the same loss without updating the weights. */
export const frozen = (settings: RetrieverSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const model = yield* Model.make(settings, () => false, { stored: storedAs(settings.model), draws: true })
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
              prepare(model, lesson, range, 0),
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
