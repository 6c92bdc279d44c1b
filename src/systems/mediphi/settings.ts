/** Settings of language models trained on texts, their presets, and the traits of the modes. */
import * as Schema from "effect/Schema"
import { Count, MaybePath, MaybeSteps, NonNegative, Positive, Where } from "../../domain/settings/kinds.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { setting } from "../../domain/settings/setting.ts"
import * as Spec from "../../domain/settings/Spec.ts"
import { all, type Traits, where } from "../../domain/settings/uses.ts"

/** The traits of the modes. */
export const traits = {
  /** Examples: chats, prompts with completions, texts. */
  sft: { retriever: "none", reader: "trained", passages: "none", questions: "texts" },
  /** Documents, every token of which is learned. */
  pretrain: { retriever: "none", reader: "trained", passages: "none", questions: "texts" },
  /** Preferences: a prompt with a chosen and a rejected answer. */
  dpo: { retriever: "none", reader: "trained", passages: "none", questions: "texts" }
} as const satisfies Readonly<Record<string, Traits>>
/** Name of a mode. */
export type ModeName = keyof typeof traits

const inNamed = (...names: ReadonlyArray<ModeName>) =>
  where(`in mode ${names.join(", ")}`, ({ mode }) => names.includes(mode as ModeName))
const chats = inNamed("sft", "dpo")
const packs = inNamed("sft", "pretrain")
const [sft, pretrain, dpo] = [inNamed("sft"), inNamed("pretrain"), inNamed("dpo")]
const evaluates = where("without eval_file", (c) => c["eval_file"] !== "")
const losses = (c: Readonly<Record<string, unknown>>) => c["loss_type"] as ReadonlyArray<string>

/** The system's own settings by name. */
export const fields = {
  packing: setting(Schema.Union([Schema.Boolean, Schema.Literals(["auto", "bfd", "bfd_split", "wrapped"])]), {
    description:
      "How examples share rows of `max_length` tokens. \"bfd\" puts them where they fit best, the longest first, and "
      + "\"bfd_split\" cuts those that are too long into pieces; examples of a row do not attend to each other, and the result "
      + "is that without packing. \"wrapped\" (mode pretrain) joins all documents and cuts every `max_length` tokens. true is "
      + "bfd in mode sft and wrapped in mode pretrain; \"auto\" is false in mode sft and wrapped in mode pretrain.",
    affects: "learning",
    default: "auto",
    aliases: ["packing_strategy", "sample_packing"],
    matters: packs
  }),
  loss_average: setting(Schema.Literals(["token", "example"]), {
    description:
      "Over what the loss of an update is averaged: all its learned tokens (TRL), or its examples, which then "
      + "count alike whatever their length.",
    affects: "learning",
    default: "token",
    matters: packs
  }),
  train_on_inputs: setting(Schema.Boolean, {
    description: "Learn everything, not only what the assistant says, or completions.",
    affects: "learning",
    default: false,
    matters: sft
  }),
  last_turn_only: setting(Schema.Boolean, {
    description: "Of chats with several turns, learn only the assistant's last.",
    affects: "learning",
    default: false,
    matters: all(sft, where("without train_on_inputs", (c) => c["train_on_inputs"] !== true))
  }),
  split_turns: setting(Schema.Boolean, {
    description:
      "Make an example of each turn of the assistant, with the messages before it: for templates that render earlier turns "
      + "otherwise, such as those that drop their thoughts.",
    affects: "learning",
    default: false,
    matters: sft
  }),
  thinking: setting(Schema.Literals(["keep", "drop"]), {
    description:
      "Whether a template may drop what stands between `<think>` and `</think>` in earlier turns, which is then "
      + "not learned; \"keep\" refuses to start.",
    affects: "learning",
    default: "keep",
    matters: sft
  }),
  tools: setting(Schema.Literals(["template", "ignore"]), {
    description: "What becomes of rows' `tools`: given to the chat template, which must print them, or left out.",
    affects: "learning",
    default: "template",
    matters: chats
  }),
  deduplicate: setting(Schema.Boolean, {
    description: "Learn documents once that are equal but for case and white space.",
    affects: "learning",
    default: true,
    matters: pretrain
  }),
  document_tasks: setting(Schema.Literals(["none", "outputs", "all"]), {
    description: "What becomes of documents' `tasks`: left out; or put after their document by `question_prompt` and "
      + "`answer_prompt`, their answers learned beside it (PIT++), or all of them (instruction pre-training).",
    affects: "learning",
    default: "none",
    matters: pretrain
  }),
  documents_per_example: setting(Count, {
    description: "Documents in a row that make one text, each with its tasks (instruction pre-training's M).",
    affects: "learning",
    default: 1,
    matters: pretrain
  }),
  eval_file: setting(MaybePath, {
    description:
      "Rows that are not learned, in the forms of `train_file`: what the model loses on them is told while it is trained.",
    affects: "output",
    default: ""
  }),
  eval_where: setting(Where, {
    description: "As `train_where`, for `eval_file`.",
    affects: "output",
    default: {},
    matters: evaluates
  }),
  eval_strategy: setting(Schema.Literals(["no", "steps", "epoch"]), {
    description: "When the rows of `eval_file` are judged: after every `eval_steps` updates, after every pass over the "
      + "training rows, or not at all; after the last update too, except with \"no\".",
    affects: "output",
    default: "steps",
    aliases: ["evaluation_strategy"],
    matters: evaluates
  }),
  eval_steps: setting(MaybeSteps, {
    description: "Updates between two judgements of `eval_file`; -1 for one after the last update only.",
    affects: "output",
    default: 500,
    matters: all(evaluates, where("with eval_strategy steps", (c) => c["eval_strategy"] === "steps"))
  }),
  eval_on_start: setting(Schema.Boolean, {
    description: "Judge the rows of `eval_file` before the first update too.",
    affects: "output",
    default: false,
    matters: all(evaluates, where("with eval_strategy steps or epoch", (c) => c["eval_strategy"] !== "no"))
  }),
  log_token_statistics: setting(Schema.Boolean, {
    description:
      "Tell of learned tokens, as TRL does, `mean_token_accuracy`, `entropy` and, of preferences, `logits/chosen` and "
      + "`logits/rejected`: two or three more passes over all logits, which cost most where a small model has a large "
      + "vocabulary. Weights do not depend on it.",
    affects: "output",
    default: true
  }),
  beta: setting(Positive, {
    description: "How strongly preferences hold on to the reference: β of DPO.",
    affects: "learning",
    default: 0.1,
    matters: dpo
  }),
  loss_type: setting(
    Schema.Array(
      Schema.Literals(["sigmoid", "hinge", "ipo", "robust", "sigmoid_norm", "apo_zero", "apo_down", "sft"])
    ).check(Schema.isNonEmpty()),
    {
      description:
        "Losses of preferences by TRL's names, added up: `sigmoid` is DPO, `sft` the chosen answer's own loss.",
      affects: "learning",
      default: ["sigmoid"],
      matters: dpo
    }
  ),
  loss_weights: setting(Schema.Array(NonNegative), {
    description: "A weight for each of `loss_type`; empty for 1 each.",
    affects: "learning",
    default: [],
    matters: dpo
  }),
  label_smoothing: setting(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(0.5)), {
    description: "Share of preferences whose labels are taken to be swapped, in the loss `robust`.",
    affects: "learning",
    default: 0,
    matters: all(dpo, where("with loss_type robust", (c) => losses(c).includes("robust")))
  })
}
/** The settings of a run of this system. */
export type MediphiConfig = RunConfig & Schema.Struct.Type<typeof fields>

