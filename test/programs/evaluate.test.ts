/** Questions judged: the figures against formulas written out, and the program on ports in memory. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { fromRecords } from "../../src/datasets/dataset.ts"
import { normalise } from "../../src/domain/answers/correct.ts"
import { DEPTH, depths, judge, type Judged, summarise, verdict } from "../../src/domain/judge.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { evaluate, type EvaluateOptions } from "../../src/programs/evaluation/evaluate.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { absent } from "../../src/runtime/retrieval/retriever.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"
import * as Fakes from "../support/fakes.ts"
import * as Tiny from "../support/tiny.ts"

const free = (answer: string, gold: ReadonlyArray<string> = []): QuestionRecord => ({
  id: "q",
  question: "?",
  options: [],
  answer,
  answerIndex: -1,
  gold,
  group: "g",
  type: "t"
})
const ranked = (ids: ReadonlyArray<string>) => ids.map((id, i) => [id, -i] as const)
/** What is judged where the reader said this, of that place, and these passages were found. */
const said = (prediction: string, predictionIndex = -1, found: ReadonlyArray<string> = []) => ({
  answered: { prediction, predictionIndex, written: "" },
  ranking: ranked(found)
})

describe("a ranking", () => {
  const id = fc.nat(150).map(String)
  const gold = fc.uniqueArray(id, { minLength: 1, maxLength: 6 })
  const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 140, size: "max" })

  it("is judged by the places of all gold passages among the first hundred, each once", () => {
    fc.assert(fc.property(gold, ids, (gold, ids) => {
      const judged = judge(free("x", [...gold, gold[0]!]), said("x", -1, ids))
      const places = gold.map((own) => ids.indexOf(own) + 1).filter((place) => place > 0 && place <= DEPTH)
      assert.strictEqual(judged.reciprocalRank, places.length > 0 ? 1 / Math.min(...places) : 0)
      depths.forEach((k, i) => {
        assert.strictEqual(judged.recall[i], places.filter((place) => place <= k).length / gold.length)
      })
      const gain = (places: ReadonlyArray<number>) =>
        places.reduce((sum, place) => sum + (place <= 10 ? Math.LN2 / Math.log(place + 1) : 0), 0)
      assert.closeTo(judged.ndcg!, gain(places) / gain(gold.map((_, i) => i + 1)), 1e-12)
      assert.deepStrictEqual(judged.found.map(([id]) => id), ids.slice(0, DEPTH))
    }))
  })
  it("is not judged where nothing was retrieved, or no gold passage is known", () => {
    for (const [gold, ids] of [[["p1"], []], [[], ["p1"]]] as const) {
      const judged = judge(free("x", gold), said("x", -1, ids))
      assert.deepStrictEqual([judged.ranked, judged.reciprocalRank, judged.ndcg], [false, null, null])
      assert.deepStrictEqual(judged.recall, [null, null, null, null])
      assert.strictEqual(judged.correct, 1)
    }
  })
  it("has a passage once, at its best score, and equal scores in falling order of id", () => {
    const ranking = [["b", 1], ["a", 2], ["c", 1], ["a", 0], ["é", 1], ["d 1", 1]] as const
    const { found } = judge(free("x"), { answered: undefined, ranking })
    assert.deepStrictEqual(found, [["a", 2], ["é", 1], ["d 1", 1], ["c", 1], ["b", 1]])
  })
})

/** What the evaluation script of SQuAD 1.1 makes of each. */
const squad: ReadonlyArray<readonly [text: string, normal: string]> = [
  ["The  GBA1 gene.", "gba1 gene"],
  ["an apple a day, the doctor", "apple day doctor"],
  ["Theatre and Anatomy", "theatre and anatomy"],
  ["X-linked; it's (rare)", "xlinked its rare"],
  ["<5 mg + 50% ~ $3 ^`|=>", "5 mg 50 3"],
  ["añejo thé a", "añejo thé"],
  ["\tnew\nline ", "new line"],
  ["The", ""]
]

