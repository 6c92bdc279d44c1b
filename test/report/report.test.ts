/** A report of a tiny experiment: what it says, in how many words, and what it leaves out; and of runs that are damaged. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { collect, type ReportOptions } from "../../src/programs/reporting/collect.ts"
import { filesFolder, trecFiles, writeReport } from "../../src/programs/reporting/files.ts"
import { classified, influences } from "../../src/programs/reporting/statistics.ts"
import { lead } from "../../src/report/page/lead.ts"
import { pageOf } from "../../src/report/page/page.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { browserPath, startBrowser } from "../support/browser.ts"
import { anamnesis } from "../support/cli.ts"
import { hostile } from "../support/hostile.ts"
import { experimented, options } from "../support/reported.ts"
import { checkPage } from "./pageChecks.ts"

let folder: string
beforeAll(async () => {
  folder = await experimented()
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const services = Layer.merge(NodeServices.layer, cpu({ threads: 1 }))
const quiet = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof services>>) =>
  Effect.runPromise(
    effect.pipe(Effect.provide(services), Effect.provideService(References.MinimumLogLevel, "None"))
  )
const reportOf = (args: ReadonlyArray<string>, own: Partial<ReportOptions> = {}) =>
  quiet(collect(args.map((path) => path.replaceAll("@", folder)), { ...options, ...own }))
const refused = (args: ReadonlyArray<string>, own: Partial<ReportOptions> = {}) =>
  quiet(Effect.flip(collect(args.map((path) => path.replaceAll("@", folder)), { ...options, ...own })))
/** A copy of the experiment that a test may damage. */
const copied = (name: string) => {
  cpSync(join(folder, "experiment"), join(folder, name), { recursive: true })
  return (path: string) => join(folder, name, path)
}
const dataOf = (page: string) =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!) as {
    readonly questions: ReadonlyArray<
      { readonly id: string; readonly text: string; readonly runs: ReadonlyArray<object> }
    >
    readonly passages: Readonly<Record<string, string>>
  }

