/** What every retriever owes, and every learner beside one: rankings that agree with scores, whatever is asked beside. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { type Content, text } from "../../../src/domain/Content.ts"
import { labelOf } from "../../../src/runtime/ports/Learning.ts"
import { Retriever, RetrieverLearner, type RetrieverLesson } from "../../../src/runtime/ports/Retriever.ts"
import * as Tiny from "../../support/tiny.ts"

/** Runs an effect with a fresh layer over the passages of `Tiny`. */
export type Subject<R> = <A, E>(effect: Effect.Effect<A, E, R | Scope.Scope>) => Effect.Effect<A, unknown>

export interface RetrieverTraits {
  /** The passages that can be found: all, or none. */
  readonly finds: "all" | "none"
  /** How far the score of a passage that is asked for may be from that of the search, by its size. */
  readonly rounding?: number
  /** How a question is asked; as a text, if omitted. */
  readonly ask?: (question: string) => Content
  /** What its learner learns from; distributions and pairs, if omitted. */
  readonly objectives?: "distributions"
}

const questions = [...Tiny.questions.map((q) => q.question), "copper", "nothing that any passage would say"]
const asTexts = (question: string): Content => [text(question)]
const all = Tiny.passages.length
const rowOf = <A extends Int32Array | Float32Array>(block: A, q: number, k: number): ReadonlyArray<number> =>
  Array.from(block.subarray(q * k, (q + 1) * k))

const closeTo = (rounding: number) => (got: ArrayLike<number>, want: ArrayLike<number>) => {
  assert.strictEqual(got.length, want.length)
  Array.from(got, (score, i) => {
    if (want[i] === -Infinity) assert.strictEqual(score, -Infinity)
    else assert.closeTo(score, want[i]!, rounding * Math.max(1, Math.abs(want[i]!)))
  })
}

/** Best first, equal ones in order of rows, no row twice, and -1 behind the last. */
const isRanking = (docs: ReadonlyArray<number>, scores: ReadonlyArray<number>, rows: number) => {
  const found = docs.filter((doc) => doc !== -1)
  assert.strictEqual(new Set(found).size, found.length)
  assert.strictEqual(found.length, Math.min(rows, docs.length))
  docs.forEach((doc, i) => {
    if (i >= found.length) return assert.deepStrictEqual([doc, scores[i]], [-1, -Infinity])
    assert.isTrue(Number.isInteger(doc) && doc >= 0 && doc < rows && Number.isFinite(scores[i]))
    if (i === 0) return
    assert.isTrue(scores[i - 1]! > scores[i]! || (scores[i - 1] === scores[i] && docs[i - 1]! < doc), `place ${i}`)
  })
}

const dies = Effect.fnUntraced(function*<A, E>(effect: Effect.Effect<A, E>) {
  const exit = yield* Effect.exit(effect)
  assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
})

