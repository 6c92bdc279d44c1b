/** Updates of a language model alone, on rows of tokens and on preferences. */
import * as Effect from "effect/Effect"
import type { Blocks } from "../domain/Columns.ts"
import * as Frame from "../domain/Frame.ts"
import { Lesson, Preferred, Reference, Row, Tokens, TokenSums as Sums } from "../domain/tables.ts"
import {
  LanguageModelLearner,
  type PreferenceLesson,
  type TokenLesson,
  type TokenRow,
  type TokenSums
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

/** What an update adds to rows: losses, and what else is told of their tokens if it was asked for. */
const told = (rows: number, loss: Float32Array, sums: TokenSums | undefined) => ({
  retrieverLoss: new Float32Array(rows),
  readerLoss: loss,
  ...sums
})

/** The columns of token sums, `texts` of each row; none where they are not asked for. */
const sumsOf = (texts: 1 | 2, asked: boolean) => (asked ? Sums(texts) : {}) as ReturnType<typeof Sums>

/** Options of updates on tokens. */
export interface TokenOptions {
  readonly average: Average
  /** Whether token sums are told; the learner must then give them. */
  readonly told: boolean
}

/** One update on rows of tokens; the loss of each is the mean over its own learned tokens. */
export const learnTokens = (o: TokenOptions) =>
  Stage.make("update", {
    needs: ofTokens,
    adds: { ...Lesson, ...sumsOf(1, o.told) },
    run: Effect.fnUntraced(function*(rows) {
      const { loss, tokens } = yield* (yield* LanguageModelLearner).learnTokens(tokenLesson(o.average)(rows))
      return told(rows.rows, loss, tokens) as Blocks<typeof Lesson & ReturnType<typeof Sums>>
    })
  })

/** One update on preferences; token sums are told if asked for. */
export const learnPreferences = (asked: boolean) =>
  Stage.make("update", {
    needs: ofPairs,
    adds: { ...Lesson, ...Preferred, ...sumsOf(2, asked) },
    run: Effect.fnUntraced(function*(rows) {
      const { chosen, loss, rejected, tokens } = yield* (yield* LanguageModelLearner).prefer(preferenceLesson(rows))
      return {
        ...told(rows.rows, loss, tokens) as Blocks<typeof Lesson & ReturnType<typeof Sums>>,
        chosenLogp: chosen,
        rejectedLogp: rejected
      }
    })
  })

/** The gradient norms of a lesson, without an update. */
export const gateOf = (lesson: TokenLesson | PreferenceLesson) =>
  Effect.flatMap(LanguageModelLearner, (learner) => learner.gate(lesson))

/** Updates on several frames in order, in one program if `together` and all have as many rows. */
export const learnTokensSeveral = (o: TokenOptions) =>
  Effect.fnUntraced(function*(frames: ReadonlyArray<Frame.Frame<typeof ofTokens>>, together: boolean) {
    const learner = yield* LanguageModelLearner
    const lessons = frames.map(tokenLesson(o.average))
    const alike = together && frames.every(({ rows }) => rows === frames[0]!.rows)
    const all = alike && learner.learnTokensSeveral
      ? yield* learner.learnTokensSeveral(lessons)
      : yield* Effect.forEach(lessons, learner.learnTokens)
    const adds = { ...Lesson, ...sumsOf(1, o.told) }
    return frames.map((rows, k) => {
      const { loss, tokens } = all[k]!
      return Frame.append(rows, adds, told(rows.rows, loss, tokens) as Blocks<typeof adds>)
    })
  })
