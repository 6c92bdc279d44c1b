/** A report of a run on preferences, which has no test questions: its curves alone. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { collect } from "../../src/programs/reporting/collect.ts"
import { run } from "../../src/programs/run.ts"
import { lead } from "../../src/report/page/lead.ts"
import { pageOf } from "../../src/report/page/page.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { decode } from "../../src/systems/all.ts"
import { folderOf, onDisk } from "../support/files.ts"
import { options } from "../support/reported.ts"
import * as Texts from "../support/texts.ts"

it.live("a run on preferences has margins by step, and no answers", () =>
  onDisk(Effect.gen(function*() {
    const folder = yield* folderOf(Texts.rowFiles)
    mkdirSync(join(folder, "model"))
    for (const [name, content] of Object.entries(Texts.modelFiles)) writeFileSync(join(folder, "model", name), content)
    const of = (name: string) => join(folder, name)
    const paths = { train_file: of("pairs.jsonl"), reader_name_or_path: of("model"), output_dir: of("dpo") }
    const config = yield* decode("test", { ...Texts.settings("dpo"), ...paths, max_steps: 3 })
    const layers = Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent)
    const report = yield* Effect.andThen(run(config, false), collect([of("dpo")], options)).pipe(
      Effect.provide(layers, { local: true })
    )
    assert.deepStrictEqual(report.damaged, [])
    const margins = report.arms[0]!.runs[0]!.curves.find(({ figure }) => figure === "rewards/margins")!
    assert.strictEqual(margins.values.length, 3)
    assert.strictEqual(lead(report).headline, "No arm is evaluated yet")
    const { html } = yield* Effect.promise(() => pageOf(report, "x.files"))
    assert.include(html, "Rewards/margins by step")
    assert.notInclude(html, "id=\"list\"")
  })), 60_000)
