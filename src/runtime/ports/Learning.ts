/** What both learners tell of themselves. */
import * as Schema from "effect/Schema"

/** Parameters that are counted, scheduled and checked together. */
export interface ParameterGroup {
  /** The model that they are of: "retriever", "reader". */
  readonly model: string
  /** A component of it: "bert.encoder", "model.layers (lora)". */
  readonly name: string
  /** What is shared, as a tied head is, is counted with the first that has it; so are bytes. */
  readonly parameters: number
  readonly trainable: boolean
  /** Of the values as they are stored. */
  readonly bytes: number
  /** Of the optimiser's state. */
  readonly stateBytes: number
  readonly learningRate: number
}

/** A group by its model and name, as errors and tables have it. */
export const labelOf = ({ model, name }: Pick<ParameterGroup, "model" | "name">): string => `${model} ${name}`

/** Trainable groups whose gradient is zero on each of the first batches, or no number on one of them. */
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

/** A program failed, for the provider's reason. */
export class ProgramFailed extends Schema.TaggedError<ProgramFailed>()("ProgramFailed", {
  program: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return String((this.cause as { readonly message?: unknown }).message ?? this.cause)
  }
}

/** The loss or its gradient is no number any more. */
export class Diverged extends Schema.TaggedError<Diverged>()("Diverged", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}
