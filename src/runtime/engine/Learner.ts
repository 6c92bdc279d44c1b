/** Weights, an optimiser and the step programs that update them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { unsafe } from "../../kernels/inPlace.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import type { GradScaler } from "../../kernels/optim/gradScaler.ts"
import type { Group, Optimizer } from "../../kernels/optim/Optimizer.ts"
import { repeated } from "../../kernels/repeat.ts"
import { names, type Steps } from "../../kernels/Step.ts"
import { keeping, type Weigh, weighing } from "./keeping.ts"
import { final } from "./outOfMemory.ts"
import { cached } from "./Programs.ts"
import { after, isSkipped, type Progress, resumed, scalingOf, start, tooSmall } from "./progress.ts"
import { type Data, type Feeds, type NotFinite, Session, type SessionError } from "./Session.ts"
import { joined } from "./turns.ts"
import type { Weights } from "./Weights.ts"

/** The key of a program, such as a bucket of lengths. */
type Key = ReadonlyArray<number | string>

/** An update had NaN or infinite values, `what` says which. It is not applied, unless weights are updated in place. */
export class Diverged extends Schema.TaggedError<Diverged>()("Diverged", {
  program: Schema.String,
  update: Schema.Int,
  what: Schema.String
}) {
  override get message(): string {
    const { program, update, what } = this
    return `${program} diverged in update ${update}: ${what}. Lower the learning rate, weight_decay or max_grad_norm.`
  }
}

/** What a learner is made of. */
export interface LearnerSpec<K> {
  readonly name: string
  readonly weights: Weights
  readonly optimizer: Optimizer
  readonly groups: Readonly<Record<string, Group>>
  /** The loss scaling of the steps, if they have it. */
  readonly scaler?: GradScaler | undefined
  /** The training step for a batch of the given bucket. */
  readonly lesson: (key: K) => Steps
}

/** A micro-batch: its bucket, and the program's inputs besides the weights. */
export interface Part<K> {
  readonly key: K
  readonly batch: Readonly<Record<string, Data>>
}
/** Outputs of a program, by name. */
export type Report = Readonly<Record<string, Data>>

/** Loss and gradients of all parts together, and the report of each; no weight has been updated yet. */
interface Ran {
  readonly loss: number
  /** The gradient norm, the squares and, with a loss scale, its next state. */
  readonly measured: Report
  readonly reports: ReadonlyArray<Report>
  /** Applies the update, unless a new weight is NaN or infinite; cannot be interrupted. */
  readonly commit: Effect.Effect<void, SessionError>
}

/** Updates and probes run one at a time, whichever fibers ask: they share gradient accumulators and spare arrays. */
export interface Learner<K> {
  /** Updates so far, with those skipped. */
  readonly updates: () => number
  /** Everything that is carried over: what to resume from. */
  readonly progress: () => Progress
  /** Continues from there, as after a restart. A loss scale that is not given is as before the first update. */
  readonly resume: (from: Progress) => void
  /**
   * One update on the summed loss of the parts, their gradients accumulated one by one; returns their reports. With a loss
   * scale, an update whose gradients are not finite is skipped: weights and slots stay as they are, bit by bit.
   */
  readonly learn: (
    parts: ReadonlyArray<Part<K>>
  ) => Effect.Effect<ReadonlyArray<Report>, SessionError | Diverged>
  /**
   * Consecutive updates as one program, each on one part, all of one bucket; returns their reports. Bitwise equal to as
   * many calls of `learn`, except that if one diverges, none is applied.
   */
  readonly learnSeveral: (
    updates: ReadonlyArray<Part<K>>
  ) => Effect.Effect<ReadonlyArray<Report>, SessionError | Diverged>
  /** The squared gradient norm of each trainable parameter; no weight changes. */
  readonly probe: (parts: ReadonlyArray<Part<K>>) => Effect.Effect<ReadonlyMap<string, number>, SessionError>
}

const scalars = ({ groups, optimizer }: LearnerSpec<any>, step: number): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(groups).flatMap(([group, settings]) =>
      Object.entries(optimizer.at(step, settings)).map(([name, value]) => [
        names.scalar(name, group),
        Float32Array.of(value)
      ])
    )
  )

