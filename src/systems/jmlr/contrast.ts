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
import type { ContrastGoal } from "../../stages/update.ts"

const contrasts: Use = where("in mode contrastive", ({ mode }) => mode === "contrastive")
const byInfoNce = all(contrasts, where("with contrastive_loss infonce", (c) => c["contrastive_loss"] === "infonce"))
const byKl = all(contrasts, where("with contrastive_loss kl", (c) => c["contrastive_loss"] === "kl"))
const byShares = all(
  contrasts,
  where("with contrastive_loss infonce or kl", (c) => c["contrastive_loss"] !== "margin_mse")
)

/** The settings by name. */
export const contrast = {
  contrastive_loss: setting(Schema.Literals(["infonce", "kl", "margin_mse"]), {
    description:
      "InfoNCE (sentence-transformers' MultipleNegativesRankingLoss, PyLate's Contrastive), or what a teacher's scores of a "
      + "query's own passages say (`pos_scores` and `neg_scores` of the rows): the divergence from their distribution "
      + "(DistillKLDivLoss, Distillation), or the squares of differences between margins (MarginMSELoss).",
    affects: "learning",
    default: "infonce",
    matters: contrasts
  }),
  contrastive_temperature: setting(Schema.Union([Positive, Schema.Literals(["auto"])]), {
    description:
      "Scores are divided by it; auto as sentence-transformers has it: 0.05 for infonce (its `scale` of 20), 1 for kl. STM's "
      + "formula has 1. Late interaction sums over a query's tokens, and wants 1 or more (PyLate's default is 1).",
    affects: "learning",
    default: "auto",
    aliases: ["tau"],
    matters: byShares
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
  hardness_mode: setting(Schema.Literals(["none", "hard_negatives", "in_batch_negatives", "all_negatives"]), {
    description:
      "Add `hardness_strength` times their score to the logits of negatives, the more the harder they are: of the "
      + "query's own hard negatives, of the passages of other queries, or of both.",
    affects: "learning",
    default: "none",
    matters: byInfoNce
  }),
  hardness_strength: setting(NonNegative, {
    description: "The strength of `hardness_mode`, alpha; not divided by the temperature.",
    affects: "learning",
    default: 0,
    matters: all(byInfoNce, where("with a hardness_mode", (c) => c["hardness_mode"] !== "none"))
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

/** What `auto` stands for; differences between scores are not divided. */
const temperatures = { infonce: 0.05, kl: 1, margin_mse: 1 } as const

const temperatureOf = ({ contrastive_loss: loss, contrastive_temperature: given }: ContrastConfig): number =>
  given === "auto" || loss === "margin_mse" ? temperatures[loss] : given

/** How scores become a loss. */
export const contrastLoss = (c: ContrastConfig, weight: number): Loss => ({
  temperature: temperatureOf(c),
  weight,
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
export const contrastOptions = (c: ContrastConfig): ContrastOptions & ContrastGoal => {
  const loss = c.contrastive_loss
  return {
    b: stepSize(c),
    negatives: c.num_negatives,
    inBatch: loss === "infonce" ? c.in_batch_negatives : "none",
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
    && `contrastive_loss ${c.contrastive_loss} needs a teacher's scores of every row (pos_scores and neg_scores); `
      + `${mute.length} have none (first: ${mute[0]!.id})`
  ].filter((line) => line !== false)
}

/** Conflicts between these settings. */
export const contrastConflicts = (c: ContrastConfig): ReadonlyArray<string | false> => {
  if (c.mode !== "contrastive") return []
  const { inBatch, negatives } = contrastOptions(c)
  const weighs = c.contrastive_loss === "infonce" && c.hardness_mode !== "none"
  const weighed = [
    ...(c.hardness_mode === "in_batch_negatives" || negatives === 0 ? [] : ["own"]),
    ...(c.hardness_mode === "hard_negatives" || inBatch === "none" ? [] : ["others"])
  ]
  return [
    negatives === 0 && (inBatch === "none" || stepSize(c) === 1)
    && "num_negatives 0 leaves a query nothing to compare its positive with: raise it or per_device_train_batch_size, or "
      + "set in_batch_negatives: positives",
    weighs && c.hardness_strength === 0 && `hardness_mode ${c.hardness_mode} has no effect with hardness_strength 0`,
    weighs && weighed.length === 0
    && `hardness_mode ${c.hardness_mode} finds none: num_negatives is ${negatives}, in_batch_negatives ${inBatch}`
  ]
}
