/** The candidates of contrastive training. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Batches from "../../src/datasets/batches.ts"
import * as Frame from "../../src/domain/Frame.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import { type ContrastOptions, drawContrast } from "../../src/stages/contrast.ts"

const record = (
  id: string,
  gold: ReadonlyArray<number>,
  negatives: ReadonlyArray<number>,
  scores?: QuestionRecord["scores"]
): QuestionRecord => ({
  id,
  question: id,
  options: [],
  answer: "",
  answerIndex: -1,
  gold: gold.map(String),
  group: id,
  type: "",
  negatives: negatives.map(String),
  ...(scores ? { scores } : {})
})
const rows = [record("a", [0], [10]), record("b", [1], [11, 12, 13]), record("c", [2], [])]
const frame = (records: ReadonlyArray<QuestionRecord> = rows) => Batches.frame(records, 0, { row: Number })
const options: ContrastOptions = { b: 3, negatives: 1, inBatch: "positives", masksKnown: true, seed: 1 }

const drawn = (o: Partial<ContrastOptions>, records?: ReadonlyArray<QuestionRecord>) =>
  Effect.map(drawContrast({ ...options, ...o }).run(frame(records)), (own) => {
    const table = (name: "candidates" | "target" | "askers" | "own") => {
      const block = Frame.column(own, name)
      const width = block.length / own.rows
      return Array.from({ length: own.rows }, (_, r) => [...block.subarray(r * width, (r + 1) * width)])
    }
    return { candidates: table("candidates"), target: table("target"), askers: table("askers"), own: table("own") }
  })

describe("a query's candidates", () => {
  it.effect("are all positives of the batch and its own negative, as STM has them", () =>
    Effect.gen(function*() {
      const { askers, candidates, target } = yield* drawn({})
      assert.deepStrictEqual(candidates.map((own) => own.slice(0, 3)), [[0, 1, 2], [0, 1, 2], [0, 1, 2]])
      assert.deepStrictEqual(candidates.map((own) => own[3]).filter((_, r) => r !== 1), [10, -1])
      assert.isTrue([11, 12, 13].includes(candidates[1]![3]!))
      assert.deepStrictEqual(target, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
      assert.deepStrictEqual(askers, [[1, 1, 1], [1, 1, 1], [1, 1, 1]])
    }))
  it.effect("are the negatives of all queries too, or its own passages alone", () =>
    Effect.gen(function*() {
      const all = (yield* drawn({ inBatch: "all" })).candidates
      assert.deepStrictEqual(all[0]!.slice(3), all[2]!.slice(3))
      assert.deepStrictEqual([all[0]!.length, all[0]![3], all[0]![5]], [6, 10, -1])
      const alone = yield* drawn({ inBatch: "none", negatives: 3 })
      assert.deepStrictEqual(alone.candidates, [[0, 10, -1, -1], [1, 11, 12, 13], [2, -1, -1, -1]])
      assert.deepStrictEqual(alone.target.map(([first]) => first), [1, 1, 1])
    }))
  it.effect("leave out other known positives, in both directions, if asked to", () =>
    Effect.gen(function*() {
      const shared = [record("a", [0], []), record("b", [0], []), record("c", [2], [])]
      const masked = yield* drawn({ negatives: 0 }, shared)
      assert.deepStrictEqual(masked.candidates, [[0, -1, 2], [-1, 0, 2], [0, 0, 2]])
      assert.deepStrictEqual(masked.askers, [[1, 0, 1], [0, 1, 1], [1, 1, 1]])
      const plain = yield* drawn({ negatives: 0, masksKnown: false }, shared)
      assert.deepStrictEqual(plain.candidates, [[0, 0, 2], [0, 0, 2], [0, 0, 2]])
    }))
  it.effect("have a teacher's shares as their target", () =>
    Effect.gen(function*() {
      const taught = [record("a", [0], [10, 11], { 0: 2, 10: 1, 11: 0 })]
      const { target } = yield* drawn({
        b: 1,
        negatives: 2,
        inBatch: "none",
        teacher: { as: "shares", temperature: 1 }
      }, taught)
      const shares = [2, 1, 0].map((x) => Math.exp(x) / (Math.exp(2) + Math.exp(1) + 1))
      target[0]!.forEach((x, i) => assert.closeTo(x, shares[i]!, 1e-6))
    }))
  it.effect("have a teacher's scores as their target, for margins", () =>
    Effect.gen(function*() {
      const taught = [record("a", [0], [10, 11], { 0: 2, 10: 1, 11: -3 }), record("b", [1], [12], { 1: 0.5, 12: 4 })]
      const { candidates, target } = yield* drawn(
        { b: 2, negatives: 2, inBatch: "none", teacher: { as: "scores" } },
        taught
      )
      assert.deepStrictEqual(candidates, [[0, 10, 11], [1, 12, -1]])
      assert.deepStrictEqual(target, [[2, 1, -3], [0.5, 4, 0]])
    }))
  it.effect("are told which of them are a row's own", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* drawn({})).own, [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
      assert.deepStrictEqual((yield* drawn({ inBatch: "all" })).own, [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [
        0,
        0,
        1,
        0,
        0,
        1
      ]])
      assert.deepStrictEqual((yield* drawn({ inBatch: "none", negatives: 2 })).own, [[1, 1, 1], [1, 1, 1], [1, 1, 1]])
    }))
  it.effect("are drawn again in the same way", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* drawn({}), yield* drawn({}))
    }))
})
