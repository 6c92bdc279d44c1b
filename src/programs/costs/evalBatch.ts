/** Questions per batch of evaluation, where the settings leave them to the memory there is. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { bytesText } from "../../domain/units.ts"
import * as Memory from "../../runtime/engine/memory.ts"
import * as ReaderFolder from "../../runtime/language/folder.ts"
import { footprint } from "../../runtime/language/generation/footprint.ts"
import { modeOf } from "../../systems/all.ts"

/** More questions at a time are no faster. */
const MOST = 128

/** The largest power of two, at most `MOST`, that takes no more than the given bytes; at least 1. */
export const largest = (bytesOf: (questions: number) => number, available: number): number => {
  let size = MOST
  while (size > 1 && bytesOf(size) > available) size /= 2
  return size
}

/** Questions per batch where nothing is generated. */
export const searchBatch = ({ per_device_eval_batch_size: size }: RunConfig): number => size === "auto" ? MOST : size

/**
 * `per_device_eval_batch_size`; for "auto", as many questions as the estimated memory of generating their answers leaves
 * half of the host's free memory for. What a device holds is not known: there, batches are halved (`engine/halving.ts`).
 */
export const evalBatch = Effect.fnUntraced(function*(c: RunConfig) {
  if (c.per_device_eval_batch_size !== "auto") return c.per_device_eval_batch_size
  if (modeOf(c).traits.reader === "none") return MOST
  const { config } = yield* ReaderFolder.open(c.reader_name_or_path, c).pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
  const available = Math.max(0, Memory.left()) / 2
  const bytes = footprint(config, c.max_length)
  const size = largest(bytes, available)
  yield* Effect.logInfo(
    `per_device_eval_batch_size auto: ${size} questions at a time, ${bytesText(bytes(size))} of ${bytesText(available)}`
  )
  return size
})
