/** What is known to be beyond memory by the settings alone. */
import { type RunConfig, stepSize } from "../domain/settings/RunConfig.ts"
import { bytesText } from "../domain/units.ts"
import * as Memory from "../runtime/engine/memory.ts"

/** Bytes of JavaScript's objects that a question of a step takes at least: its record, as rows of columns. */
const OBJECTS = 1000

/** Bytes of the columns of a step: candidates with their scores, draws, and what the retriever is to learn from them. */
const columnsOf = (c: RunConfig): number => {
  const questions = stepSize(c)
  if (c.mode === "lexical") return 12 * questions ** 2
  return questions * (8 * c.n_candidates + 8 * c.retriever_n_context + 4 * c.n_context + 4 * c.retriever_n_context ** 2)
}

/** Why a step of training cannot be held, if it cannot. */
export const beyondMemory = (c: RunConfig, memory = Memory.capacity(), heap = Memory.heap()): string | false => {
  const questions = stepSize(c)
  const [objects, columns] = [OBJECTS * questions, columnsOf(c)]
  if (objects <= heap && columns <= memory) return false
  const step = `a step of per_device_train_batch_size (${c.per_device_train_batch_size}) times `
    + `gradient_accumulation_steps (${c.gradient_accumulation_steps}) questions`
  return objects > heap
    ? `${step} takes at least ${bytesText(objects)}; this process has ${bytesText(heap)} for it`
    : `${step} takes at least ${bytesText(columns)}; this machine has ${bytesText(memory)} of memory`
}
