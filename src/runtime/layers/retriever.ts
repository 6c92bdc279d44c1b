/** The retriever in its roles: one that learns, one that is given, one that only reads, none at all. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Key from "../../domain/Key.ts"
import { type RunConfig, Settings } from "../../domain/RunConfig.ts"
import * as Learner from "../engine/Learner.ts"
import { cached } from "../engine/Programs.ts"
import { Checkpoints } from "../ports/Checkpoints.ts"
import {
  type Objective,
  Retriever,
  RetrieverError,
  RetrieverLearner,
  type RetrieverLesson
} from "../ports/Retriever.ts"
import { retrieverLora } from "./adapters.ts"
import { describe, groupsOf, judge, learningOf, optimizerOf, translate } from "./learning.ts"
import { learnerPart } from "./parts.ts"
import * as Graphs from "./retrieverGraphs.ts"
import * as Model from "./retrieverModel.ts"

const fail = Effect.mapError((error: Parameters<typeof translate>[0]) =>
  new RetrieverError({ reason: translate(error) })
)

const reading = (model: Model.RetrieverModel) =>
  Retriever.of({
    search: (questions, k) => fail(model.search(questions, k)),
    score: (questions, docs) => fail(model.score(questions, docs)),
    refresh: fail(model.refresh)
  })

/** Which parameters learn: all, or the embeddings alone, as in the released code. */
const trainableBy = ({ retriever_trainable }: RunConfig) => (path: string): boolean =>
  retriever_trainable === "all" || path.split(".")[1] === "embeddings"

type StepKey = [
  questions: number,
  passages: number,
  length: number,
  n: number,
  objective: Objective["_tag"],
  m: number
]

const stepProgram = (model: Model.RetrieverModel, settings: RunConfig) =>
  cached(([questions, passages, passageLength, n, tag, m]: StepKey) =>
    Graphs.learn(model.encoder, {
      shape: { questions, queryLength: model.lengths.query, passages, passageLength },
      n,
      objective: tag === "Pairwise" ? { _tag: tag, m } : { _tag: tag },
      temperature: settings.temperature_score,
      weight: settings.rank_weight,
      ...learningOf(settings, model.weights)
    })
  )

/** The bucket of a lesson, and its arrays. */
const prepare = (model: Model.RetrieverModel, { docs, objective, questions }: RetrieverLesson, key: number) => {
  const { data, places, shape } = model.batch(questions, docs)
  const m = objective._tag === "Pairwise" ? objective.m : 0
  const wanted = objective._tag === "Pairwise" ? objective.weights : objective.target
  const n = docs.length / questions.length
  const bucket: StepKey = [shape.questions, shape.passages, shape.passageLength, n, objective._tag, m]
  return { bucket, arrays: { ...data, places, wanted, key: Int32Array.of(key) } }
}

/** The dropout key of an update: a function of the run's seed and the update's number. */
export const dropoutKey = (seed: number, owner: string, update: number): number =>
  Key.fold(Key.make(seed), "dropout", owner, update).lo | 0

/** One handle on the weights serves both: search sees the last step. */
export const trainable = Layer.effectContext(Effect.gen(function*() {
  const settings = yield* Settings
  const model = yield* Model.make(trainableBy(settings), retrieverLora(settings))
  const { params, trainable } = model.weights
  const learner = Learner.make({
    name: "retriever",
    weights: model.weights,
    optimizer: optimizerOf(settings),
    groups: groupsOf(settings, settings.lr_retriever),
    compile: yield* stepProgram(model, settings)
  })
  const checkpoints = yield* Checkpoints
  yield* checkpoints.register("retriever", learnerPart(model.weights, learner, { ...model, indexed: model }))
  const { groupName, groups } = describe("retriever", params, trainable, settings.lr_retriever)
  const batchOf = (lesson: RetrieverLesson) =>
    prepare(model, lesson, dropoutKey(settings.seed, "retriever", learner.updates()))
  return Context.make(Retriever, reading(model)).pipe(Context.add(
    RetrieverLearner,
    RetrieverLearner.of({
      groups,
      learn: Effect.fnUntraced(function*(lesson) {
        const { arrays, bucket } = batchOf(lesson)
        return (yield* fail(learner.learn(bucket, arrays)))["losses"] as Float32Array
      }),
      gate: Effect.fnUntraced(function*(lesson) {
        const { arrays, bucket } = batchOf(lesson)
        const squares = yield* fail(learner.probe(bucket, arrays))
        return yield* Effect.mapError(judge(squares, groupName), (reason) => new RetrieverError({ reason }))
      })
    })
  ))
}))

/** The same loss, reported; the weights, untouched. */
export const frozen = Layer.effectContext(Effect.gen(function*() {
  const settings = yield* Settings
  const model = yield* Model.make(() => false)
  const compile = yield* stepProgram(model, settings)
  const checkpoints = yield* Checkpoints
  yield* checkpoints.register("retriever", learnerPart(model.weights, undefined, { ...model, indexed: model }))
  return Context.make(Retriever, reading(model)).pipe(Context.add(
    RetrieverLearner,
    RetrieverLearner.of({
      groups: describe("retriever", model.weights.params, [], 0).groups,
      learn: Effect.fnUntraced(function*(lesson) {
        const { arrays, bucket } = prepare(model, lesson, 0)
        const program = yield* fail(compile(bucket))
        const { losses } = yield* fail(program.run({ ...model.weights.values(), ...arrays }))
        return losses as Float32Array
      }),
      gate: () => Effect.succeed(new Map())
    })
  ))
}))

export const readOnly = Layer.effect(Retriever, Effect.map(Model.make(() => false), reading))

const nothing = RetrieverLearner.of({
  groups: [],
  learn: ({ questions }) => Effect.succeed(new Float32Array(questions.length)),
  gate: () => Effect.succeed(new Map())
})
/** A learner for retrievers that have nothing to learn. */
export const learnsNothing = Layer.succeed(RetrieverLearner, nothing)

/** No passage for any question: the closed-book baseline. */
export const absent = Layer.merge(
  learnsNothing,
  Layer.succeed(Retriever, {
    search: (questions, k) =>
      Effect.succeed({
        docs: new Int32Array(questions.length * k).fill(-1),
        scores: new Float32Array(questions.length * k)
      }),
    score: (_, docs) => Effect.succeed(new Float32Array(docs.length)),
    refresh: Effect.succeed(0)
  })
)
