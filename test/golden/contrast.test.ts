/** Contrastive steps: losses and gradients are sentence-transformers', whole or through cached gradients. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "../../src/domain/Content.ts"
import type { Hardness } from "../../src/kernels/loss/rank.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import type { RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"
import type { Loss } from "../../src/runtime/retrieval/dense/lessons.ts"
import { alike, cachedBy, mean, whole, withModel } from "./contrasted.ts"
import { close } from "./golden.ts"

const here = import.meta.dirname

interface Told {
  readonly texts: Readonly<Record<"anchors" | "positives" | "negatives", ReadonlyArray<string>>>
  readonly teacher: ReadonlyArray<readonly [number, number]>
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
/** The same, and which passages are a query's own. */
const weighed: RetrieverLesson = {
  ...lesson,
  objective: {
    ...lesson.objective as { _tag: "Listwise"; target: Float32Array },
    own: Uint8Array.from({ length: N * 2 * N }, (_, i) => i % N === Math.floor(i / (2 * N)) ? 1 : 0)
  }
}
/** A query's positive and its negative, with a teacher's scores. */
const margins: RetrieverLesson = {
  queries,
  docs: Int32Array.from(queries.flatMap((_, i) => [i, N + i])),
  objective: { _tag: "Margins", scores: Float32Array.from(told.teacher.flat()) }
}
const lossAt = (temperature: number, hardness?: Hardness): Loss => ({
  temperature,
  weight: 1,
  contrast: { miniBatch: 0, margin: undefined, hardness, divergence: false, normalise: false }
})
const cases: Readonly<Record<string, readonly [RetrieverLesson, Loss]>> = {
  mnrl: [lesson, lossAt(0.05)],
  cached: [lesson, lossAt(0.05)],
  both: [symmetric, lossAt(0.1)],
  hard_negatives: [weighed, lossAt(0.05, { mode: "hard_negatives", strength: 5 })],
  in_batch_negatives: [weighed, lossAt(0.05, { mode: "in_batch_negatives", strength: 9 })],
  all_negatives: [weighed, lossAt(0.05, { mode: "all_negatives", strength: 5 })],
  margins: [margins, lossAt(1)]
}

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

describe("a contrastive step", () => {
  for (const name of ["bert-mean", "qwen3-both"]) {
    for (const [kind, [own, loss]] of Object.entries(cases)) {
      it.live(`of ${name} is sentence-transformers' (${kind})`, () =>
        Effect.gen(function*() {
          const tensors = yield* Safetensors.read(join(here, "contrast.safetensors"))
          const prefix = `${name}/${kind}/`
          const root = name.startsWith("bert") ? "bert." : "model."
          const found = yield* withModel(yield* still(name), passages, 16, (model, settings) =>
            kind === "cached"
              ? cachedBy(model, settings, loss, own, 3)
              : whole(model, settings, loss, own))
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
          passages,
          16,
          Effect.fnUntraced(function*(model, settings) {
            const others = [weighed, lossAt(0.5, { mode: "all_negatives", strength: 2 })] as const
            for (const [own, loss] of [[lesson, lossAt(0.5)], [symmetric, lossAt(0.5)], others] as const) {
              const expected = yield* whole(model, settings, loss, own)
              for (const [size, parts] of [[1, 3 * N], [3, 2 + 3], [2 * N, 2]] as const) {
                const found = yield* cachedBy(model, settings, loss, own, size)
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
      passages,
      16,
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
