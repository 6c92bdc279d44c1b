/** What every language model owes, and every learner beside one: likelihoods and texts that nothing beside them changes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Chat, text } from "../../../src/domain/Content.ts"
import {
  LanguageModel,
  LanguageModelLearner,
  type LanguageModelLesson,
  type Token,
  type TokenRow
} from "../../../src/runtime/ports/LanguageModel.ts"
import { labelOf } from "../../../src/runtime/ports/Learning.ts"
import * as Tiny from "../../support/tiny.ts"

/** Runs an effect with a fresh layer of the tiny models. */
export type Subject<R> = <A, E>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, unknown>

export interface LanguageModelTraits {
  /** Whether there is a model: one that is surprised, and that writes. */
  readonly speaks: boolean
  /** Whether it reads tokens and draws them; a fake that speaks may do neither. */
  readonly draws?: boolean
  /** How far a likelihood may be from that of the same text beside others, by its size. */
  readonly rounding?: number
}

const passage = (row: number) => ({ ...text(`\n${Tiny.passages[row]!.text}`), most: 40, yields: true })
const prompts: ReadonlyArray<Chat> = Tiny.questions.map(({ question }, q) => [
  { role: "user", content: [passage(q), passage(q + 1), text(`\n${question}`)] }
])
const answers = Tiny.questions.map(({ answer }) => ` ${answer}`)
const options = Tiny.questions.map((q) => q.options.map((option) => ` ${option}`))
const MOST = 6

const textsOf = (tokens: Iterable<Token>, rows: number): ReadonlyArray<string> => {
  const texts = Array<string>(rows).fill("")
  for (const { row, text } of tokens) texts[row] += text
  return texts
}

type Model = LanguageModel["Service"]

/** Two texts of ids, of which some are learned, and both in a row without seeing each other. */
const texts: ReadonlyArray<TokenRow> = [
  { ids: [5, 6, 7, 8], learned: [0, 1, 0, 1], starts: [0] },
  { ids: [9, 6, 5], learned: [0, 1, 1], starts: [0] }
]
const joined: TokenRow = { ids: [5, 6, 7, 8, 9, 6, 5], learned: [0, 1, 0, 1, 0, 1, 1], starts: [0, 4] }

