/** Contrastive steps of late interaction: losses and gradients are PyLate's, whole or through cached gradients. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../src/domain/Content.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import type { RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"
import type { Loss } from "../../src/runtime/retrieval/dense/lessons.ts"
import { alike, cachedBy, mean, whole, withModel } from "./contrasted.ts"
import { close } from "./golden.ts"

interface Told {
  readonly texts: Readonly<Record<"anchors" | "positives" | "negatives", ReadonlyArray<string>>>
  readonly teacher: ReadonlyArray<ReadonlyArray<number>>
  readonly losses: Readonly<Record<string, number>>
}
const folder = join(import.meta.dirname, "late")
const told = JSON.parse(readFileSync(join(import.meta.dirname, "late.json"), "utf8")) as Told
const N = told.texts.anchors.length
const passages = [...told.texts.positives, ...told.texts.negatives].map((own, i) => ({ id: `p${i}`, text: own }))
const queries = told.texts.anchors.map((own) => [text(own)])

/** All passages are candidates of each query, whose positive has its number. */
const inBatch: RetrieverLesson = {
  queries,
  docs: Int32Array.from({ length: N * 2 * N }, (_, i) => i % (2 * N)),
  objective: {
    _tag: "Listwise",
    target: Float32Array.from({ length: N * 2 * N }, (_, i) => i % (2 * N) === Math.floor(i / (2 * N)) ? 1 : 0)
  }
}
/** All passages of each query, with the shares that the teacher's scores give them. */
const taught: RetrieverLesson = {
  queries,
  docs: inBatch.docs,
  objective: {
    _tag: "Listwise",
    target: Float32Array.from(told.teacher.flatMap((scores) => {
      const all = scores.reduce((sum, own) => sum + Math.exp(own), 0)
      return scores.map((own) => Math.exp(own) / all)
    }))
  }
}
const lossOf = (temperature: number, divergence = false, normalise = false): Loss => ({
  temperature,
  weight: 1,
  contrast: { miniBatch: 0, margin: undefined, divergence, normalise }
})
const cases: Readonly<Record<string, readonly [RetrieverLesson, Loss]>> = {
  contrastive: [inBatch, lossOf(1)],
  warm: [inBatch, lossOf(2.5)],
  cached: [inBatch, lossOf(1)],
  kl: [taught, lossOf(1, true)],
  "kl-normalised": [taught, lossOf(1, true, true)]
}

describe("a contrastive step of late interaction", () => {
  for (const [kind, [lesson, loss]] of Object.entries(cases)) {
    it.live(`is PyLate's (${kind})`, () =>
      Effect.gen(function*() {
        const tensors = yield* Safetensors.read(join(import.meta.dirname, "late.safetensors"))
        const found = yield* withModel(folder, passages, 0, (model, settings) =>
          kind === "cached" ? cachedBy(model, settings, loss, lesson, 3) : whole(model, settings, loss, lesson))
        assert.closeTo(mean(found.losses), told.losses[kind]!, 2e-6)
        const own = [...tensors].filter(([key]) =>
          key.startsWith(`${kind}/`)
        )
        const wanted = new Map(own.map(([key, { data }]) => {
          const name = key.slice(kind.length + 1)
          return [name.startsWith("linear") ? name : `bert.${name}`, data]
        }))
        alike(found.gradients, wanted, 1e-5, kind)
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  }
  it.live("through cached gradients is the whole one, in chunks of 1, 3 and all, for every loss", () =>
    withModel(
      folder,
      passages,
      0,
      Effect.fnUntraced(function*(model, settings) {
        for (const [kind, [lesson, loss]] of Object.entries(cases)) {
          const expected = yield* whole(model, settings, loss, lesson)
          for (const size of [1, 3, 2 * N]) {
            const found = yield* cachedBy(model, settings, loss, lesson, size)
            close(found.losses, expected.losses, "losses", { tolerance: 5e-6 })
            alike(found.gradients, expected.gradients, 1e-5, `${kind} in chunks of ${size}`)
          }
        }
      })
    ))
})
