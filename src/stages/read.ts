/** Read: the reader's likelihood of the correct answer given each drawn passage alone, or all but that one. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import { Draw, Leaving, Question, Reading } from "../domain/tables.ts"
import { LanguageModel } from "../runtime/ports/LanguageModel.ts"
import { answerOf, ask, type PromptOptions, readPassages } from "./prompt.ts"
import * as Stage from "./Stage.ts"

/** The prompt's passages for each of the m drawn ones of a row, worst first. */
type Shown = (drawn: Int32Array, place: number) => Int32Array

/** A prompt with some of the drawn passages for each of them, and the correct answers. */
const askingWith = (m: number, o: PromptOptions, shown: Shown) =>
  Effect.fnUntraced(function*(rows: Frame.Frame<typeof Question & Pick<ReturnType<typeof Draw>, "drawn">>) {
    const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
    const [answers, drawn] = [Frame.column(rows, "answer"), Frame.column(rows, "drawn")]
    const images = Frame.column(rows, "image")
    const passagesOf = yield* readPassages(drawn)
    const asked = Array.from(drawn, (_, i) => {
      const [q, place] = [Math.floor(i / m), i % m]
      const own = { question: questions[q]!, options: options[q]!, image: images[q]! }
      const passages = passagesOf(shown(drawn.subarray(q * m, (q + 1) * m), place))
      return { prompt: ask(o, passages, own), continuation: answerOf(o, own, answers[q]!) }
    })
    return { prompts: asked.map(({ prompt }) => prompt), continuations: asked.map(({ continuation }) => continuation) }
  })

const needs = (m: number) => ({ ...Question, drawn: Draw(m, 1).drawn })

/** The reader's likelihood given each drawn passage alone: a forward pass without gradients. */
export const read = (m: number, o: PromptOptions) => {
  const asking = askingWith(m, o, (drawn, place) => drawn.subarray(place, place + 1))
  return Stage.make("read", {
    needs: needs(m),
    adds: Reading(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      const { continuations, prompts } = yield* asking(rows)
      return { nll: yield* reader.nll(prompts, continuations) }
    })
  })
}

/** The reader's likelihood given all drawn passages but one, the first drawn last. */
export const readWithout = (m: number, o: PromptOptions) => {
  const asking = askingWith(m, o, (drawn, place) => drawn.filter((_, i) => i !== place).toReversed())
  return Stage.make("read", {
    needs: needs(m),
    adds: Leaving(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      const { continuations, prompts } = yield* asking(rows)
      return { nllWithout: yield* reader.nll(prompts, continuations) }
    })
  })
}
