/** Runs of a tiny experiment, read with single passages: against their own answers, resumed, judged, refused. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { appendFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { usual } from "../../../src/datasets/vocabulary/vocabulary.ts"
import type { Said } from "../../../src/domain/concepts/support.ts"
import { analyse, type AnalyseOptions, type Analysis } from "../../../src/programs/analysis/analyse.ts"
import { type HallucinationOptions, hallucinations } from "../../../src/programs/analysis/hallucinations.ts"
import { drawnRows } from "../../../src/programs/analysis/readings.ts"
import { collect } from "../../../src/programs/reporting/collect.ts"
import { analysisTable } from "../../../src/report/analysisTable.ts"
import { hallucinationsTable } from "../../../src/report/hallucinationsTable.ts"
import { pageOf } from "../../../src/report/page/page.ts"
import { shownOf } from "../../../src/report/page/questions.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { silent } from "../../../src/runtime/ports/Reporter.ts"
import { judgeOf } from "../../support/judges.ts"
import { experimented, options as reportOptions } from "../../support/reported.ts"
import * as Tiny from "../../support/tiny.ts"

let folder: string
beforeAll(async () => {
  folder = await experimented()
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const services = Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent)
const quiet = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof services>>) =>
  Effect.runPromise(
    effect.pipe(Effect.provide(services), Effect.provideService(References.MinimumLogLevel, "None"))
  )
const options: AnalyseOptions = {
  split: "test",
  passages: 3,
  chance: true,
  judge: undefined,
  classifiers: false,
  overrides: {}
}
/** A copy of the experiment for a test by itself: tests run side by side. */
const copied = (name: string) => {
  cpSync(join(folder, "experiment"), join(folder, name), { recursive: true })
  return name
}
const arm = (name: string, at: string) => ({
  name,
  folders: [1, 2].map((seed) => join(folder, at, `seed-${seed}`, name))
})
const linesOf = (path: string) =>
  readFileSync(path, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Readonly<Record<string, any>>)
const readingsIn = (run: string) => {
  const own = join(run, "analysis-test")
  return join(own, readdirSync(own).find((name) => name.startsWith("readings-"))!)
}

/** A report of analysed runs has the same figures, and what each passage leads to. */
const reported = async (at: string, analysis: Analysis) => {
  const run = [join(folder, at)]
  const report = await quiet(collect(run, { ...reportOptions, base: "joint" }))
  assert.deepStrictEqual(report.damaged, [])
  const [frozen, joint] = report.alone.arms
  const own = ({ arm: _arm, seeds: _seeds, ...figures }: NonNullable<typeof joint>) => figures
  assert.deepStrictEqual([own(joint!), own(frozen!)], analysis.systems.map(({ alone }) => alone!))
  assert.deepStrictEqual(report.alone.onBase, analysis.onFirst)
  const { files, html } = await pageOf(report, "r.files")
  assert.include(html, "Where single passages of joint disagree")
  assert.include(files.map(({ name }) => name), "tables/oracle.csv")
  const shown = shownOf(report).questions[0]!.runs[0]!
  assert.strictEqual(Object.keys(shown.alone!).length, 3)
  // Of predictions that have changed, nothing is told.
  const predictions = join(arm("joint", at).folders[0]!, "eval-test", "predictions.jsonl")
  writeFileSync(predictions, readFileSync(predictions, "utf8").replace("q0", "q9"))
  const other = await quiet(collect(run, { ...reportOptions, base: "joint" }))
  assert.deepStrictEqual(other.alone.arms.map(({ questions }) => questions), [12, 6])
  assert.include(other.damaged.join(), "is of another evaluation than there is now")
}

