/** Weights, an optimiser and the step programs that move them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { unsafe } from "../../kernels/inPlace.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import type { Group, Optimizer } from "../../kernels/optim/Optimizer.ts"
import { names, type Steps } from "../../kernels/Step.ts"
import { cached } from "./Programs.ts"
import { type Data, type Feeds, type NotFinite, notFinite, SessionError } from "./Session.ts"
import type { Weights } from "./Weights.ts"

/** A bucket of lengths, say. */
type Key = ReadonlyArray<number | string>

/** An update of numbers that are none, `what` tells which; where nothing is written over, it is not made. */
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
  /** What is learned from a batch of the given bucket. */
  readonly lesson: (key: K) => Steps
}

/** What a bucket's program takes beside the weights. */
export interface Part<K> {
  readonly key: K
  readonly batch: Readonly<Record<string, Data>>
}
/** What a program yields beside its loss, by name. */
export type Report = Readonly<Record<string, Data>>

/** Of all parts together, and what each of them reports; nothing has moved yet. */
interface Ran {
  readonly loss: number
  readonly gradNorm: number
  readonly gradSquares: Data
  readonly reports: ReadonlyArray<Report>
  /** Moves the weights, unless the new ones are no numbers; nothing can interrupt it. */
  readonly commit: Effect.Effect<void, SessionError>
}

/** Updates, and probes, are made one after the other, whichever fibers ask for them: they share sums and spare arrays. */
export interface Learner<K> {
  /** Updates made so far. */
  readonly updates: () => number
  /** Goes on counting from `updates`, as after a restart. */
  readonly resume: (updates: number) => void
  /** One update by the sum of the losses of the parts, whose gradients are there one after the other; their reports. */
  readonly learn: (
    parts: ReadonlyArray<Part<K>>
  ) => Effect.Effect<ReadonlyArray<Report>, SessionError | Diverged>
  /** The squared gradient norm of each trainable parameter; nothing moves. */
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

const measureOf = (report: Report) => ({ gradNorm: report["gradNorm"]![0]!, gradSquares: report["gradSquares"]! })

/** The weights that an update has written, of which every number is one. */
const weighed = (program: string, written: Feeds<string>): Effect.Effect<void, SessionError> =>
  Effect.suspend(() => {
    const reason = notFinite(program, Object.fromEntries(Object.entries(written).filter(([name]) => isWeight(name))))
    return reason ? Effect.fail(new SessionError({ reason })) : Effect.void
  })

const isWeight = (output: string): boolean => output.startsWith(names.next(names.param("")))

/** One program to the next weights, in spare arrays. */
const atOnce = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>) {
  const closed = yield* cached((key: K) => lesson(key).whole(), { unchecked: true })
  return Effect.fnUntraced(function*({ batch, key }: Part<K>, factors: Feeds<string>) {
    const next = weights.next()
    const report: Report = yield* closed(key, { ...weights.feeds(), ...factors, ...batch }, next)
    const commit = Effect.andThen(weighed("update", next), Effect.sync(weights.commit))
    return { ...measureOf(report), loss: report["loss"]![0]!, reports: [report], commit } satisfies Ran
  })
})

/** A graph whose `next/...` outputs may be written over the inputs that they follow; anything else is a bug. */
const overwriting = (graph: Graph): Graph => {
  const followed = Object.keys(graph.inputs).map((name) => [names.next(name), name] as const)
  const wrong = unsafe(graph, followed.filter(([output]) => output in graph.outputs))
  if (wrong.length > 0) throw new Error(`${graph.name} reads what it has written over: ${wrong.join(", ")}`)
  return graph
}

