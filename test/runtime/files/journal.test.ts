/** The journal: every column of every step, from which any stage can be run again. */
import { assert, describe, it } from "@effect/vitest"
import type { RecordBatch } from "apache-arrow"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cpSync, readdirSync, readFileSync, truncateSync } from "node:fs"
import { join } from "node:path"
import type { Columns } from "../../../src/domain/Columns.ts"
import * as Frame from "../../../src/domain/Frame.ts"
import { train } from "../../../src/programs/train.ts"
import * as Disk from "../../../src/runtime/files/checkpoints.ts"
import * as Journal from "../../../src/runtime/files/journal.ts"
import { Checkpoints, type Identity } from "../../../src/runtime/ports/Checkpoints.ts"
import { read } from "../../../src/stages/read.ts"
import { retrieve } from "../../../src/stages/retrieve.ts"
import { sample } from "../../../src/stages/sample.ts"
import { llmRank } from "../../../src/stages/score.ts"
import type { Stage } from "../../../src/stages/Stage.ts"
import { byPairs, update } from "../../../src/stages/update.ts"
import { joint } from "../../../src/systems/jmlr/layers.ts"
import { studyOptions } from "../../../src/systems/jmlr/study.ts"
import { folderOf, onDisk } from "../../support/files.ts"
import * as Rows from "../../support/rows.ts"
import * as Tiny from "../../support/tiny.ts"

const batch = (step: number): RecordBatch => Rows.frame(step).batch
const stepsOf = (batches: ReadonlyArray<RecordBatch>) => batches.map((b) => b.getChild("step")!.get(0) as number)

describe("the journal", () => {
  it.live("gives back its batches in the order of their steps", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* Journal.write(folder, 9, 11, [batch(9), batch(10)])
      yield* Journal.write(folder, 8, 9, [batch(8)])
      yield* Journal.write(folder, 11, 12, [batch(11)])
      const batches = yield* Journal.read(folder)
      assert.deepStrictEqual(stepsOf(batches), [8, 9, 10, 11])
      assert.deepStrictEqual(stepsOf([(yield* Journal.last(folder))!]), [11])
      const back = Frame.fromBatch(Rows.frame().columns, batches[1]!)
      assert.deepStrictEqual(Rows.blocks(back), Rows.blocks(Rows.frame(9)))
    })))
  it.live("forgets a step and all after it, to be written again otherwise", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* Journal.truncate(folder, 0)
      yield* Journal.write(folder, 0, 2, [batch(0), batch(1)])
      yield* Journal.write(folder, 2, 3, [batch(2)])
      yield* Journal.write(folder, 3, 4, [batch(3)])
      yield* Journal.truncate(folder, 2)
      yield* Journal.write(folder, 2, 4, [batch(2), batch(3)])
      assert.deepStrictEqual(stepsOf(yield* Journal.read(folder)), [0, 1, 2, 3])
      yield* Journal.truncate(folder, 1)
      assert.deepStrictEqual(stepsOf(yield* Journal.read(folder)), [0])
    })))
  it.live("that is damaged is told by file", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      yield* Journal.write(folder, 0, 1, [batch(0)])
      const [name] = readdirSync(join(folder, "journal"))
      truncateSync(join(folder, "journal", name!), 100)
      assert.strictEqual((yield* Effect.flip(Journal.read(folder))).path, join(folder, "journal", name!))
    })))
})

/** A run of nine steps that keeps every third, with its settings. */
const studied = Effect.gen(function*() {
  const folder = yield* Tiny.folder
  const config = yield* Tiny.settings(folder, { max_steps: 9, save_steps: 3, save_total_limit: 9, refresh_index: 5 })
  const layer = joint(config).pipe(Layer.provideMerge(Disk.layer(config)), Layer.provideMerge(Tiny.surroundings))
  yield* train(config, () => Tiny.questions, { resume: false }).pipe(Effect.provide(layer, { local: true }))
  return { config, folder, batches: yield* Journal.read(config.output_dir) }
})

/** Runs a stage from nothing but the columns it needs, and compares with what the journal says it added. */
const again = Effect.fnUntraced(function*<I extends Columns, O extends Columns, E, R>(
  stage: Stage<I, O, E, R>,
  journal: RecordBatch
) {
  const needs = Frame.fromBatch(stage.needs, journal)
  const rows = Rows.blocks(yield* stage.run(Frame.make(needs.rows, stage.needs, Rows.blocks(needs))))
  const kept = Rows.blocks(Frame.fromBatch(stage.adds, journal))
  for (const name of Object.keys(stage.adds)) assert.deepStrictEqual(rows[name], kept[name], `${stage.name} ${name}`)
})

describe("a stage", () => {
  it.live(
    "gives the same columns when it is run again from the journal, with the weights of the step",
    () =>
      onDisk(Effect.gen(function*() {
        const { batches, config, folder } = yield* studied
        assert.deepStrictEqual(stepsOf(batches), [0, 1, 2, 3, 4, 5, 6, 7, 8])
        const options = studyOptions(config)
        for (const step of [3, 6]) {
          const alone = join(folder, `only-${step}`)
          const kept = `checkpoint-${step}`
          cpSync(join(config.output_dir, kept), join(alone, kept), { recursive: true })
          const { run } = JSON.parse(readFileSync(join(alone, kept, "trainer_state.json"), "utf8")) as { run: Identity }
          const layer = joint(config).pipe(
            Layer.provideMerge(Disk.layer({ ...config, output_dir: alone })),
            Layer.provideMerge(Tiny.surroundings)
          )
          yield* Effect.gen(function*() {
            assert.strictEqual((yield* (yield* Checkpoints).restore(run))!.step, step)
            const journal = batches[step]!
            yield* again(llmRank(options.m, options), journal)
            yield* again(sample(options), journal)
            yield* again(retrieve(options), journal)
            yield* again(read(options.m, options), journal)
            yield* again(update(byPairs(options.m, options.c, options)), journal)
          }).pipe(Effect.provide(layer, { local: true }))
        }
      })),
    20_000
  )
})
