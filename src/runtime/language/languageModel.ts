/** Language model layers: trainable and read-only. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { LEAST_SHIFTED } from "../../domain/settings/prompting.ts"
import type { Range } from "../engine/halving.ts"
import * as Learner from "../engine/Learner.ts"
import { Session, type SessionError } from "../engine/Session.ts"
import { learnerPart } from "../models/checkpointPart.ts"
import * as Earlier from "../models/earlier.ts"
import {
  describe,
  dropoutKey,
  groupsOf,
  judge,
  learningOf,
  lossScaleOf,
  partsOf,
  scalerOf,
  type Taught,
  translate,
  updates
} from "../models/training.ts"
import { Checkpoints } from "../ports/Checkpoints.ts"
import {
  type AnyLesson,
  LanguageModel,
  LanguageModelError,
  LanguageModelLearner,
  type LanguageModelLesson,
  type Learned,
  type PreferenceLesson,
  type Preferred,
  type TokenLesson,
  type TokenSums,
  type Verdicts
} from "../ports/LanguageModel.ts"
import type { ParameterGroup } from "../ports/Learning.ts"
import type { PromptError } from "./chatTokens.ts"
import * as Graphs from "./graphs.ts"
import { type Batch, sequenced, type StepKey } from "./lessons.ts"
import * as Model from "./model.ts"
import type { PackOptions } from "./pack.ts"
import { byPart, shapeOf } from "./scoring.ts"

type Failure = SessionError | Learner.Diverged | PromptError
const inWords = (taught?: Taught) => (error: Failure): LanguageModelError =>
  new LanguageModelError({
    reason: error._tag === "SessionError" || error._tag === "Diverged" ? translate(error, taught) : error
  })

const verdictsOf = (model: Verdicts<Failure>, asError = inWords()): Verdicts => ({
  nll: Effect.fn("languageModel.nll")(model.nll, Effect.mapError(asError)),
  attention: Effect.fn("languageModel.attention")(model.attention, Effect.mapError(asError))
})

const portOf = (model: Model.Decoding, asError = inWords()) =>
  LanguageModel.of({
    ...verdictsOf(model, asError),
    rank: Effect.fn("languageModel.rank")(model.rank, Effect.mapError(asError)),
    logLikelihood: Effect.fn("languageModel.logLikelihood")(model.logLikelihood, Effect.mapError(asError)),
    describe: Effect.fn("languageModel.describe")(model.describe, Effect.mapError(asError)),
    write: (prompts, options) =>
      model.write(prompts, options).pipe(Stream.mapError(asError), Stream.withSpan("languageModel.write"))
  })

/** Sums over the tokens of each sequence, if updates report them. */
const sumsOf = (
  parts: ReadonlyArray<Pick<Batch, "own" | "places">>,
  reports: ReadonlyArray<Learner.Report>
): { readonly tokens?: TokenSums } => {
  if (reports.some((report) => report["entropy"] === undefined)) return {}
  const sums = (name: string) =>
    Float32Array.from(
      parts.flatMap(({ own, places }, i) =>
        own.map((s, r) => byPart(s, (t) => reports[i]![name]![places[r]![t]!]!, 1, "sum")[0]!)
      )
    )
  return { tokens: { correct: sums("correct"), entropy: sums("entropy"), logits: sums("logits") } }
}

/** Questions, rows or pairs of a lesson. */
const itemsOf = (lesson: AnyLesson): number => {
  if ("prompts" in lesson) return lesson.prompts.length
  return "rows" in lesson ? lesson.rows.length : lesson.pairs.length
}

/** Groups of parameters, with those of the same name as one: a tower that is trained has layers that are not used. */
const united = (groups: ReadonlyArray<ParameterGroup>): ReadonlyArray<ParameterGroup> => {
  const sum = (own: ReadonlyArray<ParameterGroup>, key: "parameters" | "bytes") =>
    own.reduce((total, group) => total + group[key], 0)
  return [...Map.groupBy(groups, ({ name }) => name).values()].map((own) =>
    Object.assign({}, own[0], { parameters: sum(own, "parameters"), bytes: sum(own, "bytes") })
  )
}

