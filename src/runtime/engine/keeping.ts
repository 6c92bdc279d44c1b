/** How what an update has written becomes the current weights: it is looked through first. */
import * as Effect from "effect/Effect"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { reshape, sumAll } from "../../kernels/op/broadcast.ts"
import { mul } from "../../kernels/op/elementwise.ts"
import { concat } from "../../kernels/op/gather.ts"
import { names } from "../../kernels/Step.ts"
import { byName, input, scalar } from "../../kernels/Tensor.ts"
import { cached } from "./Programs.ts"
import { type Feeds, notFinite, onHost, Session, SessionError } from "./Session.ts"
import type { Weights } from "./Weights.ts"

const isWeight = (output: string): boolean => output.startsWith(names.next(names.param("")))

/** Fails if one of the weights, on the host, is NaN or infinite. */
const weighed = (written: Feeds<string>): Effect.Effect<void, SessionError> =>
  Effect.suspend(() => {
    const reason = notFinite("update", written)
    return reason ? Effect.fail(new SessionError({ reason })) : Effect.void
  })

/** For each weight 0, or NaN if one of its elements is NaN or infinite. */
const zeros = (weights: Weights): Graph => {
  const inputs = weights.trainable.map((path) => input(names.next(names.param(path)), weights.params.get(path)!.shape))
  const sums = inputs.map((x) => reshape(sumAll(mul(x, scalar(0))), [1]))
  return { name: "learner.check", inputs: byName(inputs), outputs: { sums: concat(sums, 0) } }
}

/** Looks through what an update has written. */
export type Weigh = Effect.Success<ReturnType<typeof weighing>>

/** Fails if an update has written a NaN or infinite weight. What a device keeps is looked through there. */
export const weighing = Effect.fnUntraced(function*(weights: Weights) {
  const { kept } = yield* Session
  const run = yield* cached((_: []) => zeros(weights), { unchecked: true })
  return Effect.fnUntraced(function*(written: Feeds<string>) {
    const all = Object.fromEntries(Object.entries(written).filter(([name]) => isWeight(name)))
    if (kept === onHost) return yield* weighed(all)
    const { sums } = yield* run([], all)
    const wrong = weights.trainable.filter((_, i) => Number.isNaN(sums![i])).map((path) =>
      names.next(names.param(path))
    )
    kept.read(wrong.map((name) => all[name]!))
    yield* weighed(Object.fromEntries(wrong.map((name) => [name, all[name]!])))
  })
})

/** How a program's `next/...` outputs become the current weights. */
export const keeping = (weights: Weights, weigh: Weigh) => ({
  /** Where the program writes them: the spare arrays or, without them, new ones. */
  into: () => weights.overwritten ? undefined : weights.next(),
  /** Fails if a new weight is NaN or infinite. */
  keep: (results: Feeds<string>) => {
    const next = Object.fromEntries(Object.entries(results).filter(([name]) => name.startsWith(names.next(""))))
    const keep = () => weights.overwritten ? weights.take(next as Record<string, Float32Array>) : weights.commit()
    return Effect.andThen(weigh(next), Effect.sync(keep))
  }
})
