/** Settings of retrievers trained by contrast, the preset of STM, and the traits of the modes. */
import * as Schema from "effect/Schema"
import { Natural, NonNegative, Positive } from "../../domain/settings/kinds.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { setting } from "../../domain/settings/setting.ts"
import * as Spec from "../../domain/settings/Spec.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { all, trainsRetriever, type Traits, where } from "../../domain/settings/uses.ts"

/** The traits of the modes. */
export const traits = {
  /** The retriever alone, on rows of anchors, positives and negatives. */
  contrastive: { retriever: "trained", reader: "none", passages: "none", questions: "given" },
  /** BM25, which finds passages and hard negatives without a model, and has nothing to train. */
  bm25: { retriever: "lexical", reader: "none", passages: "none", questions: "given" }
} as const satisfies Readonly<Record<string, Traits>>
/** Name of a mode. */
export type ModeName = keyof typeof traits

const byInfoNce = all(
  trainsRetriever,
  where("with contrastive_loss infonce", (c) => c["contrastive_loss"] === "infonce")
)
const byKl = all(trainsRetriever, where("with contrastive_loss kl", (c) => c["contrastive_loss"] === "kl"))
const byShares = all(
  trainsRetriever,
  where("with contrastive_loss infonce or kl", (c) => c["contrastive_loss"] !== "margin_mse")
)

/** The system's own settings by name. */
export const fields = {
  contrastive_loss: setting(Schema.Literals(["infonce", "kl", "margin_mse"]), {
    description:
      "InfoNCE (sentence-transformers' MultipleNegativesRankingLoss, PyLate's Contrastive), or what a teacher's scores of a "
      + "query's own passages say (`pos_scores` and `neg_scores` of the rows): the divergence from their distribution "
      + "(DistillKLDivLoss, Distillation), or the squares of differences between margins (MarginMSELoss).",
    affects: "learning",
    default: "infonce",
    matters: trainsRetriever
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
    matters: trainsRetriever
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
    matters: trainsRetriever
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
/** The settings of a run of this system. */
export type StmConfig = RunConfig & Schema.Struct.Type<typeof fields>

const common = { lr_retriever: 3e-5, retriever_trainable: "all", use_full_attn: true } as const

/** Any retriever, and that of STM (Khattab et al. 2026): a decoder. */
export const presets = {
  contrastive: common,
  stm: {
    ...common,
    retriever_type: "single_vector",
    retriever_attention: "bidirectional",
    retriever_pooling: "eos",
    retriever_template: "bmretriever",
    query_max_len: 512,
    passage_max_len: 512,
    contrastive_temperature: 1,
    num_train_epochs: 1,
    lr_retriever: 5e-5,
    lr_scheduler_type: "linear",
    min_lr_rate: 0,
    warmup_steps: 100,
    retriever_lora_r: 16,
    retriever_lora_alpha: 32
  }
} as const

/** What other queries of an update lend as negatives; nothing, where a teacher's scores are learned. */
export const inBatchOf = (c: StmConfig): StmConfig["in_batch_negatives"] =>
  c.contrastive_loss === "infonce" ? c.in_batch_negatives : "none"

/** Conflicts between the system's settings. */
const conflicts = (c: StmConfig): ReadonlyArray<string> => {
  if (c.mode !== "contrastive") return []
  const { num_negatives: negatives } = c
  const inBatch = inBatchOf(c)
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
  ].filter((problem) => problem !== false)
}

/** The system's spec. */
export const spec = Spec.make({ name: "stm", fields, presets, modes: traits, conflicts })
