/** Program: the passages as vectors on disk, for searches that start at once. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { retrieverOf } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { Passages } from "../runtime/ports/Passages.ts"
import { Reporter } from "../runtime/ports/Reporter.ts"
import * as RetrieverModel from "../runtime/retrieval/colbert/model.ts"
import * as StoredIndex from "../runtime/retrieval/indexes/stored.ts"

/** An index that was written. */
export interface Embedded {
  readonly folder: string
  readonly passages: number
  readonly dim: number
  readonly seconds: number
}

/** Writes the index of the settings' retriever and corpus. */
export const embed = Effect.fn("embed")(function*(c: RunConfig, folder: string) {
  const { hash, ids } = yield* Passages
  const reporter = yield* Reporter
  const began = yield* Clock.currentTimeMillis
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  const model = yield* RetrieverModel.make({ model: retrieverOf(c), training: c, retrieval: c }, () => false)
  const weights = model.weights.parameters()
  const shown = { task: "embed", total: ids.length, start: 0, unit: "passages", each: 1, figures: {} }
  const told = (done: number) => Effect.flatMap(elapsed, (seconds) => reporter.report({ ...shown, done, seconds }))
  const index = yield* model.build(1, weights, told)
  yield* StoredIndex.write(folder, index, model.dim, { corpus: hash, weights })
  const seconds = yield* elapsed
  return { folder, passages: index.passages, dim: model.dim, seconds } satisfies Embedded as Embedded
}, Effect.scoped)
