/** Training settings shared by all trained models. */
import * as Schema from "effect/Schema"
import { Count, Decay, MaybeSteps, Natural, NonNegative, Positive, Share } from "./kinds.ts"
import { setting } from "./setting.ts"
import { where } from "./uses.ts"

/** The section's settings by name. */
export const training = {
  seed: setting(Natural, {
    description: "Seed of all random choices; each depends on it, the step and the question alone.",
    affects: "learning",
    default: 42
  }),
  per_device_train_batch_size: setting(Count, {
    description: "Questions per batch; an update takes `gradient_accumulation_steps` batches, one at a time in memory.",
    affects: "learning",
    default: 2,
    aliases: ["micro_batch_size", "per_gpu_batch_size", "bsize"]
  }),
  gradient_accumulation_steps: setting(Count, {
    description: "Batches per update.",
    affects: "learning",
    default: 1,
    aliases: ["accumulation_steps", "accumsteps"]
  }),
  steps_per_run: setting(Count, {
    description:
      "Updates that a model makes in one run of its program: on a GPU its weights then come to the host once. "
      + "Passages are found and judged with the weights before the first of them, which for the last are so many less one "
      + "steps old.",
    affects: "learning",
    default: 1
  }),
  per_device_eval_batch_size: setting(Schema.Union([Count, Schema.Literals(["auto"])]), {
    description:
      "Questions per batch in evaluation; \"auto\" for as many, up to 128, as the host's memory holds generated answers "
      + "of.",
    affects: "output",
    default: 16
  }),
  num_train_epochs: setting(Schema.Finite.check(Schema.isGreaterThan(0)), {
    description: "Passes over the training questions, where `max_steps` is -1.",
    affects: "output",
    default: 5,
    aliases: ["num_epochs"],
    matters: where("with max_steps -1", ({ max_steps }) => max_steps === -1)
  }),
  max_steps: setting(MaybeSteps, {
    description: "Updates to train for; -1 for as many as `num_train_epochs` take.",
    affects: "output",
    default: -1,
    aliases: ["total_steps", "maxsteps", "max_train_steps"]
  }),
  lr_scheduler_type: setting(Schema.Literals(["constant", "linear", "cosine"]), {
    description: "How the learning rates decay after the warm-up.",
    affects: "learning",
    default: "cosine",
    aliases: ["lr_scheduler", "scheduler"]
  }),
  min_lr_rate: setting(Share, {
    description: "Learning rate at the end, as a share of the peak.",
    affects: "learning",
    default: 0.1,
    matters: where("with lr_scheduler_type linear or cosine", (c) => c["lr_scheduler_type"] !== "constant")
  }),
  warmup_ratio: setting(Share, {
    description: "Warm-up as a share of all steps, where `warmup_steps` is -1.",
    affects: "learning",
    default: 0.1,
    matters: where("with warmup_steps -1", ({ warmup_steps }) => warmup_steps === -1)
  }),
  warmup_steps: setting(MaybeSteps, {
    description: "Steps over which the learning rates rise from 0; -1 for `warmup_ratio` of all.",
    affects: "learning",
    default: -1,
    aliases: ["warmup", "num_warmup_steps"]
  }),
  weight_decay: setting(NonNegative, {
    description: "AdamW weight decay; not applied to biases and norm weights.",
    affects: "learning",
    default: 0.1
  }),
  adam_beta1: setting(Decay, { description: "AdamW's β₁.", affects: "learning", default: 0.9 }),
  adam_beta2: setting(Decay, { description: "AdamW's β₂.", affects: "learning", default: 0.95 }),
  adam_epsilon: setting(Positive, { description: "AdamW's ε.", affects: "learning", default: 1e-5 }),
  max_grad_norm: setting(Positive, {
    description: "Clip each model's gradient to this norm.",
    affects: "learning",
    default: 1,
    aliases: ["clip"]
  }),
  gradient_checkpointing: setting(Schema.Boolean, {
    description: "Recompute activations in the backward pass instead of storing them: less memory, a third more work.",
    affects: "learning",
    default: false
  }),
  torch_dtype: setting(Schema.Literals(["float32", "float16", "bfloat16"]), {
    description: "Storage dtype of frozen weights; all arithmetic is float32.",
    affects: "learning",
    default: "float32",
    aliases: ["dtype"],
    matters: where(
      "where weights are frozen",
      (c, { retriever }) =>
        retriever === "frozen" || [c["lora_r"], c["retriever_lora_r"]].some((r) => r !== 0)
        || c["retriever_trainable"] === "embeddings"
    )
  }),
  use_rslora: setting(Schema.Boolean, {
    description: "Multiply by alpha / √rank instead (rank-stabilised LoRA); all models.",
    affects: "learning",
    default: false,
    matters: where("with adapters", (c) => [c["lora_r"], c["retriever_lora_r"]].some((r) => r !== 0))
  }),
  lora_bias: setting(Schema.Literals(["none"]), {
    description: "Biases are not trained where there are adapters.",
    affects: "learning",
    default: "none"
  })
}
/** The section's settings, each with a value. */
export type Training = Schema.Struct.Type<typeof training>

/** Questions per step (one optimiser update). */
export const stepSize = (
  c: Pick<Training, "per_device_train_batch_size" | "gradient_accumulation_steps">
): number => c.per_device_train_batch_size * c.gradient_accumulation_steps
