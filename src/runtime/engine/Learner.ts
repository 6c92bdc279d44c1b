/** Weights, an optimiser and the step programs that move them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Graph } from "../../kernels/encode.ts"
import type { Group, Optimizer } from "../../kernels/optim/Optimizer.ts"
import { names, type Steps } from "../../kernels/Step.ts"
import { cached } from "./Programs.ts"
import { type Data, type Feeds, type Program, Session, type SessionError } from "./Session.ts"
import type { Weights } from "./Weights.ts"

/** A bucket of lengths, say. */
type Key = ReadonlyArray<number | string>

/** A loss or gradient that is no number; the weights are as they were before the step. */
export class Diverged extends Schema.TaggedError<Diverged>()("Diverged", {
  program: Schema.String,
  update: Schema.Int,
  loss: Schema.Number,
  gradNorm: Schema.Number
}) {
  override get message(): string {
    return `${this.program} diverged in update ${this.update}: loss ${this.loss}, gradient norm ${this.gradNorm}. `
      + "Lower the learning rate or max_grad_norm."
  }
}

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
export type Report = Readonly<Record<string, Data>>

/** Of all parts together, and what each of them reports; nothing has moved yet. */
interface Ran {
  readonly loss: number
  readonly gradNorm: number
  readonly gradSquares: Data
  readonly reports: ReadonlyArray<Report>
  /** Moves the weights; nothing can interrupt it. */
  readonly commit: Effect.Effect<void, SessionError>
}

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

/** What follows the gradients, compiled when it is first wanted: the measure of their sums, and the updates by them. */
const finishing = Effect.fnUntraced(function*() {
  const [session, scope] = [yield* Session, yield* Effect.scope]
  const compile = (graph: Graph) => Scope.provide(session.compile<string, string>(graph), scope)
  let programs:
    | { readonly norm: Program<string, string>; readonly updates: ReadonlyArray<Program<string, string>> }
    | undefined
  return Effect.fnUntraced(function*({ norm, update }: Steps) {
    return programs ??= { norm: yield* compile(norm()), updates: yield* Effect.forEach(update(), compile) }
  })
})

const measureOf = (report: Report) => ({ gradNorm: report["gradNorm"]![0]!, gradSquares: report["gradSquares"]! })

/** One program to the next weights, in spare arrays. */
const atOnce = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>) {
  const closed = yield* cached((key: K) => lesson(key).whole())
  return Effect.fnUntraced(function*({ batch, key }: Part<K>, factors: Feeds<string>) {
    const program = yield* closed(key)
    const report: Report = yield* program.run({ ...weights.feeds(), ...factors, ...batch }, weights.next())
    const commit = Effect.sync(weights.commit)
    return { ...measureOf(report), loss: report["loss"]![0]!, reports: [report], commit } satisfies Ran
  })
})

/**
 * Gradients first, then the update. Sums, and arrays that are written over, are read and written in place: of each one
 * chain of nodes reads it, element by element, and the last of them writes it.
 */
const inTurn = Effect.fnUntraced(function*<K extends Key>({ lesson, weights }: LearnerSpec<K>) {
  const adding = yield* cached((key: K) => lesson(key).part())
  const finish = yield* finishing()
  return Effect.fnUntraced(function*(parts: ReadonlyArray<Part<K>>, factors: Feeds<string>) {
    const sums = weights.sums()
    const into = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [names.next(name), sum]))
    const reports: ReadonlyArray<Report> = yield* Effect.forEach(
      parts,
      ({ batch, key }) =>
        Effect.flatMap(adding(key), (program) => program.run({ ...weights.values(), ...sums, ...batch }, into))
    )
    const { norm, updates } = yield* finish(lesson(parts[0]!.key))
    const measured: Report = yield* norm.run(sums)
    const given = { ...weights.feeds(), ...factors, ...sums, factor: measured["factor"]! }
    const commit = Effect.forEach(updates, (program) => program.run(given, weights.next()), { discard: true }).pipe(
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

export const make = Effect.fnUntraced(function*<K extends Key>(spec: LearnerSpec<K>) {
  const { name, weights } = spec
  const run = yield* runner(spec)
  let updates = 0
  const learner: Learner<K> = {
    updates: () => updates,
    resume: (from) => {
      updates = from
    },
    learn: Effect.fnUntraced(function*(parts) {
      const { commit, gradNorm, loss, reports } = yield* run(parts, scalars(spec, updates + 1))
      if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
        return yield* new Diverged({ program: name, update: updates + 1, loss, gradNorm })
      }
      yield* commit
      updates++
      return reports
    }),
    probe: Effect.fnUntraced(function*(parts) {
      const { gradSquares } = yield* run(parts, scalars(spec, updates + 1))
      return new Map(weights.trainable.map((path, i) => [path, gradSquares[i]!]))
    })
  }
  return learner
})
