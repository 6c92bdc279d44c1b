/** What is known to be beyond memory by the settings alone. */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { bytesText } from "../../domain/units.ts"
import * as Memory from "../../runtime/engine/memory.ts"
import { modeOf } from "../../systems/all.ts"

/** Bytes of JavaScript's objects that a question of a step takes at least: its record, as rows of columns. */
const OBJECTS = 1000

/** Why a step of training cannot be held, if it cannot. */
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
