/** What results depend on: the identity of a run, and that of a retriever. */
import * as Effect from "effect/Effect"
import { dirname, isAbsolute, relative, resolve } from "node:path"
import type * as Batches from "../datasets/batches.ts"
import { folders } from "../domain/settings/models.ts"
import { type Raw, type RunConfig, sections } from "../domain/settings/RunConfig.ts"
import { aboutOf } from "../domain/settings/setting.ts"
import { sha256Of } from "../runtime/files/disk.ts"
import type { Identity } from "../runtime/ports/Checkpoints.ts"
import { modeOf, systemOf } from "../systems/all.ts"
import { retrieverWeights, weightsOf } from "./models.ts"

/** The settings without those whose value is that of versions that did not have them. */
export const stated = (c: RunConfig): Raw => {
  const { fields } = systemOf(c).spec
  return Object.fromEntries(
    Object.entries(c).filter(([key, value]) => {
      const neutral = Object.hasOwn(fields, key) ? aboutOf(fields[key]!).neutral : undefined
      return neutral === undefined || value !== neutral
    })
  )
}

/** The settings that affect training, as JSON by name. */
export const learned = (c: RunConfig): Identity => {
  const { fields } = systemOf(c).spec
  const own = Object.entries(stated(c)).filter(([key]) => aboutOf(fields[key]!).affects === "learning")
  return Object.fromEntries(own.map(([key, value]) => [key, JSON.stringify(value)]))
}

/** A record as its file has it: with its picture's path from there, which stays the same where the folder is moved. */
const asFiled = (c: RunConfig) => {
  const folder = dirname(resolve(c.train_file))
  return (record: Batches.TrainingRecord) =>
    "image" in record && record.image !== undefined && isAbsolute(record.image)
      ? { ...record, image: relative(folder, record.image) }
      : record
}

/** The identity of a run: the settings that affect training, and hashes of the questions and the corpus. */
export const identity = (c: RunConfig, epochs: Batches.RowEpochs, corpus: string): Identity => ({
  ...learned(c),
  "the questions": sha256Of(epochs(0).map(asFiled(c)).map((record) => `${JSON.stringify(record)}\n`)),
  "the corpus": corpus
})

/** What a reader's answers depend on besides its files, the settings of answers and the seed. */
export const decisive = [
  "apply_chat_template",
  "excess_length",
  "max_length",
  "quantization",
  "quantization_activations",
  "quantization_block_size",
  "torch_dtype"
] as const
const withSeed: ReadonlySet<string> = new Set([...decisive, "seed"])

/** The settings that a reader's answers depend on beside its weights, as JSON by name. */
export const readerSettings = (c: RunConfig): Identity => {
  const { fields } = systemOf(c).spec
  const own = Object.entries(c).filter(([key]) => withSeed.has(key) || aboutOf(fields[key]!).affects === "answers")
  return Object.fromEntries(own.map(([key, value]) => [key, JSON.stringify(value)]))
}

/** The identity of a mode's reader, whose model is at hand: its weights, and the settings that its answers depend on. */
export const readerIdentity = Effect.fnUntraced(function*(c: RunConfig) {
  return { reader: yield* weightsOf(c[folders.reader]), ...readerSettings(c) } as Identity
})

/** Where the settings of a retriever stand, beside those of the reader. */
const ofModels = new Set([...Object.keys(sections.Models), ...Object.keys(sections.Retrieval)])

/** The settings that a retriever's rankings depend on beside its weights, as JSON by name. */
export const retrieverSettings = (c: RunConfig): Identity => {
  const named: ReadonlyArray<string> = Object.values(folders)
  return Object.fromEntries(Object.entries(learned(c)).filter(([key]) => ofModels.has(key) && !named.includes(key)))
}

/** The identity of a mode's retriever, whose model is at hand: BM25, or its weights and the settings of models. */
export const retrieverIdentity = Effect.fnUntraced(function*(c: RunConfig) {
  if (modeOf(c).traits.retriever === "lexical") return { retriever: "bm25" } as Identity
  return { retriever: yield* retrieverWeights(c), ...retrieverSettings(c) } as Identity
})
