/**
 * LoRA steps on request: one line in, one line of JSON out. The folder has the model; first it is given what the peer
 * starts from too: the adapter as PEFT has it, and the batch.
 *
 *     node bench/peers/lora_ours.ts --record FOLDER [--setting plain|release|qlora] [--threads 2] [--length 512]
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import * as Key from "../../src/domain/Key.ts"
import { readerOf } from "../../src/domain/settings/models.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import * as Learner from "../../src/runtime/engine/Learner.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeFile } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as Graphs from "../../src/runtime/language/graphs.ts"
import { learnerPart } from "../../src/runtime/models/checkpointPart.ts"
import * as Model from "../../src/runtime/models/load.ts"
import { loraOf } from "../../src/runtime/models/lora.ts"
import { quantisationOf } from "../../src/runtime/models/quantisation.ts"
import { describe, groupsOf, learningOf, optimizerOf } from "../../src/runtime/models/training.ts"
import { decode, presets } from "../../src/systems/jmlr/settings.ts"
import { peak, say } from "./measured.ts"

const { values: options } = parseArgs({
  options: {
    record: { type: "string", default: "" },
    setting: { type: "string", default: "plain" },
    threads: { type: "string", default: "2" },
    length: { type: "string", default: "512" }
  }
})
const [rows, length, answer] = [2, Number(options.length), 16]

/**
 * Adapters of all linear maps; as JMLR's release has them: wide, with dropout, the head's too, embeddings and norms in full; or
 * those of all linear maps on a base of 4 bits.
 */
const settings: Readonly<Record<string, Raw>> = {
  plain: { lora_r: 16, lora_alpha: 32 },
  qlora: { lora_r: 16, lora_alpha: 32, quantization: "int4" },
  release: Object.fromEntries(Object.entries(presets.release).filter(([key]) => /^lora|^modules_to_save/.test(key)))
}

/** Texts of one length, of which the end is the answer. */
const batch = (vocabulary: number) => {
  const key = Key.make(7)
  const ids = Int32Array.from({ length: rows * length }, (_, i) => 3 + Key.integer(key, i, vocabulary - 3))
  const at = Array.from({ length: rows * answer }, (_, i) => {
    const row = Math.floor(i / answer)
    return row * length + length - answer - 1 + i % answer
  })
  return {
    ids,
    positions: ids.map((_, i) => i % length),
    branches: new Int32Array(ids.length),
    rows: Int32Array.from(at),
    targets: Int32Array.from(at, (row) => ids[row + 1]!),
    weights: new Float32Array(at.length).fill(1 / at.length)
  }
}

const serve = Effect.gen(function*() {
  const folder = join(options.record, "base")
  const run = yield* decode("bench", {
    output_dir: "-",
    passages_file: "-",
    retriever_name_or_path: "-",
    reader_name_or_path: folder,
    max_steps: 1000,
    learning_rate: 1e-4,
    lr_scheduler_type: "constant",
    warmup_steps: 0,
    ...settings[options.setting]
  })
  const config = yield* decodeFile(join(folder, "config.json"), decodeDecoder)
  const { based, module, weights } = yield* Model.load(
    { folder, config, rows: config.vocab_size, adapter: undefined },
    causalLm,
    {
      seed: 3,
      lora: loraOf(readerOf(run)),
      learns: () => true,
      quantisation: quantisationOf(readerOf(run)),
      slots: optimizerOf(run).slots,
      task: "CAUSAL_LM"
    }
  )
  const adapter = join(options.record, "adapter")
  mkdirSync(adapter)
  const part = learnerPart(weights, undefined, { based, files: [] }).save()
  writeFileSync(join(adapter, "adapter_model.safetensors"), Safetensors.encode(part.weights))
  for (const [name, text] of part.files) writeFileSync(join(adapter, name), text)
  const data = batch(config.vocab_size)
  const { adam_beta1, adam_beta2, adam_epsilon, learning_rate, max_grad_norm, weight_decay } = run
  const optimizer = { adam_beta1, adam_beta2, adam_epsilon, learning_rate, max_grad_norm, weight_decay }
  writeFileSync(
    join(options.record, "record.json"),
    JSON.stringify({ rows, length, answer, ids: [...data.ids], optimizer })
  )

  const learning = learningOf(run, weights)
  const learner = yield* Learner.make({
    name: "reader",
    weights,
    optimizer: learning.optimizer,
    groups: groupsOf(run, run.learning_rate),
    lesson: ([supervised]: [number]) =>
      Graphs.lesson(module, { ...learning, shape: { rows, length, supervised }, shifted: false })
  })
  const step = Effect.suspend(() =>
    learner.learn([{ key: [rows * answer], batch: { ...data, key: Int32Array.of(learner.updates()) } }])
  )
  const began = performance.now()
  yield* step
  const { groups } = describe("reader", weights, 0)
  const count = (own: typeof groups) => own.reduce((sum, { parameters }) => sum + parameters, 0)
  say({
    parameters: count(groups),
    trainable: count(groups.filter((group) => group.trainable)),
    firstStep: (performance.now() - began) / 1000,
    startPeak: peak()
  })
  const once = Effect.gen(function*() {
    const [before, start] = [process.cpuUsage(), performance.now()]
    const [report] = yield* step
    const { system, user } = process.cpuUsage(before)
    say({
      seconds: (performance.now() - start) / 1000,
      cpu: (user + system) / 1e6,
      loss: report!["loss"]![0],
      peak: peak()
    })
  })
  const asked = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), String)
  yield* Stream.runForEach(asked, () => once)
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.mergeAll(NodeFileSystem.layer, cpu({ threads: Number(options.threads) }), logger))
)

await Effect.runPromise(serve)
