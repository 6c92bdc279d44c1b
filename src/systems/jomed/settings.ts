/** JOMED's own settings, its presets, and the traits of its modes. */
import * as Schema from "effect/Schema"
import { Count, NonNegative, Positive, Share } from "../../domain/settings/kinds.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { setting } from "../../domain/settings/setting.ts"
import * as Spec from "../../domain/settings/Spec.ts"
import { all, trainsRetriever, type Traits, where } from "../../domain/settings/uses.ts"
import { kindOf, type Space, spaces } from "../../runtime/retrieval/pictures/heads.ts"

const asked = { passages: "found", questions: "given", pictures: true, queries: "pictures" } as const

/** The traits of the modes. */
export const traits = {
  /** The first phase: the reader learns on pairs that the encoder finds, or the heads of a folder. */
  jomed_reader: { ...asked, retriever: "frozen", reader: "trained" },
  /** The second: a head learns from a reader that stays as it is. */
  jomed_retriever: { ...asked, retriever: "trained", reader: "frozen" }
} as const satisfies Readonly<Record<string, Traits>>
/** Name of a mode. */
export type ModeName = keyof typeof traits

const Head = Schema.String.check(
  Schema.makeFilter((text: string) => kindOf(text) !== undefined || "is copy, layers:N or adapter:WIDTH")
)
const byScores = all(
  trainsRetriever,
  where(
    "with add_prior_to_gold_score or kl other than target_first",
    (c) => c["add_prior_to_gold_score"] === true || c["kl"] !== "target_first"
  )
)

/** The system's own settings by name. */
export const fields = {
  heads: setting(Schema.Array(Schema.Literals(spaces)), {
    description:
      "What is searched, one after the other: passages by their pictures (image), by their captions (text, which needs an "
      + "encoder of texts in the same space).",
    affects: "learning",
    default: ["image"]
  }),
  learned_head: setting(Schema.Literals(spaces), {
    description: "The head that learns; it is one of `heads`, and what the others are stays as it is.",
    affects: "learning",
    default: "image",
    matters: trainsRetriever
  }),
  head: setting(Head, {
    description:
      "What a new head is: a copy of the whole encoder (copy), of its last N layers (layers:N), or two matrices on its vectors "
      + "(adapter:WIDTH), which need no encoder of their own and learn on a CPU in seconds.",
    affects: "learning",
    matters: trainsRetriever
  }),
  image_encoder_input: setting(Schema.String, {
    description: "The input that takes pictures, where retriever_name_or_path is an ONNX file; empty to find it.",
    affects: "learning",
    default: ""
  }),
  image_encoder_output: setting(Schema.String, {
    description:
      "The output that is a picture's vector, where retriever_name_or_path is an ONNX file; empty to find it.",
    affects: "learning",
    default: ""
  }),
  head_weight: setting(Share, {
    description: "λ: queries are λ H(q) + (1 - λ) F(q), of the head H and the frozen encoder F.",
    affects: "learning",
    default: 0.15
  }),
  n_candidates: setting(Count, {
    description: "Passages that are found for a question, from which a head learns.",
    affects: "learning",
    default: 50,
    matters: trainsRetriever
  }),
  retriever_n_context: setting(Count, {
    description: "How many of them, the best, the reader reads one by one.",
    affects: "learning",
    default: 50,
    matters: trainsRetriever
  }),
  n_context: setting(Count, {
    description: "Passages that each head finds for a question that is answered, or that the reader learns on.",
    affects: "learning",
    default: 2
  }),
  snapshot_steps: setting(Count, {
    description: "Updates after which the head that finds the candidates is brought up to date.",
    affects: "learning",
    default: 10,
    aliases: ["update_base_ret_freq"],
    matters: trainsRetriever
  }),
  utility: setting(Schema.Literals(["log_prob", "double_softmax", "nll", "label"]), {
    description:
      "How a passage's scores of the options become its utility: log P of the right one; the same after another softmax, as "
      + "released; its log-likelihood, whatever the others have (nll); or, without a reader, 1 if the passage's text names the right option "
      + "and 0 if not (label): an upper line, for captions that are labels.",
    affects: "learning",
    matters: trainsRetriever
  }),
  add_prior_to_gold_score: setting(Schema.Boolean, {
    description: "Whether utilities re-weigh the retriever's own ranking, so that equal ones teach nothing.",
    affects: "learning",
    default: true,
    matters: trainsRetriever
  }),
  temperature_gold: setting(Positive, {
    description: "Utilities are divided by it.",
    affects: "learning",
    matters: trainsRetriever
  }),
  temperature_score: setting(Positive, {
    description: "The retriever's scores are divided by it.",
    affects: "learning",
    matters: trainsRetriever
  }),
  kl: setting(Schema.Literals(["target_first", "retriever_first", "symmetric"]), {
    description:
      "The divergence between target T and retriever R that is minimised: KL(T || R), KL(R || T) (the release's symmetric_kl), or "
      + "the mean of both.",
    affects: "learning",
    default: "target_first",
    matters: trainsRetriever
  }),
  weighting_kl: setting(Schema.Boolean, {
    description: "Learn only from questions whose passages lead the reader to different options.",
    affects: "learning",
    default: false,
    matters: trainsRetriever
  }),
  retrieve_with_rerank: setting(Schema.Boolean, {
    description: "Rescore the candidates of the snapshot with the head as it is.",
    affects: "learning",
    default: true,
    matters: trainsRetriever
  }),
  min_utility_variance: setting(NonNegative, {
    description:
      "Training does not begin if the variance of the utility over a question's passages is below this on average, in each of the "
      + "first four batches: the reader then does not go by them.",
    affects: "output",
    default: 1e-6,
    matters: trainsRetriever
  }),
  exclude: setting(Schema.Array(Schema.Literals(["self", "group"])), {
    description:
      "Passages that a question does not find: those with its own picture (self), those of its group (`group_field`; a patient, "
      + "say).",
    affects: "learning"
  }),
  class_balanced: setting(Schema.Boolean, {
    description: "Whether training questions come by turns of their answers, as many of each as the rarest has.",
    affects: "learning",
    default: true
  }),
  fused_eval: setting(Schema.Boolean, {
    description:
      "Whether each passage is read alone and the options' scores are fused by those of the passages, or all are read in one prompt.",
    affects: "answers",
    default: true
  }),
  fusion: setting(Schema.Literals(["lockstep", "positions"]), {
    description:
      "How free answers are fused: each token is that of the greatest weighted sum of logits over the passages' readings, which all go "
      + "on from it (lockstep); or each reading goes on by itself, and their logits are summed place by place (positions, as released).",
    affects: "answers",
    default: "lockstep",
    matters: where("with fused_eval: true", (c) => c["fused_eval"] === true)
  })
}
/** The settings of a run of this system. */
export type JomedConfig = RunConfig & Schema.Struct.Type<typeof fields>

