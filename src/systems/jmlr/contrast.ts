/** Settings of contrastive training (mode contrastive). */
import * as Schema from "effect/Schema"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import { Natural, NonNegative, Positive } from "../../domain/settings/kinds.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { setting } from "../../domain/settings/setting.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { all, type Use, where } from "../../domain/settings/uses.ts"
import type { Loss } from "../../runtime/retrieval/dense/lessons.ts"
import type { ContrastOptions } from "../../stages/contrast.ts"

const contrasts: Use = where("in mode contrastive", ({ mode }) => mode === "contrastive")
const byInfoNce = all(contrasts, where("with contrastive_loss infonce", (c) => c["contrastive_loss"] === "infonce"))
const byKl = all(contrasts, where("with contrastive_loss kl", (c) => c["contrastive_loss"] === "kl"))

/** The settings by name. */
export const contrast = {
  contrastive_loss: setting(Schema.Literals(["infonce", "kl"]), {
    description:
      "InfoNCE (sentence-transformers' MultipleNegativesRankingLoss), or the divergence from a teacher's scores of a query's "
      + "own passages (DistillKLDivLoss; `pos_scores` and `neg_scores` of the rows).",
    affects: "learning",
    default: "infonce",
    matters: contrasts
  }),
  contrastive_temperature: setting(Positive, {
    description: "Scores are divided by it: 0.05 is sentence-transformers' `scale` of 20, STM's formula has 1.",
    affects: "learning",
    default: 0.05,
    aliases: ["tau"],
    matters: contrasts
  }),
  num_negatives: setting(Natural, {
    description: "Hard negatives of a query in a step, drawn anew in each if its row has more.",
    affects: "learning",
    default: 1,
    aliases: ["num_hard_negatives"],
    matters: contrasts
  }),
  in_batch_negatives: setting(Schema.Literals(["positives", "all", "none"]), {
    description: "What other queries of an update lend as negatives: their positives (STM), their hard negatives too "
      + "(MultipleNegativesRankingLoss), or nothing.",
    affects: "learning",
    default: "positives",
    matters: byInfoNce
  }),
  directions: setting(Schema.Literals(["query_to_doc", "both"]), {
    description: "Whether queries are ranked for each positive, too; the loss is then the mean of both.",
    affects: "learning",
    default: "query_to_doc",
    matters: byInfoNce
  }),
  mask_known_positives: setting(Schema.Boolean, {
    description: "Leave passages out of a query's negatives that its row names as positives.",
    affects: "learning",
    default: true,
    matters: byInfoNce
  }),
  margin_strategy: setting(Schema.Literals(["none", "absolute", "relative"]), {
    description:
      "Leave passages out of a query's negatives that score more than its positive less `margin`, or less this share of it, "
      + "by the retriever itself.",
    affects: "learning",
    default: "none",
    matters: byInfoNce
  }),
  margin: setting(NonNegative, {
    description: "The margin of `margin_strategy`.",
    affects: "learning",
    default: 0,
    matters: all(byInfoNce, where("with a margin_strategy", (c) => c["margin_strategy"] !== "none"))
  }),
  mini_batch_size: setting(Natural, {
    description:
      "Texts that are encoded at a time, with cached gradients (CachedMultipleNegativesRankingLoss): memory is bounded by it, "
      + "results are those of the whole batch; 0 for all at once.",
    affects: "output",
    default: 0,
    matters: contrasts
  }),
  teacher_temperature: setting(Positive, {
    description: "The teacher's scores are divided by it.",
    affects: "learning",
    default: 1,
    matters: byKl
  }),
  normalize_scores: setting(Schema.Boolean, {
    description: "Bring the retriever's scores of a query's passages to [0, 1] first, as PyLate does.",
    affects: "learning",
    default: false,
    matters: byKl
  })
}
/** These settings and the shared ones. */
export type ContrastConfig = RunConfig & Schema.Struct.Type<typeof contrast>

/** How scores become a loss. */
export const contrastLoss = (c: ContrastConfig, weight: number): Loss => ({
  temperature: c.contrastive_temperature,
  weight,
  contrast: {
    miniBatch: c.mini_batch_size,
    margin: c.margin_strategy === "none" || c.contrastive_loss === "kl"
      ? undefined
      : { strategy: c.margin_strategy, margin: c.margin },
    divergence: c.contrastive_loss === "kl",
    normalise: c.contrastive_loss === "kl" && c.normalize_scores
  }
})

/** Which passages a query's positive is compared with, and whether queries are ranked, too. */
export const contrastOptions = (c: ContrastConfig): ContrastOptions & { readonly both: boolean } => {
  const kl = c.contrastive_loss === "kl"
  return {
    b: stepSize(c),
    negatives: c.num_negatives,
    inBatch: kl ? "none" : c.in_batch_negatives,
    masksKnown: c.mask_known_positives,
    teacher: kl ? c.teacher_temperature : undefined,
    seed: c.seed,
    both: !kl && c.directions === "both"
  }
}

/** What rows lack for the loss: negatives, or a teacher's scores. */
export const contrastLacks = (c: ContrastConfig) => (records: ReadonlyArray<QuestionRecord>): ReadonlyArray<string> => {
  const { inBatch, negatives, teacher } = contrastOptions(c)
  const alone = records.filter((q) => (q.negatives ?? []).length === 0)
  const mute = records.filter(({ scores }) => scores === undefined)
  return [
    inBatch === "none" && alone.length > 0
    && `${alone.length} rows have no negatives to compare their positives with (first: ${alone[0]!.id})`,
    inBatch !== "none" && negatives > 0 && alone.length === records.length
    && "no row has a negative; set num_negatives: 0 to learn from those of the batch alone",
    teacher !== undefined && mute.length > 0
    && `contrastive_loss kl needs pos_scores and neg_scores of every row; ${mute.length} have none (first: ${
      mute[0]!.id
    })`
  ].filter((line) => line !== false)
}

/** Conflicts between these settings. */
export const contrastConflicts = (c: ContrastConfig): ReadonlyArray<string | false> => {
  const lonely = contrastOptions(c).inBatch === "none" || stepSize(c) === 1
  return [
    c.mode === "contrastive" && c.num_negatives === 0 && lonely
    && "num_negatives 0 leaves a query nothing to compare its positive with: raise it or per_device_train_batch_size, or "
      + "set in_batch_negatives: positives"
  ]
}
