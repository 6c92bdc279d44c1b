/** The identity of a run: the settings that affect training, the questions and the corpus. */
import type * as Batches from "../datasets/batches.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { aboutOf } from "../domain/settings/setting.ts"
import { sha256Of } from "../runtime/files/disk.ts"
import type { Identity } from "../runtime/ports/Checkpoints.ts"
import { systemOf } from "../systems/all.ts"

/** The settings that affect training, as JSON by name. */
export const learned = (c: RunConfig): Identity => {
  const { fields } = systemOf(c).spec
  const own = Object.entries(c).filter(([key]) => aboutOf(fields[key]!).affects === "learning")
  return Object.fromEntries(own.map(([key, value]) => [key, JSON.stringify(value)]))
}

/** The identity of a run: the settings that affect training, and hashes of the questions and the corpus. */
export const identity = (c: RunConfig, epochs: Batches.Epochs, corpus: string): Identity => ({
  ...learned(c),
  "the questions": sha256Of(epochs(0).map((record) => `${JSON.stringify(record)}\n`)),
  "the corpus": corpus
})