export const languageModelSuite = (
  name: string,
  subject: Subject<LanguageModel>,
  { draws = true, rounding = 1e-6, speaks }: LanguageModelTraits
) => {
  const on = (check: (model: Model) => Effect.Effect<void, unknown>) =>
    Effect.asVoid(subject(Effect.flatMap(LanguageModel, check)))
  const close = (got: number, want: number) => assert.closeTo(got, want, rounding * Math.max(1, Math.abs(want)))
  const written = (model: Model, chats: ReadonlyArray<Chat>) =>
    Effect.map(
      Stream.runCollect(model.write(chats, { max_new_tokens: MOST })),
      (tokens) => textsOf(tokens, chats.length)
    )

  return describe(`a language model ${name}`, () => {
    it.live("tells the likelihood of what is learned of texts, one by one or in a row", () =>
      on(Effect.fnUntraced(function*({ describe, logLikelihood }) {
        const [one, other] = yield* logLikelihood(texts)
        const [both] = yield* logLikelihood([joined])
        close(both!, one! + other!)
        assert.isTrue(speaks ? one! < 0 && other! < 0 : one === 0)
        assert.deepStrictEqual(yield* logLikelihood([]), new Float32Array(0))
        const described = yield* describe(texts)
        described.logLikelihood.forEach((own, i) => assert.closeTo(own, [one!, other!][i]!, 1e-4))
        for (
          const { correct, entropy, tokens } of texts.map(({ learned }, i) => ({
            correct: described.correct[i]!,
            entropy: described.entropy[i]!,
            tokens: Array.from(learned).reduce((sum, own) => sum + own, 0)
          }))
        ) assert.isTrue(Number.isInteger(correct) && correct >= 0 && correct <= tokens && entropy >= 0)
      })))
    it.live("tells how surprised it is by each continuation, in the order and as often as it is asked", () =>
      on(Effect.fnUntraced(function*({ nll }) {
        const found = yield* nll(prompts, answers)
        assert.strictEqual(found.length, prompts.length)
        assert.isTrue(found.every((own) => Number.isFinite(own) && own >= 0))
        const again = yield* nll([prompts[2]!, prompts[0]!, prompts[2]!], [answers[2]!, answers[0]!, answers[2]!])
        for (const [i, q] of [2, 0, 2].entries()) close(again[i]!, found[q]!)
      })))
    it.live("is as surprised beside others as alone, and by several fibers at once", () =>
      on(Effect.fnUntraced(function*({ nll }) {
        const together = yield* nll(prompts, answers)
        const alone = yield* Effect.forEach(prompts, (prompt, p) => nll([prompt], [answers[p]!]), {
          concurrency: "unbounded"
        })
        alone.forEach(([own], p) => close(own!, together[p]!))
      })))
    it.live("ranks continuations as it is surprised by each alone; a sum is no less than a mean", () =>
      on(Effect.fnUntraced(function*({ nll, rank }) {
        const [means, sums] = [yield* rank(prompts, options, "mean"), yield* rank(prompts, options, "sum")]
        assert.deepStrictEqual([means.length, sums.length], [prompts.length, prompts.length])
        for (const [p, own] of options.entries()) {
          if (!speaks) {
            assert.deepStrictEqual([means[p]!.length, sums[p]!.length], [0, 0])
            continue
          }
          const alone = yield* nll(own.map(() => prompts[p]!), own)
          own.forEach((_, i) => close(means[p]![i]!, alone[i]!))
          own.forEach((_, i) => assert.isAtLeast(sums[p]![i]! + 1e-6, means[p]![i]!))
        }
      })))
    it.live("ranks continuations of a prompt of a few tokens the same way, few or many", () =>
      on(Effect.fnUntraced(function*({ nll, rank }) {
        if (!speaks) return
        const short: Chat = [{ role: "user", content: [text("Long fingers?")] }]
        for (const own of [options[0]!.slice(0, 2), options[0]!, options.flat()]) {
          const [means] = yield* rank([short], [own], "mean")
          const alone = yield* nll(own.map(() => short), own)
          own.forEach((_, i) => close(means![i]!, alone[i]!))
        }
      })))
    it.live("ranks open continuations without the end after them, which is no less likely", () =>
      on(Effect.fnUntraced(function*({ rank }) {
        if (!speaks || !draws) return
        const [ended, open] = [yield* rank(prompts, options, "sum"), yield* rank(prompts, options, "sum", "open")]
        const twice = yield* rank(
          prompts,
          options.map((own) => own.flatMap((text) => [text, `${text} ${text}`])),
          "sum",
          "open"
        )
        for (const [p, own] of options.entries()) {
          own.forEach((_, i) => {
            assert.isBelow(open[p]![i]!, ended[p]![i]!)
            /** More text is no more likely than its beginning. */
            assert.isAtLeast(twice[p]![2 * i + 1]! + rounding * 10, open[p]![i]!)
            close(twice[p]![2 * i]!, open[p]![i]!)
          })
        }
      })))
    it.live("draws as it is told for some texts, in place of the settings", () =>
      on(Effect.fnUntraced(function*(model) {
        if (!speaks || !draws) return
        const drawn = (decoding: object, key = "") =>
          Effect.map(
            Stream.runCollect(model.write(prompts, { max_new_tokens: MOST, key, decoding })),
            (tokens) => textsOf(tokens, prompts.length)
          )
        const greedy = yield* drawn({ do_sample: false })
        assert.deepStrictEqual(yield* drawn({ do_sample: false }, "other"), greedy)
        const hot = { do_sample: true, temperature: 50, top_k: 0 }
        assert.notDeepEqual(yield* drawn(hot), greedy)
        assert.notDeepEqual(yield* drawn(hot, "other"), yield* drawn(hot))
        const begun = greedy.find((text) => text.trim() !== "")
        if (begun === undefined) return
        const cut = yield* drawn({ do_sample: false, stop_strings: [begun.slice(0, 3)] })
        assert.isTrue(cut.every((text) => !text.includes(begun.slice(0, 3))))
      })))
    it.live("writes texts that end, of so many tokens at most, the same beside others as alone", () =>
      on(Effect.fnUntraced(function*(model) {
        const tokens = yield* Stream.runCollect(model.write(prompts, { max_new_tokens: MOST }))
        if (!speaks) return assert.deepStrictEqual(tokens, [])
        for (const p of prompts.keys()) {
          const own = tokens.filter(({ row }) => row === p)
          assert.isTrue(own.length >= 1 && own.length <= MOST)
          assert.isDefined(own.at(-1)!.finish)
          assert.isTrue(own.slice(0, -1).every(({ finish }) => finish === undefined))
          assert.deepStrictEqual(yield* written(model, [prompts[p]!]), [textsOf(own, p + 1)[p]!])
        }
      })))
    it.live("takes messages of every role, and goes on from the beginning of an answer", () =>
      on(Effect.fnUntraced(function*(model) {
        const talk: Chat = [
          { role: "system", content: [text("Answer.")] },
          { role: "user", content: [text("\nLong fingers?")] },
          { role: "assistant", content: [text(" FBN1")] },
          { role: "user", content: [text("\nKinky hair?")] }
        ]
        const begun: Chat = [...talk, { role: "assistant", content: [text(" ATP")] }]
        for (const chat of [talk, begun]) {
          assert.isTrue(Number.isFinite((yield* model.nll([chat], [" ATP7A"]))[0]))
          assert.strictEqual((yield* written(model, [chat])).length, 1)
        }
      })))
    it.live("leaves out of a prompt that is too long what may give way", () =>
      on(Effect.fnUntraced(function*({ nll }) {
        const many = Tiny.passages.flatMap((_, row) => [passage(row), passage(row)])
        const long: Chat = [{ role: "user", content: [...many, text("\nLong fingers?")] }]
        assert.isTrue(Number.isFinite((yield* nll([long], [" FBN1"]))[0]))
      })))
    it.live("has nothing to say of no prompt", () =>
      on(Effect.fnUntraced(function*(model) {
        assert.deepStrictEqual(yield* model.nll([], []), new Float32Array(0))
        assert.deepStrictEqual(yield* model.rank([], [], "mean"), [])
        assert.deepStrictEqual(yield* written(model, []), [])
      })))
  })
}