describe("an answer", () => {
  it("that is free is normalised as SQuAD does", () => {
    for (const [text, normal] of squad) assert.strictEqual(normalise(text), normal, JSON.stringify(text))
  })
  it("that is free is right where it is the same but for that", () => {
    const correct = (prediction: string) => judge(free("the GBA1 gene"), said(prediction)).correct
    assert.deepStrictEqual(["GBA1 Gene.", "GBA1", "", "the GBA2 gene"].map(correct), [1, 0, 0, 0])
  })
  it("that was chosen is right by its place alone", () => {
    const q = { ...free("GLA"), options: ["GLA", "GAA"], answerIndex: 0 }
    assert.deepStrictEqual([judge(q, said("GAA", 0)).correct, judge(q, said("GLA", 1)).correct], [1, 0])
  })
  it("that names none of the options is wrong, and counted", () => {
    const q = { ...free("GLA"), options: ["GLA", "GAA"], answerIndex: 0 }
    const own = (given: Parameters<typeof judge>[1], record: QuestionRecord = q) => {
      const { correct, unparsed } = judge(record, given)
      return [correct, unparsed]
    }
    assert.deepStrictEqual(own(said("no idea")), [0, true])
    assert.deepStrictEqual(own(said("GLA", 0)), [1, false])
    assert.deepStrictEqual(own(said("GLA"), free("GLA")), [1, null])
    const all = [said("?"), said("GAA", 1), said("GLA", 0)].map((given) => judge(q, given))
    assert.deepStrictEqual(summarise([...all, judge(free("x"), said("x"))], 0).unparsed, { count: 1, share: 1 / 3 })
  })
  it("is not judged where nobody was asked, or no right one is known", () => {
    assert.isNull(judge(free("GLA"), { answered: undefined, ranking: [] }).correct)
    assert.isNull(judge({ ...free(""), options: ["GLA", "GAA"] }, said("GLA", 0)).correct)
    assert.isNull(judge(free(""), said("")).correct)
  })
  it("can be judged again by what is kept of it", () => {
    const q = { ...free("GLA", ["p1", "p1"]), options: ["GLA", "GAA"], answerIndex: 0 }
    const kept = JSON.parse(JSON.stringify(judge(q, said("GLA", 0, ["p2", "p1"])))) as Judged
    const { answerIndex, answers, found, gold, options, prediction, predictionIndex, written } = kept
    const again = judge({ ...free(answers[0]!, gold), answers, options, answerIndex }, {
      answered: { prediction, predictionIndex, written },
      ranking: found
    })
    assert.deepStrictEqual(again, kept)
  })
})

describe("a summary", () => {
  const judged = [
    { ...judge(free("yes", ["a"]), said("yes", -1, ["a", "b"])), type: "one", group: "1" },
    { ...judge(free("yes", ["b"]), said("no", -1, ["a", "b"])), type: "two", group: "2" },
    { ...judge(free("yes"), said("yes", -1, ["a", "b"])), type: "two", group: "3" }
  ]
  it("counts every question's answer, and the rankings of those with gold passages", () => {
    const found = summarise(judged, 3)
    const byType = { one: 1, two: 0.5 }
    assert.deepInclude(found, { questions: 3, skipped: 0, ranked: 2, seconds: 3, "mrr@100": 0.75, byType })
    assert.deepStrictEqual(found.recall, { "recall@1": 0.5, "recall@5": 1, "recall@10": 1, "recall@100": 1 })
    assert.closeTo(found.accuracy!.mean, 2 / 3, 1e-15)
    assert.closeTo(found["ndcg@10"]!, (1 + 1 / Math.log2(3)) / 2, 1e-15)
    assert.deepStrictEqual(found, summarise(judged.map(verdict), 3))
  })
  it("has no figure where there is none, in JSON as well", () => {
    const unranked = summarise([judge(free("yes", ["a"]), said("yes"))], 0)
    const none = { "recall@1": null, "recall@5": null, "recall@10": null, "recall@100": null }
    assert.deepInclude(unranked, { ranked: 0, "mrr@100": null, "ndcg@10": null, recall: none })
    assert.deepStrictEqual(unranked.accuracy, { mean: 1, low: null, high: null })
    const unread = summarise([judge(free("yes"), { answered: undefined, ranking: [] })], 0)
    assert.deepInclude(unread, { accuracy: null, unparsed: { count: 0, share: null }, byType: { t: null } })
    for (const summary of [unranked, unread, summarise([], 0)]) {
      assert.deepStrictEqual(JSON.parse(JSON.stringify(summary)), summary)
    }
  })
})

