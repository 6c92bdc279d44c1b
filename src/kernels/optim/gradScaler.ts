/** Dynamic loss scaling (Micikevicius et al. 2018) by the rule of PyTorch's `GradScaler`, as part of a step's graph. */
import { add, mul } from "../op/elementwise.ts"
import { less, min, where } from "../op/select.ts"
import { scalar, type Tensor } from "../Tensor.ts"

/** When the loss scale changes, and by how much; the names are PyTorch's. */
export interface GradScaler {
  readonly init_scale: number
  /** Factor of the scale after `growth_interval` successive updates were made. */
  readonly growth_factor: number
  /** Factor of the scale after an update was skipped. */
  readonly backoff_factor: number
  readonly growth_interval: number
  /** Training has diverged if the scale falls below this; greater than 0. */
  readonly min_scale: number
}

/** PyTorch's defaults; its scale has no minimum, and falls for ever. */
export const gradScaler: GradScaler = {
  init_scale: 65536,
  growth_factor: 2,
  backoff_factor: 0.5,
  growth_interval: 2000,
  min_scale: 1
}

/** The names of its state. */
export const state = ["scale", "growth_tracker"] as const

/** Its state: the scale, and the updates made since it last changed. */
export type ScalerState<T> = Readonly<Record<typeof state[number], T>>

/** The state before the first update. */
export const initial = ({ init_scale }: GradScaler): ScalerState<number> => ({ scale: init_scale, growth_tracker: 0 })

/** The scale stays finite in float32, however often it grows. */
const LARGEST = 2 ** 127

/** The state after an update, which is skipped unless its gradients are `finite` (a bool scalar). */
export const advanced = (
  { backoff_factor, growth_factor, growth_interval }: GradScaler,
  { growth_tracker, scale }: ScalerState<Tensor>,
  finite: Tensor
): ScalerState<Tensor> => {
  const made = add(growth_tracker, scalar(1))
  const waits = less(made, scalar(growth_interval))
  const grown = min(mul(scale, scalar(growth_factor)), scalar(LARGEST))
  return {
    scale: where(finite, where(waits, scale, grown), mul(scale, scalar(backoff_factor))),
    growth_tracker: where(finite, where(waits, made, scalar(0)), scalar(0))
  }
}
