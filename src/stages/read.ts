/** Read: how surprised is the reader by the true answer, given each drawn passage alone? */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import { Draw, Question, Reading } from "../domain/tables.ts"
import { Reader } from "../runtime/ports/Reader.ts"
import * as Stage from "./Stage.ts"

/** A frozen pass: no gradient is kept of it. */
export const read = (m: number) =>
  Stage.make("read", {
    needs: { ...Question, drawn: Draw(m, 1).drawn },
    adds: Reading(m),
    run: Effect.fnUntraced(function*(rows) {
      const reader = yield* Reader
      const nll = yield* reader.nll({
        questions: Frame.column(rows, "question"),
        options: Frame.column(rows, "options"),
        answers: Frame.column(rows, "answer"),
        docs: Frame.column(rows, "drawn")
      })
      return { nll }
    })
  })
