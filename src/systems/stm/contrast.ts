/** Contrastive training: from the settings to what is compared, how scores become a loss, and what rows lack for it. */
import type { QuestionRecord } from "../../domain/records/Records.ts"
import { stepSize } from "../../domain/settings/training.ts"
import type { Loss } from "../../runtime/retrieval/dense/lessons.ts"
import type { ContrastOptions } from "../../stages/contrast.ts"
import type { ContrastGoal } from "../../stages/update.ts"
import { inBatchOf, type StmConfig } from "./settings.ts"

/** What `auto` stands for; differences between scores are not divided. */
const temperatures = { infonce: 0.05, kl: 1, margin_mse: 1 } as const

const temperatureOf = ({ contrastive_loss: loss, contrastive_temperature: given }: StmConfig): number =>
  given === "auto" || loss === "margin_mse" ? temperatures[loss] : given

/** How scores become a loss. */
export const contrastLoss = (c: StmConfig): Loss => ({
  temperature: temperatureOf(c),
  weight: 1,
  contrast: {
    miniBatch: c.mini_batch_size,
    margin: c.margin_strategy === "none" || c.contrastive_loss !== "infonce"
      ? undefined
      : { strategy: c.margin_strategy, margin: c.margin },
    hardness: c.hardness_mode === "none" || c.contrastive_loss !== "infonce"
      ? undefined
      : { mode: c.hardness_mode, strength: c.hardness_strength },
    divergence: c.contrastive_loss === "kl",
    normalise: c.contrastive_loss === "kl" && c.normalize_scores
  }
})

/** Which passages a query's positive is compared with, and what is asked of their scores. */
export const contrastOptions = (c: StmConfig): ContrastOptions & ContrastGoal => {
  const loss = c.contrastive_loss
  return {
    b: stepSize(c),
    negatives: c.num_negatives,
    inBatch: inBatchOf(c),
    masksKnown: c.mask_known_positives,
    teacher: loss === "infonce"
      ? undefined
      : loss === "kl"
      ? { as: "shares", temperature: c.teacher_temperature }
      : { as: "scores" },
    seed: c.seed,
    both: loss === "infonce" && c.directions === "both",
    margins: loss === "margin_mse"
  }
}

/** What rows lack for the loss: negatives, or a teacher's scores. */
export const contrastLacks = (c: StmConfig) => (records: ReadonlyArray<QuestionRecord>): ReadonlyArray<string> => {
  const { inBatch, negatives, teacher } = contrastOptions(c)
  const alone = records.filter((q) => (q.negatives ?? []).length === 0)
  const mute = records.filter(({ scores }) => scores === undefined)
  return [
    inBatch === "none" && alone.length > 0
    && `${alone.length} rows have no negatives to compare their positives with (first: ${alone[0]!.id})`,
    inBatch !== "none" && negatives > 0 && alone.length === records.length
    && "no row has a negative; set num_negatives: 0 to learn from those of the batch alone",
    teacher !== undefined && mute.length > 0
    && `contrastive_loss ${c.contrastive_loss} needs a teacher's scores of every row (pos_scores and neg_scores); `
      + `${mute.length} have none (first: ${mute[0]!.id})`
  ].filter((line) => line !== false)
}
