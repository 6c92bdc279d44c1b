/** How a model's weights, optimiser and index become its part of a checkpoint. */
import * as Effect from "effect/Effect"
import type { Learner } from "../engine/Learner.ts"
import type { Arrays, Weights } from "../engine/Weights.ts"
import { CheckpointError, type Part, type PartState, type Tensors } from "../ports/Checkpoints.ts"

/** The index a retriever searches, as the weights it was built from. */
export interface Indexed {
  readonly indexState: () => { readonly generation: number; readonly weights: Arrays }
  readonly build: (generation: number, from: Arrays) => Effect.Effect<unknown, { readonly message: string }>
}

const INDEX = "index/"

const shaped = (weights: Weights, arrays: Arrays, prefix = ""): Tensors =>
  new Map([...arrays].map(([name, data]) => {
    const path = name.replace(/^slot\/[^/]*\//, "")
    return [prefix + name, { shape: weights.params.get(path)!.shape, data }]
  }))

/** The arrays whose names start with `prefix`, without it. */
const under = (tensors: Tensors, prefix: string): Arrays =>
  new Map(
    [...tensors].filter(([name]) => name.startsWith(prefix)).map(([n, { data }]) => [n.slice(prefix.length), data])
  )

export const learnerPart = (
  weights: Weights,
  learner: Learner<any> | undefined,
  files: PartState["files"],
  indexed?: Indexed
): Part => ({
  save: () => {
    const index = indexed?.indexState()
    return {
      weights: shaped(weights, weights.parameters()),
      extra: new Map([...shaped(weights, weights.state()), ...shaped(weights, index?.weights ?? new Map(), INDEX)]),
      counters: { updates: learner?.updates() ?? 0, generation: index?.generation ?? 0 },
      files
    }
  },
  load: Effect.fnUntraced(function*(state) {
    weights.restore(new Map([...under(state.weights, ""), ...under(state.extra, "")]))
    learner?.resume(state.counters["updates"] ?? 0)
    const generation = state.counters["generation"] ?? 0
    if (indexed && generation > 0) {
      yield* indexed.build(generation, under(state.extra, INDEX)).pipe(
        Effect.mapError((error) => new CheckpointError({ path: "index", reason: error.message }))
      )
    }
  })
})