describe("a report of an experiment", () => {
  it("compares its arms over the seeds of both", async () => {
    const report = await reportOf(["@/experiment"])
    assert.deepStrictEqual(report.arms.map(({ name, runs }) => [name, runs.map(({ seed }) => seed)]), [
      ["frozen", [1, 2]],
      ["joint", [1, 2]]
    ])
    const [base, other] = report.compared.filter(({ figure }) => figure === "accuracy")
    assert.deepStrictEqual([base!.questions, base!.groups, base!.against], [12, 3, undefined])
    assert.deepStrictEqual(other!.against!.seeds, [1, 2])
    assert.closeTo(other!.against!.difference.mean, other!.mean - base!.mean, 1e-12)
    assert.isNumber(report.compared.find(({ arm, figure }) => arm === "joint" && figure === "mrr@100")!.before)
    assert.deepStrictEqual(report.calibrations.map(({ arm, questions }) => [arm, questions]), [["frozen", 12], [
      "joint",
      12
    ]])
    const curves = report.arms[1]!.runs[0]!.curves.map(({ figure, values }) => [figure, values.length])
    assert.deepStrictEqual(curves.map(([, steps]) => steps), curves.map(() => 3))
    assert.includeMembers(curves.map(([figure]) => figure), ["retriever loss", "reader loss", "reader learning rate"])
    assert.deepStrictEqual(report.damaged, [])
  })

  it("tells what passages and orders of options do, where evaluations have kept it", async () => {
    const report = await reportOf(["@/experiment"])
    const answered = report.arms[0]!.runs.flatMap(({ evaluated }) => evaluated!.answered)
    const all = answered.flatMap(({ influence }) => influence)
    assert.strictEqual(all.length, 24)
    // The first passage is gold where it is made so.
    const [first] = answered
    const made = influences([
      {
        name: "a",
        runs: [{
          ...report.arms[0]!.runs[0]!,
          evaluated: {
            ...report.arms[0]!.runs[0]!.evaluated!,
            answered: [{ ...first!, gold: [first!.influence[0]!.id] }]
          }
        }]
      }
    ])
    assert.deepStrictEqual(made.map(({ alone, beside, kind, passages }) => [kind, passages, alone.mean, beside.mean]), [
      ["gold", 1, first!.influence[0]!.alone, first!.influence[0]!.beside],
      ["other", 1, first!.influence[1]!.alone, first!.influence[1]!.beside]
    ])
    assert.strictEqual(report.influences.reduce((sum, own) => sum + own.passages, 0), 24)
    for (const own of answered) {
      assert.deepStrictEqual(own.influence.map(({ id }) => id), own.top.slice(0, 2).map(([id]) => id))
      assert.strictEqual(own.orderAnswers[0], own.predictionIndex)
      assert.strictEqual(own.orderAnswers.length, Math.min(3, own.options.length === 2 ? 2 : 3))
      assert.strictEqual(own.orderDependent, new Set(own.orderAnswers).size > 1 ? 1 : 0)
      const best = own.optionProbabilities.indexOf(Math.max(...own.optionProbabilities))
      assert.strictEqual(own.debiased, best === own.answerIndex ? 1 : 0)
    }
    const figure = report.compared.find((own) => own.figure === "order_dependent")!
    assert.strictEqual(figure.mean, answered.filter(({ orderDependent }) => orderDependent === 1).length / 12)
    const { files, html } = await pageOf(report, "x.files")
    assert.include(html, "Orders of options")
    assert.include(html, "What passages do to the right answer")
    assert.notInclude(html, "passage_influence: true")
    assert.include(files.map(({ name }) => name), "tables/influence.csv")
  })
  it("tells how classes are predicted, where all questions have the same options", async () => {
    const report = await reportOf(["@/experiment"])
    assert.deepStrictEqual(report.classified, [])
    const [run] = report.arms[0]!.runs
    const asked = (right: number, given: number, no: number, turned = false) => {
      const nll = [-Math.log(no), -Math.log(1 - no)]
      const at = (i: number) => turned && i >= 0 ? 1 - i : i
      return Object.assign({}, run!.evaluated!.answered[0]!, {
        options: turned ? ["yes", "no"] : ["no", "yes"],
        answerIndex: at(right),
        predictionIndex: at(given),
        optionNll: turned ? nll.toReversed() : nll,
        correct: right === given ? 1 as const : 0 as const,
        group: `g${right}${given}${no}`
      })
    }
    const answered = [
      asked(0, 0, 0.9),
      asked(0, 1, 0.4),
      asked(1, 1, 0.2, true),
      asked(1, -1, 0.6),
      asked(0, 0, 0.8, true)
    ]
    const arms = [{ name: "a", runs: [{ ...run!, evaluated: { ...run!.evaluated!, answered } }] }]
    const [own] = classified(arms)
    assert.deepStrictEqual([own!.questions, own!.classes], [5, ["no", "yes"]])
    // no: found 2 of 3, precision 2 of 2; yes: found 1 of 2, precision 1 of 2.
    assert.closeTo(own!.macroF1.mean, (2 * 2 / (2 + 3) + 2 * 1 / (2 + 2)) / 2, 1e-12)
    assert.closeTo(own!.balanced.mean, (2 / 3 + 1 / 2) / 2, 1e-12)
    // yes is likelier by .8 and .4 where it is right, .1, .6 and .2 where it is not: 5 of 6 pairs in order.
    assert.closeTo(own!.auc!.mean, 5 / 6, 1e-12)
    assert.isTrue(own!.auc!.low! <= 5 / 6 && own!.auc!.high! <= 1)
  })
  it("chooses the base, and refuses one that is not there", async () => {
    assert.strictEqual((await reportOf(["@/experiment"], { base: "joint" })).base, "joint")
    assert.match(
      (await refused(["@/experiment"], { base: "joined" })).message,
      /no arm is named joined; there are frozen, joint/
    )
  })

  it("keeps what users wrote as text, wherever it stands", async () => {
    const hostileName = await reportOf(["@/experiment", `${hostile.replaceAll("=", "")}=@/experiment/seed-1/frozen`])
    const { html } = await pageOf(hostileName, "x.files")
    assert.notMatch(html, /<script>globalThis|<img/)
    assert.strictEqual(html.match(/<script/g)!.length, 2)
    const { passages, questions } = dataOf(html)
    assert.include(passages["p0"], hostile)
    assert.isTrue(questions.find(({ id }) => id === "q0")!.text.endsWith("</script>"))
  })

  it("shows no more questions than it may, and tells of the others", async () => {
    const { html } = await pageOf(await reportOf(["@/experiment"], { maxQuestions: 2 }), "x.files")
    assert.strictEqual(dataOf(html).questions.length, 2)
    assert.include(html, "2 of 6 questions are in this page")
    const none = await pageOf(await reportOf(["@/experiment"], { maxQuestions: 0 }), "x.files")
    assert.notInclude(none.html, "id=\"list\"")
  })

  it("leaves out texts that are no longer those that were evaluated", async () => {
    const { damaged, texts } = await reportOf(["@/experiment"], {
      overrides: { passages_file: join(folder, "others.jsonl"), corpus_in_memory: 1 }
    })
    assert.strictEqual(texts.passages.size, 0)
    assert.match(damaged.join(), /texts of questions and passages are left out: .*others\.jsonl: there is no such file/)
    const passages = readFileSync(join(folder, "passages.jsonl"), "utf8").replace("Gaucher", "Gauchers")
    writeFileSync(join(folder, "changed.jsonl"), passages)
    const changed = await reportOf(["@/experiment"], { overrides: { passages_file: join(folder, "changed.jsonl") } })
    assert.deepStrictEqual([changed.texts.passages.size, changed.texts.questions.size], [0, 6])
    assert.match(
      changed.damaged[0]!,
      /The texts of passages are left out: .*passages\.jsonl, as the run's settings read it, is not what was/
    )
  })

  it("matches tokens whose similarities sum to the score that was kept", async () => {
    const { arms, damaged, matches } = await reportOf(["@/experiment"], { matches: 2 })
    assert.deepStrictEqual(damaged, [])
    assert.deepStrictEqual(matches.map(({ arm, questions, seed }) => [arm, seed, questions.size]), [
      ["frozen", 1, 2],
      ["joint", 1, 2]
    ])
    for (const [i, { questions }] of matches.entries()) {
      for (const { id, top } of arms[i]!.runs[0]!.evaluated!.answered.filter(({ id }) => questions.has(id))) {
        const { passages, tokens } = questions.get(id)!
        assert.strictEqual(passages.size, 5)
        for (const [passage, score] of top.filter(([own]) => passages.has(own))) {
          const { best, similarity, tokens: own } = passages.get(passage)!
          assert.closeTo(similarity.reduce((a, b) => a + b, 0), score, 1e-3)
          assert.strictEqual(best.length, tokens.length)
          assert.isTrue(best.every((place) => place >= 0 && place < own.length))
        }
      }
    }
  })

  it("tells where there are no tokens to match", async () => {
    const at = copied("rewritten")
    const path = at("seed-1/joint/checkpoint-3/trainer_state.json")
    writeFileSync(path, `${readFileSync(path, "utf8")} `)
    const metrics = at("seed-1/joint/eval-test/metrics.json")
    writeFileSync(metrics, readFileSync(metrics, "utf8").replaceAll("/experiment/", "/rewritten/"))
    const { damaged, matches } = await reportOf(["@/rewritten"], { matches: 1 })
    assert.deepStrictEqual(matches.map(({ arm }) => arm), ["frozen"])
    assert.match(
      damaged.join(),
      /joint, seed 1: matches of tokens are left out: .*checkpoint-3 is not there any more, or/
    )
  })

  it("says what runs cost by a plan, and refuses a plan of another arm", async () => {
    const plan = {
      steps: 3,
      stepSize: 2,
      probe: { work: [{ flops: 10 }, { flops: 5 }], index: { flops: 100, times: 2 } }
    }
    writeFileSync(join(folder, "plan.json"), JSON.stringify(plan))
    const { flops } = await reportOf(["@/experiment"], { plans: { joint: join(folder, "plan.json") } })
    assert.deepStrictEqual([...flops], [["joint", 290]])
    assert.match((await refused(["@/experiment"], { plans: { other: "x" } })).message, /--plan: no arm is named other/)
  })

  it("lies on disk with its files, and overwrites nothing but a report", async () => {
    const report = await reportOf(["@/experiment"])
    const page = join(folder, "out", "r.html")
    const { files, html } = await pageOf(report, basename(filesFolder(page)))
    await quiet(writeReport(page, html, [...files, ...trecFiles(report)]))
    const beside = await quiet(writeReport(page, html, [...files, ...trecFiles(report)]))
    const csv = readFileSync(join(beside, "tables/accuracy.csv"), "utf8")
    assert.match(csv, /^arm,figure,seeds,.*\r\nfrozen,accuracy,1 2,12,3,/)
    const spec = JSON.parse(readFileSync(join(beside, "charts/recall-chart.vl.json"), "utf8")) as Record<
      string,
      unknown
    >
    assert.match(String(spec["$schema"]), /vega-lite/)
    const run = readFileSync(join(beside, "trec/1-frozen-seed-1.run.trec"), "utf8")
    assert.strictEqual(run, readFileSync(join(folder, "experiment/seed-1/frozen/eval-test/run.trec"), "utf8"))
    writeFileSync(join(folder, "mine.html"), "<p>mine")
    const error = await quiet(Effect.flip(writeReport(join(folder, "mine.html"), html, [])))
    assert.match(error.message, /mine\.html: is there already and is no report/)
    assert.strictEqual(readFileSync(join(folder, "mine.html"), "utf8"), "<p>mine")
    rmSync(page)
    assert.match((await quiet(Effect.flip(writeReport(page, html, [])))).message, /r\.files: is there already/)
    assert.isTrue(existsSync(beside))
  })
})