/** The update as one program. */
const atOnce = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>, weigh: Weigh) {
  const closed = yield* cached((key: K) => lesson(key).whole(), { unchecked: true, fixed: weights.frozen })
  const { into, keep } = keeping(weights, weigh)
  return Effect.fnUntraced(function*({ batch, key }: Part<K>, factors: Feeds<string>) {
    const report: Report = yield* closed(key, { ...weights.feeds(), ...factors, ...batch }, into())
    const commit = keep(report)
    return { measured: report, loss: report["loss"]![0]!, reports: [report], commit } satisfies Ran
  })
})

/** The k-th of `times` equal parts of each array of a report. */
const turnOf = (results: Feeds<string>, times: number, k: number): Report =>
  Object.fromEntries(
    Object.entries(results).filter(([name]) => !name.startsWith(names.next(""))).map(([name, all]) => {
      const length = all.length / times
      return [name, all.subarray(k * length, (k + 1) * length)]
    })
  )

/** Several updates as one program. */
const inOne = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>, weigh: Weigh) {
  const closed = yield* cached(
    ([times, ...key]: [number, ...Key]) => repeated(lesson(key as unknown as K).whole(), times),
    { unchecked: true, fixed: weights.frozen }
  )
  const { into, keep } = keeping(weights, weigh)
  return Effect.fnUntraced(function*(
    updates: ReadonlyArray<Part<K>>,
    factors: ReadonlyArray<Feeds<string>>,
    scaling: Feeds<string>
  ) {
    const own = updates.map(({ batch }, k) => ({ ...batch, ...factors[k] }))
    const key: [number, ...Key] = [updates.length, ...updates[0]!.key]
    const results: Report = yield* closed(key, { ...weights.feeds(), ...scaling, ...joined(own) }, into())
    const reports = updates.map((_, k) => turnOf(results, updates.length, k))
    return { reports, results, commit: keep(results) }
  })
})

/** The graph, if its `next/...` outputs may overwrite the inputs they succeed; otherwise throws: it is a bug. */
const overwriting = (graph: Graph): Graph => {
  const followed = Object.keys(graph.inputs).map((name) => [names.next(name), name] as const)
  const wrong = unsafe(graph, followed.filter(([output]) => output in graph.outputs))
  if (wrong.length > 0) throw new Error(`${graph.name} reads what it has written over: ${wrong.join(", ")}`)
  return graph
}

/** Programs whose results are written over their inputs. */
const inPlace = { unchecked: true, inPlace: true }

/** What follows the accumulated gradients, whatever the batch: their norm, then the updates. */
const finishing = Effect.fnUntraced(function*() {
  let graphs: ReadonlyArray<Graph> | undefined
  const run = yield* cached(([i]: [number]) => graphs![i]!, { ...inPlace, kept: Infinity })
  return ({ norm, update }: Steps) => {
    const [, ...updates] = graphs ??= [norm(), ...update().map(overwriting)]
    return {
      norm: (sums: Feeds<string>) => run([0], sums),
      update: (given: Feeds<string>, next: Feeds<string>) =>
        Effect.forEach(updates, (_, i) => run([i + 1], given, next), { discard: true })
    }
  }
})

/** Gradients first, then the update. Accumulated gradients, and weights that are overwritten, are updated in place. */
const inTurn = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>, weigh: Weigh) {
  const add = yield* cached((key: K) => overwriting(lesson(key).part()), { ...inPlace, fixed: weights.frozen })
  const finish = yield* finishing()
  return Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>, factors: Feeds<string>) {
    const sums = weights.sums()
    const into = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [names.next(name), sum]))
    const reports: ReadonlyArray<Report> = yield* Effect.forEach(
      parts,
      ({ batch, key }) => add(key, { ...weights.values(), ...factors, ...sums, ...batch }, into)
    )
    const { norm, update } = finish(lesson(parts[0]!.key))
    const measured: Report = yield* norm({ ...factors, ...sums })
    const next = weights.next()
    const made = update({ ...weights.feeds(), ...factors, ...sums, factor: measured["factor"]! }, next).pipe(
      Effect.andThen(weigh(next)),
      Effect.andThen(Effect.sync(weights.commit)),
      Effect.uninterruptible
    )
    const commit = isSkipped(measured) ? Effect.void : made
    const loss = reports.reduce((sum, one) => sum + one["loss"]![0]!, 0)
    return { measured, loss, reports, commit } satisfies Ran
  })
})