/** TRL's defaults where it has them. */
const common = {
  lr_retriever: 0,
  use_full_attn: true,
  max_length: 1024,
  lr_scheduler_type: "linear",
  min_lr_rate: 0,
  warmup_ratio: 0,
  weight_decay: 0,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  per_device_train_batch_size: 8,
  question_prompt: "{question}\n",
  answer_prompt: "{answer}"
} as const

/** Presets for each of the modes. */
export const presets = {
  sft: { ...common, mode: "sft", learning_rate: 2e-5, num_train_epochs: 3 },
  pretrain: { ...common, mode: "pretrain", learning_rate: 2e-5, num_train_epochs: 1 },
  dpo: { ...common, mode: "dpo", learning_rate: 1e-6, num_train_epochs: 3 }
} as const

/** How rows are packed. */
export const packingOf = ({ mode, packing }: MediphiConfig): "none" | "bfd" | "bfd_split" | "wrapped" => {
  if (mode === "dpo" || packing === false) return "none"
  if (packing === "auto") return mode === "pretrain" ? "wrapped" : "none"
  if (packing === true) return mode === "pretrain" ? "wrapped" : "bfd"
  return packing
}

/** The losses of preferences with their weights. */
export const lossesOf = ({ loss_type, loss_weights }: MediphiConfig) =>
  loss_type.map((name, i) => [name, loss_weights[i] ?? 1] as const)

/** Conflicts between the system's settings. */
const conflicts = (c: MediphiConfig): ReadonlyArray<string> => {
  const packing = packingOf(c)
  return [
    c.train_file === "" && "train_file: is missing",
    c.holdout > 0 && c.test_file === "" &&
    `holdout (${c.holdout}) holds out questions; mode ${c.mode} learns from texts`,
    packing === "wrapped" && c.mode === "sft"
    && "packing \"wrapped\" joins examples, which would attend to each other; set packing: bfd, or mode: pretrain",
    packing !== "none" && packing !== "wrapped" && !c.use_full_attn && c.max_length >= 1024
    && "packing with use_full_attn false: examples of a row would lie across the groups of shifted sparse attention",
    c.mode === "pretrain" && c.documents_per_example > 1 && packing === "none"
    && "documents_per_example above 1 joins documents as packing does; leave packing as it is",
    c.eval_file !== "" && c.eval_strategy === "steps" && c.eval_steps === 0 && "eval_steps is 0; give a number, or -1",
    c.eval_file !== "" && c.eval_strategy === "steps" && c.eval_steps > 0 && c.eval_steps % c.steps_per_run !== 0
    && `eval_steps (${c.eval_steps}) is no multiple of steps_per_run (${c.steps_per_run}): weights are there after each run`,
    c.mode === "dpo" && c.steps_per_run > 1
    && `steps_per_run (${c.steps_per_run}) is not made for mode dpo; leave it at 1`,
    c.mode === "dpo" && c.loss_weights.length > 0 && c.loss_weights.length !== c.loss_type.length
    && `loss_weights has ${c.loss_weights.length} weights for ${c.loss_type.length} losses (loss_type)`,
    c.mode === "dpo" && lossesOf(c).every(([, weight]) => weight === 0) && "loss_weights are all 0: nothing is learned",
    c.mode === "dpo" && c.loss_type.every((name) => name === "sft")
    && "loss_type sft alone prefers nothing; add another loss, or set mode: sft"
  ].filter((problem) => problem !== false)
}

/** The system's spec. */
export const spec = Spec.make({ name: "mediphi", fields, presets, modes: traits, conflicts })
