/** JMLR's own settings, its presets, and the traits of its modes. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { COMMAND_LINE, type ConfigError, settle } from "../../domain/settings/configure.ts"
import { Count, NonNegative, Positive } from "../../domain/settings/kinds.ts"
import type { Raw, RunConfig } from "../../domain/settings/RunConfig.ts"
import { setting } from "../../domain/settings/setting.ts"
import * as Spec from "../../domain/settings/Spec.ts"
import { all, encodes, finds, inModes, ranks, readsPassages, type Traits, where } from "../../domain/settings/uses.ts"

/** The traits of the modes. */
export const traits = {
  /** The retriever is trained on the reader's likelihoods, the reader on retrieved passages. */
  joint: { retriever: "trained", reader: "trained", passages: "found", questions: "given", pictures: true },
  frozen_rag: { retriever: "frozen", reader: "trained", passages: "found", questions: "given", pictures: true },
  no_retrieval: { retriever: "none", reader: "trained", passages: "none", questions: "given", pictures: true },
  bm25_rag: { retriever: "lexical", reader: "trained", passages: "found", questions: "given", pictures: true },
  gold_supervised: { retriever: "trained", reader: "trained", passages: "found", questions: "given", pictures: true },
  oracle: { retriever: "none", reader: "trained", passages: "gold", questions: "given", pictures: true },
  /** Warm-ups: `lexical` for a retriever, `copy` for a reader. */
  lexical: { retriever: "trained", reader: "none", passages: "none", questions: "made" },
  copy: { retriever: "none", reader: "trained", passages: "gold", questions: "made" }
} as const satisfies Readonly<Record<string, Traits>>
/** Name of a mode. */
export type ModeName = keyof typeof traits

const inNamed = (...names: ReadonlyArray<ModeName>) =>
  where(`in mode ${names.join(", ")}`, ({ mode }) => names.includes(mode as ModeName))
/** Modes that sample candidates for the reader. */
const draws = inNamed("joint", "frozen_rag", "bm25_rag")
/** Modes in which the reader's likelihoods rank the drawn passages. */
const judges = inNamed("joint", "frozen_rag")
const byPairs = all(judges, where("with gold_score_mode llm_rank", (c) => c["gold_score_mode"] === "llm_rank"))
const byTemperature = where(
  "with gold_score_mode pdist, pdist_prior or loop",
  (c) => ["pdist", "pdist_prior", "loop"].includes(c["gold_score_mode"] as string)
)
/** Modes that train the retriever on given questions. */
const trainsRanking = inModes(({ questions, retriever }) => retriever === "trained" && questions === "given")

/** The system's own settings by name. */
export const fields = {
  n_candidates: setting(Count, {
    description: "Passages retrieved per question: the candidates.",
    affects: "learning",
    aliases: ["num_doc", "n_to_rerank"],
    matters: ranks
  }),
  retriever_n_context: setting(Count, {
    description: "Candidates that the reader scores one by one.",
    affects: "learning",
    aliases: ["train_group_size", "nway"],
    matters: finds
  }),
  n_context: setting(Count, {
    description: "Passages in the reader's prompt.",
    affects: "learning",
    matters: readsPassages
  }),
  context: setting(Schema.Literals(["sampled", "top"]), {
    description: "Whether the reader is trained on the best of the sampled candidates or of all.",
    affects: "learning",
    matters: draws
  }),
  sampling: setting(Schema.Literals(["weighted", "uniform", "top"]), {
    description:
      "Which candidates the reader scores: sampled by score without replacement, sampled all alike, or the best.",
    affects: "learning",
    default: "weighted",
    matters: draws
  }),
  sampling_temperature: setting(Positive, {
    description: "Temperature of that sampling: the scaled scores are divided by it.",
    affects: "learning",
    default: 1,
    matters: all(draws, where("with sampling weighted", ({ sampling }) => sampling === "weighted"))
  }),
  gold_score_mode: setting(Schema.Literals(["llm_rank", "pdist", "pdist_prior", "emdr2", "loop"]), {
    description:
      "How the reader's likelihoods teach the retriever: by pairs (JMLR), or as a distribution over the passages it is to have: "
      + "of the likelihoods (Atlas's PDist), the same with its own as prior, that of EMDR2's marginal likelihood, or by what the "
      + "answer loses without each passage (Atlas's LOOP).",
    affects: "learning",
    default: "llm_rank",
    matters: judges
  }),
  temperature_gold: setting(Positive, {
    description: "Temperature of the reader's distribution over passages (pdist, pdist_prior, loop).",
    affects: "learning",
    default: 0.01,
    matters: all(judges, byTemperature)
  }),
  temperature_score: setting(Positive, {
    description:
      "Temperature of the retriever's distribution over passages (all but llm_rank; gold_supervised, lexical).",
    affects: "learning",
    default: 0.01,
    matters: where(
      "in mode gold_supervised, lexical, or with a gold_score_mode other than llm_rank",
      ({ gold_score_mode, mode }) =>
        ["gold_supervised", "lexical"].includes(mode)
        || (["joint", "frozen_rag"].includes(mode) && gold_score_mode !== "llm_rank")
    )
  }),
  rank_ties: setting(Schema.Literals(["skip", "later"]), {
    description: "Ties in likelihood: skipped, or the passage sampled later counts as better (as released).",
    affects: "learning",
    matters: byPairs
  }),
  rank_tie_margin: setting(NonNegative, {
    description: "Likelihoods that differ by no more than this, in nats per token, are ties.",
    affects: "learning",
    default: 0,
    matters: byPairs
  }),
  rank_mean: setting(Schema.Literals(["pairs", "pairs_plus_one"]), {
    description: "The sum over pairs is divided by their number, or by one more (as in the release).",
    affects: "learning",
    matters: byPairs
  }),
  rank_weight: setting(NonNegative, {
    description: "Weight of the retriever's loss.",
    affects: "learning",
    default: 1,
    matters: encodes
  }),
  retrieve_with_rerank: setting(Schema.Boolean, {
    description: "Rescore the candidates with the current encoder, as JMLR does.",
    affects: "learning",
    default: true,
    matters: trainsRanking
  }),
  copy_words: setting(Schema.Int.check(Schema.isGreaterThanOrEqualTo(2)), {
    description: "Length in words of the synthetic passages of the `copy` warm-up.",
    affects: "learning",
    default: 8,
    matters: inNamed("copy")
  })
}
/** The settings of a run of this system. */
export type JmlrConfig = RunConfig & Schema.Struct.Type<typeof fields>

