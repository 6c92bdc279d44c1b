/** Common to both learners: parameter groups and errors. */
import * as Schema from "effect/Schema"

/** Parameters that are counted, scheduled and checked together. */
export interface ParameterGroup {
  /** The model they belong to: "retriever", "reader". */
  readonly model: string
  /** A component of the model: "bert.encoder", "model.layers (lora)". */
  readonly name: string
  /** Elements. A shared weight, such as a tied head, is counted in its first group only; the same holds for bytes. */
  readonly parameters: number
  readonly trainable: boolean
  /** Bytes of the stored values. */
  readonly bytes: number
  /** Bytes of the optimiser state. */
  readonly stateBytes: number
  readonly learningRate: number
}

/** Loss scaling, where matrix products are in float16. */
export interface LossScale {
  /** The factor of the loss in the next update. */
  readonly scale: number
  /** Updates of the run, in all of its processes, that were skipped because their gradients were not finite. */
  readonly skipped: number
}

/** A group's label in errors and tables. */
export const labelOf = ({ model, name }: Pick<ParameterGroup, "model" | "name">): string => `${model} ${name}`

/** Trainable groups whose gradient is zero on each of the first batches, or not finite on one of them. */
export class DeadGradient extends Schema.TaggedError<DeadGradient>()("DeadGradient", {
  groups: Schema.Array(Schema.String),
  batches: Schema.Int
}) {
  override get message(): string {
    return `No training: ${
      this.groups.join(", ")
    } would not learn. The gradient on the first ${this.batches} batches is `
      + "zero or not finite. Freeze it, or look for what cuts it off (a zero weight of the loss, a truncated answer, a "
      + "rank_tie_margin that no two passages differ by)."
  }
}

/** The reader's verdicts hardly depend on the passage, so that there is nothing to learn from them. */
export class Indifferent extends Schema.TaggedError<Indifferent>()("Indifferent", {
  /** Mean over questions of the variance over passages of the utility, and the least that is asked for. */
  variance: Schema.Number,
  least: Schema.Number,
  questions: Schema.Int
}) {
  override get message(): string {
    return `No training: the reader's verdicts on ${this.questions} questions hardly depend on the passage. The variance of a passage's `
      + `utility is ${
        this.variance.toExponential(2)
      } on average, below min_utility_variance (${this.least}). A reader that goes by `
      + "the question or the picture alone teaches a retriever nothing: train it on retrieved passages first, on more of them, or "
      + "with fewer labels to learn by heart."
  }
}

/** A program failed; `cause` is the provider's error. */
export class ProgramFailed extends Schema.TaggedError<ProgramFailed>()("ProgramFailed", {
  program: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return String((this.cause as { readonly message?: unknown }).message ?? this.cause)
  }
}

/** The loss or its gradient is no longer finite. */
export class Diverged extends Schema.TaggedError<Diverged>()("Diverged", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}
