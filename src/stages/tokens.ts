/** Updates of a language model alone, on rows of tokens and on preferences. */
import * as Effect from "effect/Effect"
import * as Frame from "../domain/Frame.ts"
import { Lesson, Preferred, Reference, Row, Tokens } from "../domain/tables.ts"
import {
  LanguageModelLearner,
  type PreferenceLesson,
  type TokenLesson,
  type TokenRow
} from "../runtime/ports/LanguageModel.ts"
import * as Stage from "./Stage.ts"

const ofTokens = { ...Row, ...Tokens }
const ofPairs = { ...ofTokens, ...Reference }

const rowsOf = (rows: Frame.Frame<typeof ofTokens>): ReadonlyArray<TokenRow> => {
  const [ids, learned, starts] = (["ids", "learned", "starts"] as const).map((name) => Frame.column(rows, name))
  return ids!.map((own, r) => ({ ids: own, learned: learned![r]!, starts: starts![r]! }))
}

/** Over what the loss of an update is averaged. */
export type Average = TokenLesson["average"]

/** What an update on rows of tokens learns from. */
export const tokenLesson = (average: Average) => (rows: Frame.Frame<typeof ofTokens>): TokenLesson => ({
  rows: rowsOf(rows),
  average
})

/** The two texts of a row: its first and its second example. */
const sidesOf = ({ ids, learned, starts }: TokenRow): readonly [TokenRow, TokenRow] => {
  const [own, marks, at] = [Array.from(ids), Array.from(learned), starts[1]!]
  const side = (from: number, to?: number) => ({
    ids: own.slice(from, to),
    learned: marks.slice(from, to),
    starts: [0]
  })
  return [side(0, at), side(at)]
}

/** What an update on preferences learns from. */
export const preferenceLesson = (rows: Frame.Frame<typeof ofPairs>): PreferenceLesson => ({
  pairs: rowsOf(rows).map(sidesOf),
  reference: Frame.column(rows, "reference")
})

/** One update on rows of tokens; the loss of each is the mean over its own learned tokens. */
export const learnTokens = (average: Average) =>
  Stage.make("update", {
    needs: ofTokens,
    adds: Lesson,
    run: Effect.fnUntraced(function*(rows) {
      const readerLoss = yield* (yield* LanguageModelLearner).learn(tokenLesson(average)(rows))
      return { retrieverLoss: new Float32Array(rows.rows), readerLoss }
    })
  })

/** One update on preferences. */
export const learnPreferences = Stage.make("update", {
  needs: ofPairs,
  adds: { ...Lesson, ...Preferred },
  run: Effect.fnUntraced(function*(rows) {
    const { chosen, loss, rejected } = yield* (yield* LanguageModelLearner).prefer(preferenceLesson(rows))
    return {
      retrieverLoss: new Float32Array(rows.rows),
      readerLoss: loss,
      chosenLogp: chosen,
      rejectedLogp: rejected
    }
  })
})

/** The gradient norms of a lesson, without an update. */
export const gateOf = (lesson: TokenLesson | PreferenceLesson) =>
  Effect.flatMap(LanguageModelLearner, (learner) => learner.gate(lesson))

/** Updates on several frames in order, in one program if `together` and all have as many rows. */
export const learnTokensSeveral = (average: Average) =>
  Effect.fnUntraced(function*(frames: ReadonlyArray<Frame.Frame<typeof ofTokens>>, together: boolean) {
    const learner = yield* LanguageModelLearner
    const lessons = frames.map(tokenLesson(average))
    const alike = together && frames.every(({ rows }) => rows === frames[0]!.rows)
    const losses = alike && learner.learnSeveral
      ? yield* learner.learnSeveral(lessons)
      : yield* Effect.forEach(lessons, learner.learn)
    return frames.map((rows, k) =>
      Frame.append(rows, Lesson, { retrieverLoss: new Float32Array(rows.rows), readerLoss: losses[k]! })
    )
  })
