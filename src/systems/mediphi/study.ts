/** Training steps on rows of tokens and on preferences, and what is reported of them. */
import * as Effect from "effect/Effect"
import type { RowFrame } from "../../datasets/batches.ts"
import { column, type Frame, fromBatch } from "../../domain/Frame.ts"
import { Lesson, Preferred, Reference, Row, Tokens } from "../../domain/tables.ts"
import {
  gateOf,
  learnPreferences,
  learnTokens,
  learnTokensSeveral,
  preferenceLesson,
  tokenLesson
} from "../../stages/tokens.ts"
import type { Study } from "../System.ts"
import type { MediphiConfig } from "./settings.ts"

const ofTokens = { ...Row, ...Tokens }
const ofPairs = { ...ofTokens, ...Reference }
const tokensIn = ({ batch }: RowFrame) => fromBatch(ofTokens, batch)
const pairsIn = ({ batch }: RowFrame) => fromBatch(ofPairs, batch)

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, own) => sum + own, 0) / values.length
const total = (values: Int32Array): number => values.reduce((sum, own) => sum + own, 0)

/** The mean loss of all learned tokens of a step, and their number. */
export const tokenFigures = (learned: Frame<typeof Lesson>): Readonly<Record<string, number>> => {
  const rows = fromBatch({ ...ofTokens, ...Lesson }, learned.batch)
  const counts = column(rows, "learned").map(total)
  const losses = column(rows, "readerLoss")
  const tokens = counts.reduce((sum, own) => sum + own, 0)
  return { loss: counts.reduce((sum, own, r) => sum + own * losses[r]!, 0) / tokens, tokens }
}

/** TRL's figures of a step: `rewards/*` are β (log π - log reference), `logps/*` log π before the update. */
export const preferenceFigures = (beta: number) => (learned: Frame<typeof Lesson>) => {
  const rows = fromBatch({ ...ofPairs, ...Lesson, ...Preferred }, learned.batch)
  const reference = column(rows, "reference")
  const [chosen, rejected] = [Array.from(column(rows, "chosenLogp")), Array.from(column(rows, "rejectedLogp"))]
  const rewards = {
    chosen: chosen.map((logp, r) => beta * (logp - reference[2 * r]!)),
    rejected: rejected.map((logp, r) => beta * (logp - reference[2 * r + 1]!))
  }
  return {
    loss: mean(Array.from(column(rows, "readerLoss"))),
    "rewards/chosen": mean(rewards.chosen),
    "rewards/rejected": mean(rewards.rejected),
    "rewards/accuracies": mean(rewards.chosen.map((reward, r) => reward > rewards.rejected[r]! ? 1 : 0)),
    "rewards/margins": mean(rewards.chosen.map((reward, r) => reward - rewards.rejected[r]!)),
    "logps/chosen": mean(chosen),
    "logps/rejected": mean(rejected)
  }
}

/** Steps on rows of tokens. */
export const onTokens = ({ loss_average }: MediphiConfig): Study => {
  const stage = learnTokens(loss_average)
  const several = learnTokensSeveral(loss_average)
  return {
    learn: (rows) => stage.run(tokensIn(rows)),
    learnSeveral: (steps, together) => several(steps.map(tokensIn), together),
    gate: (rows) => gateOf(tokenLesson(loss_average)(tokensIn(rows))),
    figures: tokenFigures
  }
}

/** Steps on preferences, one at a time. */
export const onPreferences = ({ beta }: MediphiConfig): Study => ({
  learn: (rows) => learnPreferences.run(pairsIn(rows)),
  learnSeveral: (steps) => Effect.forEach(steps, (rows) => learnPreferences.run(pairsIn(rows))),
  gate: (rows) => gateOf(preferenceLesson(pairsIn(rows))),
  figures: preferenceFigures(beta)
})
