/** Training and evaluation on a device of little memory: to the end, with the results of a larger one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { evaluate } from "../../src/programs/evaluation/evaluate.ts"
import { train } from "../../src/programs/train.ts"
import * as Checkpoints from "../../src/runtime/files/checkpoints.ts"
import * as Journal from "../../src/runtime/files/journal.ts"
import { inference, joint } from "../../src/systems/jmlr/layers.ts"
import { onDisk } from "../support/files.ts"
import { type DeviceOptions, smallDevice } from "../support/smallDevice.ts"
import * as Tiny from "../support/tiny.ts"
import { heard } from "../support/warnings.ts"

/** No dropout, which goes by the place in a batch, and updates by the size of a gradient. */
const steady: Raw = {
  adam_epsilon: 0.1,
  learning_rate: 0.1,
  lr_retriever: 0.1,
  per_device_train_batch_size: 4,
  max_steps: 4,
  refresh_index: 2,
  answer_format: "text",
  answer_by: "generation",
  max_new_tokens: 4
}
const folder = Effect.tap(Tiny.folder, (made) =>
  Effect.sync(() => {
    const off = { hidden_dropout_prob: 0, vocab_size: 200 }
    writeFileSync(join(made, "retriever", "config.json"), JSON.stringify({ ...Tiny.encoderConfig, ...off }))
    writeFileSync(join(made, "reader", "config.json"), JSON.stringify({ ...Tiny.decoderConfig, ...off }))
  }))

/** Losses of a run, what its models then answer, and what was seen on the device. */
const whole = Effect.fnUntraced(function*(made: string, out: string, capacity: number, options: DeviceOptions) {
  const device = smallDevice(capacity, options)
  const warnings: Array<string> = []
  const config = yield* Tiny.settings(made, { ...steady, output_dir: join(made, out) })
  const surroundings = Layer.provideMerge(device.layer, Tiny.surroundings)
  const learning = joint(config).pipe(Layer.provideMerge(Checkpoints.layer(config)), Layer.provideMerge(surroundings))
  const { checkpoint } = yield* train(config, () => Tiny.questions, { resume: false }).pipe(
    Effect.provide(learning, { local: true }),
    heard(warnings)
  )
  const losses = (yield* Journal.read(config.output_dir)).flatMap((batch) =>
    ["retrieverLoss", "readerLoss"].flatMap((name) => Array.from(batch.getChild(name)!))
  )
  const models = {
    retriever_name_or_path: join(checkpoint, "retriever"),
    reader_name_or_path: join(checkpoint, "reader")
  }
  const { judged } = yield* evaluate({ ...config, ...models }, Tiny.questions, { read: true, task: "test" }).pipe(
    Effect.provide(inference({ ...config, ...models }).pipe(Layer.provideMerge(surroundings)), { local: true }),
    heard(warnings)
  )
  return { losses, judged, warnings, seen: device.seen, peak: device.peak() }
})

describe("a run on a device of little memory", () => {
  const devices = [
    ["that lacks it for one program", 0.2, {}],
    ["whose programs hold what they have used", 0.3, { arenas: true }]
  ] as const
  it.live.each(devices)("%s ends as on a large one", ([, share, options]) =>
    onDisk(Effect.gen(function*() {
      const made = yield* folder
      const plenty = yield* whole(made, "plenty", Infinity, options)
      const little = yield* whole(made, "little", Math.floor(share * plenty.peak), options)
      assert.deepStrictEqual(plenty.warnings, [])
      const refused = new Set(little.seen.filter(({ fits }) => !fits).map(({ program }) => program.split(" ")[0]))
      assert.isAbove(refused.size, 0)
      assert.isTrue(little.warnings.every((line) => line.includes("memory does not hold")))
      assert.strictEqual(little.losses.length, plenty.losses.length)
      plenty.losses.forEach((loss, i) => assert.closeTo(little.losses[i]!, loss, 1e-4 * Math.max(1, Math.abs(loss))))
      assert.deepStrictEqual(little.judged, plenty.judged)
    })), 120_000)
})
