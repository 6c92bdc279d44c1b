/** Answer: the reader's choice from the best passages. Nothing is drawn, nothing learns. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import { Answer, Candidates, Question } from "../domain/tables.ts"
import { Reader, textsOf } from "../runtime/ports/Reader.ts"
import * as Stage from "./Stage.ts"

/** Of `n` candidates a row, best first, the `c` best, best last; -1 in front where there are not so many. */
export const supportOf = (docs: Int32Array, n: number, c: number): Int32Array =>
  Int32Array.from({ length: docs.length / n * c }, (_, i) => {
    const place = c - 1 - i % c
    return place < n ? docs[Math.floor(i / c) * n + place]! : -1
  })

/** From `n` candidates, best first, the `c` best are read, best last; where it `explains`, the reader says why. */
export const answer = (n: number, c: number, explains = false) =>
  Stage.make("answer", {
    needs: { ...Question, docs: Candidates(n).docs },
    adds: Answer(c),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* Reader
      const support = supportOf(Frame.column(rows, "docs"), n, c)
      const asked = {
        questions: Frame.column(rows, "question"),
        options: Frame.column(rows, "options"),
        context: support
      }
      const { indices, texts, written } = yield* reader.answer(asked)
      const reasons = explains ? yield* textsOf(reader.write({ ...asked, explain: texts }), rows.rows) : []
      return {
        prediction: texts,
        predictionIndex: indices,
        support,
        written: written.map((text, r) => [text, reasons[r]].filter(Boolean).join("\n"))
      }
    })
  })
