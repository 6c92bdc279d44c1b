/** Checks for settings that exceed memory, before anything is loaded. */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { bytesText } from "../../domain/units.ts"
import * as Memory from "../../runtime/engine/memory.ts"
import { modeOf } from "../../systems/all.ts"

/** Lower bound on the bytes of JavaScript objects per question of a step: its record and columns. */
const OBJECTS = 1000

/** Why a training step cannot fit in memory; `false` if it may fit. */
export const beyondMemory = (c: RunConfig, memory = Memory.capacity(), heap = Memory.heap()): string | false => {
  const questions = stepSize(c)
  const [objects, columns] = [OBJECTS * questions, modeOf(c).columns(questions)]
  if (objects <= heap && columns <= memory) return false
  const step = `a step of per_device_train_batch_size (${c.per_device_train_batch_size}) times `
    + `gradient_accumulation_steps (${c.gradient_accumulation_steps}) questions`
  return objects > heap
    ? `${step} takes at least ${bytesText(objects)}; this process has ${bytesText(heap)} for it`
    : `${step} takes at least ${bytesText(columns)}; this machine has ${bytesText(memory)} of memory`
}
