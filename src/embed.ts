/** Program: the passages as vectors on disk, for searches that start at once. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as RetrieverModel from "./runtime/layers/retrieverModel.ts"
import * as StoredIndex from "./runtime/layers/storedIndex.ts"
import { Passages } from "./runtime/ports/Passages.ts"

export interface Embedded {
  readonly folder: string
  readonly passages: number
  readonly dim: number
  readonly seconds: number
}

/** Writes the index of the settings' retriever and corpus. */
export const embed = Effect.fn("embed")(function*(folder: string) {
  const { hash } = yield* Passages
  const began = yield* Clock.currentTimeMillis
  const model = yield* RetrieverModel.make(() => false)
  const weights = model.weights.parameters()
  const index = yield* model.build(1, weights)
  yield* StoredIndex.write(folder, index, model.dim, { corpus: hash, weights })
  const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
  return { folder, passages: index.passages, dim: model.dim, seconds } satisfies Embedded as Embedded
}, Effect.scoped)
