/** How what an update has written becomes the current weights: it is looked through first. */
import * as Effect from "effect/Effect"
import { grouped, joined } from "../../kernels/joined.ts"
import * as Nd from "../../kernels/NdArray.ts"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { reshape, sumAll } from "../../kernels/op/broadcast.ts"
import { mul } from "../../kernels/op/elementwise.ts"
import { concat } from "../../kernels/op/gather.ts"
import { names } from "../../kernels/Step.ts"
import { byName, input, scalar } from "../../kernels/Tensor.ts"
import { cached } from "./Programs.ts"
import { type Feeds, notFinite, onHost, Session, SessionError } from "./Session.ts"
import type { Weights } from "./Weights.ts"

/** The weights among a program's results. */
const weightsOf = (written: Feeds<string>): Feeds<string> =>
  Object.fromEntries(Object.entries(written).filter(([name]) => name.startsWith(names.next(names.param("")))))

/** Fails if one of the weights, on the host, is NaN or infinite. */
const weighed = (written: Feeds<string>): Effect.Effect<void, SessionError> =>
  Effect.suspend(() => {
    const reason = notFinite("update", written)
    return reason ? Effect.fail(new SessionError({ reason })) : Effect.void
  })

/** Elements that are looked through together. */
const TOGETHER = 2 ** 24

/** The trainable weights' outputs in groups, and a program's graph with a 0 for each group, or NaN if it has no number. */
const checks = ({ params, trainable }: Weights) => {
  const next = trainable.map((path) => input(names.next(names.param(path)), params.get(path)!.shape))
  const groups = grouped(next, ({ type }) => Nd.size(type.shape), TOGETHER)
  const sums = groups.map((inputs) => reshape(sumAll(mul(joined(inputs), scalar(0))), [1]))
  const graph: Graph = { name: "learner.check", inputs: byName(next), outputs: { sums: concat(sums, 0) } }
  return { graph, groups: groups.map((inputs) => inputs.map(({ name }) => name)) }
}

/** Fails if an update has written a NaN or infinite weight. What a device keeps is looked through there. */
export const weighing = Effect.fnUntraced(function*(weights: Weights) {
  const { kept } = yield* Session
  if (kept === onHost) return (written: Feeds<string>) => weighed(weightsOf(written))
  const { graph, groups } = checks(weights)
  const run = yield* cached((_: []) => graph, { unchecked: true })
  return Effect.fnUntraced(function*(written: Feeds<string>) {
    const all = weightsOf(written)
    const { sums } = yield* run([], all)
    const wrong = groups.flatMap((group, i) => Number.isNaN(sums![i]) ? group : [])
    kept.read(wrong.map((name) => all[name]!))
    yield* weighed(Object.fromEntries(wrong.map((name) => [name, all[name]!])))
  })
})

/** How a program's `next/...` outputs become the current weights. */
export const keeping = Effect.fnUntraced(function*(weights: Weights) {
  const weigh = yield* weighing(weights)
  return {
    /** Where the program writes them: the spare arrays or, without them, new ones. */
    into: () => weights.overwritten ? undefined : weights.next(),
    /** Fails if a new weight is NaN or infinite. */
    keep: (results: Feeds<string>) => {
      const next = Object.fromEntries(Object.entries(results).filter(([name]) => name.startsWith(names.next(""))))
      const keep = () => weights.overwritten ? weights.take(next as Record<string, Float32Array>) : weights.commit()
      return Effect.andThen(weigh(next), Effect.sync(keep))
    }
  }
})