describe("analyse", () => {
  it("reads each question with each of its passages, and keeps what it read", async () => {
    const at = copied("kept")
    const analysis = await quiet(analyse([arm("joint", at), arm("frozen", at)], options))
    const [joint, frozen] = analysis.systems
    assert.deepStrictEqual([joint!.alone!.questions, joint!.alone!.groups, joint!.alone!.passages], [12, 3, 3])
    assert.strictEqual(frozen!.alone!.questions, 12)
    assert.strictEqual(joint!.alone!.oracle.length, 3)
    assert.strictEqual(joint!.alone!.chance.length, 3)
    assert.isFalse(joint!.alone!.binary)
    const run = arm("joint", at).folders[0]!
    const predictions = linesOf(join(run, "eval-test", "predictions.jsonl"))
    const readings = linesOf(readingsIn(run))
    readings.forEach(({ found, id, random }, q) => {
      assert.strictEqual(id, predictions[q]!["id"])
      assert.deepStrictEqual(found.passages, predictions[q]!["found"].slice(0, 3).map(([passage]: [string]) => passage))
      // joint reads one passage: its own answer is that given the first alone.
      assert.strictEqual(found.verdicts[0], predictions[q]!["predictionIndex"])
      assert.deepStrictEqual(found.optionNll[0], predictions[q]!["optionNll"])
      assert.deepStrictEqual(
        found.right,
        found.verdicts.map((own: number) => own === Tiny.questions[q]!.answerIndex ? 1 : 0)
      )
      assert.strictEqual(new Set(random.passages).size, 3)
    })
    const share = readings.concat(linesOf(readingsIn(arm("joint", at).folders[1]!)))
      .filter(({ found }) => new Set(found.verdicts).size > 1).length / 12
    assert.closeTo(joint!.alone!.inconsistent.mean, share, 1e-12)
    assert.strictEqual(analysis.onFirst[0]!.questions, Math.round(share * 12))
    assert.strictEqual(analysis.onFirst[1]!.questions, Math.round(share * 12))
    assert.match(analysisTable(analysis), /\| joint +\| 3 +\| 0\.\d{3}/)
    await reported(at, analysis)
  }, 60_000)

  it("goes on from what was read", async () => {
    const run = arm("joint", copied("again")).folders[0]!
    await quiet(analyse([arm("joint", "again")], options))
    const path = readingsIn(run)
    const whole = readFileSync(path, "utf8")
    const lines = whole.split("\n")
    writeFileSync(path, `${lines.slice(0, 2).join("\n")}\n`)
    appendFileSync(path, lines[2]!.slice(0, 40))
    await quiet(analyse([arm("joint", "again")], options))
    assert.strictEqual(readFileSync(path, "utf8"), whole)
    // Other conditions are other files.
    await quiet(analyse([arm("joint", "again")], { ...options, passages: 2, chance: false }))
    assert.strictEqual(
      readdirSync(join(run, "analysis-test")).filter((name) => name.startsWith("readings-")).length,
      2
    )
    writeFileSync(path, "{}\n")
    const error = await quiet(Effect.flip(analyse([arm("joint", "again")], options)))
    assert.include(error.message, "is no line of readings; remove the file")
  }, 60_000)

  it("goes by a judge where passages disagree, and by none that it does not name", async () => {
    const at = copied("judged")
    const one = judgeOf(() => "{\"passage\": 1}")
    const by = (judge: ReturnType<typeof judgeOf>["judge"]) => quiet(analyse([arm("joint", at)], { ...options, judge }))
    const first = (await by(one.judge)).systems[0]!.alone!
    const named = (name: string) => first.rerankers.find((own) => own.name === name)!.accuracy.mean
    assert.strictEqual(named("judge"), named("score"))
    assert.strictEqual(one.asked.length, Math.round(first.inconsistent.mean * 12))
    assert.match(one.asked[0]!, /1\. .*\n\n2\. .*\n\n3\. /s)
    const none = (await by(judgeOf(() => "{\"passage\": 9}").judge)).systems[0]!.alone!
    const there = none.rerankers.find(({ name }) => name === "judge")!.there
    assert.strictEqual(there!.mean, 0)
  }, 60_000)

  it("is refused where there is nothing to compare, or not what was evaluated", async () => {
    const at = copied("refused")
    const said = async (...given: Parameters<typeof analyse>) => (await quiet(Effect.flip(analyse(...given)))).message
    assert.include(await said([arm("joint", at), arm("joint", at)], options), "two systems are named joint")
    assert.include(await said([{ name: "x", folders: [folder] }], options), "holds no run")
    assert.include(await said([arm("joint", at)], { ...options, passages: 1 }), "one passage cannot disagree")
    const [one] = arm("joint", at).folders
    assert.include(
      await said([arm("joint", at), { name: "b", folders: [one!] }], options),
      "one is wanted for each seed"
    )
    assert.include(
      await said([arm("joint", at)], { ...options, split: "train" }),
      "has no evaluation of its train questions"
    )
    writeFileSync(
      join(folder, "fewer.jsonl"),
      Tiny.questions.slice(1).map((own) => `${JSON.stringify(own)}\n`).join("")
    )
    const overrides = { test_file: join(folder, "fewer.jsonl") }
    assert.include(
      await said([arm("joint", at)], { ...options, overrides }),
      "was made of other questions than there are now"
    )
  }, 60_000)

  it("draws as many different passages for a question, whatever else is asked", () => {
    assert.deepStrictEqual(drawnRows(1, "q", 3, 100), drawnRows(1, "q", 5, 100).slice(0, 3))
    assert.deepStrictEqual(drawnRows(1, "q", 9, 4).toSorted(), [0, 1, 2, 3])
    assert.notDeepEqual(drawnRows(1, "q", 3, 1000), drawnRows(1, "r", 3, 1000))
  })
})

