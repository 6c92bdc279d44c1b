/** Read: the reader's likelihood of the correct answer given each drawn passage alone, or all but that one; or its attention to each. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import { Attention, Draw, Leaving, Question, Reading } from "../domain/tables.ts"
import { LanguageModel, LanguageModelLearner, type Verdicts } from "../runtime/ports/LanguageModel.ts"
import { answerOf, ask, type PromptOptions, readPassages } from "./prompt.ts"
import * as Stage from "./Stage.ts"

/** The passages of one of a row's prompts, worst first, from the m drawn ones. */
type Shown = (drawn: Int32Array, place: number, row: number) => Int32Array

type Drawn = Frame.Frame<typeof Question & Pick<ReturnType<typeof Draw>, "drawn">>

/** `each` prompts of every row with some of its m drawn passages, and the correct answers. */
const askingWith = (m: number, each: number, o: PromptOptions, shown: Shown) =>
  Effect.fnUntraced(function*(rows: Drawn) {
    const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
    const [answers, drawn] = [Frame.column(rows, "answer"), Frame.column(rows, "drawn")]
    const images = Frame.column(rows, "image")
    const passagesOf = yield* readPassages(drawn)
    const asked = Array.from({ length: rows.rows * each }, (_, i) => {
      const [q, place] = [Math.floor(i / each), i % each]
      const own = { question: questions[q]!, options: options[q]!, image: images[q]! }
      const passages = passagesOf(shown(drawn.subarray(q * m, (q + 1) * m), place, q))
      return { prompt: ask(o, passages, own), continuation: answerOf(o, own, answers[q]!) }
    })
    return { prompts: asked.map(({ prompt }) => prompt), continuations: asked.map(({ continuation }) => continuation) }
  })

/** The reader whose verdicts count: as it is, or as it was some steps ago where its learner says so. */
const judge = (
  now: LanguageModel["Service"],
  { earlier }: LanguageModelLearner["Service"],
  rows: Frame.Frame<Pick<typeof Question, "step">>
): Effect.Effect<Verdicts> => earlier ? earlier(Frame.column(rows, "step")[0]!) : Effect.succeed(now)

const needs = (m: number) => ({ ...Question, drawn: Draw(m, 1).drawn })

/** The reader's likelihood given each drawn passage alone: a forward pass without gradients. */
export const read = (m: number, o: PromptOptions) => {
  const asking = askingWith(m, m, o, (drawn, place) => drawn.subarray(place, place + 1))
  return Stage.make("read", {
    needs: needs(m),
    adds: Reading(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* judge(yield* LanguageModel, yield* LanguageModelLearner, rows)
      const { continuations, prompts } = yield* asking(rows)
      return { nll: yield* reader.nll(prompts, continuations) }
    })
  })
}

/** The reader's likelihood given all drawn passages but one, the first drawn last. */
export const readWithout = (m: number, o: PromptOptions) => {
  const asking = askingWith(m, m, o, (drawn, place) => drawn.filter((_, i) => i !== place).toReversed())
  return Stage.make("read", {
    needs: needs(m),
    adds: Leaving(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* judge(yield* LanguageModel, yield* LanguageModelLearner, rows)
      const { continuations, prompts } = yield* asking(rows)
      return { nllWithout: yield* reader.nll(prompts, continuations) }
    })
  })
}

/** For each row the places 0..m-1 of its drawn passages in an order of its own, which does not depend on their ranking. */
const ordersOf = (rows: Drawn, m: number, seed: number): ReadonlyArray<Int32Array> => {
  const [step, qid] = [Frame.column(rows, "step"), Frame.column(rows, "qid")]
  return qid.map((id, q) => Key.permutation(Key.fold(Key.make(seed), "attend", step[q]!, id), m))
}

/**
 * How much the reader attends to each drawn passage while it predicts the answer from all of them. They stand in a random order:
 * attention favours places, which would otherwise teach the order of the draw, by which better ones come first.
 */
export const attend = (m: number, o: PromptOptions & { readonly seed: number }) =>
  Stage.make("read", {
    needs: needs(m),
    adds: Attention(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* judge(yield* LanguageModel, yield* LanguageModelLearner, rows)
      const drawn = Frame.column(rows, "drawn")
      const orders = ordersOf(rows, m, o.seed)
      const asking = askingWith(m, 1, o, (own, _, q) => orders[q]!.map((place) => own[place]!))
      const { continuations, prompts } = yield* asking(rows)
      const masses = yield* reader.attention(prompts, continuations)
      /** A place without a passage, -1, is not in the prompt. */
      const shown = (q: number) => [...orders[q]!].filter((place) => drawn[q * m + place]! >= 0)
      const attention = new Float32Array(drawn.length)
      masses.forEach((mass, q) => shown(q).forEach((place, part) => attention[q * m + place] = mass[part]!))
      return { attention }
    })
  })
