/** A report of runs with pictures: side by side, each once, within a bound, with what each passage leads to. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { experiment } from "../../src/programs/experiments/experiment.ts"
import { collect, type ReportOptions } from "../../src/programs/reporting/collect.ts"
import { picturesOf } from "../../src/programs/reporting/pictures.ts"
import { pageOf } from "../../src/report/page/page.ts"
import { shownOf } from "../../src/report/page/questions.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { decode } from "../../src/runtime/pictures/decode.ts"
import { thumbnail } from "../../src/runtime/pictures/thumbnail.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { browserPath, startBrowser } from "../support/browser.ts"
import { prepare } from "../support/cli.ts"
import { planOf, writeFiles } from "../support/jomed.ts"
import { options } from "../support/reported.ts"
import { checkPictures } from "./pageChecks.ts"

const services = Layer.mergeAll(cpu({ threads: 1 }), silent, NodeServices.layer)
const quiet = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof services>>) =>
  Effect.runPromise(
    effect.pipe(Effect.provide(services), Effect.provideService(References.MinimumLogLevel, "None"))
  )

let folder: string
beforeAll(async () => {
  folder = await prepare()
  const arms = { frozen: { max_steps: 0 }, joint: { max_steps: 6, lr_retriever: 1, head_weight: 1, exclude: [] } }
  const run = Effect.gen(function*() {
    yield* writeFiles(folder)
    yield* experiment(yield* planOf(folder, arms), "plan.yaml", { output_dir: join(folder, "runs") })
  })
  await quiet(run)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const reportOf = (own: Partial<ReportOptions> = {}) => quiet(collect([join(folder, "runs")], { ...options, ...own }))

describe("a report with pictures", () => {
  it("has each picture once, of questions and of the passages found, and what each of these leads to", async () => {
    const report = await reportOf()
    assert.deepStrictEqual(report.damaged, [])
    const { data, passages, questions } = report.pictures
    // The questions ask with pictures of the memory: 5 pictures in all.
    assert.strictEqual(new Set(data).size, data.length)
    assert.isAtMost(data.length, 5)
    assert.deepStrictEqual([...questions.keys()].toSorted(), ["q3", "q4"])
    assert.strictEqual(questions.get("q3"), passages.get("p3") ?? questions.get("q3"))
    const { pictured, questions: shown } = shownOf(report)
    for (const { picture, runs } of shown) {
      assert.match(data[picture!]!, /^data:image\/webp;base64,/)
      for (const { alone, before, top } of runs) {
        assert.deepStrictEqual(Object.keys(alone!).toSorted(), top.slice(0, 2).map(([id]) => id).toSorted())
        for (const [id] of [...top, ...before?.top ?? []]) assert.isDefined(pictured[id], id)
      }
    }
    const { html } = await pageOf(report, "x.files")
    assert.include(html, "img-src data:;")
    for (const uri of data) assert.strictEqual(html.split(uri).length, 2, "each picture stands in the page once")
  })
  it("keeps a small picture to the bit, and makes a large one small", async () => {
    const path = join(import.meta.dirname, "../golden/pictures/rgb.png")
    const { picture } = await quiet(decode(readFileSync(path), path))
    const whole = await quiet(Effect.flatMap(thumbnail(picture, 128, path), (bytes) => decode(bytes, "small")))
    if (Math.max(picture.width, picture.height) <= 64) assert.deepStrictEqual(whole.picture.data, picture.data)
    const large = { width: 300, height: 100, channels: 3 as const, data: new Uint8Array(90_000).fill(77) }
    const { picture: small } = await quiet(
      Effect.flatMap(thumbnail(large, 128, "large"), (bytes) => decode(bytes, "small"))
    )
    assert.deepStrictEqual([small.width, small.height], [128, 43])
    assert.closeTo(small.data[0]!, 77, 2)
  })
  it("leaves out what goes beyond the bound, and tells how many", async () => {
    const all = (await reportOf()).pictures
    const report = await reportOf({ pictures: all.data[0]!.length + all.data[1]!.length })
    assert.strictEqual(report.pictures.data.length, 2)
    assert.isAbove(report.pictures.left, 0)
    assert.include((await pageOf(report, "x")).html, `${report.pictures.left} pictures are left out, as`)
    const none = await reportOf({ pictures: 0 })
    assert.deepStrictEqual([none.pictures.data, none.pictures.questions.size], [[], 0])
    assert.isUndefined(shownOf(none).questions[0]!.picture)
  })
  it("tells of pictures that are not there any more", async () => {
    const { arms, shown, texts } = await reportOf()
    const [run] = arms[0]!.runs
    const gone = { ...texts, images: new Map([...texts.images.keys()].map((id) => [id, join(folder, `${id}.png`)])) }
    const found = await quiet(picturesOf(run!.config, arms, shown, gone, { most: 1e6, passages: 5 }))
    assert.strictEqual(found.passages.size, 0)
    assert.strictEqual(found.questions.size, 2)
    assert.match(found.told.join(), /^\d pictures cannot be shown \(first: .*\.png: there is no such picture\)$/)
  })
})

describe.skipIf(browserPath === undefined)("pictures in Chromium", () => {
  it("stand side by side in both themes and on a phone", async () => {
    const { html } = await pageOf(await reportOf(), "x.files")
    const page = join(folder, "browser.html")
    writeFileSync(page, html)
    const browser = await startBrowser()
    try {
      await checkPictures(browser, page)
    } finally {
      await browser.close()
    }
  }, 180_000)
})