/** What follows the gradients, whatever batch they are of: the measure of their sums, then the updates by them. */
const finishing = Effect.fnUntraced(function*() {
  let graphs: ReadonlyArray<Graph> | undefined
  const run = yield* cached(([i]: [number]) => graphs![i]!, { kept: Infinity, unchecked: true })
  return ({ norm, update }: Steps) => {
    const [, ...updates] = graphs ??= [norm(), ...update().map(overwriting)]
    return {
      norm: (sums: Feeds<string>) => run([0], sums),
      update: (given: Feeds<string>, next: Feeds<string>) =>
        Effect.forEach(updates, (_, i) => run([i + 1], given, next), { discard: true })
    }
  }
})

/** Gradients first, then the update. Sums, and arrays that are written over, are read and written in place. */
const inTurn = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>) {
  const add = yield* cached((key: K) => overwriting(lesson(key).part()), { unchecked: true })
  const finish = yield* finishing()
  return Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>, factors: Feeds<string>) {
    const sums = weights.sums()
    const into = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [names.next(name), sum]))
    const reports: ReadonlyArray<Report> = yield* Effect.forEach(
      parts,
      ({ batch, key }) => add(key, { ...weights.values(), ...sums, ...batch }, into)
    )
    const { norm, update } = finish(lesson(parts[0]!.key))
    const measured: Report = yield* norm(sums)
    const next = weights.next()
    const commit = update({ ...weights.feeds(), ...factors, ...sums, factor: measured["factor"]! }, next).pipe(
      Effect.andThen(weighed("update", next)),
      Effect.andThen(Effect.sync(weights.commit)),
      Effect.uninterruptible
    )
    const loss = reports.reduce((sum, one) => sum + one["loss"]![0]!, 0)
    return { ...measureOf(measured), loss, reports, commit } satisfies Ran
  })
})

/** Runs parts up to the measure of their gradients. */
const runner = Effect.fnUntraced(function*<K extends Key>(spec: LearnerSpec<K>) {
  const [whole, apart] = [yield* atOnce(spec), yield* inTurn(spec)]
  return (parts: ReadonlyArray<Part<K>>, factors: Feeds<string>): Effect.Effect<Ran, SessionError> =>
    parts.length === 1 && !spec.weights.overwritten ? whole(parts[0]!, factors) : apart(parts, factors)
})

/** A scalar of the optimiser that is no float32 number, if one is. */
const overflowing = (factors: Feeds<string>): string | undefined => {
  const [name, value] = Object.entries(factors).find(([, [value]]) => !Number.isFinite(value)) ?? []
  return name && `the optimiser's ${name.slice(names.scalar("", "").length - 1)} is ${value![0]}`
}

/** A learner of these weights: it compiles its programs on first use, and takes one update at a time. */
export const make = Effect.fnUntraced(function*<K extends Key>(spec: LearnerSpec<K>) {
  const { name, weights } = spec
  const run = yield* runner(spec)
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  let updates = 0
  const diverged = (what: string) => new Diverged({ program: name, update: updates + 1, what })
  const ofWeights = ({ element, output, value }: NotFinite) =>
    diverged(`element ${element} of ${output.slice(names.next(names.param("")).length)} becomes ${value}`)
  const learn = Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>) {
    const factors = scalars(spec, updates + 1)
    const { commit, gradNorm, loss, reports } = yield* run(parts, factors)
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      return yield* diverged(`loss ${loss}, gradient norm ${gradNorm}`)
    }
    const beyond = overflowing(factors)
    if (beyond) return yield* diverged(beyond)
    yield* Effect.mapError(commit, (e) => e.reason._tag === "NotFinite" ? ofWeights(e.reason) : e)
    updates++
    return reports
  })
  const probe = Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>) {
    const { gradSquares } = yield* run(parts, scalars(spec, updates + 1))
    return new Map(weights.trainable.map((path, i) => [path, gradSquares[i]!]))
  })
  const learner: Learner<K> = {
    updates: () => updates,
    resume: (from) => {
      updates = from
    },
    learn: (parts) => alone(learn(parts)),
    probe: (parts) => alone(probe(parts))
  }
  return learner
})