export const retrieverSuite = (
  name: string,
  subject: Subject<Retriever>,
  { ask = asTexts, finds, rounding = 1e-6 }: RetrieverTraits
) => {
  const queries = questions.map(ask)
  const rows = finds === "all" ? all : 0
  const close = closeTo(rounding)
  const on = (check: (retriever: Retriever["Service"]) => Effect.Effect<void, unknown>) =>
    Effect.asVoid(subject(Effect.flatMap(Retriever, check)))
  /** Rows to be scored for each query: every passage in an order of its own, one of them twice. */
  const mixed = Int32Array.from(
    queries.flatMap((_, q) => rows === 0 ? [-1, -1] : Array.from({ length: rows + 1 }, (_, i) => (q + 3 * i) % rows))
  )
  return describe(`a retriever ${name}`, () => {
    it.live("ranks passages, however many are asked for", () =>
      on(Effect.fnUntraced(function*({ search }) {
        for (const k of [0, 1, 4, all, all + 3]) {
          const { docs, scores } = yield* search(queries, k)
          assert.deepStrictEqual([docs.length, scores.length], [queries.length * k, queries.length * k])
          queries.forEach((_, q) => isRanking(rowOf(docs, q, k), rowOf(scores, q, k), rows))
        }
      })))
    it.live("finds as many of the best as are asked for: fewer are the first of more", () =>
      on(Effect.fnUntraced(function*({ search }) {
        const [few, more] = [yield* search(queries, 3), yield* search(queries, all)]
        queries.forEach((_, q) => assert.deepStrictEqual(rowOf(few.docs, q, 3), rowOf(more.docs, q, all).slice(0, 3)))
      })))
    it.live("finds nothing for no query", () =>
      on(Effect.fnUntraced(function*({ score, search }) {
        assert.deepStrictEqual(yield* search([], 3), { docs: new Int32Array(0), scores: new Float32Array(0) })
        assert.deepStrictEqual(yield* score([], new Int32Array(0)), new Float32Array(0))
      })))
    it.live("scores passages as it has found them", () =>
      on(Effect.fnUntraced(function*({ score, search }) {
        const { docs, scores } = yield* search(queries, all + 1)
        close(yield* score(queries, docs), scores)
      })))
    it.live("scores in the order and as often as it is asked to", () =>
      on(Effect.fnUntraced(function*({ score }) {
        const found = yield* score(queries, mixed)
        const n = mixed.length / queries.length
        for (const [q, query] of queries.entries()) {
          const one = yield* Effect.forEach(rowOf(mixed, q, n), (doc) => score([query], Int32Array.of(doc)))
          close(rowOf(found, q, n), one.map(([own]) => own!))
        }
      })))
    it.live("finds and scores for a query alone what it does among others, and for several fibers at once", () =>
      on(Effect.fnUntraced(function*({ score, search }) {
        const together = yield* search(queries, 4)
        const alone = yield* Effect.forEach(queries, (query) => search([query], 4), { concurrency: "unbounded" })
        const scored = yield* score(queries, together.docs)
        for (const [q, { docs, scores }] of alone.entries()) {
          assert.deepStrictEqual([...docs], rowOf(together.docs, q, 4))
          close(scores, rowOf(together.scores, q, 4))
          close(yield* score([queries[q]!], docs), rowOf(scored, q, 4))
        }
      })))
    it.live.skipIf(ask !== asTexts)(
      "takes the parts of a query as one text",
      () =>
        on(Effect.fnUntraced(function*({ search }) {
          const parts = questions.map((own) => [text(own.slice(0, 3)), text(""), text(own.slice(3))])
          assert.deepStrictEqual(yield* search(parts, all), yield* search(queries, all))
        }))
    )
    it.live("scores none, which is row -1, as -Infinity, and dies of other rows that there are not", () =>
      on(Effect.fnUntraced(function*({ score }) {
        const docs = Int32Array.from(queries.flatMap(() => [-1, rows === 0 ? -1 : 2]))
        const scores = yield* score(queries, docs)
        docs.forEach((doc, i) => assert.strictEqual(scores[i] === -Infinity, doc === -1))
        for (const doc of [-2, rows, rows + 7]) yield* dies(score([queries[0]!], Int32Array.of(doc)))
      })))
    it.live("ranks by its index, as it was last refreshed", () =>
      on(Effect.fnUntraced(function*({ refresh, score, search }) {
        const before = yield* search(queries, all)
        const first = yield* refresh
        const second = yield* refresh
        assert.isTrue(Number.isInteger(first) && first >= 0 && second >= first)
        const after = yield* search(queries, all)
        assert.deepStrictEqual(after.docs, before.docs)
        close(after.scores, before.scores)
        close(yield* score(queries, after.docs), after.scores)
      })))
  })
}

export interface LearnerTraits extends RetrieverTraits {
  /** Whether an update moves anything. */
  readonly learns: boolean
}

const N = 4
/** The first passage should stand before all others, which follow in some order. */
const docsOf = (rows: number) =>
  Int32Array.from(
    questions.flatMap((_, q) => Array.from({ length: N }, (_, i) => rows === 0 ? -1 : (5 * q + 2 * i) % rows))
  )
