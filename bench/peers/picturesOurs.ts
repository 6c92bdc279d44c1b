/**
 * Steps of JOMED's second phase, or vectors of pictures, on request: one line in, one line of JSON out. The folder has the data and the
 * encoder.
 *
 *     node bench/peers/picturesOurs.ts RECORD [--threads 2]
 */
import "../../src/cli/allocator.ts"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import { frame } from "../../src/datasets/batches.ts"
import * as Frame from "../../src/domain/Frame.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import type { Lesson } from "../../src/domain/tables.ts"
import { learner, prepare, type Prepared } from "../../src/programs/prepare.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { make } from "../../src/runtime/pictures/encoder.ts"
import { layer as imagesLayer } from "../../src/runtime/pictures/images.ts"
import { Images } from "../../src/runtime/ports/Images.ts"
import { decode, modeOf } from "../../src/systems/all.ts"
import { meanOf, served } from "./served.ts"

const { positionals: [folder], values: options } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" } }
})

interface Record {
  readonly task: "features" | "step"
  readonly reader: string
  /** Pictures of a turn of features. */
  readonly pictures: number
  readonly passages: ReadonlyArray<{ readonly image: string }>
  readonly batch: number
  readonly candidates: number
  readonly weight: number
  readonly gold: number
  readonly temperature: number
  readonly optimizer: Readonly<{ [name: string]: number }>
}
const at = (...names: ReadonlyArray<string>): string => join(folder!, ...names)
const record = JSON.parse(readFileSync(at("record.json"), "utf8")) as Record

/** The sum of the magnitudes in the vectors of a turn's pictures. */
const features = Effect.gen(function*() {
  const images = yield* Images
  const encoder = yield* make(at("encoder"))
  return Effect.fnUntraced(function*(step: number) {
    const own = record.passages.slice(step * record.pictures, (step + 1) * record.pictures)
    const named = yield* Effect.forEach(
      own,
      ({ image }) => Effect.map(images.read(at(image)), ({ picture }) => ({ name: image, picture }))
    )
    return (yield* encoder.pictures(named)).reduce((sum, value) => sum + Math.abs(value), 0)
  })
})

const settings = decode("bench", {
  mode: "jomed_retriever",
  output_dir: at("run"),
  retriever_name_or_path: at("encoder"),
  reader_name_or_path: record.reader,
  passages_file: at("passages.jsonl"),
  train_file: at("questions.jsonl"),
  max_steps: 1000,
  per_device_train_batch_size: record.batch,
  head: "copy",
  head_weight: record.weight,
  n_candidates: record.candidates,
  retriever_n_context: record.candidates,
  temperature_gold: record.gold,
  temperature_score: record.temperature,
  snapshot_steps: 1000,
  class_balanced: false,
  document_prompt: "background: {text}\n\n",
  question_prompt: "{question}",
  answer_format: "text",
  options_in_prompt: false,
  ...record.optimizer,
  lr_retriever: record.optimizer["learning_rate"]!,
  lr_scheduler_type: "constant",
  warmup_steps: 0
})

/** The loss of a step on the questions of a turn. */
const phase = ({ config, epochs, passages }: Prepared) => {
  const { learn } = modeOf(config).study(passages.size)
  const records = epochs(0) as ReadonlyArray<QuestionRecord>
  return (step: number) =>
    learn(frame(records.slice(step * record.batch, (step + 1) * record.batch), step, { row: () => -1 })).pipe(
      Effect.map((rows) => meanOf(Frame.column(rows as unknown as Frame.Frame<typeof Lesson>, "retrieverLoss")))
    )
}

const stepping = Effect.gen(function*() {
  const prepared = yield* Effect.flatMap(settings, prepare)
  yield* served(phase(prepared)).pipe(Effect.provide(learner(prepared)))
})
const around = Layer.mergeAll(cpu({ threads: Number(options.threads) }), logger).pipe(
  Layer.provideMerge(NodeServices.layer)
)
const encoding = Effect.flatMap(features, served).pipe(Effect.provide(imagesLayer({ memory: 0 })))
await Effect.runPromise(
  (record.task === "features" ? encoding : stepping).pipe(Effect.scoped, Effect.provide(around)) as Effect.Effect<void>
)