/**
 * Runs parts up to the norm of their gradients. On a device a single part is one program: copying gradients to the host
 * and back would take longer than the rest.
 */
const runner = Effect.fnUntraced(function*<K extends Key>(spec: LearnerSpec<K>, weigh: Weigh) {
  const { device } = yield* Session
  const [whole, apart] = [yield* atOnce(spec, weigh), yield* inTurn(spec, weigh)]
  return (parts: ReadonlyArray<Part<K>>, factors: Feeds<string>): Effect.Effect<Ran, SessionError> =>
    parts.length === 1 && (device || !spec.weights.overwritten) ? whole(parts[0]!, factors) : apart(parts, factors)
})

/** An optimiser scalar that is not finite in float32, if there is one. */
const overflowing = (factors: Feeds<string>): string | undefined => {
  const [name, value] = Object.entries(factors).find(([, [value]]) => !Number.isFinite(value)) ?? []
  return name && `the optimiser's ${name.slice(names.scalar("", "").length - 1)} is ${value![0]}`
}

/** A learner of these weights: it compiles its programs on first use, and runs one update at a time. */
export const make = Effect.fnUntraced(function*<K extends Key>(spec: LearnerSpec<K>) {
  const { name, weights } = spec
  const weigh = yield* weighing(weights)
  const [run, several] = [yield* runner(spec, weigh), yield* inOne(spec, weigh)]
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  let progress = start(spec.scaler)
  const updates = () => progress.updates
  const diverged = (what: string, after = 0) => new Diverged({ program: name, update: updates() + 1 + after, what })
  /** What is wrong with an update, if anything. */
  const fault = (loss: number, measured: Report, factors: Feeds<string>): string | undefined => {
    if (isSkipped(measured)) return tooSmall(spec.scaler, measured) ?? overflowing(factors)
    const gradNorm = measured["gradNorm"]![0]!
    return Number.isFinite(loss) && Number.isFinite(gradNorm)
      ? overflowing(factors)
      : `loss ${loss}, gradient norm ${gradNorm}`
  }
  const ofWeights = ({ element, output, value }: NotFinite, after = 0) =>
    diverged(`element ${element} of ${output.slice(names.next(names.param("")).length)} becomes ${value}`, after)
  const learn = Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>) {
    const factors = scalars(spec, updates() + 1)
    const { commit, loss, measured, reports } = yield* run(parts, { ...factors, ...progress.scaling })
    const wrong = fault(loss, measured, factors)
    if (wrong) return yield* diverged(wrong)
    yield* Effect.mapError(commit, (e) => e.reason._tag === "NotFinite" ? ofWeights(e.reason) : final(e))
    progress = after(progress, [measured], measured)
    return reports
  })
  const learnSeveral = Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>) {
    const factors = parts.map((_, k) => scalars(spec, updates() + 1 + k))
    const { commit, reports, results } = yield* several(parts, factors, progress.scaling)
    for (const [k, report] of reports.entries()) {
      const wrong = fault(report["loss"]![0]!, report, factors[k]!)
      if (wrong) return yield* diverged(wrong, k)
    }
    yield* Effect.mapError(commit, (e) => e.reason._tag === "NotFinite" ? ofWeights(e.reason, parts.length - 1) : e)
    progress = after(progress, reports, results)
    return reports
  })
  const probe = Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>) {
    const factors = scalars(spec, updates() + 1)
    let { measured } = yield* run(parts, { ...factors, ...progress.scaling })
    /** At the scale that updates would come to. */
    while (isSkipped(measured) && tooSmall(spec.scaler, measured) === undefined) {
      measured = (yield* run(parts, { ...factors, ...scalingOf(progress, measured) })).measured
    }
    return new Map(weights.trainable.map((path, i) => [path, measured["gradSquares"]![i]!]))
  })
  const learner: Learner<K> = {
    updates,
    progress: () => progress,
    resume: (from) => {
      progress = resumed(from, spec.scaler)
    },
    learn: (parts) => alone(learn(parts)),
    learnSeveral: (parts) => alone(learnSeveral(parts)),
    probe: (parts) => alone(probe(parts))
  }
  return learner
})