/** JMLR as in the paper, and as in its released code. Adam's and the schedule's defaults are JMLR's too. */
export const presets = {
  paper: {
    n_candidates: 30,
    retriever_n_context: 7,
    n_context: 7,
    context: "sampled",
    lr_retriever: 3e-5,
    retriever_trainable: "all",
    use_full_attn: false,
    rank_ties: "skip",
    rank_mean: "pairs"
  },
  release: {
    n_candidates: 20,
    retriever_n_context: 10,
    n_context: 5,
    context: "top",
    learning_rate: 3e-6,
    lr_retriever: 3e-6,
    retriever_trainable: "embeddings",
    lora_r: 128,
    lora_alpha: 256,
    lora_dropout: 0.05,
    lora_target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"],
    modules_to_save: ["embed_tokens", "norm"],
    use_full_attn: true,
    rank_ties: "later",
    rank_mean: "pairs_plus_one",
    query_max_len: 512,
    passage_max_len: 128
  }
} as const

/** Whether the retriever's own scores are a part of its target. */
const weighsScores = ({ gold_score_mode: by, mode }: JmlrConfig): boolean =>
  mode === "joint" && (by === "pdist_prior" || by === "emdr2")

/** Conflicts between the system's settings. */
const conflicts = (c: JmlrConfig): ReadonlyArray<string> => {
  const { passages, retriever } = traits[c.mode as ModeName]
  const found = passages === "found"
  return [
    found && c.retriever_n_context > c.n_candidates
    && `retriever_n_context (${c.retriever_n_context}) exceeds n_candidates (${c.n_candidates})`,
    found && c.n_context > c.n_candidates && `n_context (${c.n_context}) exceeds n_candidates (${c.n_candidates})`,
    found && c.context === "sampled" && c.n_context > c.retriever_n_context
    && `n_context (${c.n_context}) exceeds retriever_n_context (${c.retriever_n_context}), from which it is taken`,
    ["llm_rank", "loop"].includes(c.gold_score_mode) && c.retriever_n_context < 2
    && `${c.gold_score_mode} compares at least 2 passages`,
    weighsScores(c) && !c.retrieve_with_rerank
    && `gold_score_mode ${c.gold_score_mode} weighs with the encoder's current scores; set retrieve_with_rerank: true`,
    retriever === "trained" && c.rank_weight === 0
    && `rank_weight 0 leaves the retriever nothing to learn in mode ${c.mode}; mode frozen_rag keeps it as it is`,
    c.passages_file === "" && "passages_file: is missing",
    c.mode === "copy" && c.copy_words > c.text_maxlength
    && `copy_words (${c.copy_words}) exceeds text_maxlength (${c.text_maxlength}): a word takes at least a token`
  ].filter((problem) => problem !== false)
}

/** JMLR's spec. */
export const spec = Spec.make({ name: "jmlr", fields, presets, modes: traits, conflicts })

/** Decodes a file's JMLR settings with overrides. */
export const decode = (source: string, file: Raw, overrides: Raw = {}): Effect.Effect<JmlrConfig, ConfigError> =>
  Effect.map(
    settle([spec], [{ source, settings: file }, { source: COMMAND_LINE, settings: overrides }]),
    ({ config }) => config as JmlrConfig
  )
