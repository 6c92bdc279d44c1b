/** Shared by the two learners: parameter groups, optimiser settings, the preflight gradient check, provider errors. */
import * as Effect from "effect/Effect"
import * as Key from "../../domain/Key.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import type { Training } from "../../domain/settings/training.ts"
import type { Half, Values } from "../../kernels/half.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { elementsOf, wholeOf } from "../../kernels/nn/quantised.ts"
import { adamw } from "../../kernels/optim/adamw.ts"
import { type GradScaler, gradScaler } from "../../kernels/optim/gradScaler.ts"
import { type Group, learningRate, type Optimizer } from "../../kernels/optim/Optimizer.ts"
import { type Learning, names } from "../../kernels/Step.ts"
import * as Halving from "../engine/halving.ts"
import * as Learner from "../engine/Learner.ts"
import { NotFinite, type Session, type SessionError } from "../engine/Session.ts"
import type { Weights } from "../engine/Weights.ts"
import {
  DeadGradient,
  Diverged,
  labelOf,
  type LossScale,
  type ParameterGroup,
  ProgramFailed
} from "../ports/Learning.ts"
import { isLora } from "./lora.ts"

/** The optimiser of the settings. */
export const optimizerOf = (c: Training): Optimizer =>
  adamw({ beta1: c.adam_beta1, beta2: c.adam_beta2, epsilon: c.adam_epsilon })

/** No weight decay on biases and norm weights, the one-dimensional parameters; frozen parameters have no group. */
const groupOf = (params: Flat, trainable: ReadonlyArray<string>) => {
  const learns = new Set(trainable)
  return (path: string): "decay" | "no_decay" | undefined => {
    if (!learns.has(path)) return undefined
    return params.get(path)!.shape.length > 1 ? "decay" : "no_decay"
  }
}

/** What steps with products of this type need: float16's range is too small for gradients as they are. */
export const scalerOf = ({ precision }: Pick<Session["Service"], "precision">): GradScaler | undefined =>
  precision === "float16" ? gradScaler : undefined

/** Optimisation settings of a model's steps. */
export const learningOf = (c: Training, { params, trainable }: Weights, scaler?: GradScaler): Learning => ({
  group: groupOf(params, trainable),
  optimizer: optimizerOf(c),
  maxGradNorm: c.max_grad_norm,
  scaler,
  checkpointing: c.gradient_checkpointing
})

/** Storage dtype of frozen parameters; `undefined` for float32. */
export const storedAs = ({ torch_dtype }: ModelSettings): Half | undefined =>
  torch_dtype === "float32" ? undefined : torch_dtype

/** Splits the questions of an update into its micro-batches, in order: from..to-1. */
export const partsOf = (c: Training, questions: number): ReadonlyArray<readonly [from: number, to: number]> => {
  const size = Math.ceil(questions / c.gradient_accumulation_steps)
  return Array.from({ length: Math.ceil(questions / size) }, (_, i) => [i * size, Math.min(questions, (i + 1) * size)])
}

/** The micro-batches of a model's updates that memory allows: smaller ones mean that gradients are accumulated. */
export const updates = (owner: string) => ({
  batches: Halving.make(
    `${owner}.learn`,
    "questions",
    ", their gradients accumulated: a run repeats these results bit by bit only if memory ends at the same place, or with "
      + "as many gradient_accumulation_steps"
  ),
  several: Halving.fallingBack(
    `${owner}.learn: memory does not hold steps_per_run updates in one program; going on with one at a time`
  )
})

/** The dropout key of a micro-batch: a function of the run's seed, the model, and the numbers of update and part. */
export const dropoutKey = (seed: number, owner: string, update: number, part: number): number =>
  Key.fold(Key.make(seed), "dropout", owner, update, ...(part === 0 ? [] : [part])).lo | 0

/** Learning rate and weight decay of each parameter group. */
export const groupsOf = (c: Training, peak: number): Readonly<Record<string, Group>> => {
  const schedule = learningRate({
    type: c.lr_scheduler_type,
    peak,
    totalSteps: c.max_steps,
    warmupSteps: c.warmup_steps >= 0 ? c.warmup_steps : Math.round(c.warmup_ratio * c.max_steps),
    finalRatio: c.min_lr_rate
  })
  return {
    decay: { learningRate: schedule, weightDecay: c.weight_decay },
    no_decay: { learningRate: schedule, weightDecay: 0 }
  }
}

