/** What the two learners have in common: parameter groups, optimiser settings, the gradient gate, provider errors. */
import * as Effect from "effect/Effect"
import * as Key from "../../domain/Key.ts"
import type { ModelSettings } from "../../domain/settings/model.ts"
import type { Training } from "../../domain/settings/training.ts"
import type { Half, Values } from "../../kernels/half.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { adamw } from "../../kernels/optim/adamw.ts"
import { type Group, learningRate, type Optimizer } from "../../kernels/optim/Optimizer.ts"
import { type Learning, names } from "../../kernels/Step.ts"
import * as Learner from "../engine/Learner.ts"
import { NotFinite, type SessionError } from "../engine/Session.ts"
import type { Weights } from "../engine/Weights.ts"
import { DeadGradient, Diverged, labelOf, type ParameterGroup, ProgramFailed } from "../ports/Learning.ts"
import { isLora } from "./lora.ts"

/** The optimiser that the settings ask for. */
export const optimizerOf = (c: Training): Optimizer =>
  adamw({ beta1: c.adam_beta1, beta2: c.adam_beta2, epsilon: c.adam_epsilon })

/** Biases and norms are not decayed: they are the parameters of one axis. None of what is frozen. */
const groupOf = (params: Flat, trainable: ReadonlyArray<string>) => {
  const learns = new Set(trainable)
  return (path: string): "decay" | "no_decay" | undefined => {
    if (!learns.has(path)) return undefined
    return params.get(path)!.shape.length > 1 ? "decay" : "no_decay"
  }
}

/** How the steps of a model learn. */
export const learningOf = (c: Training, { params, trainable }: Weights): Learning => ({
  group: groupOf(params, trainable),
  optimizer: optimizerOf(c),
  maxGradNorm: c.max_grad_norm,
  checkpointing: c.gradient_checkpointing
})

/** How what does not learn is stored. */
export const storedAs = ({ torch_dtype }: ModelSettings): Half | undefined =>
  torch_dtype === "float32" ? undefined : torch_dtype

/** The questions of an update as those of each of its parts, in order: from..to-1. */
export const partsOf = (c: Training, questions: number): ReadonlyArray<readonly [from: number, to: number]> => {
  const size = Math.ceil(questions / c.gradient_accumulation_steps)
  return Array.from({ length: Math.ceil(questions / size) }, (_, i) => [i * size, Math.min(questions, (i + 1) * size)])
}

/** The dropout key of an update's part: a function of the run's seed and of their numbers. */
export const dropoutKey = (seed: number, owner: string, update: number, part: number): number =>
  Key.fold(Key.make(seed), "dropout", owner, update, ...(part === 0 ? [] : [part])).lo | 0

/** Learning rate and weight decay of each group of parameters. */
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

/** A parameter's place in its model: the first two names of its module ("bert.encoder", "model.layers"). */
const component = (path: string): string =>
  path.replace(/\.lora_.*$/, ".").split(".").slice(0, -1).slice(0, 2).join(".")

/** An adapter's two matrices are told together: before the first update only one of them has a gradient. */
const kind = (path: string, learns: boolean): string => {
  if (isLora(path)) return " (lora)"
  return learns ? "" : " (frozen)"
}

/** The parameters of a model by component, for the table a run prints and the gate it passes. */
export const describe = (
  owner: string,
  { params, slots, trainable, values }: Weights,
  peak: number
): { readonly groups: ReadonlyArray<ParameterGroup>; readonly groupName: (path: string) => string } => {
  const learns = new Set(trainable)
  const groupName = (path: string) => `${component(path)}${kind(path, learns.has(path))}`
  const arrays = values()
  const told = new Set<Values>()
  /** The arrays of some parameters that none before them has: a tied head has none. */
  const own = (paths: ReadonlyArray<string>): ReadonlyArray<Values> => {
    const found = [...new Set(paths.map((path) => arrays[names.param(path)]!))].filter((array) => !told.has(array))
    for (const array of found) told.add(array)
    return found
  }
  const groups = [...Map.groupBy(params.keys(), groupName)].map(([name, paths]) => {
    const [held, trainable] = [own(paths), learns.has(paths[0]!)]
    const parameters = held.reduce((sum, { length }) => sum + length, 0)
    return {
      model: owner,
      name,
      parameters,
      trainable,
      bytes: held.reduce((sum, { byteLength }) => sum + byteLength, 0),
      stateBytes: trainable ? parameters * slots.length * Float32Array.BYTES_PER_ELEMENT : 0,
      learningRate: trainable ? peak : 0
    }
  }).filter(({ parameters }) => parameters > 0)
  return { groups, groupName: (path) => labelOf({ model: owner, name: groupName(path) }) }
}

/** The gradient norm of each trainable group; fails where one is no finite number. */
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

/** A model that learns: its name, and the updates that it has made. */
export type Taught = Pick<Learner.Learner<any>, "updates"> & { readonly name: string }

/** A provider's failure in the words of the ports. */
export const failedProgram = ({ reason }: SessionError): ProgramFailed =>
  new ProgramFailed({ program: "program" in reason ? reason.program : "", cause: reason })

/** The engine's failures in the words of the ports. A model that was taught, and yields no numbers, has diverged. */
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
