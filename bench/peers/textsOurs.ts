/**
 * Steps of mode sft or dpo with LoRA on request: one line in, one line of JSON out. The folder has the rows and the adapter.
 *
 *     node bench/peers/textsOurs.ts RECORD [--threads 2]
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import type { TokenRecord } from "../../src/domain/examples/tokens.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Checkpoints from "../../src/runtime/files/checkpoints.ts"
import { LanguageModelLearner, type PreferenceLesson } from "../../src/runtime/ports/LanguageModel.ts"
import { decode } from "../../src/systems/all.ts"
import { frozen, trains } from "../../src/systems/mediphi/layers.ts"
import { pairRows, references, sideOf } from "../../src/systems/mediphi/pairs.ts"
import { textRows } from "../../src/systems/mediphi/rows.ts"
import type { MediphiConfig } from "../../src/systems/mediphi/settings.ts"
import { meanOf, served } from "./served.ts"

const { positionals: [folder], values: options } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" } }
})

interface Record {
  readonly task: "sft" | "dpo"
  readonly model: string
  readonly batch: number
  readonly length: number
  readonly beta: number
  readonly lora: Readonly<{ [name: string]: number }>
  readonly optimizer: Readonly<{ [name: string]: number }>
}
const record = JSON.parse(readFileSync(join(folder!, "record.json"), "utf8")) as Record

const settings = decode("bench", {
  mode: record.task,
  output_dir: join(folder!, "run"),
  reader_name_or_path: join(folder!, "adapter"),
  train_file: join(folder!, "rows.jsonl"),
  max_steps: 1000,
  max_length: record.length,
  lora_r: record.lora["r"]!,
  lora_alpha: record.lora["lora_alpha"]!,
  ...record.optimizer,
  lr_scheduler_type: "constant",
  warmup_steps: 0,
  ...(record.task === "dpo" ? { beta: record.beta } : {}),
  per_device_train_batch_size: record.batch
})

const batchOf = <A>(all: ReadonlyArray<A>, step: number) => all.slice(step * record.batch, (step + 1) * record.batch)

/** The mean loss of a batch's learned tokens. */
const ofTokens = (rows: ReadonlyArray<TokenRecord>) =>
  Effect.map(LanguageModelLearner, (learner) =>
    Effect.fnUntraced(function*(step: number) {
      const own = batchOf(rows, step)
      const { loss } = yield* learner.learnTokens({ rows: own, average: "token" })
      const counts = own.map(({ learned }) => learned.reduce((sum, mark) => sum + mark, 0))
      const total = counts.reduce((sum, count) => sum + count, 0)
      return counts.reduce((sum, count, r) => sum + count * loss[r]!, 0) / total
    }))

/** The mean loss of a batch of preferences, whose references are known. */
const ofPairs = (rows: ReadonlyArray<TokenRecord>, known: ReadonlyArray<readonly [number, number]>) =>
  Effect.map(LanguageModelLearner, (learner) =>
    Effect.fnUntraced(function*(step: number) {
      const lesson: PreferenceLesson = {
        pairs: batchOf(rows, step).map((own) => [sideOf(own, 0), sideOf(own, 1)] as const),
        reference: Float32Array.from(batchOf(known, step).flat())
      }
      return meanOf((yield* learner.prefer(lesson)).loss)
    }))

const serve = Effect.fnUntraced(function*(c: MediphiConfig) {
  const { records } = yield* (c.mode === "dpo" ? pairRows(c) : textRows(c))
  const known = c.mode === "dpo" ? yield* references(records).pipe(Effect.provide(frozen(c))) : []
  const learning = c.mode === "dpo" ? ofPairs(records, known) : ofTokens(records)
  yield* Effect.gen(function*() {
    yield* served(yield* learning)
  }).pipe(Effect.provide(trains(c)))
})

const around = Layer.mergeAll(
  cpu({ threads: Number(options.threads) }),
  logger,
  Layer.unwrap(Effect.map(settings, Checkpoints.layer))
)
  .pipe(Layer.provideMerge(NodeFileSystem.layer))
await Effect.runPromise(
  Effect.flatMap(settings, (c) => serve(c as MediphiConfig)).pipe(Effect.scoped, Effect.provide(around))
)
