/** A custom pipeline: a different sampling stage, and BM25 instead of the trained retriever. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Frame from "../src/domain/Frame.ts"
import { Candidates, Draw } from "../src/domain/tables.ts"
import * as languageModel from "../src/runtime/language/languageModel.ts"
import * as bm25 from "../src/runtime/retrieval/bm25.ts"
import * as retriever from "../src/runtime/retrieval/retriever.ts"
import { trainingStep } from "../src/stages/pipelines.ts"
import type { PromptOptions } from "../src/stages/prompt.ts"
import { read } from "../src/stages/read.ts"
import { retrieve } from "../src/stages/retrieve.ts"
import { llmRank } from "../src/stages/score.ts"
import * as Stage from "../src/stages/Stage.ts"
import { byPairs } from "../src/stages/update.ts"
import { ofReader } from "../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../src/systems/jmlr/settings.ts"
import { answerOptions } from "../src/systems/jmlr/study.ts"
import { surroundings, world } from "./world.ts"

const [n, m, c] = [12, 4, 2]

/** `k` candidates of each question, by rank. */
const pick = (docs: Int32Array, k: number, place: (i: number) => number): Int32Array =>
  Int32Array.from({ length: docs.length / n * k }, (_, i) => docs[Math.floor(i / k) * n + place(i % k)]!)

/** Draws every third candidate, starting with the best; the prompt has the two best. */
const everyThird = (docs: Int32Array) => ({
  drawn: pick(docs, m, (i) => i * n / m),
  extremes: pick(docs, 2, (i) => i === 0 ? n - 1 : 0),
  context: pick(docs, c, (i) => c - 1 - i)
})

const ladder = Stage.make("sample", {
  needs: Candidates(n),
  adds: Draw(m, c),
  run: (rows) => Effect.succeed(everyThird(Frame.column(rows, "docs")))
})
const rank = llmRank(m, { ties: "skip", mean: "pairs" })
const mine = (o: PromptOptions) =>
  trainingStep(
    pipe(retrieve({ n, rerank: false }), Stage.andThen(ladder), Stage.andThen(read(m, o)), Stage.andThen(rank)),
    byPairs(m, c, o)
  )
const lexicalRag = (c: JmlrConfig) =>
  Layer.mergeAll(bm25.layer, retriever.learnsNothing, languageModel.trainable(ofReader(c)))

const mean = (values: Float32Array): string => (values.reduce((a, b) => a + b, 0) / values.length).toFixed(1)

const program = Effect.gen(function*() {
  const here = yield* world
  const learned = yield* Effect.gen(function*() {
    const { learn } = mine(answerOptions(here.settings))
    const first = yield* learn(here.questions)
    for (let step = 1; step < 15; step++) yield* learn(here.questions)
    return [first, yield* learn(here.questions)] as const
  }).pipe(Effect.provide(lexicalRag(here.settings).pipe(Layer.provideMerge(surroundings(here).layer))))

  const [first, last] = learned
  const [question] = Frame.column(first, "question")
  const [docs, drawn] = [Frame.column(first, "docs"), Frame.column(first, "drawn")]
  const names = (rows: Int32Array) => [...rows].map((doc) => `  ${here.corpus.id(doc)}`).join("\n")
  yield* Console.log(`${question}\n\nBM25 finds\n${names(docs.subarray(0, n))}`)
  yield* Console.log(`\nthe reader judges\n${names(drawn.subarray(0, m))}`)
  yield* Console.log(`\ncolumns: ${Object.keys(first.columns).join(" ")}`)
  yield* Console.log(`\nreader loss  ${mean(Frame.column(first, "readerLoss"))} at first`)
  yield* Console.log(`             ${mean(Frame.column(last, "readerLoss"))} after 15 steps`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
