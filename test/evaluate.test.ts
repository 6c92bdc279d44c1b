/** Questions judged: the figures against formulas written out, and the program on ports in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { decode } from "../src/domain/configure.ts"
import type { QuestionRecord } from "../src/domain/Records.ts"
import { type Raw, Settings } from "../src/domain/RunConfig.ts"
import { evaluate, type EvaluateOptions } from "../src/evaluate.ts"
import { depths, judge, normalise, summarise } from "../src/judge.ts"
import { silent } from "../src/progress.ts"
import { fromRecords } from "../src/runtime/layers/dataset.ts"
import { absent } from "../src/runtime/layers/retriever.ts"
import { Passages } from "../src/runtime/ports/Passages.ts"
import * as Fakes from "./support/fakes.ts"
import * as Tiny from "./support/tiny.ts"

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

describe("a ranking", () => {
  const id = fc.nat(150).map(String)
  const gold = fc.uniqueArray(id, { minLength: 1, maxLength: 6 })
  const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 120, size: "max" })

  it("is judged by the places of all gold passages, found or not, each once", () => {
    fc.assert(fc.property(gold, ids, (gold, ids) => {
      const judged = judge(free("x", [...gold, gold[0]!]), "x", -1, ranked(ids))
      const places = gold.map((own) => ids.indexOf(own) + 1).filter((place) => place > 0)
      const first = Math.min(...places)
      assert.strictEqual(judged.reciprocalRank, places.length > 0 ? 1 / first : 0)
      depths.forEach((k, i) => {
        assert.strictEqual(judged.recall[i], places.filter((place) => place <= k).length / gold.length)
      })
      const gain = (places: ReadonlyArray<number>) =>
        places.reduce((sum, place) => sum + (place <= 10 ? Math.LN2 / Math.log(place + 1) : 0), 0)
      assert.closeTo(judged.ndcg, gain(places) / gain(gold.map((_, i) => i + 1)), 1e-12)
      assert.deepStrictEqual(judged.found.map(([id]) => id), ids)
    }))
  })
  it("is not judged where nothing was retrieved, or no gold passage is known", () => {
    for (const [gold, ids] of [[["p1"], []], [[], ["p1"]]] as const) {
      const judged = judge(free("x", gold), "x", -1, ranked(ids))
      assert.isTrue([judged.reciprocalRank, judged.ndcg, ...judged.recall].every(Number.isNaN))
      assert.strictEqual(judged.correct, 1)
    }
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
    const correct = (prediction: string) => judge(free("the GBA1 gene"), prediction, -1, []).correct
    assert.deepStrictEqual(["GBA1 Gene.", "GBA1", "", "the GBA2 gene"].map(correct), [1, 0, 0, 0])
  })
  it("that was chosen is right by its place alone", () => {
    const q = { ...free("GLA"), options: ["GLA", "GAA"], answerIndex: 0 }
    assert.deepStrictEqual([judge(q, "GAA", 0, []).correct, judge(q, "GLA", 1, []).correct], [1, 0])
  })
})

describe("a summary", () => {
  const judged = [
    { ...judge(free("yes", ["a"]), "yes", -1, ranked(["a", "b"])), type: "one", group: "1" },
    { ...judge(free("yes", ["b"]), "no", -1, ranked(["a", "b"])), type: "two", group: "2" },
    { ...judge(free("yes"), "yes", -1, ranked(["a", "b"])), type: "two", group: "3" }
  ]
  it("counts every question's answer, and the rankings of those with gold passages", () => {
    const found = summarise(judged, 3)
    assert.deepInclude(found, { questions: 3, seconds: 3, "mrr@100": 0.75, byType: { one: 1, two: 0.5 } })
    assert.deepStrictEqual(found.recall, { "recall@1": 0.5, "recall@5": 1, "recall@10": 1, "recall@100": 1 })
    assert.closeTo(found.accuracy.mean, 2 / 3, 1e-15)
    assert.closeTo(found["ndcg@10"], (1 + 1 / Math.log2(3)) / 2, 1e-15)
  })
  it("has no figure of rankings where there are none", () => {
    const found = summarise([judge(free("yes", ["a"]), "yes", -1, [])], 0)
    assert.isTrue([found["mrr@100"], found["ndcg@10"], ...Object.values(found.recall)].every(Number.isNaN))
    assert.strictEqual(found.accuracy.mean, 1)
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
      Layer.succeed(Settings, config),
      Layer.succeed(Passages, fromRecords(Tiny.passages)),
      silent
    ] as const
    const ports = retrieves ? layer : Layer.merge(layer, absent)
    const evaluation = yield* evaluate(Tiny.questions, { passages: "found", read: true, task: "t", ...options }).pipe(
      Effect.provide(Layer.mergeAll(...given, ports), { local: true })
    )
    return { ...evaluation, calls }
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
      assert.closeTo(summary["mrr@100"], ranks.reduce((sum, rank) => sum + 1 / rank, 0) / ranks.length, 1e-12)
      assert.strictEqual(summary.recall["recall@1"], ranks.filter((rank) => rank === 1).length / ranks.length)
    }))
  it.live("reads nothing where the ranking alone is wanted", () =>
    Effect.gen(function*() {
      const [ranking, all] = [yield* run({ read: false }, 4), yield* run({}, 4)]
      assert.deepStrictEqual(ranking.judged.map((j) => j.found), all.judged.map((j) => j.found))
      assert.isTrue(ranking.judged.every((j) => j.prediction === "" && j.correct === 0))
      assert.isTrue(all.judged.some((j) => j.correct === 1))
    }))
  it.live("gives the reader the gold passage where it is to have it", () =>
    Effect.gen(function*() {
      const { calls, judged } = yield* run({ passages: "gold" }, 4)
      const named = Tiny.questions.filter((q) => Tiny.passages.find((p) => p.id === q.gold[0])!.text.includes(q.answer))
      const right = judged.filter((j) => j.correct === 1).map((j) => j.id)
      assert.includeMembers(right, named.map((q) => q.id))
      assert.deepStrictEqual(calls.searched, [])
    }))
  it.live("has no ranking where nothing is retrieved", () =>
    Effect.gen(function*() {
      const { judged, summary } = yield* run({}, 4, false)
      assert.isTrue(judged.every((j) => j.found.length === 0 && Number.isNaN(j.reciprocalRank)))
      assert.isNaN(summary["mrr@100"])
      assert.isFalse(Number.isNaN(summary.accuracy.mean))
    }))
})
