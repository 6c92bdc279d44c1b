/** The reader's likelihoods and the LLM-Rank loss against PyTorch's float64 (likelihood.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { grad } from "../../src/kernels/grad.ts"
import { minMaxScale, pairwise } from "../../src/kernels/loss/rank.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { slice } from "../../src/kernels/op/gather.ts"
import { input } from "../../src/kernels/Tensor.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import * as Graphs from "../../src/runtime/language/graphs.ts"
import { readOnly } from "../../src/runtime/language/languageModel.ts"
import * as Model from "../../src/runtime/language/model.ts"
import { pack } from "../../src/runtime/language/pack.ts"
import type { Corpus } from "../../src/runtime/ports/Corpus.ts"
import { LanguageModel } from "../../src/runtime/ports/LanguageModel.ts"
import { answerOf, ask } from "../../src/stages/prompt.ts"
import { preferences } from "../../src/stages/score.ts"
import { ofReader } from "../../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../../src/systems/jmlr/settings.ts"
import * as Golden from "./golden.ts"

interface Described extends Golden.Described {
  readonly ranks: ReadonlyArray<{
    readonly about: string
    readonly scores: ReadonlyArray<number>
    readonly nll: ReadonlyArray<number>
  }>
}
type Reference = Golden.Golden<Described>

/** Every token of prompts of different lengths, side by side in one batch. */
const tokens = Effect.fnUntraced(function*({ described, tensors }: Reference, tolerance: number, config: JmlrConfig) {
  const model = yield* Model.make(ofReader(config), false)
  const session = yield* Session
  const texts = described.passages
  const sequences = yield* Effect.forEach(
    described.questions,
    ({ answer, question }, q) =>
      model.sequences.one(
        ask(config, [{ text: texts[q + 1]! }, { text: texts[q]! }], { question, options: [] }),
        answerOf(config, { options: [] }, answer),
        1
      )
  )
  const { data, places, shape } = pack(sequences, { rows: 4, all: true, ...model.padded })
  const program = yield* session.compile<string, string>(Graphs.score(model.decoder, shape))
  const { nll } = yield* program.run({ ...model.weights.values(), ...data })
  for (const [q, own] of places.entries()) {
    const want = tensors.get(`tokens/${q}`)!.data
    Golden.close(Float32Array.from(own, (at) => nll![at]!), want, `tokens of question ${q}`, { tolerance })
  }
})

/** The answer's likelihood given each passage alone, by the port. */
const answers = Effect.fnUntraced(function*({ described, tensors }: Reference, tolerance: number, config: JmlrConfig) {
  const { passages, questions } = described
  const asked = questions.flatMap((own) => passages.map((text) => ({ ...own, text })))
  const all = yield* (yield* LanguageModel).nll(
    asked.map(({ question, text }) => ask(config, [{ text }], { question, options: [] })),
    asked.map(({ answer }) => answerOf(config, { options: [] }, answer))
  )
  for (const q of questions.keys()) {
    const own = all.subarray(q * passages.length, (q + 1) * passages.length)
    Golden.close(own, tensors.get(`answer/${q}`)!.data, `answers of question ${q}`, { tolerance })
  }
})

const rules = [{ ties: "skip", mean: "pairs" }, { ties: "later", mean: "pairs_plus_one" }] as const

const ranks = Effect.fnUntraced(function*({ described, tensors }: Reference, tolerance: number) {
  const session = yield* Session
  const [n, m] = [described.ranks[0]!.scores.length, described.ranks[0]!.nll.length]
  const [scores, wanted] = [input("scores", [1, n]), input("wanted", [1, m, m])]
  const loss = sumAll(pairwise(slice(minMaxScale(scores), 1, 0, m), wanted))
  const outputs = { loss, gradient: grad(loss, [scores])[0]! }
  const program = yield* session.compile({ name: "rank", inputs: { scores, wanted }, outputs })
  for (const [r, { about, nll, scores }] of described.ranks.entries()) {
    for (const rule of rules) {
      const feeds = { scores: Float32Array.from(scores), wanted: preferences(Float32Array.from(nll), rule) }
      const got = yield* program.run(feeds)
      for (const what of ["loss", "gradient"] as const) {
        const want = tensors.get(`rank/${r}/${rule.ties}/${what}`)!.data
        Golden.close(got[what], want, `${what} of ${about}, ${rule.ties}`, { tolerance })
      }
    }
  }
})

type Needs = Session | LanguageModel | Corpus | Scope | FileSystem
type Check = (golden: Reference, tolerance: number, config: JmlrConfig) => Effect.Effect<void, unknown, Needs>

describe("against PyTorch", () => {
  for (const { name, session, tolerance } of Golden.providers) {
    const holds = (check: Check) =>
      Effect.gen(function*() {
        const golden = yield* Golden.read<Described>("likelihood")
        const config = yield* Golden.prepare(golden)
        const around = Golden.surroundings(golden.described.passages, session)
        yield* check(golden, tolerance, config).pipe(
          Effect.provide(readOnly(ofReader(config)).pipe(Layer.provideMerge(around)))
        )
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

    it.live(`each token's likelihood on ${name}`, () => holds(tokens))
    it.live(`an answer's likelihood given each passage on ${name}`, () => holds(answers))
    it.live(`LLM-Rank and its gradient on ${name}, with ties and rows of equal values`, () => holds(ranks))
  }
})
