/** Rows that are not learned: what the model loses on them. */
import * as Effect from "effect/Effect"
import { learnedOf, type TokenRecord } from "../../domain/examples/tokens.ts"
import { preferenceLossOf } from "../../runtime/language/preferenceLoss.ts"
import { LanguageModel, type TokenRow, type TokenSums } from "../../runtime/ports/LanguageModel.ts"
import { sideOf } from "./pairs.ts"
import { lossesOf, type MediphiConfig } from "./settings.ts"
import { pairTokenMeans, rewardFigures, tokenMeans } from "./study.ts"

/** Log-likelihoods of texts, and what else is told of their tokens if the settings ask for it. */
const judged = Effect.fnUntraced(function*(c: MediphiConfig, texts: ReadonlyArray<TokenRow>) {
  const { describe, logLikelihood } = yield* LanguageModel
  if (c.log_token_statistics) {
    const { logLikelihood: logps, ...sums } = yield* describe(texts)
    return { logps, sums: sums as TokenSums | undefined }
  }
  return { logps: yield* logLikelihood(texts), sums: undefined }
})

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, one) => sum + one, 0)

/** The mean loss of all learned tokens of the rows in nats, whatever the batches; and its exponential. */
export const textLosses = (c: MediphiConfig) =>
  Effect.fnUntraced(function*(rows: ReadonlyArray<TokenRecord>) {
    const { logps, sums } = yield* judged(c, rows)
    const counts = rows.map(learnedOf)
    const loss = -total(logps) / total(counts)
    const told = sums && tokenMeans({ counts, ...sums })
    return { eval_loss: loss, eval_perplexity: Math.exp(loss), ...named(told ?? {}) }
  })

/** The mean loss of the pairs and their rewards, against the model before training. */
export const pairLosses = (c: MediphiConfig) =>
  Effect.fnUntraced(function*(pairs: ReadonlyArray<TokenRecord>) {
    const texts = pairs.flatMap((own) => [sideOf(own, 0), sideOf(own, 1)])
    const { logps, sums } = yield* judged(c, texts)
    const counts = texts.map(learnedOf)
    const reference = pairs.flatMap((own) => own.reference!)
    const loss = preferenceLossOf(
      { losses: lossesOf(c), beta: c.beta, labelSmoothing: c.label_smoothing },
      { policy: logps, reference, counts }
    )
    const told = sums && pairTokenMeans({ counts, ...sums })
    return { eval_loss: loss, ...named({ ...rewardFigures(c.beta, { policy: logps, reference }), ...told }) }
  })

/** Figures under the names that they have in evaluations. */
const named = (figures: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [`eval_${name}`, value]))
