/** Read: the reader's likelihood of the correct answer given each drawn passage alone. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import { Draw, Question, Reading } from "../domain/tables.ts"
import { LanguageModel } from "../runtime/ports/LanguageModel.ts"
import { answerOf, ask, type PromptOptions, readTexts } from "./prompt.ts"
import * as Stage from "./Stage.ts"

/** A forward pass without gradients. */
export const read = (m: number, o: PromptOptions) =>
  Stage.make("read", {
    needs: { ...Question, drawn: Draw(m, 1).drawn },
    adds: Reading(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* LanguageModel
      const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
      const [answers, drawn] = [Frame.column(rows, "answer"), Frame.column(rows, "drawn")]
      const texts = yield* readTexts(drawn)
      const asked = Array.from(drawn, (_, i) => {
        const q = Math.floor(i / m)
        const own = { question: questions[q]!, options: options[q]! }
        return { prompt: ask(o, texts(drawn.subarray(i, i + 1)), own), continuation: answerOf(o, own, answers[q]!) }
      })
      const nll = yield* reader.nll(asked.map(({ prompt }) => prompt), asked.map(({ continuation }) => continuation))
      return { nll }
    })
  })