/** What a model has beside its own weights, which is frozen, as groups of parameters. */
const frozenOf = (name: string, { beside }: Model.Decoding): ReadonlyArray<ParameterGroup> =>
  [...Map.groupBy(beside, ([path]) => path.split(".").slice(0, 2).join("."))].map(([group, tensors]) => {
    const parameters = tensors.reduce((sum, [, { data }]) => sum + data.length, 0)
    const bytes = tensors.reduce((sum, [, { data }]) => sum + data.byteLength, 0)
    return {
      model: name,
      name: `${group} (frozen)`,
      parameters,
      trainable: false,
      bytes,
      stateBytes: 0,
      learningRate: 0
    }
  })

/** A language model for inference only. */
export const readOnly = (settings: Model.LanguageModelSettings) =>
  Layer.effect(LanguageModel, Effect.map(Model.make(settings, false), (model) => portOf(model)))

/** Model and learner share the weights: scoring uses those of the last update. */
export const trainable = (settings: Model.LanguageModelSettings) =>
  Layer.effectContext(Effect.gen(function*() {
    const { model: own, name, prompting, training } = settings
    const model = yield* Model.make(settings, true)
    const session = yield* Session
    const scaler = scalerOf(session)
    const earlier = settings.lag ? Earlier.make(model.weights, settings.lag, session.kept) : undefined
    const learning = learningOf(training, model.weights, scaler)
    const learner = yield* Learner.make({
      name,
      weights: model.weights,
      optimizer: learning.optimizer,
      groups: groupsOf(training, own.learning_rate),
      scaler,
      lesson: ([kind, rows, length, supervised, features, pairs]: StepKey) => {
        const shifted = !prompting.use_full_attn && length >= LEAST_SHIFTED
        const told = settings.told ?? false
        const shape = shapeOf([rows, length, supervised, features], model.taught.width)
        const step = { ...learning, model: name, shape, shifted, told }
        return kind === "tokens"
          ? Graphs.lesson(model.taught.decoder, step)
          : Graphs.preference(model.taught.decoder, { ...step, pairs, terms: settings.preference! })
      }
    })
    const asError = inWords({ name, ...learner })
    const fail = Effect.mapError(asError)
    const checkpoints = yield* Checkpoints
    yield* checkpoints.register(name, learnerPart(model.weights, learner, { ...model, earlier }))
    const judges = earlier && verdictsOf(yield* model.verdicts(earlier.weights), asError)
    const { groupName, groups } = describe(name, model.weights, own.learning_rate)

    const { batches, several } = updates(name)
    const lessons = {
      sequences: model.sequences,
      look: model.taught.look,
      lm: prompting.lm_loss_weight,
      ...model.padded
    }
    const prepare = Effect.fnUntraced(function*(
      lesson: AnyLesson,
      ranges: ReadonlyArray<Range>,
      after = 0,
      least?: PackOptions["least"]
    ) {
      const { batch } = yield* sequenced(lesson, lessons)
      return ranges.map((range, part) => {
        const made = batch(range, least)
        if (made.key[0] === "pairs") return made
        const key = dropoutKey(training.seed, name, learner.updates() + after, part)
        return { ...made, batch: { ...made.batch, key: Int32Array.of(key) } }
      })
    })
    /** Lessons of one part each, padded to the largest common shape. */
    const alike = Effect.fnUntraced(function*(lessons: ReadonlyArray<LanguageModelLesson | TokenLesson>) {
      const made = (least?: PackOptions["least"]) =>
        Effect.forEach(lessons, (lesson, k) => prepare(lesson, partsOf(training, itemsOf(lesson)), k, least))
      let all = (yield* made()).map(([part]) => part!)
      /** A greater length may increase the number of supervised tokens, so repeat until all shapes agree. */
      while (all.some(({ key }) => key.join() !== all[0]!.key.join())) {
        const most = (i: 2 | 3 | 4) => Math.max(...all.map(({ key }) => key[i]))
        all = (yield* made({ length: most(2), supervised: most(3), features: most(4) })).map(([part]) => part!)
      }
      return all
    })
    type Prepared = Effect.Success<ReturnType<typeof prepare>>[number]
    const losses = ({ own, places }: Prepared, { nll }: Learner.Report): ReadonlyArray<number> =>
      own.map((s, r) => byPart(s, (t) => nll![places[r]![t]!]!, 1, "mean")[0]!)
    const learnedOf = (parts: ReadonlyArray<Prepared>, reports: ReadonlyArray<Learner.Report>): Learned => ({
      loss: Float32Array.from(parts.flatMap((part, i) => losses(part, reports[i]!))),
      ...sumsOf(parts, reports)
    })

    /** Uses a lesson's micro-batches, smaller ones if memory does not hold them. */
    const inParts = <A, E>(lesson: AnyLesson, use: (parts: ReadonlyArray<Prepared>) => Effect.Effect<A, E>) =>
      batches.together(
        partsOf(training, itemsOf(lesson)),
        (ranges) => Effect.flatMap(prepare(lesson, ranges), use)
      )
    const learn = (lesson: LanguageModelLesson | TokenLesson) =>
      inParts(lesson, (parts) => Effect.map(learner.learn(parts), (reports) => learnedOf(parts, reports)))
    const learnSeveral = (lessons: ReadonlyArray<LanguageModelLesson | TokenLesson>) => {
      const whole = Effect.flatMap(
        alike(lessons),
        (parts) =>
          Effect.map(learner.learnSeveral(parts), (reports) => parts.map((part, k) => learnedOf([part], [reports[k]!])))
      )
      return several(whole, Effect.forEach(lessons, learn))
    }
    const lossOf = ({ loss }: Learned) => loss
    const prefer = (lesson: PreferenceLesson) =>
      inParts(lesson, (parts) =>
        Effect.map(learner.learn(parts), (reports): Preferred => {
          const all = (name: string) => reports.flatMap((report) => Array.from(report[name]!))
          return {
            loss: Float32Array.from(all("each"), (own) => own * lesson.pairs.length),
            chosen: Float32Array.from(all("chosen")),
            rejected: Float32Array.from(all("rejected")),
            ...sumsOf(parts, reports)
          }
        }))

    return Context.make(LanguageModel, portOf(model, asError)).pipe(Context.add(
      LanguageModelLearner,
      LanguageModelLearner.of({
        groups: united([...groups, ...frozenOf(name, model)]),
        ...lossScaleOf(learner),
        ...(earlier && judges
          ? { earlier: (step: number) => Effect.as(Effect.sync(() => earlier.at(step)), judges) }
          : {}),
        learn: Effect.fn("languageModel.learn")((lesson) => Effect.map(learn(lesson), lossOf), fail),
        learnTokens: Effect.fn("languageModel.learnTokens")(learn, fail),
        prefer: Effect.fn("languageModel.prefer")(prefer, fail),
        learnSeveral: Effect.fn("languageModel.learnSeveral")(
          (lessons) => Effect.map(learnSeveral(lessons), (all) => all.map(lossOf)),
          fail
        ),
        learnTokensSeveral: Effect.fn("languageModel.learnTokensSeveral")(learnSeveral, fail),
        gate: Effect.fn("languageModel.gate")(function*(lesson) {
          const squares = yield* fail(inParts(lesson, learner.probe))
          return yield* Effect.mapError(judge(squares, groupName), (reason) => new LanguageModelError({ reason }))
        })
      })
    ))
  }))
