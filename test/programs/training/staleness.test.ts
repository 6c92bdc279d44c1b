/** A run that measures how stale its index is: what it writes, and that measuring changes nothing that is learned. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { curvesOf } from "../../../src/programs/reporting/curves.ts"
import { train } from "../../../src/programs/train.ts"
import * as Checkpoints from "../../../src/runtime/files/checkpoints.ts"
import * as Journal from "../../../src/runtime/files/journal.ts"
import { Reporter } from "../../../src/runtime/ports/Reporter.ts"
import { joint } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"

const STEPS = 6

/** The losses and the staleness of each step of a run, and its notes. */
const ran = Effect.fnUntraced(function*(folder: string, refresh_index: string | number, lr_retriever = 0.01) {
  const output_dir = join(folder, String(refresh_index).replaceAll(/\W/g, "-"))
  const config = yield* Tiny.settings(folder, { max_steps: STEPS, refresh_index, lr_retriever, output_dir })
  const notes: Array<string> = []
  const listening = Layer.succeed(Reporter, {
    report: () => Effect.void,
    note: (text) => Effect.sync(() => void notes.push(text))
  })
  const layer = joint(config).pipe(
    Layer.provideMerge(Checkpoints.layer(config)),
    Layer.provideMerge(Layer.provideMerge(listening, Tiny.surroundings))
  )
  yield* train(config, () => Tiny.questions, { resume: false }).pipe(Effect.provide(layer, { local: true }))
  const batches = yield* Journal.read(output_dir)
  const of = (name: string) => batches.map((batch) => batch.getChild(name)?.get(0) as number | undefined)
  const losses = batches.flatMap((batch) => Array.from(batch.getChild("retrieverLoss")!) as ReadonlyArray<number>)
  const curves = yield* curvesOf(config, output_dir)
  return { losses, correlation: of("staleCorrelation"), overlap: of("staleOverlap"), curves, notes: notes.join("\n") }
})

const known = (values: ReadonlyArray<number | undefined>) => [...values.keys()].filter((i) => !Number.isNaN(values[i]))

it.live(
  "is told in the journal, changes nothing, and leaves the index where it is fresh enough",
  () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.folder
      const plain = yield* ran(folder, 2)
      assert.deepStrictEqual(plain.correlation, plain.losses.slice(0, STEPS).map(() => undefined))

      const measured = yield* ran(folder, "2 probe 4")
      assert.deepStrictEqual(measured.losses, plain.losses)
      assert.deepStrictEqual([known(measured.correlation), known(measured.overlap)], [[2, 4], [2, 4]])
      for (const i of [2, 4]) {
        assert.isBelow(measured.correlation[i]!, 1)
        assert.isAtLeast(measured.correlation[i]!, -1)
        assert.isTrue(measured.overlap[i]! > 0 && measured.overlap[i]! <= 1)
      }
      assert.match(measured.notes, /before step 3: rank correlation of the index .*; rebuilt, overlap@\d+ [01]\.\d{3}/)
      const curve = measured.curves.find(({ figure }) => figure === "index rank correlation")!
      assert.deepStrictEqual(curve.values.map((value) => value !== null), [false, false, true, false, true, false])

      const strict = yield* ran(folder, "2 probe 4 below 1")
      assert.deepStrictEqual(strict.losses, plain.losses)
      const [never, lax] = [yield* ran(folder, "never"), yield* ran(folder, "2 probe 4 below .0001")]
      assert.deepStrictEqual(lax.losses, never.losses)
      assert.notDeepEqual(never.losses, plain.losses)
      assert.deepStrictEqual([known(lax.correlation), known(lax.overlap)], [[2, 4], []])
      assert.match(lax.notes, /not below 0\.0001: the index is kept/)
    })),
  120_000
)

it.live(
  "is none where nothing was learned: the index has the scores of the present weights",
  () =>
    onDisk(Effect.gen(function*() {
      const { correlation, overlap } = yield* ran(yield* Tiny.folder, "3 probe 6", 1e-12)
      assert.closeTo(correlation[3]!, 1, 1e-6)
      assert.strictEqual(overlap[3], 1)
    })),
  120_000
)
