/** Answer: the reader's choice from the best passages. Nothing is drawn, nothing learns. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import { Answer, Candidates, Question } from "../domain/tables.ts"
import { Reader } from "../runtime/ports/Reader.ts"
import * as Stage from "./Stage.ts"

/** From `n` candidates, best first, the `c` best are read, best last. */
export const answer = (n: number, c: number) =>
  Stage.make("answer", {
    needs: { ...Question, docs: Candidates(n).docs },
    adds: Answer(c),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* Reader
      const docs = Frame.column(rows, "docs")
      const support = Int32Array.from({ length: rows.rows * c }, (_, i) => docs[Math.floor(i / c) * n + c - 1 - i % c]!)
      const { indices, texts } = yield* reader.answer({
        questions: Frame.column(rows, "question"),
        options: Frame.column(rows, "options"),
        context: support
      })
      return { prediction: texts, predictionIndex: indices, support }
    })
  })
