/** How a model's weights, optimiser and index become its part of a checkpoint. */
import * as Effect from "effect/Effect"
import type { Learner } from "../engine/Learner.ts"
import { type Arrays, asNumbers, asStored, type Weights } from "../engine/Weights.ts"
import { CheckpointError, type Part, type PartState, type Tensors } from "../ports/Checkpoints.ts"
import type { Based } from "./model.ts"
import * as Peft from "./peft.ts"

/** The index a retriever searches, as the weights it was built from. */
export interface Indexed {
  readonly indexState: () => { readonly generation: number; readonly weights: Arrays }
  readonly build: (generation: number, from: Arrays) => Effect.Effect<unknown, { readonly message: string }>
}

const INDEX = "index/"

const shaped = (weights: Weights, arrays: Arrays, prefix = ""): Tensors =>
  new Map([...arrays].map(([name, data]) => {
    const path = name.replace(/^slot\/[^/]*\//, "")
    const param = weights.params.get(path)!
    return [prefix + name, { shape: param.shape, data: asNumbers(param, data) }]
  }))

/** The arrays whose names start with `prefix`, without it. */
const under = (tensors: Tensors, prefix: string): Arrays =>
  new Map(
    [...tensors].filter(([name]) => name.startsWith(prefix)).map(([n, { data }]) => [n.slice(prefix.length), data])
  )

/** What a part is beside its learner: files, what an adapter rests on, the index of a retriever. */
export interface Setting {
  readonly files: PartState["files"]
  readonly based: Based | undefined
  readonly indexed?: Indexed
}

/** An adapter's files: its config in place of its base's. */
const adapterFiles = ({ config }: Based, files: PartState["files"]): PartState["files"] => [
  [Peft.CONFIG, config],
  ...files.filter(([name]) => name !== "config.json")
]

export const learnerPart = (
  weights: Weights,
  learner: Learner<any> | undefined,
  { based, files, indexed }: Setting
): Part => {
  const learns = new Set(weights.trainable)
  const prefix = based ? Peft.PREFIX : ""
  /** Of an adapter what learns; what is frozen is its base's. */
  const own = (arrays: Arrays): Arrays => based ? new Map([...arrays].filter(([path]) => learns.has(path))) : arrays
  return {
    save: () => {
      const index = indexed?.indexState()
      const ofIndex = shaped(weights, own(index?.weights ?? new Map()), INDEX)
      return {
        weights: shaped(weights, own(weights.parameters()), prefix),
        base: based?.sha256,
        extra: new Map([...shaped(weights, weights.state()), ...ofIndex]),
        counters: { updates: learner?.updates() ?? 0, generation: index?.generation ?? 0 },
        files: based ? adapterFiles(based, files) : files
      }
    },
    load: Effect.fnUntraced(function*(state) {
      if (state.base !== based?.sha256) {
        const reason = "the weights that the checkpoint's adapter rests on are not those of the settings' model folder"
        return yield* new CheckpointError({ path: Peft.WEIGHTS, reason })
      }
      weights.restore(new Map([...under(state.weights, prefix), ...under(state.extra, "")]))
      learner?.resume(state.counters["updates"] ?? 0)
      const generation = state.counters["generation"] ?? 0
      if (indexed && generation > 0) {
        const stored = [...under(state.extra, INDEX)].map(([path, data]) =>
          [path, asStored(weights.params.get(path), data)] as const
        )
        const from = new Map([...weights.parameters(), ...stored])
        yield* indexed.build(generation, from).pipe(
          Effect.mapError((error) => new CheckpointError({ path: "index", reason: error.message }))
        )
      }
    })
  }
}
