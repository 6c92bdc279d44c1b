/** The reader in its roles: one that learns, one that only reads, none at all. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { parts } from "../../domain/fileNames.ts"
import { LEAST_SHIFTED } from "../../domain/settings/prompting.ts"
import * as Learner from "../engine/Learner.ts"
import type { SessionError } from "../engine/Session.ts"
import { learnerPart } from "../models/checkpointPart.ts"
import {
  describe,
  dropoutKey,
  groupsOf,
  judge,
  learningOf,
  partsOf,
  type Taught,
  translate
} from "../models/training.ts"
import { Checkpoints } from "../ports/Checkpoints.ts"
import { none, Reader, ReaderError, ReaderLearner, type ReaderLesson } from "../ports/Reader.ts"
import { contextOf } from "./answering.ts"
import * as Graphs from "./graphs.ts"
import * as Model from "./model.ts"
import { pack } from "./pack.ts"
import type { PromptError } from "./trunk.ts"

const [, NAME] = parts

type Failure = SessionError | Learner.Diverged | PromptError
const inWords = (taught?: Taught) => (error: Failure): ReaderError =>
  new ReaderError({
    reason: error._tag === "ContextOverflow" || error._tag === "ModelRefused" ? error : translate(error, taught)
  })

const reading = (model: Model.ReaderModel, asReaderError = inWords()) =>
  Reader.of({
    nll: (asked) => Effect.mapError(model.nll(asked), asReaderError),
    answer: (asked) => Effect.mapError(model.answer(asked), asReaderError),
    write: (asked) => Stream.mapError(model.write(asked), asReaderError)
  })

/** A reader that answers, and cannot learn. */
export const readOnly = (settings: Model.ReaderSettings) =>
  Layer.effect(Reader, Effect.map(Model.make(settings, false), (model) => reading(model)))

/** One handle on the weights serves both: the next judgement is that of the last step. */
export const trainable = (settings: Model.ReaderSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const { model: own, prompting, training } = settings
    const model = yield* Model.make(settings, true)
    const learning = learningOf(training, model.weights)
    const name = NAME
    const learner = yield* Learner.make({
      name,
      weights: model.weights,
      optimizer: learning.optimizer,
      groups: groupsOf(training, own.learning_rate),
      lesson: ([rows, length, supervised]: [number, number, number]) =>
        Graphs.lesson(model.decoder, {
          ...learning,
          shape: { rows, length, supervised },
          shifted: !prompting.use_full_attn && length >= LEAST_SHIFTED
        })
    })
    const asReaderError = inWords({ name, ...learner })
    const fail = Effect.mapError(asReaderError)
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(name, learnerPart(model.weights, learner, model))
    const { groupName, groups } = describe(name, model.weights, own.learning_rate)

    const prepare = Effect.fnUntraced(function*(lesson: ReaderLesson) {
      const { answers, options, questions } = lesson
      const lm = prompting.lm_loss_weight
      const sequences = yield* Effect.forEach(
        questions,
        (question, q) => model.prompts.lesson(contextOf(lesson, q), question, options[q]!, answers[q]!, lm)
      )
      return partsOf(training, questions.length).map(([from, to], part) => {
        const own = sequences.slice(from, to)
        const packed = pack(own, { rows: own.length, all: lm > 0, of: questions.length, ...model.padded })
        const { length, rows, supervised } = packed.shape
        const key = dropoutKey(training.seed, name, learner.updates(), part)
        const bucket: [number, number, number] = [rows, length, supervised]
        return { key: bucket, batch: { ...packed.data, key: Int32Array.of(key) }, own, places: packed.places }
      })
    })

    return Context.make(Reader, reading(model, asReaderError)).pipe(Context.add(
      ReaderLearner,
      ReaderLearner.of({
        groups,
        learn: Effect.fnUntraced(function*(lesson) {
          const parts = yield* fail(prepare(lesson))
          const reports = yield* fail(learner.learn(parts))
          return Float32Array.from(
            parts.flatMap(({ own, places }, i) =>
              own.map((s, r) => Model.byPart(s, (t) => reports[i]!["nll"]![places[r]![t]!]!, 1, "mean")[0]!)
            )
          )
        }),
        gate: Effect.fnUntraced(function*(lesson) {
          const squares = yield* fail(learner.probe(yield* fail(prepare(lesson))))
          return yield* Effect.mapError(judge(squares, groupName), (reason) => new ReaderError({ reason }))
        })
      })
    ))
  }))

/** No reader, and nothing is learned. */
export const absent = Layer.merge(
  none,
  Layer.succeed(ReaderLearner, {
    groups: [],
    learn: ({ questions }) => Effect.succeed(new Float32Array(questions.length)),
    gate: () => Effect.succeed(new Map())
  })
)