const own = {
  document_prompt: "<image>background: {text}\n\n",
  question_prompt: "<image>{question}",
  options_in_query: false,
  option_end: "open",
  use_full_attn: true,
  retriever_trainable: "all",
  lora_r: 8,
  lora_alpha: 16
} as const

/**
 * JOMED's method with arithmetic that keeps what utilities tell (log P at a temperature of 0.1) and without a question's own
 * picture; and as in its released code.
 */
export const presets = {
  jomed: {
    ...own,
    head: "copy",
    utility: "log_prob",
    temperature_gold: 0.1,
    temperature_score: 0.1,
    exclude: ["self", "group"],
    lr_retriever: 1e-4,
    weight_decay: 0.01
  },
  jomed_release: {
    ...own,
    head: "copy",
    utility: "double_softmax",
    temperature_gold: 1,
    temperature_score: 1,
    exclude: [],
    lr_retriever: 1e-4,
    weight_decay: 1,
    fusion: "positions",
    adam_beta2: 0.999,
    adam_epsilon: 1e-8,
    min_lr_rate: 0,
    warmup_steps: 20
  }
} as const

/** Conflicts between the system's settings. */
const conflicts = (c: JomedConfig): ReadonlyArray<string> => {
  const learns = c.mode === "jomed_retriever"
  const reads: ReadonlyArray<Space> = c.heads
  return [
    reads.length === 0 && "heads: names none",
    new Set(reads).size < reads.length && "heads: names one twice",
    learns && !reads.includes(c.learned_head) &&
    `learned_head (${c.learned_head}) is none of heads (${reads.join(", ")})`,
    learns && c.head_weight === 0 && "head_weight 0 leaves the head nothing to learn",
    learns && c.retriever_n_context > c.n_candidates
    && `retriever_n_context (${c.retriever_n_context}) exceeds n_candidates (${c.n_candidates})`,
    learns && c.retriever_n_context < 2 && "retriever_n_context: at least 2 passages are compared",
    learns && byScores({ ...c, mode: c.mode }, traits) === undefined && !c.retrieve_with_rerank
    && "add_prior_to_gold_score and kl weigh with the head's current scores; set retrieve_with_rerank: true",
    c.refresh_index !== "never" &&
    "refresh_index: vectors of passages do not change; snapshot_steps says when queries' do",
    c.passages_file === "" && "passages_file: is missing"
  ].filter((problem) => problem !== false)
}

/** JOMED's spec. */
export const spec = Spec.make({ name: "jomed", fields, presets, modes: traits, conflicts })