export interface LearnerTraits extends LanguageModelTraits {
  /** Whether an update moves anything. */
  readonly learns: boolean
}

const lesson: LanguageModelLesson = { prompts, continuations: answers }
const mean = (losses: Float32Array) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length

export const languageModelLearnerSuite = (
  name: string,
  subject: Subject<LanguageModel | LanguageModelLearner>,
  { learns }: LearnerTraits
) => {
  const on = (
    check: (model: Model, learner: LanguageModelLearner["Service"]) => Effect.Effect<void, unknown>
  ) =>
    Effect.asVoid(subject(Effect.gen(function*() {
      yield* check(yield* LanguageModel, yield* LanguageModelLearner)
    })))
  return describe(`a learner of a language model ${name}`, () => {
    it.live(`tells the loss of each continuation${learns ? ", which falls" : ", and moves nothing"}`, () =>
      on(Effect.fnUntraced(function*({ nll }, { learn }) {
        const before = yield* nll(prompts, answers)
        const first = yield* learn(lesson)
        assert.strictEqual(first.length, prompts.length)
        assert.isTrue(first.every((loss) => Number.isFinite(loss) && loss >= 0))
        let last = first
        for (let i = 0; i < 6; i++) last = yield* learn(lesson)
        const after = yield* nll(prompts, answers)
        if (learns) {
          assert.isBelow(mean(last), mean(first))
          assert.isBelow(mean(after), mean(before))
        } else assert.deepStrictEqual([last, after], [first, before])
      })))
    it.live(`tells the loss of each row of tokens${learns ? ", which falls" : ", and moves nothing"}`, () =>
      on(Effect.fnUntraced(function*({ logLikelihood }, { learnTokens }) {
        const before = yield* logLikelihood(texts)
        const lesson = { rows: texts, average: "token" } as const
        const first = yield* learnTokens(lesson)
        assert.strictEqual(first.loss.length, texts.length)
        for (let i = 0; i < 6; i++) yield* learnTokens(lesson)
        const after = yield* logLikelihood(texts)
        if (learns) assert.isAbove(mean(after), mean(before))
        else assert.deepStrictEqual([after, (yield* learnTokens(lesson)).loss], [before, first.loss])
      })))
    it.live("is gated by every group that is trained, which moves nothing", () =>
      on(Effect.fnUntraced(function*({ nll }, { gate, groups }) {
        const before = yield* nll(prompts, answers)
        const norms = yield* gate(lesson)
        assert.deepStrictEqual(yield* gate(lesson), norms)
        assert.isTrue([...norms.values()].every((norm) => norm > 0))
        const trained = groups.filter(({ trainable }) => trainable).map(labelOf)
        if (groups.length > 0) assert.sameMembers([...norms.keys()], trained)
        assert.deepStrictEqual(yield* nll(prompts, answers), before)
      })))
  })
}