/** A parameter's component: the first two names of its module's path ("bert.encoder", "model.layers"). */
const component = (path: string): string =>
  wholeOf(path).replace(/\.lora_.*$/, ".").split(".").slice(0, -1).slice(0, 2).join(".")

/** An adapter's two matrices are reported together: before the first update only one of them has a gradient. */
const kind = (path: string, learns: boolean): string => {
  if (isLora(path)) return " (lora)"
  return learns ? "" : " (frozen)"
}

/** The parameters of a model by component, for the table a run prints and the preflight gradient check. */
export const describe = (
  owner: string,
  { params, slots, trainable, values }: Weights,
  peak: number
): { readonly groups: ReadonlyArray<ParameterGroup>; readonly groupName: (path: string) => string } => {
  const learns = new Set(trainable)
  const groupName = (path: string) => `${component(path)}${kind(path, learns.has(path))}`
  const arrays = values()
  const told = new Set<Values>()
  /** Parameters whose arrays were not counted before: a tied head has none of its own. */
  const own = (paths: ReadonlyArray<string>): ReadonlyArray<readonly [path: string, array: Values]> =>
    paths.map((path) => [path, arrays[names.param(path)]!] as const).filter(([, array]) => {
      const first = !told.has(array)
      told.add(array)
      return first
    })
  const groups = [...Map.groupBy(params.keys(), groupName)].map(([name, paths]) => {
    const [held, trainable] = [own(paths), learns.has(paths[0]!)]
    const parameters = held.reduce((sum, [path]) => sum + elementsOf(params.get(path)!), 0)
    return {
      model: owner,
      name,
      parameters,
      trainable,
      bytes: held.reduce((sum, [, { byteLength }]) => sum + byteLength, 0),
      stateBytes: trainable ? parameters * slots.length * Float32Array.BYTES_PER_ELEMENT : 0,
      learningRate: trainable ? peak : 0
    }
  }).filter(({ parameters }) => parameters > 0)
  return { groups, groupName: (path) => labelOf({ model: owner, name: groupName(path) }) }
}

/** The gradient norm of each trainable group; fails with `DeadGradient` if one is not finite. */
export const judge = (
  squares: ReadonlyMap<string, number>,
  groupName: (path: string) => string
): Effect.Effect<ReadonlyMap<string, number>, DeadGradient> => {
  const norms = new Map<string, number>()
  for (const [path, square] of squares) norms.set(groupName(path), (norms.get(groupName(path)) ?? 0) + square)
  const dead = [...norms].filter(([, square]) => !Number.isFinite(square)).map(([name]) => name)
  return dead.length > 0
    ? Effect.fail(new DeadGradient({ groups: dead, batches: 1 }))
    : Effect.succeed(new Map([...norms].map(([name, square]) => [name, Math.sqrt(square)])))
}

/** A learner's loss scale as part of a port; nothing if it has none. */
export const lossScaleOf = ({ progress }: Pick<Learner.Learner<any>, "progress">): { lossScale?: () => LossScale } =>
  names.scaler("scale") in progress().scaling
    ? { lossScale: () => ({ scale: progress().scaling[names.scaler("scale")]![0]!, skipped: progress().skipped }) }
    : {}

/** A model in training: its name, and the updates made so far. */
export type Taught = Pick<Learner.Learner<any>, "updates"> & { readonly name: string }

/** A provider's failure as an error of the ports. */
export const failedProgram = ({ reason }: SessionError): ProgramFailed =>
  new ProgramFailed({ program: "program" in reason ? reason.program : "", cause: reason })

/** The engine's failures as errors of the ports. A model that yields NaN or infinity after an update has diverged. */
export const translate = (
  error: SessionError | ProgramFailed | Learner.Diverged,
  taught?: Taught
): ProgramFailed | Diverged => {
  if (error._tag === "Diverged") return new Diverged({ detail: error.message })
  const failed = error._tag === "ProgramFailed" ? error : failedProgram(error)
  const { cause } = failed
  const updates = taught?.updates() ?? 0
  if (!(cause instanceof NotFinite) || taught === undefined || updates === 0) return failed
  const what = `element ${cause.element} of ${cause.output} in ${cause.program} is ${cause.value}`
  return new Diverged({ detail: new Learner.Diverged({ program: taught.name, update: updates, what }).message })
}
