/** Contrastive steps: losses and gradients are sentence-transformers', whole or through cached gradients. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fromRecords } from "../../src/datasets/dataset.ts"
import { text } from "../../src/domain/Content.ts"
import { retrieverOf } from "../../src/domain/settings/models.ts"
import { names, type Steps } from "../../src/kernels/Step.ts"
import type * as Learner from "../../src/runtime/engine/Learner.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { type Data, Session } from "../../src/runtime/engine/Session.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import type { RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"
import * as CachedGradients from "../../src/runtime/retrieval/dense/cachedGradients.ts"
import { lessonOf, type Loss, prepare, type StepKey } from "../../src/runtime/retrieval/dense/lessons.ts"
import * as Model from "../../src/runtime/retrieval/dense/model.ts"
import { indexes } from "../../src/runtime/retrieval/retriever.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"
import { close } from "./golden.ts"

const here = import.meta.dirname

interface Told {
  readonly texts: Readonly<Record<"anchors" | "positives" | "negatives", ReadonlyArray<string>>>
  readonly losses: Readonly<Record<string, number>>
}
const told = JSON.parse(readFileSync(join(here, "contrast.json"), "utf8")) as Told
const N = told.texts.anchors.length
const passages = [...told.texts.positives, ...told.texts.negatives].map((own, i) => ({ id: `p${i}`, text: own }))
const queries = told.texts.anchors.map((own) => [text(own)])

/** All passages are candidates of each query, whose positive has its number. */
const lesson: RetrieverLesson = {
  queries,
  docs: Int32Array.from({ length: N * 2 * N }, (_, i) => i % (2 * N)),
  objective: {
    _tag: "Listwise",
    target: Float32Array.from({ length: N * 2 * N }, (_, i) => i % (2 * N) === Math.floor(i / (2 * N)) ? 1 : 0)
  }
}
const symmetric: RetrieverLesson = {
  ...lesson,
  objective: {
    ...lesson.objective as { _tag: "Listwise"; target: Float32Array },
    askers: new Uint8Array(N * N).fill(1)
  }
}
const lossAt = (temperature: number): Loss => ({
  temperature,
  weight: 1,
  contrast: { miniBatch: 0, margin: undefined, divergence: false, normalise: false }
})

/** A copy of a folder without dropout, gone with the scope. */
const still = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "contrast-"))
      cpSync(join(here, "sentences", name), folder, { recursive: true })
      const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as object
      writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, hidden_dropout_prob: 0 }))
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const settingsOf = (folder: string) =>
  Effect.map(
    decode("test", {
      output_dir: "run",
      passages_file: "passages.jsonl",
      retriever_name_or_path: folder,
      reader_name_or_path: folder,
      max_steps: 1,
      query_max_len: 16,
      passage_max_len: 16
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

const mean = (losses: Float32Array): number => losses.reduce((a, b) => a + b, 0) / losses.length

/** The model of a folder with what its lessons need. */
const withModel = <A, E>(
  folder: string,
  use: (model: Model.RetrieverModel, settings: Model.RetrieverSettings) => Effect.Effect<A, E, any>
) =>
  Effect.gen(function*() {
    const settings = yield* settingsOf(folder)
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

const whole = (
  model: Model.RetrieverModel,
  settings: Model.RetrieverSettings,
  loss: Loss,
  own: RetrieverLesson,
  key = 5
) =>
  Effect.flatMap(
    prepare(model, loss, own, [0, N], key),
    (part) => gradientsOf<StepKey>(model, lessonOf(model, { loss, training: settings.training }), [part])
  )

const cachedBy = Effect.fnUntraced(function*(
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

const alike = (got: Gradients, want: ReadonlyMap<string, ArrayLike<number>>, tolerance: number, what: string) => {
  assert.sameMembers([...got.keys()], [...want.keys()])
  for (const [path, values] of want) close(got.get(path)!, values, `${what}: ${path}`, { tolerance, tiny: tolerance })
}

describe("a contrastive step", () => {
  for (const name of ["bert-mean", "qwen3-both"]) {
    for (
      const [kind, own, temperature] of [["mnrl", lesson, 0.05], ["cached", lesson, 0.05], [
        "both",
        symmetric,
        0.1
      ]] as const
    ) {
      it.live(`of ${name} is sentence-transformers' (${kind})`, () =>
        Effect.gen(function*() {
          const tensors = yield* Safetensors.read(join(here, "contrast.safetensors"))
          const prefix = `${name}/${kind}/`
          const root = name.startsWith("bert") ? "bert." : "model."
          const found = yield* withModel(yield* still(name), (model, settings) =>
            kind === "cached"
              ? cachedBy(model, settings, lossAt(temperature), own, 3)
              : whole(model, settings, lossAt(temperature), own))
          assert.closeTo(mean(found.losses), told.losses[`${name}/${kind}`]!, 2e-5)
          const wanted = new Map(
            [...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, { data }]) => [
              root + key.slice(prefix.length),
              data
            ])
          )
          alike(found.gradients, wanted, 3e-5, kind)
        }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
    }
    it.live(`of ${name} through cached gradients is the whole one, in chunks of 1, 3 and all`, () =>
      Effect.gen(function*() {
        const folder = yield* still(name)
        yield* withModel(
          folder,
          Effect.fnUntraced(function*(model, settings) {
            for (const own of [lesson, symmetric]) {
              const expected = yield* whole(model, settings, lossAt(0.5), own)
              for (const [size, parts] of [[1, 3 * N], [3, 2 + 3], [2 * N, 2]] as const) {
                const found = yield* cachedBy(model, settings, lossAt(0.5), own, size)
                assert.strictEqual(found.parts, parts)
                close(found.losses, expected.losses, "losses", { tolerance: 1e-6 })
                alike(found.gradients, expected.gradients, 1e-6, `chunks of ${size}`)
              }
            }
          })
        )
      }).pipe(Effect.scoped))
  }
  it.live("with dropout, through cached gradients, is the whole one where a chunk is all texts", () =>
    withModel(
      join(here, "sentences", "bert-mean"),
      Effect.fnUntraced(function*(model, settings) {
        const expected = yield* whole(model, settings, lossAt(0.5), lesson)
        const found = yield* cachedBy(model, settings, lossAt(0.5), lesson, 2 * N)
        close(found.losses, expected.losses, "losses", { tolerance: 1e-6 })
        alike(found.gradients, expected.gradients, 1e-6, "with dropout")
        const other = yield* whole(model, settings, lossAt(0.5), lesson, 6)
        assert.notDeepEqual(other.losses, expected.losses)
      })
    ))
})