const byTarget = (rows: number, queries: ReadonlyArray<Content>): RetrieverLesson => {
  const target = Float32Array.from(queries.flatMap(() => Array.from({ length: N }, (_, i) => i === 0 ? 1 : 0)))
  return { queries, docs: docsOf(rows), objective: { _tag: "Listwise", target } }
}
const byPairs = (rows: number, queries: ReadonlyArray<Content>): RetrieverLesson => {
  const m = 3
  const pairs = Array.from({ length: m * m }, (_, i) => Math.floor(i / m) < i % m ? 1 / 3 : 0)
  return {
    queries,
    docs: docsOf(rows),
    objective: { _tag: "Pairwise", m, weights: Float32Array.from(queries.flatMap(() => pairs)) }
  }
}

export const learnerSuite = (
  name: string,
  subject: Subject<Retriever | RetrieverLearner>,
  { ask = asTexts, finds, learns, objectives, rounding = 1e-6 }: LearnerTraits
) => {
  const queries = questions.map(ask)
  const rows = finds === "all" ? all : 0
  const close = closeTo(rounding)
  const mean = (losses: Float32Array) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length
  const on = (
    check: (retriever: Retriever["Service"], learner: RetrieverLearner["Service"]) => Effect.Effect<void, unknown>
  ) =>
    Effect.asVoid(subject(Effect.gen(function*() {
      yield* check(yield* Retriever, yield* RetrieverLearner)
    })))
  return describe(`a learner of a retriever ${name}`, () => {
    const distribution = ["a distribution", byTarget(rows, queries)] as const
    const lessons = objectives === undefined
      ? [distribution, ["pairs", byPairs(rows, queries)] as const]
      : [distribution]
    for (const [what, lesson] of lessons) {
      it.live(`tells the loss of each query by ${what}${learns ? ", which falls" : ", and moves nothing"}`, () =>
        on(Effect.fnUntraced(function*({ score, search }, { learn }) {
          const before = { found: yield* search(queries, all), scores: yield* score(queries, lesson.docs) }
          const first = yield* learn(lesson)
          assert.strictEqual(first.length, queries.length)
          assert.isTrue(first.every((loss) => Number.isFinite(loss) && loss >= 0))
          let last = first
          for (let i = 0; i < 8; i++) last = yield* learn(lesson)
          const scores = yield* score(queries, lesson.docs)
          if (learns) {
            assert.isBelow(mean(last), mean(first))
            assert.notDeepEqual(scores, before.scores)
          } else {
            assert.deepStrictEqual([last, scores], [first, before.scores])
            assert.deepStrictEqual(yield* search(queries, all), before.found)
          }
        })))
      it.live(`is gated by ${what}, which moves nothing`, () =>
        on(Effect.fnUntraced(function*({ score }, { gate, groups }) {
          const before = yield* score(queries, lesson.docs)
          const norms = yield* gate(lesson)
          const again = yield* gate(lesson)
          assert.deepStrictEqual(again, norms)
          assert.isTrue([...norms.values()].every((norm) => norm > 0))
          const trained = groups.filter(({ trainable }) => trainable).map(labelOf)
          if (groups.length > 0) assert.sameMembers([...norms.keys()], trained)
          assert.deepStrictEqual(yield* score(queries, lesson.docs), before)
        })))
    }
    it.live("is found by what it has learned once the index is refreshed", () =>
      on(Effect.fnUntraced(function*({ refresh, score, search }, { learn }) {
        const generation = yield* refresh
        yield* Effect.forEach([1, 2, 3], () => learn(byTarget(rows, queries)))
        const next = yield* refresh
        assert.strictEqual(next, learns ? generation + 1 : generation)
        const { docs, scores } = yield* search(queries, all)
        close(yield* score(queries, docs), scores)
        queries.forEach((_, q) => isRanking(rowOf(docs, q, all), rowOf(scores, q, all), rows))
      })))
    it.live.skipIf(ask !== asTexts)("takes the parts of a query as one text", () => {
      const lesson = byTarget(rows, queries)
      const parts = questions.map((own) => [text(own.slice(0, 3)), text(own.slice(3))])
      return Effect.gen(function*() {
        const learned = (one: RetrieverLesson) => subject(Effect.flatMap(RetrieverLearner, ({ learn }) => learn(one)))
        assert.deepStrictEqual(yield* learned({ ...lesson, queries: parts }), yield* learned(lesson))
      })
    })
  })
}
