/** A run in float16 tells which updates it skipped: as it goes, when it is kept, and in its folder. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Progress, Reporter } from "../../src/runtime/ports/Reporter.ts"
import { onDisk } from "../support/files.ts"
import { run, STEPS } from "../support/run.ts"
import * as Tiny from "../support/tiny.ts"

/** What a run of the variant says. */
const told = Effect.fnUntraced(function*(folder: string, kind: string) {
  const [notes, reports] = [new Array<string>(), new Array<Progress>()]
  const reporter = Layer.succeed(Reporter, {
    report: (progress) => Effect.sync(() => void reports.push(progress)),
    note: (line) => Effect.sync(() => void notes.push(line))
  })
  const out = join(folder, `${kind}-told`)
  yield* run(folder, out, Layer.merge(reporter, NodeFileSystem.layer))
  return { notes, reports, trained: JSON.parse(readFileSync(join(out, "trained.json"), "utf8")) }
})

describe("a run in float16", () => {
  it.live("tells how many updates were skipped, and the loss scale", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* Tiny.weighted
      const { notes, reports, trained } = yield* told(folder, "halves")
      const { readerLossScale, readerSkipped, retrieverSkipped } = reports.at(-1)!.figures
      assert.isAbove(readerSkipped!, 0)
      assert.strictEqual(readerLossScale, 65536 / 2 ** readerSkipped!)
      assert.deepStrictEqual(trained.skipped, { retriever: retrieverSkipped, reader: readerSkipped })
      assert.include(
        notes,
        `reader: ${readerSkipped} of ${STEPS} updates skipped, gradients not finite in float16; loss scale now ${readerLossScale}`
      )
    })), 60_000)
})

describe("a run in float32", () => {
  it.live("says nothing of it", () =>
    onDisk(Effect.gen(function*() {
      const { notes, reports, trained } = yield* told(yield* Tiny.weighted, "runs")
      assert.deepStrictEqual(Object.keys(reports.at(-1)!.figures), ["retrieverLoss", "readerLoss"])
      assert.notMatch(notes.join("\n"), /skipped|loss scale/)
      assert.notProperty(trained, "skipped")
    })), 60_000)
})
