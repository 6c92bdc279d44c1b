/** What every stage owes: rows stay in place, columns that were there stay as they were, no row knows its neighbours. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { Columns } from "../../src/domain/Columns.ts"
import type * as Frame from "../../src/domain/Frame.ts"
import type { Corpus } from "../../src/runtime/ports/Corpus.ts"
import type { LanguageModel, LanguageModelLearner } from "../../src/runtime/ports/LanguageModel.ts"
import type { Retriever, RetrieverLearner } from "../../src/runtime/ports/Retriever.ts"
import { answer } from "../../src/stages/answer.ts"
import { read, readWithout } from "../../src/stages/read.ts"
import { readInfluence, readOrders } from "../../src/stages/readAgain.ts"
import { retrieve } from "../../src/stages/retrieve.ts"
import { sample } from "../../src/stages/sample.ts"
import { goldTarget, llmRank, loop, pdist, posterior, verdictTarget } from "../../src/stages/score.ts"
import type { Stage } from "../../src/stages/Stage.ts"
import { drawInBatch, drawOracle, drawWithGold, findGold } from "../../src/stages/supervise.ts"
import { byPairs, byTarget, update } from "../../src/stages/update.ts"
import { answerFused, readVerdicts, VerdictCache, weigh } from "../../src/stages/verdicts.ts"
import * as Fakes from "../support/fakes.ts"
import * as Reading from "../support/reading.ts"
import * as Rows from "../support/rows.ts"

type Ports = Retriever | RetrieverLearner | LanguageModel | LanguageModelLearner | Corpus
type AnyStage = Stage<any, any, unknown, Ports>
type AnyFrame = Frame.Frame<Columns>

const drawn = { n: 5, m: 3, c: 2, sampling: "weighted", context: "sampled", temperature: 1, seed: 9 } as const
const prompting = { ...Reading.defaults, answer_format: "text" } as const
const ranked = { ties: "skip", mean: "pairs" } as const
const goal = {
  utility: "log_prob",
  prior: "scores",
  direction: "symmetric",
  temperatureGold: 0.1,
  temperatureScore: 1,
  disagreeing: false
} as const
const studied = [retrieve({ n: 5, rerank: true }), sample(drawn), read(3, prompting)]

/** Each stage after those that make its columns. */
const lines: Readonly<Record<string, ReadonlyArray<AnyStage>>> = {
  "retrieve": [retrieve({ n: 5, rerank: false })],
  "retrieve with fresh scores": [retrieve({ n: 5, rerank: true })],
  "sample": studied.slice(0, 2),
  "sample the top": [studied[0]!, sample({ ...drawn, sampling: "top", context: "top" })],
  "read": studied,
  "score by rank": [...studied, llmRank(3, ranked)],
  "score by distribution": [...studied, pdist(3, 0.1)],
  "score by distribution with a prior": [...studied, posterior(3, 5, 0.1, 2)],
  "read without each": [...studied.slice(0, 2), readWithout(3, prompting)],
  "score by what is lost": [...studied.slice(0, 2), readWithout(3, prompting), loop(3, 0.1)],
  "sample all alike": [studied[0]!, sample({ ...drawn, sampling: "uniform" })],
  "read verdicts": [...studied.slice(0, 2), readVerdicts(3, 4, prompting)],
  "read verdicts once": [...studied.slice(0, 2), readVerdicts(3, 4, prompting, new VerdictCache())],
  "score by verdicts": [...studied.slice(0, 2), readVerdicts(3, 4, prompting), verdictTarget(3, 5, 4, goal)],
  "weigh": [studied[0]!, weigh([3, 2])],
  "answer by fusion": [studied[0]!, weigh([5]), answerFused(5, 4, { ...prompting, fusion: "lockstep" })],
  "score by gold": [...studied, goldTarget(3)],
  "update by pairs": [...studied, llmRank(3, ranked), update(byPairs(3, 2, prompting))],
  "update by target": [...studied, pdist(3, 0.1), update(byTarget(3, 2, prompting))],
  "answer": [studied[0]!, answer(5, 2, prompting)],
  "read orders": [studied[0]!, answer(5, 2, prompting), readOrders(2, { count: 3, seed: 1 }, prompting)],
  "read influence": [studied[0]!, answer(5, 2, prompting), readInfluence(2, prompting)],
  "find gold": [findGold(2)],
  "draw with gold": [studied[0]!, drawWithGold(5, 3, 2, 4)],
  "draw an oracle's": [drawOracle(3, Rows.texts.length, 4)]
}

/** The frame before the last stage of a line, and after it. */
const through = Effect.fnUntraced(function*(line: ReadonlyArray<AnyStage>, rows: AnyFrame) {
  let [before, after]: [AnyFrame, AnyFrame] = [rows, rows]
  for (const stage of line) [before, after] = [after, yield* stage.run(after)]
  return { before, after, blocks: Rows.blocks(after), stage: line.at(-1)! }
}, (effect) => Effect.provide(effect, Fakes.ports(Rows.texts).layer))

describe("every stage", () => {
  for (const [name, line] of Object.entries({ ...lines, "draw in the batch": [drawInBatch(6)] })) {
    it.effect(`adds the columns it states and leaves the rest as they are: ${name}`, () =>
      Effect.gen(function*() {
        const { after, before, blocks, stage } = yield* through(line, Rows.frame())
        assert.deepStrictEqual(
          Object.keys(after.columns).toSorted(),
          [...Object.keys(before.columns), ...Object.keys(stage.adds)].toSorted()
        )
        assert.strictEqual(after.rows, 6)
        for (const [column, block] of Object.entries(Rows.blocks(before))) assert.deepStrictEqual(blocks[column], block)
      }))
  }
  for (const [name, line] of Object.entries(lines)) {
    it(`treats each row by itself, in any order of rows: ${name}`, () => {
      const run = (rows: AnyFrame) => Effect.runSync(Effect.orDie(through(line, rows))).after
      const straight = run(Rows.frame())
      const order = fc.shuffledSubarray([...Array(6).keys()], { minLength: 6 })
      fc.assert(
        fc.property(order, (to) => {
          const other = run(Rows.permute(Rows.frame(), to))
          assert.deepStrictEqual(Rows.blocks(other), Rows.blocks(Rows.permute(straight, to)))
        }),
        { numRuns: 10 }
      )
    })
  }
})
