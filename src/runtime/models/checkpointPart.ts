/** A model's part of a checkpoint: weights, optimiser state and index. */
import * as Effect from "effect/Effect"
import { modelFiles } from "../../domain/fileNames.ts"
import { asNumbers, asStored, type Values } from "../../kernels/half.ts"
import type { Learner } from "../engine/Learner.ts"
import { type Progress, start } from "../engine/progress.ts"
import type { Arrays, Weights } from "../engine/Weights.ts"
import * as Peft from "../files/peft.ts"
import { CheckpointError, type Part, type PartState, type Stored, type Tensors } from "../ports/Checkpoints.ts"
import type { Earlier } from "./earlier.ts"
import type { Based } from "./load.ts"

/** The index a retriever searches, stored as the weights it was built from. */
export interface Indexed {
  readonly indexState: () => { readonly generation: number; readonly weights: Arrays }
  readonly build: (generation: number, from: Arrays) => Effect.Effect<unknown, { readonly message: string }>
}

const INDEX = "index/"
const EARLIER = "earlier/"

/** The path of the parameter that an array holds, or is optimiser state of. */
const pathOf = (name: string): string => name.replace(/^slot\/[^/]*\//, "")

/** What a file calls an array. */
type Named = (name: string) => string
const asIs: Named = (name) => name
const under = (prefix: string): Named => (name) => prefix + name

const shaped = (weights: Weights, arrays: Arrays, named: Named = asIs): Tensors =>
  new Map([...arrays].map(([name, data]) => {
    const param = weights.params.get(pathOf(name))!
    return [named(name), { shape: param.shape, data: asNumbers(param, data) }]
  }))

const only = (arrays: Arrays, wanted: (name: string) => boolean): Arrays =>
  new Map([...arrays].filter(([name]) => wanted(name)))

/** Whether an array is optimiser state. */
const isSlot = (name: string): boolean => name !== pathOf(name)

/** Reads a stored tensor, which must have the parameter's shape. */
const fitting = Effect.fnUntraced(function*(weights: Weights, stored: Stored, name: string, named: Named) {
  const { data, shape } = yield* stored.read(named(name))
  const wanted = weights.params.get(pathOf(name))?.shape
  if (wanted?.join() === shape.join()) return data
  const reason = `tensor ${named(name)} is [${shape.join()}], not [${
    wanted?.join() ?? ""
  }]: the model folder was another`
  return yield* new CheckpointError({ path: stored.path, reason })
})

const SCALAR = { shape: [] }

/** The state of a loss scale as tensors of a checkpoint. */
const scalars = (scaling: Progress["scaling"]): Tensors =>
  new Map(Object.entries(scaling).map(([name, data]) => [name, { ...SCALAR, data }]))

/** The stored state of a loss scale, as far as there is one: a checkpoint of another precision has none. */
const storedScaling = Effect.fnUntraced(function*({ scaling }: Progress, { names, read }: Stored) {
  const found = Object.keys(scaling).filter((name) => names.includes(name))
  return Object.fromEntries(
    yield* Effect.forEach(found, (name) => Effect.map(read(name), ({ data }) => [name, data] as const))
  )
})

/** What a part has besides its learner: files, the base of an adapter, the index of a retriever. */
export interface Setting {
  readonly files: PartState["files"]
  readonly based: Based | undefined
  readonly indexed?: Indexed
  /** Tensors of the model's folder that are no weights of its own, saved with those of a whole model. */
  readonly beside?: Tensors
  /** Weights of some updates ago that verdicts use. */
  readonly earlier?: Earlier | undefined
}

/** An adapter's files: its own config in place of its base's. */
const adapterFiles = ({ config }: Based, files: PartState["files"]): PartState["files"] => [
  [Peft.CONFIG, config],
  ...files.filter(([name]) => name !== modelFiles.config)
]

/** A model's part of a checkpoint, with the optimiser state if the model is trained. */
export const learnerPart = (
  weights: Weights,
  learner: Learner<any> | undefined,
  { based, beside, earlier, files, indexed }: Setting
): Part => {
  const learns = new Set(weights.trainable)
  const named = based?.named ?? asIs
  /** Of an adapter only trainable arrays: the frozen ones are its base's. */
  const isOwn = (name: string): boolean => !based || learns.has(pathOf(name))
  /** Weights that are stored under a prefix. */
  const storedUnder = Effect.fnUntraced(function*(extra: Stored, prefix: string) {
    const stored = new Map<string, Values>()
    for (const name of extra.names.filter((own) => own.startsWith(prefix))) {
      const path = name.slice(prefix.length)
      stored.set(path, asStored(weights.params.get(path), yield* fitting(weights, extra, path, under(prefix))))
    }
    return stored
  })
  /** Rebuilds the index from the weights that it was built from. */
  const rebuild = Effect.fnUntraced(function*({ build }: Indexed, generation: number, extra: Stored) {
    const stored = yield* storedUnder(extra, INDEX)
    yield* build(generation, new Map([...weights.parameters(), ...stored])).pipe(
      Effect.mapError((error) => new CheckpointError({ path: "index", reason: error.message }))
    )
  })
  return {
    save: () => {
      const [index, arrays] = [indexed?.indexState(), weights.current()]
      const ofIndex = shaped(weights, only(index?.weights ?? new Map(), isOwn), under(INDEX))
      const taken = earlier?.state()
      const ofEarlier = shaped(weights, only(taken?.arrays ?? new Map(), isOwn), under(EARLIER))
      const { scaling, skipped, updates } = learner?.progress() ?? start(undefined)
      return {
        weights: new Map([
          ...(based ? [] : beside ?? []),
          ...shaped(weights, only(arrays, (name) => !isSlot(name) && isOwn(name)), named)
        ]),
        base: based?.sha256,
        extra: new Map([...shaped(weights, only(arrays, isSlot)), ...scalars(scaling), ...ofIndex, ...ofEarlier]),
        counters: {
          updates,
          generation: index?.generation ?? 0,
          ...(skipped > 0 ? { skipped } : {}),
          ...(taken ? { earlier: taken.step } : {})
        },
        files: based ? adapterFiles(based, files) : files
      }
    },
    load: Effect.fnUntraced(function*(state) {
      if (state.base !== based?.sha256) {
        const reason = "the weights that the checkpoint's adapter rests on are not those of the settings' model folder"
        return yield* new CheckpointError({ path: Peft.WEIGHTS, reason })
      }
      for (const name of [...weights.current().keys()].filter(isOwn)) {
        const [from, own] = isSlot(name) ? [state.extra, asIs] as const : [state.weights, named] as const
        weights.restore(new Map([[name, yield* fitting(weights, from, name, own)]]))
      }
      learner?.resume({
        updates: state.counters["updates"] ?? 0,
        skipped: state.counters["skipped"] ?? 0,
        scaling: yield* storedScaling(learner.progress(), state.extra)
      })
      const taken = state.counters["earlier"]
      if (earlier && taken !== undefined) {
        earlier.restore({ step: taken, arrays: yield* storedUnder(state.extra, EARLIER) })
      }
      const generation = state.counters["generation"] ?? 0
      if (indexed && generation > 0) yield* rebuild(indexed, generation, state.extra)
    })
  }
}