describe("a report of runs", () => {
  it("stands for a single one, without a comparison", async () => {
    const report = await reportOf(["@/experiment/seed-2/joint"])
    assert.deepStrictEqual(report.arms.map(({ name, runs }) => [name, runs[0]!.seed]), [["joint", 2]])
    assert.match(
      lead(report).sentences[0]!,
      /^joint: accuracy .* over 6 answers .*There is no other arm to compare with\.$/
    )
  })

  it("tells of unfinished arms, and pairs the seeds that both have", async () => {
    const at = copied("unfinished")
    rmSync(at("seed-2/joint/eval-test"), { recursive: true })
    const report = await reportOf(["@/unfinished"])
    assert.deepStrictEqual(report.compared.find(({ arm }) => arm === "joint")!.against!.seeds, [1])
    const { sentences, unknown } = lead(report)
    assert.match(sentences[0]!, /over seed 1, which both have/)
    assert.match(unknown.join("\n"), /What joint does under seed 2: .*3 of 3 steps are saved/)
    for (const arm of ["frozen", "joint"]) rmSync(at(`seed-1/${arm}/eval-test`), { recursive: true })
    rmSync(at("seed-2/frozen/eval-test"), { recursive: true })
    const bare = await reportOf(["@/unfinished"])
    assert.strictEqual(lead(bare).headline, "No arm is evaluated yet")
    assert.include((await pageOf(bare, "x")).html, "Reader loss by step")
  })

  it("tells what is damaged, or is an error where nothing else is left", async () => {
    const at = copied("damaged")
    const path = at("seed-1/joint/eval-test/predictions.jsonl")
    writeFileSync(path, readFileSync(path, "utf8").replace("\"correct\":", "\"correct\":7,\"was\":"))
    writeFileSync(at("seed-2/joint/settings.json"), "{")
    const report = await reportOf(["@/damaged"])
    const { unknown } = lead(report)
    assert.match(unknown.join("\n"), /predictions\.jsonl, line 1: .*correct/)
    assert.match(unknown.join("\n"), /seed-2\/joint\/settings\.json/)
    assert.deepStrictEqual(report.compared.find(({ arm }) => arm === "joint")!.seeds, [2])
    const error = await refused(["@/damaged/seed-1/joint"])
    assert.strictEqual(error._tag, "ConfigError")
    assert.match(error.message, /predictions\.jsonl, line 1/)
  })

  it("refuses what is no run, and two of the same arm and seed", async () => {
    assert.match((await refused(["@/retriever"])).message, /has no run \(settings\.json\), no evaluation and no seed-N/)
    assert.match((await refused(["@/nowhere"])).message, /nowhere: there is no such folder/)
    const twice = await refused(["@/experiment", "@/experiment/seed-1/joint"])
    assert.match(twice.message, /are both joint, seed 1; give one another name as NAME=FOLDER/)
  })

  it("does not pair arms that were asked other questions", async () => {
    const at = copied("other")
    const path = at("seed-1/joint/eval-test/metrics.json")
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace(/("questions": \{[^}]*"sha256": ")[0-9a-f]{8}/, "$100000000")
    )
    const { compared } = await reportOf(["@/other/seed-1"])
    const joint = compared.find(({ arm }) => arm === "joint")!
    assert.isUndefined(joint.against)
    assert.match(joint.why!, /were evaluated on other questions or passages \(seed 1\)/)
  })
})

describe("the command", () => {
  it("writes the page and says the answer", async () => {
    const said = await anamnesis(folder, [
      "report",
      "experiment",
      "--out",
      "cli.html",
      "--max-questions",
      "1",
      "--json"
    ])
    assert.strictEqual(said.code, 0, said.err)
    const told = JSON.parse(said.out) as Readonly<Record<string, unknown>>
    assert.deepStrictEqual([told["page"], told["files"]], ["cli.html", "cli.files"].map((name) => join(folder, name)))
    const page = readFileSync(join(folder, "cli.html"), "utf8")
    assert.include(page, "For research use; not medical advice.")
    assert.strictEqual(dataOf(page).questions.length, 1)
  })
  it("refuses what makes no sense in a line", async () => {
    const said = await anamnesis(folder, ["report", "experiment", "--passages", "0"])
    assert.deepStrictEqual([said.code, said.out], [1, ""])
    assert.match(
      said.err,
      /^anamnesis: report: --max-questions, --matches and --picture-bytes are 0 or more, --passages is 1 to 20\n$/
    )
    const plan = await anamnesis(folder, ["report", "experiment", "--plan", "joint"])
    assert.match(plan.err, /^anamnesis: --plan: joint is not ARM=FILE\n$/)
  })
})

describe.skipIf(browserPath === undefined)("a report in Chromium", () => {
  it("is quiet, accessible and as wide as the window, in both themes and on a phone", async () => {
    const { html } = await pageOf(await reportOf(["@/experiment"], { matches: 1 }), "x.files")
    const page = join(folder, "browser.html")
    writeFileSync(page, html)
    const browser = await startBrowser()
    try {
      await checkPage(browser, page)
    } finally {
      await browser.close()
    }
  }, 180_000)
})
