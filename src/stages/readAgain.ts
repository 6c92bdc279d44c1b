/** Questions that have been answered, read again: under other orders of their options, and with and without each passage. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import * as Key from "../domain/Key.ts"
import type { Generation } from "../domain/settings/generation.ts"
import { Answer, Influence, Orders, Question } from "../domain/tables.ts"
import { averaged, ordersOf, type Read } from "../domain/verdicts/orders.ts"
import { LanguageModel } from "../runtime/ports/LanguageModel.ts"
import { answerOf, answersOf, ask, type PromptOptions, readPassages } from "./prompt.ts"
import * as Stage from "./Stage.ts"

const numbers = (values: Float32Array): ReadonlyArray<number> => Array.from(values)

/**
 * Reads each question whose options were scored under `count` orders of them, drawn under a key of seed and question, the
 * given order among them. Others have empty lists.
 */
export const readOrders = (
  c: number,
  { count, seed }: { readonly count: number; readonly seed: number },
  o: PromptOptions & Pick<Generation, "option_end" | "option_score">
) => {
  const { optionNll, support } = Answer(c)
  return Stage.make("readOrders", {
    needs: { ...Question, support, optionNll },
    adds: Orders,
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      const [questions, options, qid] = [
        Frame.column(rows, "question"),
        Frame.column(rows, "options"),
        Frame.column(rows, "qid")
      ]
      const [given, passages] = [Frame.column(rows, "optionNll"), Frame.column(rows, "support")]
      const images = Frame.column(rows, "image")
      const passagesOf = yield* readPassages(passages)
      const asked = questions.flatMap((question, r) => {
        if (given[r]!.length === 0) return []
        const key = Key.fold(Key.make(seed), "orders", qid[r]!)
        return ordersOf(key, options[r]!.length, count).slice(1).map((order) => ({
          r,
          order,
          own: { question, options: order.map((i) => options[r]![i]!), image: images[r]! }
        }))
      })
      const prompts = asked.map(({ own, r }) => ask(o, passagesOf(passages.subarray(r * c, (r + 1) * c)), own))
      const nll = yield* reader.rank(prompts, asked.map(({ own }) => answersOf(o, own)), o.option_score, o.option_end)
      const others = Map.groupBy(asked.keys(), (i) => asked[i]!.r)
      const all = options.map((own, r) => {
        const first: Read = { order: [...own.keys()], nll: numbers(given[r]!) }
        const more = (others.get(r) ?? []).map((i): Read => ({ order: asked[i]!.order, nll: numbers(nll[i]!) }))
        return averaged([first, ...more].filter(({ nll }) => nll.length > 0))
      })
      return {
        debiased: all.map(({ probabilities }) => Float32Array.from(probabilities)),
        orderAnswers: all.map(({ answers }) => Int32Array.from(answers))
      }
    })
  })
}

/** The prompts of a question, as the places of its passages: all, none, each alone, all but each. */
const subsets = (places: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> => [
  places,
  [],
  ...places.map((place) => [place]),
  ...places.map((place) => places.filter((other) => other !== place))
]

/**
 * The right answer's negative log-likelihood with all passages of its prompt, without any, with each alone and with all but
 * each. NaN where there is no passage, for questions whose answer is not known and for those that were not asked. Equal prompts
 * are read once.
 */
export const readInfluence = (c: number, o: PromptOptions) =>
  Stage.make("readInfluence", {
    needs: { ...Question, support: Answer(c).support },
    adds: Influence(c),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
      const [answers, support] = [Frame.column(rows, "answer"), Frame.column(rows, "support")]
      const images = Frame.column(rows, "image")
      const passagesOf = yield* readPassages(support)
      const asked = questions.flatMap((question, r) => {
        if (answers[r] === "") return []
        const own = { question, options: options[r]!, image: images[r]! }
        const places = Array.from({ length: c }, (_, p) => p).filter((p) => support[r * c + p]! >= 0)
        const distinct = new Map(subsets(places).map((subset) => [subset.join(), subset]))
        return [...distinct].map(([name, subset]) => ({
          key: `${r}:${name}`,
          prompt: ask(o, passagesOf(Int32Array.from(subset, (p) => support[r * c + p]!)), own),
          continuation: answerOf(o, own, answers[r]!)
        }))
      })
      const said = asked.map(({ continuation }) => [continuation])
      const nll = yield* reader.rank(asked.map(({ prompt }) => prompt), said, "mean")
      const found = new Map(asked.map(({ key }, i) => [key, nll[i]![0]]))
      const places = (r: number) => Array.from({ length: c }, (_, p) => p).filter((p) => support[r * c + p]! >= 0)
      const of = (r: number, subset: ReadonlyArray<number>) => found.get(`${r}:${subset.join()}`) ?? Number.NaN
      const each = (value: (r: number, place: number) => number) =>
        Float32Array.from(support, (doc, i) => doc < 0 ? Number.NaN : value(Math.floor(i / c), i % c))
      return {
        nllAll: Float32Array.from(questions, (_, r) => of(r, places(r))),
        nllNone: Float32Array.from(questions, (_, r) => of(r, [])),
        nllAlone: each((r, place) => of(r, [place])),
        nllBut: each((r, place) => of(r, places(r).filter((other) => other !== place)))
      }
    })
  })
