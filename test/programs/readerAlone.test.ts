/** Where no retriever has anything to learn, no passage is judged, and the reader learns as where each is. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Batches from "../../src/datasets/batches.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { LanguageModel } from "../../src/runtime/ports/LanguageModel.ts"
import { llmRanked } from "../../src/stages/pipelines.ts"
import * as layers from "../../src/systems/jmlr/layers.ts"
import { studies, studyOptions } from "../../src/systems/jmlr/study.ts"
import { onDisk } from "../support/files.ts"
import * as Memory from "../support/memory.ts"
import * as Tiny from "../support/tiny.ts"

const STEPS = 3
const modes = { bm25_rag: layers.bm25Rag, no_retrieval: layers.noRetrieval }
const rowOf = (id: string): number => Tiny.passages.findIndex((passage) => passage.id === id)

/** Counts the texts whose likelihood is asked for. */
const counting = (counted: Array<number>) =>
  Effect.map(LanguageModel, (model) =>
    LanguageModel.of({
      ...model,
      nll: (prompts, continuations) => {
        counted.push(prompts.length)
        return model.nll(prompts, continuations)
      }
    }))

/** The same steps of a mode, with verdicts or as the mode has them. */
const steps = Effect.fnUntraced(function*(mode: keyof typeof modes, judged: boolean, context: "sampled" | "top") {
  const config = yield* Tiny.settings(yield* Tiny.weighted, { mode, context })
  const memory = Memory.checkpoints()
  const counted: Array<number> = []
  const study = judged ? llmRanked(studyOptions(config)) : studies[mode](config, Tiny.passages.length)
  return yield* Effect.gen(function*() {
    const losses: Array<number> = []
    const columns = new Set<string>()
    for (let step = 0; step < STEPS; step++) {
      const rows = Batches.frame(Tiny.questions, step, { row: rowOf })
      const learned: Frame.Frame<any> = yield* study.learn(rows)
      losses.push(...Frame.column(learned, "readerLoss") as Float32Array)
      losses.push(...Frame.column(learned, "retrieverLoss") as Float32Array)
      for (const name of Object.keys(learned.columns)) columns.add(name)
    }
    return { losses, weights: memory.hashes("reader"), columns: [...columns], counted }
  }).pipe(
    Effect.provideServiceEffect(LanguageModel, counting(counted)),
    Effect.provide(modes[mode](config).pipe(Layer.provideMerge(Layer.merge(memory.layer, Tiny.surroundings))))
  )
})

describe("a reader beside a retriever that has nothing to learn", () => {
  it.live.each(
    [["bm25_rag", "sampled"], ["bm25_rag", "top"], ["no_retrieval", "sampled"]] as const
  )(
    "learns in mode %s (context %s) to the byte what it learned while passages were judged",
    ([mode, context]) =>
      onDisk(Effect.gen(function*() {
        const [judged, alone] = [yield* steps(mode, true, context), yield* steps(mode, false, context)]
        assert.deepStrictEqual(alone.losses, judged.losses)
        assert.isTrue(alone.losses.some((loss) => loss > 0))
        assert.deepStrictEqual(alone.weights, judged.weights)
        assert.deepStrictEqual(judged.counted, Array(STEPS).fill(3 * Tiny.questions.length))
        assert.deepStrictEqual(alone.counted, [])
        assert.deepStrictEqual(judged.columns.filter((name) => !alone.columns.includes(name)), ["nll", "preference"])
      })),
    60_000
  )
})