/** Predictions of a run with other texts: an answer that is written to the first questions, and none to the others. */
const rewritten = (run: string, texts: ReadonlyArray<string>) => {
  const path = join(run, "eval-test", "predictions.jsonl")
  const lines = linesOf(path).map((line, i) => JSON.stringify(Object.assign({}, line, { written: texts[i] ?? "" })))
  writeFileSync(path, `${lines.join("\n")}\n`)
}

describe("hallucinations", () => {
  const vocabulary = [
    "id\tname\ttype",
    ...["GBA1", "GLA", "HEXA", "MECP2"].map((gene) => `${gene}\t${gene}\tgene`),
    ...["Gaucher disease", "Rett syndrome"].map((disease) => `${disease}\t${disease}\tdisease`)
  ].join("\n")
  const vocabularyOptions = { ...usual, stopWords: [], exclude: [] }

  it("counts concepts that stand nowhere by type, and statements by a judge", async () => {
    const at = copied("written")
    const [run] = arm("frozen", at).folders
    const [question] = Tiny.questions
    rewritten(run!, [
      "Gaucher disease comes from GBA1. MECP2 is behind Rett syndrome!",
      "No gene is known."
    ])
    const path = join(folder, "vocabulary.tsv")
    writeFileSync(path, vocabulary)
    const { asked, judge } = judgeOf((text) =>
      `{"judgement": "${text.includes("Statement:\nMECP2") ? "absent" : text.includes("No gene") ? "?" : "supported"}"}`
    )
    const base = { split: "test", overrides: {}, judge: undefined, vocabulary: undefined } as const
    const [own] = await quiet(
      hallucinations([{ name: "frozen", folders: [run!] }], {
        ...base,
        judge,
        vocabulary: { path, options: vocabularyOptions }
      })
    )
    assert.deepStrictEqual([own!.answers, own!.silent, own!.unparsed], [2, 4, 1])
    const kept = linesOf(join(run!, "analysis-test", "hallucinations.jsonl"))
    const [first] = kept
    const read = linesOf(join(run!, "eval-test", "predictions.jsonl"))[0]!["found"].slice(0, 2).map(([id]: [string]) =>
      id
    )
    const texts = read.map((id: string) => Tiny.passages.find((passage) => passage.id === id)!.text).join()
    const place = (name: string) =>
      texts.includes(name)
        ? "passages"
        : `${question!.question}${question!.options.join()}`.includes(name)
        ? "question"
        : "nowhere"
    assert.deepStrictEqual(
      first!["concepts"].map((one: Said) => [one.name, one.place]),
      ["Gaucher disease", "GBA1", "MECP2", "Rett syndrome"].map((name) => [name, place(name)])
    )
    assert.deepStrictEqual(own!.types.map(({ name }) => name).toSorted(), ["disease", "gene"])
    assert.deepStrictEqual(own!.statements.map(({ count, name }) => [name, count]), [
      ["supported", 1],
      ["contradicted", 0],
      ["absent", 1]
    ])
    // Three sentences; what the judge says of one is no JSON that fits, and asked for once more.
    assert.strictEqual(asked.length, 4)
    assert.isTrue(asked[0]!.includes("1. ") && asked[0]!.includes(question!.options[1]!))
    const table = hallucinationsTable([own!])
    assert.match(table, /\| frozen +\| nowhere +\| 2 +\| 0\.500/)
    assert.include(table, "the judge gave no judgement of 1 statements")
    // A report has the same figures, and none of predictions that have changed.
    const report = await quiet(collect([`frozen=${run!}`], reportOptions))
    assert.deepStrictEqual(report.hallucinations, [own!])
    const { files, html } = await pageOf(report, "r.files")
    assert.include(html, "What written answers rest on")
    assert.include(files.map(({ name }) => name), "tables/written-contents.csv")
    const predictions = join(run!, "eval-test", "predictions.jsonl")
    writeFileSync(predictions, readFileSync(predictions, "utf8").replace("No gene", "A gene"))
    const changed = await quiet(collect([`frozen=${run!}`], reportOptions))
    assert.deepStrictEqual(changed.hallucinations, [])
    assert.include(changed.damaged.join(), "hallucinations.json: is of another evaluation than there is now")
  }, 60_000)

  it("is refused without anything to check by, or anything that is written", async () => {
    const base = { split: "test", overrides: {}, judge: undefined, vocabulary: undefined } as const
    const said = async (o: HallucinationOptions) =>
      (await quiet(Effect.flip(hallucinations([arm("joint", copied("silent"))], o)))).message
    assert.include(await said(base), "name a --vocabulary of concepts")
    assert.include(await said({ ...base, judge: judgeOf(() => "").judge }), "none of its test answers is written")
  }, 60_000)
})
