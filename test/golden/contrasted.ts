/** Lessons of a folder's model as the goldens have them: losses and gradients, whole or through cached gradients. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fromRecords } from "../../src/datasets/dataset.ts"
import type { Passage } from "../../src/domain/records/Records.ts"
import { retrieverOf } from "../../src/domain/settings/models.ts"
import { names, type Steps } from "../../src/kernels/Step.ts"
import type * as Learner from "../../src/runtime/engine/Learner.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { type Data, Session } from "../../src/runtime/engine/Session.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import type { RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"
import * as CachedGradients from "../../src/runtime/retrieval/dense/cachedGradients.ts"
import { lessonOf, type Loss, prepare, type StepKey } from "../../src/runtime/retrieval/dense/lessons.ts"
import * as Model from "../../src/runtime/retrieval/dense/model.ts"
import { indexes } from "../../src/runtime/retrieval/retriever.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"
import { close } from "./golden.ts"

const settingsOf = (folder: string, length: number) =>
  Effect.map(
    decode("test", {
      output_dir: "run",
      passages_file: "passages.jsonl",
      retriever_name_or_path: folder,
      reader_name_or_path: folder,
      max_steps: 1,
      query_max_len: length,
      passage_max_len: length
    }),
    (c) => ({ model: retrieverOf(c), training: c, retrieval: c })
  )

type Gradients = ReadonlyMap<string, Float64Array>

/** The sum over parts of the gradients of their losses. */
const gradientsOf = Effect.fnUntraced(function*<K>(
  model: Model.RetrieverModel,
  steps: (key: K) => Steps,
  parts: ReadonlyArray<Learner.Part<K>>
) {
  const session = yield* Session
  const sums = new Map<string, Float64Array>()
  let losses: Data = new Float32Array(0)
  const zero = Object.fromEntries(
    model.weights.trainable.map((
      path
    ) => [names.sum(path), new Float32Array(model.weights.params.get(path)!.shape.reduce((a, b) => a * b, 1))])
  )
  for (const { batch, key } of parts) {
    const graph = steps(key).part()
    const program = yield* session.compile<string, string>(graph)
    const feeds = { ...model.weights.values(), ...zero, ...batch }
    const given = Object.fromEntries(
      Object.keys(graph.inputs).map((name) => [name, (feeds as Record<string, Data>)[name]!])
    )
    const results = yield* program.run(given)
    losses = results["losses"] ?? losses
    for (const path of model.weights.trainable) {
      const own = results[names.next(names.sum(path))] as Float32Array
      const before = sums.get(path) ?? new Float64Array(own.length)
      sums.set(path, before.map((x, i) => x + own[i]!))
    }
  }
  return { gradients: sums as Gradients, losses: losses as Float32Array }
})

/** The mean of the queries' losses. */
export const mean = (losses: Float32Array): number => losses.reduce((a, b) => a + b, 0) / losses.length

/** The model of a folder over passages, with what its lessons need; `length` 0 is the folder's own. */
export const withModel = <A, E>(
  folder: string,
  passages: ReadonlyArray<Passage>,
  length: number,
  use: (model: Model.RetrieverModel, settings: Model.RetrieverSettings) => Effect.Effect<A, E, any>
) =>
  Effect.gen(function*() {
    const settings = yield* settingsOf(folder, length)
    const around = Layer.mergeAll(
      Layer.succeed(Corpus, fromRecords(passages)),
      cpu({ threads: 1 }),
      NodeFileSystem.layer
    )
    const made = Effect.flatMap(Model.make(settings, () => true), (model) => use(model, settings))
    return yield* made.pipe(
      Effect.scoped,
      Effect.provide(indexes(settings.retrieval).pipe(Layer.provideMerge(around)), { local: true })
    )
  }) as Effect.Effect<A, unknown>

/** Losses and gradients of all queries in one program, under a dropout key. */
export const whole = (
  model: Model.RetrieverModel,
  settings: Model.RetrieverSettings,
  loss: Loss,
  own: RetrieverLesson,
  key = 5
) =>
  Effect.flatMap(
    prepare(model, loss, own, [0, own.queries.length], key),
    (part) => gradientsOf<StepKey>(model, lessonOf(model, { loss, training: settings.training }), [part])
  )

/** The same through cached gradients, `size` texts at a time; and the number of replays. */
export const cachedBy = Effect.fnUntraced(function*(
  model: Model.RetrieverModel,
  settings: Model.RetrieverSettings,
  loss: Loss,
  own: RetrieverLesson,
  size: number
) {
  const { losses, parts } = yield* (yield* CachedGradients.make(model, loss))(own, size, (chunk) => 5 + chunk)
  const { gradients } = yield* gradientsOf(model, CachedGradients.replayOf(model, settings), parts)
  return { gradients, losses, parts: parts.length }
})

/** Gradients are those wanted, to a share of the largest element. */
export const alike = (
  got: Gradients,
  want: ReadonlyMap<string, ArrayLike<number>>,
  tolerance: number,
  what: string
) => {
  assert.sameMembers([...got.keys()], [...want.keys()])
  for (const [path, values] of want) close(got.get(path)!, values, `${what}: ${path}`, { tolerance, tiny: tolerance })
}