/** Evaluates the tiny questions on the fakes, `size` at a time. */
const run = Effect.fnUntraced(
  function*(options: Partial<EvaluateOptions>, size: number, retrieves = true, own: Raw = {}) {
    const config = yield* decode("test", {
      output_dir: "run",
      passages_file: "p",
      retriever_name_or_path: "r",
      reader_name_or_path: "r",
      n_candidates: 5,
      retriever_n_context: 2,
      n_context: 2,
      per_device_eval_batch_size: size,
      ...own
    })
    const { calls, layer } = Fakes.ports(Tiny.passages.map(({ text }) => text))
    const given = [
      Layer.succeed(Corpus, fromRecords(Tiny.passages)),
      NodeFileSystem.layer,
      silent
    ] as const
    const ports = retrieves ? layer : Layer.merge(layer, absent)
    const kept: Array<Judged> = []
    const keep = (judged: ReadonlyArray<Judged>) => Effect.sync(() => void kept.push(...judged))
    const asked = { read: true, task: "t", ...options } as const
    const { judged: verdicts, summary } = yield* evaluate(config, Tiny.questions, asked, keep).pipe(
      Effect.provide(Layer.mergeAll(...given, ports), { local: true })
    )
    assert.deepStrictEqual(verdicts, kept.map(verdict))
    return { judged: kept, summary, calls }
  }
)

describe("evaluating", () => {
  it.live("judges every question, in order, whatever is asked at once", () =>
    Effect.gen(function*() {
      const whole = yield* run({}, 16)
      assert.deepStrictEqual(whole.judged.map((j) => j.id), Tiny.questions.map((q) => q.id))
      assert.isTrue(whole.judged.every((j) => j.found.length === Tiny.passages.length))
      for (const size of [1, 4]) {
        const { calls, judged } = yield* run({}, size)
        assert.deepStrictEqual(judged, whole.judged)
        assert.isTrue(calls.searched.every((questions) => questions.length <= size))
      }
    }))
  it.live("ranks by the scores of the search, best first", () =>
    Effect.gen(function*() {
      const { judged, summary } = yield* run({}, 4)
      for (const { found } of judged) {
        const scores = found.map(([, score]) => score)
        assert.deepStrictEqual(scores, scores.toSorted((a, b) => b - a))
      }
      const ranks = judged.map((j, i) => 1 + j.found.findIndex(([id]) => id === Tiny.questions[i]!.gold[0]))
      assert.isAbove(Math.max(...ranks), 1)
      assert.closeTo(summary["mrr@100"]!, ranks.reduce((sum, rank) => sum + 1 / rank, 0) / ranks.length, 1e-12)
      assert.strictEqual(summary.recall["recall@1"], ranks.filter((rank) => rank === 1).length / ranks.length)
    }))
  it.live("reads nothing where the ranking alone is wanted", () =>
    Effect.gen(function*() {
      const [ranking, all] = [yield* run({ read: false }, 4), yield* run({}, 4)]
      assert.deepStrictEqual(ranking.judged.map((j) => j.found), all.judged.map((j) => j.found))
      assert.isTrue(ranking.judged.every((j) => j.prediction === "" && j.correct === null))
      assert.isNull(ranking.summary.accuracy)
      assert.isTrue(all.judged.some((j) => j.correct === 1))
    }))
  it.live("gives the reader the gold passage where it is to have it", () =>
    Effect.gen(function*() {
      const { calls, judged } = yield* run({}, 4, true, { mode: "oracle", answer_format: "text" })
      const named = Tiny.questions.filter((q) => Tiny.passages.find((p) => p.id === q.gold[0])!.text.includes(q.answer))
      const right = judged.filter((j) => j.correct === 1).map((j) => j.id)
      assert.includeMembers(right, named.map((q) => q.id))
      assert.deepStrictEqual(calls.searched, [])
      assert.isTrue(judged.every((j) => j.found.length === 0 && j.reciprocalRank === null))
    }))
  it.live("has no ranking where nothing is retrieved", () =>
    Effect.gen(function*() {
      const { judged, summary } = yield* run({}, 4, false)
      assert.isTrue(judged.every((j) => j.found.length === 0 && j.reciprocalRank === null))
      assert.isNull(summary["mrr@100"])
      assert.isNumber(summary.accuracy!.mean)
    }))
})
