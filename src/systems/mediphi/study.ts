/** Training steps on rows of tokens and on preferences, and what is reported of them. */
import * as Effect from "effect/Effect"
import type { RowFrame } from "../../datasets/batches.ts"
import { column, type Frame, fromBatch } from "../../domain/Frame.ts"
import { Lesson, Preferred, Reference, Row, Tokens, TokenSums } from "../../domain/tables.ts"
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

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, own) => sum + own, 0)
const mean = (values: ArrayLike<number>): number => total(values) / values.length

/** Sums over tokens, and the numbers of tokens, by text. */
export interface Sums {
  readonly counts: ArrayLike<number>
  readonly correct: ArrayLike<number>
  readonly entropy: ArrayLike<number>
}

/** TRL's figures of all tokens: the share of which none is likelier, and the mean entropy of their predictions. */
export const tokenMeans = ({ correct, counts, entropy }: Sums) => ({
  mean_token_accuracy: total(correct) / total(counts),
  entropy: total(entropy) / total(counts)
})

/** The mean loss of all learned tokens of a step, their number, and what else is told of them. */
export const tokenFigures = (asked: boolean) => (learned: Frame<typeof Lesson>): Readonly<Record<string, number>> => {
  const rows = fromBatch({ ...ofTokens, ...Lesson }, learned.batch)
  const counts = column(rows, "learned").map(total)
  const losses = column(rows, "readerLoss")
  const tokens = total(counts)
  const loss = counts.reduce((sum, own, r) => sum + own * losses[r]!, 0) / tokens
  if (!asked) return { loss, tokens }
  const sums = fromBatch(TokenSums(1), learned.batch)
  return {
    loss,
    ...tokenMeans({ counts, correct: column(sums, "correct"), entropy: column(sums, "entropy") }),
    tokens
  }
}

/** What is told of the pairs' tokens: sums of chosen and rejected answers in turn. */
export interface PairSums extends Sums {
  readonly logits: ArrayLike<number>
}

/** Every second value, from the first or the second on. */
const side = (values: ArrayLike<number>, at: 0 | 1): ReadonlyArray<number> =>
  Array.from(values).filter((_, i) => i % 2 === at)

/** TRL's figures of the answers' tokens: accuracy of the chosen ones, entropy of all, mean logits of each. */
export const pairTokenMeans = ({ correct, counts, entropy, logits }: PairSums) => ({
  "logits/chosen": total(side(logits, 0)) / total(side(counts, 0)),
  "logits/rejected": total(side(logits, 1)) / total(side(counts, 1)),
  mean_token_accuracy: total(side(correct, 0)) / total(side(counts, 0)),
  entropy: total(entropy) / total(counts)
})

/** Log-likelihoods of pairs under the model and its reference, in nats: of chosen and rejected answers in turn. */
export interface PairLogps {
  readonly policy: ArrayLike<number>
  readonly reference: ArrayLike<number>
}

/** TRL's figures of preferences: `rewards/*` are β (log π - log reference), `logps/*` log π. */
export const rewardFigures = (beta: number, { policy, reference }: PairLogps) => {
  const rewards = Array.from(policy, (logp, i) => beta * (logp - reference[i]!))
  const [chosen, rejected] = [side(rewards, 0), side(rewards, 1)]
  return {
    "rewards/chosen": mean(chosen),
    "rewards/rejected": mean(rejected),
    "rewards/accuracies": mean(chosen.map((reward, r) => reward > rejected[r]! ? 1 : 0)),
    "rewards/margins": mean(chosen.map((reward, r) => reward - rejected[r]!)),
    "logps/chosen": mean(side(policy, 0)),
    "logps/rejected": mean(side(policy, 1))
  }
}

/** Learned tokens of the answers of pairs, chosen and rejected in turn. */
const answerTokens = (learned: ReadonlyArray<Int32Array>, starts: ReadonlyArray<Int32Array>): ReadonlyArray<number> =>
  learned.flatMap((marks, r) => [total(marks.slice(0, starts[r]![1]!)), total(marks.slice(starts[r]![1]!))])

/** The figures of a step on preferences, before its update. */
export const preferenceFigures = (beta: number, asked: boolean) => (learned: Frame<typeof Lesson>) => {
  const rows = fromBatch({ ...ofPairs, ...Lesson, ...Preferred }, learned.batch)
  const rejected = column(rows, "rejectedLogp")
  const policy = Array.from(column(rows, "chosenLogp")).flatMap((own, r) => [own, rejected[r]!])
  const figures = {
    loss: mean(column(rows, "readerLoss")),
    ...rewardFigures(beta, { policy, reference: column(rows, "reference") })
  }
  if (!asked) return figures
  const sums = fromBatch(TokenSums(2), learned.batch)
  const counts = answerTokens(column(rows, "learned"), column(rows, "starts"))
  const told = pairTokenMeans({
    counts,
    correct: column(sums, "correct"),
    entropy: column(sums, "entropy"),
    logits: column(sums, "logits")
  })
  return { ...figures, ...told }
}

/** Steps on rows of tokens. */
export const onTokens = ({ log_token_statistics: told, loss_average: average }: MediphiConfig): Study => {
  const stage = learnTokens({ average, told })
  const several = learnTokensSeveral({ average, told })
  return {
    learn: (rows) => stage.run(tokensIn(rows)),
    learnSeveral: (steps, together) => several(steps.map(tokensIn), together),
    gate: (rows) => gateOf(tokenLesson(average)(tokensIn(rows))),
    figures: tokenFigures(told)
  }
}

/** Steps on preferences, one at a time. */
export const onPreferences = ({ beta, log_token_statistics: told }: MediphiConfig): Study => {
  const stage = learnPreferences(told)
  return {
    learn: (rows) => stage.run(pairsIn(rows)),
    learnSeveral: (steps) => Effect.forEach(steps, (rows) => stage.run(pairsIn(rows))),
    gate: (rows) => gateOf(preferenceLesson(pairsIn(rows))),
    figures: preferenceFigures(beta, told)
  }
}
