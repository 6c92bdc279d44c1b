/**
 * Contrastive steps on request: one line in, one line of JSON out. The folder has the model and the batches.
 *
 *     node bench/peers/contrastOurs.ts RECORD [--threads 2]
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import { fromRecords } from "../../src/datasets/dataset.ts"
import { text } from "../../src/domain/Content.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Checkpoints from "../../src/runtime/files/checkpoints.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import { RetrieverLearner, type RetrieverLesson } from "../../src/runtime/ports/Retriever.ts"
import { trainable } from "../../src/runtime/retrieval/retriever.ts"
import { decode } from "../../src/systems/all.ts"
import { ofRetriever } from "../../src/systems/stm/layers.ts"
import type { StmConfig } from "../../src/systems/stm/settings.ts"
import { meanOf, served } from "./served.ts"

const { positionals: [folder], values: options } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" } }
})

interface Record {
  readonly batches: ReadonlyArray<Readonly<{ [K in "anchors" | "positives" | "negatives"]: ReadonlyArray<string> }>>
  readonly miniBatch: number
  readonly length: number
  readonly scale: number
  readonly optimizer: Readonly<{ [name: string]: number }>
}
const record = JSON.parse(readFileSync(join(folder!, "record.json"), "utf8")) as Record

const texts = [...new Set(record.batches.flatMap(({ negatives, positives }) => [...positives, ...negatives]))]
const row = new Map(texts.map((own, i) => [own, i]))

/** All passages of a batch are candidates of each query, whose positive has its number. */
const lessonOf = (step: number): RetrieverLesson => {
  const { anchors, negatives, positives } = record.batches[step]!
  const docs = [...positives, ...negatives].map((own) => row.get(own)!)
  const target = anchors.flatMap((_, i) => docs.map((__, at) => at === i ? 1 : 0))
  return {
    queries: anchors.map((own) => [text(own)]),
    docs: Int32Array.from(anchors.flatMap(() => docs)),
    objective: { _tag: "Listwise", target: Float32Array.from(target) }
  }
}

const settings = decode("bench", {
  mode: "contrastive",
  output_dir: join(folder!, "run"),
  retriever_name_or_path: join(folder!, "model"),
  retriever_type: "single_vector",
  max_steps: 1000,
  lr_retriever: record.optimizer["learning_rate"]!,
  ...Object.fromEntries(Object.entries(record.optimizer).filter(([name]) => name !== "learning_rate")),
  lr_scheduler_type: "constant",
  warmup_steps: 0,
  query_max_len: record.length,
  passage_max_len: record.length,
  contrastive_temperature: 1 / record.scale,
  in_batch_negatives: "all",
  mini_batch_size: record.miniBatch,
  per_device_train_batch_size: record.batches[0]!.anchors.length
})

const serve = Effect.gen(function*() {
  const learner = yield* RetrieverLearner
  yield* served((step) => Effect.map(learner.learn(lessonOf(step)), meanOf))
})

const corpus = Layer.succeed(Corpus, fromRecords(texts.map((own, i) => ({ id: `p${i}`, text: own }))))
const around = Layer.mergeAll(corpus, cpu({ threads: Number(options.threads) }), logger).pipe(
  Layer.provideMerge(NodeFileSystem.layer)
)
const layers = Layer.unwrap(
  Effect.map(
    settings,
    (own) => trainable(ofRetriever(own as StmConfig)).pipe(Layer.provideMerge(Checkpoints.layer(own)))
  )
)
await Effect.runPromise(serve.pipe(Effect.provide(layers.pipe(Layer.provideMerge(around)))))
