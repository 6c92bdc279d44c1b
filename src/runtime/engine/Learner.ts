/** Weights, an optimiser and the step programs that move them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Nd from "../../kernels/NdArray.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import type { Group, Optimizer } from "../../kernels/optim/Optimizer.ts"
import { names } from "../../kernels/Step.ts"
import type { Compile } from "./Programs.ts"
import type { Data, Program, SessionError } from "./Session.ts"
import type { Weights } from "./Weights.ts"

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
  /** Step programs by bucket. */
  readonly compile: Compile<K>
}

export type Report = Readonly<Record<string, Data>>

export interface Learner<K> {
  /** Updates made so far. */
  readonly updates: () => number
  /** Goes on counting from `updates`, as after a restart. */
  readonly resume: (updates: number) => void
  /** One update from a batch. */
  readonly learn: (key: K, batch: Readonly<Record<string, Data>>) => Effect.Effect<Report, SessionError | Diverged>
  /** The squared gradient norm of each trainable parameter; nothing moves. */
  readonly probe: (
    key: K,
    batch: Readonly<Record<string, Data>>
  ) => Effect.Effect<ReadonlyMap<string, number>, SessionError>
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

export const make = <K>(spec: LearnerSpec<K>): Learner<K> => {
  const { compile, name, weights } = spec
  let updates = 0
  const run = (program: Program<string, string>, batch: Readonly<Record<string, Data>>) =>
    program.run({ ...weights.feeds(), ...scalars(spec, updates + 1), ...batch }, weights.spare())
  return {
    updates: () => updates,
    resume: (from) => {
      updates = from
    },
    learn: Effect.fnUntraced(function*(key, batch) {
      const report = yield* run(yield* compile(key), batch)
      const [loss, gradNorm] = [report["loss"]![0]!, report["gradNorm"]![0]!]
      if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
        return yield* new Diverged({ program: name, update: updates + 1, loss, gradNorm })
      }
      weights.commit()
      updates++
      return report
    }),
    probe: Effect.fnUntraced(function*(key, batch) {
      const { gradSquares } = yield* run(yield* compile(key), batch)
      return new Map(weights.trainable.map((path, i) => [path, gradSquares![i]!]))
    })
  }
}

/** Scalars a group of parameters holds. */
export const count = (params: Flat, paths: ReadonlyArray<string>): number =>
  paths.reduce((n, path) => n + Nd.size(params.get(path)!.shape), 0)
